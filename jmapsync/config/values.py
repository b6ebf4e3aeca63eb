"""Define what can be configured, and what holds where nothing is said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

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


@dataclass(frozen=True, kw_only=True)
class KindConfig:
    """What every kind needs: the root of its local files, absolute."""

    kind: ClassVar[str]
    path: Path


@dataclass(frozen=True, kw_only=True)
class NotmuchConfig:
    """How keywords and mailboxes are shown as tags of a notmuch database."""

    config: Path | None = None
    """notmuch's own configuration file; None for the one that it finds by itself."""
    mailboxes: tuple[str, ...] = ()
    """Mailbox paths as shell patterns: those that are tags too."""
    tags: dict[str, str] = field(default_factory=dict)
    """The tags of mailboxes and keywords that are called otherwise, by path or keyword."""
    ignore: tuple[str, ...] = ()
    """Tags that stay with notmuch."""


@dataclass(frozen=True, kw_only=True)
class MailConfig(KindConfig):
    """How the mail of an account is mirrored."""

    kind: ClassVar[str] = "mail"
    layout: Layout = "nested"
    include: tuple[str, ...] = ("*",)
    """Mailbox paths as shell patterns."""
    exclude: tuple[str, ...] = ()
    """Patterns that win over `include`."""
    direction: Direction = "both"
    on_delete: OnDelete = "trash"
    """What a local delete of the last copy does on the server."""
    line_endings: LineEndings = "lf"
    keep_deleted: bool = False
    notmuch: NotmuchConfig | None = None


@dataclass(frozen=True, kw_only=True)
class ContactsConfig(KindConfig):
    """How the contacts of an account are mirrored."""

    kind: ClassVar[str] = "contacts"
    vcard_version: VcardVersion = "3.0"


@dataclass(frozen=True, kw_only=True)
class CalendarsConfig(KindConfig):
    """How the calendars of an account are mirrored."""

    kind: ClassVar[str] = "calendars"


@dataclass(frozen=True, kw_only=True)
class TasksConfig(KindConfig):
    """How the tasks of an account are mirrored."""

    kind: ClassVar[str] = "tasks"


@dataclass(frozen=True, kw_only=True)
class SieveConfig(KindConfig):
    """How the scripts of an account are mirrored."""

    kind: ClassVar[str] = "sieve"


@dataclass(frozen=True, kw_only=True)
class AccountConfig:
    """One account: where its server is, who signs in, and which kinds are kept where."""

    name: str
    state_dir: Path
    """Where ledger, lock, shelf and reports lie; it need not be there yet."""
    address: str = ""
    url: str = ""
    user: str = ""
    """The address where nothing is said."""
    auth: Auth = "bearer"
    password_command: str = ""
    password_file: Path | None = None
    credential: str = ""
    keyring: bool = False
    password: str = field(default="", repr=False)
    """The secret itself; only taken from a file that nobody else can read."""
    account_id: str = ""
    trusted_hosts: tuple[str, ...] = ()
    timeout: float = 120.0
    """Seconds of silence after which an exchange with the server ends; set for all accounts in `[network]`."""
    mail: MailConfig | None = None
    contacts: ContactsConfig | None = None
    calendars: CalendarsConfig | None = None
    tasks: TasksConfig | None = None
    sieve: SieveConfig | None = None

    @property
    def server(self) -> str:
        """Return where to look for the server: the URL, else the address."""
        return self.url or self.address

    @property
    def kinds(self) -> dict[str, KindConfig]:
        """Return the kinds that are on, by name."""
        found: tuple[KindConfig | None, ...] = (self.mail, self.contacts, self.calendars, self.tasks, self.sieve)
        return {one.kind: one for one in found if one is not None}


@dataclass(frozen=True, kw_only=True)
class DaemonConfig:
    """When the daemon looks; times in seconds."""

    push: bool = True
    poll: float = 10 * MINUTE
    settle: float = 1.0
    full: float = 7 * DAY


@dataclass(frozen=True, kw_only=True)
class SafetyConfig:
    """How many deletions of one run and container set suspend it; both limits must be passed."""

    max_deletes: int = 25
    max_delete_percent: int = 20


@dataclass(frozen=True, kw_only=True)
class HooksConfig:
    """Commands that other programs want run."""

    after_sync: str = ""
    """Run by the shell when a run changed something."""
    on_trouble: str = ""
    """Run by the shell when the daemon needs a person: a sign-in, a conflict, a suspended deletion."""
    timeout: float = 10 * MINUTE
    """Seconds after which a command is ended."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """The whole configuration."""

    path: Path
    """The file it was read from, absolute."""
    accounts: dict[str, AccountConfig]
    daemon: DaemonConfig = DaemonConfig()
    safety: SafetyConfig = SafetyConfig()
    hooks: HooksConfig = HooksConfig()
