"""Declare the configuration: every key with its type, default and meaning. `docs/configuration.md` is generated from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from pathlib import Path

Auth = Literal["basic", "bearer", "oauth"]
Layout = Literal["nested", "maildir++"]
Direction = Literal["both", "pull"]
OnDelete = Literal["trash", "destroy", "keep"]
LineEndings = Literal["lf", "crlf"]
VcardVersion = Literal["3.0", "4.0"]

MINUTE = 60.0
DAY = 86_400.0
SHARED = ".shared"
"""What is added to the root of a kind to name the directory with the roots of shared accounts."""
TIMEOUT = 120.0


class KindConfig(Struct, frozen=True, kw_only=True):
    """One kind of data of an account. The kind is on when its table is there."""

    kind: ClassVar[str]
    path: Path
    """Root of the local files. `~` and `$VARIABLE` are expanded; a relative path starts at the configuration file. Roots
    must not contain each other."""
    direction: Direction = "both"
    """`pull`: the server is never written; local changes are undone, and kept as conflict copies. The default is the account's."""

    @property
    def shared_path(self) -> Path:
        """Return the directory with the roots of shared accounts."""
        return self.path.with_name(self.path.name + SHARED)


class NotmuchConfig(Struct, frozen=True, kw_only=True):
    """Keywords as tags of a notmuch database, both ways. On when the table is there; needs the Python package `notmuch2`."""

    config: Path | None = None
    """Configuration file of notmuch; without it, the one that notmuch itself finds, such as `~/.notmuch-config`."""
    mailboxes: tuple[str, ...] = ()
    """Shell patterns of mailbox paths: these mailboxes are tags too. `["*"]` for all."""
    tags: dict[str, str] = {}
    """Tags with another name than their mailbox or keyword, such as `{ Archive = "archive", "$junk" = "spam" }`."""
    ignore: tuple[str, ...] = ()
    """Tags that are never sent to the server."""


class MailConfig(KindConfig, frozen=True, kw_only=True):
    """Mail of an account, as Maildir folders below `path`."""

    kind: ClassVar[str] = "mail"
    layout: Layout = "nested"
    """`nested`: folders within folders (`Lists/python`); `maildir++`: folders side by side (`.Lists.python`), the root is
    the inbox. Fixed once mail is there."""
    include: tuple[str, ...] = ("*",)
    """Shell patterns of mailbox paths: which mailboxes are mirrored."""
    exclude: tuple[str, ...] = ()
    """Shell patterns of mailbox paths that are not mirrored, although `include` names them."""
    on_delete: OnDelete = "trash"
    """What deleting the last local copy of a message does on the server: move it to Trash, destroy it, or keep it there."""
    line_endings: LineEndings = "lf"
    """Line endings of files. With `lf`, a message whose CRLF cannot be restored exactly keeps its bytes."""
    keep_deleted: bool = False
    """Keep messages that the server deletes, below `DELETED` in the root."""
    notmuch: NotmuchConfig | None = None


class CollectionsConfig(KindConfig, frozen=True, kw_only=True):
    """A kind whose items are in address books, calendars or task lists."""

    include: tuple[str, ...] = ("*",)
    """Shell patterns of names: which address books, calendars or task lists are mirrored."""
    exclude: tuple[str, ...] = ()
    """Shell patterns of the names of those that are not mirrored, although `include` names them."""
    hidden: bool = True
    """Mirror also those that you are not subscribed to, and those that you hid in another program (`isSubscribed`, `isVisible`).
    With `false`, only the ones that `include` has the very names of."""


class ContactsConfig(CollectionsConfig, frozen=True, kw_only=True):
    """Contacts of an account, as `.vcf` files; each address book is a directory below `path`."""

    kind: ClassVar[str] = "contacts"
    vcard_version: VcardVersion = "3.0"
    """Version of vCard that is written; any version is read."""


class CalendarsConfig(CollectionsConfig, frozen=True, kw_only=True):
    """Events of an account, as `.ics` files; each calendar is a directory below `path`."""

    kind: ClassVar[str] = "calendars"
    send_invitations: bool = False
    """Let the server mail the participants of events that you change: invitations, updates and cancellations of your own
    events, and your answers to others. The events of the first run, of `restore` and those that are over are never mailed about."""


class TasksConfig(CollectionsConfig, frozen=True, kw_only=True):
    """Tasks of an account, as `.ics` files, where the server offers the tasks of its calendars (Cyrus does not)."""

    kind: ClassVar[str] = "tasks"


class SieveConfig(KindConfig, frozen=True, kw_only=True):
    """Sieve scripts of an account, as `NAME.sieve` below `path`; the symbolic link `active` names the active one."""

    kind: ClassVar[str] = "sieve"


class AccountConfig(Struct, frozen=True, kw_only=True):
    """One account: its server, how to sign in, and the tables of its kinds.

    Needs `address` or `url`, and one password source unless `auth` is `"oauth"`.
    """

    name: str
    state_dir: Path
    """The account's own state directory; it may not exist yet."""
    address: str = ""
    """Mail address; its domain is used to find the server (DNS SRV record, then `.well-known/jmap`)."""
    url: str = ""
    """URL of the JMAP session, such as `https://mail.example.com/.well-known/jmap`. `http://` only for this machine."""
    user: str = ""
    """User name for sign-in; without it, the address."""
    auth: Auth = "bearer"
    """How to sign in: `basic` with user and password, `bearer` with an API token, `oauth` with `jmapsync login ACCOUNT`."""
    client_id: str = ""
    """OAuth: the client id that the provider gave you; without it, jmapsync registers itself with the server."""
    client_secret: str = ""
    """OAuth: the secret that belongs to `client_id`, if there is one. Only you may read the configuration file then (mode 0600)."""
    scopes: tuple[str, ...] = ()
    """OAuth: the scopes to ask for; without them, those of the kinds."""
    password_command: str = ""
    """Password source: the first line that this command prints. Run by `/bin/sh` without a terminal."""
    password_file: Path | None = None
    """Password source: the first line of this file, which only you may read (mode 0600)."""
    credential: str = ""
    """Password source: a systemd credential of this name (`LoadCredential=`)."""
    keyring: bool = False
    """Password source: what `jmapsync login ACCOUNT` stored, in the desktop's keyring (which needs the extra `jmapsync[keyring]`)
    or, where there is none, in a private file."""
    password: str = ""
    """Password source: the password itself, if only you may read the configuration file (mode 0600)."""
    account_id: str = ""
    """JMAP id or name of the account on the server, as `jmapsync check` lists them; without it, the primary account."""
    shared: bool = False
    """Also mirror every other account of the session, such as shared mailboxes and calendars, each below `PATH.shared/NAME` of a
    kind (see [shared accounts](shared.md))."""
    shared_exclude: tuple[str, ...] = ()
    """Shell patterns of names or ids of accounts that `shared` leaves out; what was mirrored of them stays on the disk."""
    direction: Direction = "both"
    """Default of the `direction` of its kinds: `pull` is a backup that never writes to the server."""
    trusted_hosts: tuple[str, ...] = ()
    """Further hosts that the password may be sent to; any other host is refused."""
    timeout: float = TIMEOUT
    """Time without data after which an exchange with the server ends. A transfer slower than 100 octets a second ends too."""
    limit_rate: int = 0
    """Octets a second that all accounts together receive and send, such as `"2M"` (2,000,000); without it, as many as the line
    carries."""
    login_of: AccountConfig | None = None
    """Set for a shared account: the account of the configuration that signs in for it."""
    mail: MailConfig | None = None
    contacts: ContactsConfig | None = None
    calendars: CalendarsConfig | None = None
    tasks: TasksConfig | None = None
    sieve: SieveConfig | None = None

    def __repr__(self) -> str:
        """Return the account's name only: other values hold secrets."""
        return f"AccountConfig({self.name!r})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        """Return what `rich` may show of it: the same."""
        return [("name", self.name)]

    @property
    def login(self) -> AccountConfig:
        """Return the account of the configuration that signs in: itself, or the one whose session lists this shared account."""
        return self if self.login_of is None else self.login_of

    @property
    def server(self) -> str:
        """Return where the server is found: the URL, else the address."""
        return self.url or self.address

    @property
    def kinds(self) -> dict[str, KindConfig]:
        """Return the kinds that are on, by name."""
        found: tuple[KindConfig | None, ...] = (self.mail, self.contacts, self.calendars, self.tasks, self.sieve)
        return {one.kind: one for one in found if one is not None}


class DaemonConfig(Struct, frozen=True, kw_only=True):
    """When `jmapsync run` synchronizes."""

    push: bool = True
    """Use the server's push where it offers it."""
    poll: float = 10 * MINUTE
    """Interval of polling, which is done even while push works."""
    settle: float = 1.0
    """Debounce for local changes: quiet time before they are synchronized."""
    full: float = 7 * DAY
    """Interval of full syncs, which compare everything instead of what changed."""


class SafetyConfig(Struct, frozen=True, kw_only=True):
    """How many deletions suspend a run. Both limits must be exceeded."""

    max_deletes: int = 25
    """Deletions of one run, on one side, in one kind or in one container."""
    max_delete_percent: int = 20
    """The same as a percentage of all items of the kind, or of the container."""


class HooksConfig(Struct, frozen=True, kw_only=True):
    """Commands that are run by `/bin/sh`, after a sync and by the daemon."""

    after_sync: str = ""
    """Run after a sync that changed something, such as `notmuch new`. Gets `JMAPSYNC_ACCOUNT` and `JMAPSYNC_KINDS`; not run
    again for what it changes itself."""
    on_trouble: str = ""
    """Run when the daemon needs a person: a sign-in, a conflict, a suspended deletion. Gets `JMAPSYNC_MESSAGE`."""
    on_success: str = ""
    """Run after a complete run of an account without any fault, at most once per `poll` interval: for health checks and backups.
    Gets `JMAPSYNC_ACCOUNT` and `JMAPSYNC_KINDS`."""
    timeout: float = 10 * MINUTE
    """Time after which a command is ended."""


class Config(Struct, frozen=True, kw_only=True):
    """The whole configuration."""

    path: Path
    """The file it was read from, absolute."""
    accounts: dict[str, AccountConfig]
    daemon: DaemonConfig = DaemonConfig()
    safety: SafetyConfig = SafetyConfig()
    hooks: HooksConfig = HooksConfig()
