"""Drive one mirror of one account in a test: a server, a Maildir, a state folder, and `sync`."""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jmapsync.app.account import AccountRun, Sides
from jmapsync.backup.selection import Selection
from jmapsync.errors import ExitCode, JmapsyncError
from jmapsync.formats.names import Patterns
from jmapsync.jmap.auth import BasicCredential
from jmapsync.jmap.client import Client
from jmapsync.jmap.session import Session
from jmapsync.kinds import MAIL
from jmapsync.ledger import AccountLock, Ledger
from jmapsync.planner.guard import Limits
from jmapsync.storage.jmap.mail.emails import MAIL as MAIL_CAPABILITY
from jmapsync.storage.jmap.mail.side import MailSide
from jmapsync.storage.jmap.quota import ask_quotas_ahead
from jmapsync.storage.maildir.side import MaildirSide, clear_spool
from jmapsync.storage.notmuch.side import TagRules, TagSide
from jmapsync.storage.port import MailPair
from jmapsync.sync.options import Options
from jmapsync.sync.report import AccountReport, KindReport, Problem, Silent
from tests.live.compare import LETTERS, Shown, on_disk, stored

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from pathlib import Path

    import httpx

    from jmapsync.backup.restore import Restored
    from jmapsync.backup.verify import Proof
    from jmapsync.demo.account import Account
    from jmapsync.demo.records import Mailbox
    from jmapsync.kinds import Kind


@dataclass
class Mirror:
    """A mirror under test; `sync` runs what `jmapsync sync` runs."""

    url: str
    user: str
    password: str
    root: Path
    state: Path
    kind: Kind = MAIL
    direction: str = "both"
    on_delete: str = "trash"
    keep_crlf: bool = False
    layout: str = "nested"
    account_id: str = ""
    """Empty for the user's own."""
    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    tags: TagRules | None = None
    limits: Limits = field(default_factory=lambda: Limits(25, 20))
    max_wait: float = 5.0
    session: bytes | None = None
    """Kept between runs, as the ledger keeps it for the command."""
    trusted_hosts: tuple[str, ...] = ()
    transport: httpx.AsyncBaseTransport | None = None
    wrap: Callable[[Any], Any] = lambda part: part
    """Given the ledger and both sides of a run; what it returns is used instead."""
    token: Callable[[], str] = lambda: secrets.token_hex(4)
    clock: Callable[[], float] = time.time
    runner: Callable[[Coroutine[Any, Any, Any]], Any] = asyncio.run
    beside: Callable[[Client, Session], list[Sides]] = lambda client, session: []  # none, whatever they are
    """Returns both sides of the kinds that are mirrored beside mail."""
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    requests: int = 0
    restored: Restored | None = None
    """What the last restore did."""
    proved: Proof | None = None
    """What the last verification found."""
    proved_beside: list[Proof] = field(default_factory=list)
    """What it found of the kinds beside mail."""

    def sync(self, **options: bool) -> KindReport:
        return self.run(**options).kinds["mail"]

    def run_whatever_comes(self, **options: bool) -> ExitCode:
        """Return the exit code of a run that may fail in any way that has a sentence for people."""
        try:
            return self.run(**options).worst
        except JmapsyncError as error:
            return error.exit_code

    def run(self, **options: Any) -> AccountReport:  # noqa: ANN401 # as `Options` takes them
        report: AccountReport = self.runner(self._run(Options(**options)))
        return report

    def restore(self, selection: Selection | None = None) -> Restored:
        """Put back what the server lacks, as `jmapsync restore` does."""
        report = self.runner(self._run(Options(full=True), selection or Selection()))
        assert self.restored is not None, report.kinds["mail"].messages
        return self.restored

    def verify(self) -> Proof:
        """Prove both sides equal, as `jmapsync verify` does."""
        report = self.runner(self._run(Options(full=True, dry=True), proving=True))
        assert self.proved is not None, report.kinds["mail"].messages
        return self.proved

    def ask(self, what: Callable[[Client], Coroutine[Any, Any, None]]) -> None:
        """Let something else ask the server, as this mirror's process would."""

        async def run() -> None:
            async with self._client() as client:
                try:
                    await what(client)
                finally:
                    self.session = None if client.session_changed else self.session

        self.runner(run())

    def _client(self) -> Client:
        return Client(
            self.url,
            BasicCredential(self.user, self.password),
            trusted_hosts=self.trusted_hosts,
            session=Session.from_json(self.session) if self.session else None,
            max_wait=self.max_wait,
            transport=self.transport,
        )

    async def _run(self, options: Options, selection: Selection | None = None, *, proving: bool = False) -> AccountReport:
        if not options.dry:
            self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.state / "ledger.sqlite"
        spool = self.state / "spool"
        with nullcontext() if options.dry else AccountLock(self.state / "lock", "test"):
            if not options.dry:
                clear_spool(spool)
            ledger = Ledger.copy_of(path) if options.dry else Ledger.open(path)
            ledger = self.wrap(ledger)
            async with self._client() as client:
                try:
                    session = await client.session()
                    account = session.account_for(MAIL_CAPABILITY, self.account_id)
                    run = AccountRun("test", self.state, ledger, self.limits, options, Silent(), self.clock)
                    patterns = Patterns(self.include, self.exclude)
                    local = MaildirSide(
                        self.root,
                        spool,
                        layout=self.layout,
                        keep_crlf=self.keep_crlf,
                        dry=options.dry,
                        token=self.token,
                        patterns=patterns,
                    )
                    remote = MailSide(client, account, spool, on_delete=self.on_delete, selective=not patterns.is_all)
                    tags = TagSide(local.tree, "test", self.tags, dry=options.dry, token=self.token) if self.tags else None
                    both = MailPair(self.wrap(local), self.wrap(remote))
                    kind = self.kind.pulled_only() if self.direction == "pull" else self.kind
                    sides = Sides(kind, account.id, both, patterns=patterns, tags=tags)
                    if proving:
                        proofs = await run.verify([sides, *self.beside(client, session)])
                        self.proved = proofs.pop(kind.name, None)
                        self.proved_beside = list(proofs.values())
                    elif selection is None:
                        await ask_quotas_ahead(client, account)
                        await run.run([sides, *self.beside(client, session)], client.together)
                    else:
                        self.restored = await run.restore(sides, selection, None)
                    self.session = (await client.session()).to_json()
                    return run.report
                finally:
                    self.session = None if client.session_changed else self.session
                    self.requests = client.requests
                    ledger.close()

    def folder(self, path: str) -> Path:
        if self.layout == "nested":
            return self.root / path
        return self.root if path == "INBOX" else self.root / f".{path.replace('/', '.')}"

    def path_of(self, folder: Path) -> str:
        """Return the mailbox path that a Maildir stands for, where no name of it is escaped."""
        place = str(folder.relative_to(self.root))
        if self.layout == "nested":
            return place
        return "INBOX" if place == "." else place.removeprefix(".").replace(".", "/")

    def files(self, path: str = "") -> list[Path]:
        """Return the messages of one folder, or of all."""
        folders = [self.folder(path)] if path else [one.parent for one in sorted(self.root.rglob("cur"))]
        files = (file for folder in folders for sub in ("new", "cur") for file in (folder / sub).iterdir())
        return sorted(file for file in files if file.name[0] != ".")

    def tree(self) -> dict[str, list[tuple[bytes, str]]]:
        """Return, by folder, each message's bytes and flag letters."""
        found: dict[str, list[tuple[bytes, str]]] = {}
        for file in self.files():
            folder = self.path_of(file.parent.parent)
            found.setdefault(folder, []).append((file.read_bytes(), file.name.partition(":2,")[2]))
        return {folder: sorted(messages) for folder, messages in found.items()}

    def drop(self, path: str, content: bytes, *, sub: str = "new", info: str = "") -> Path:
        """Put a message into a folder as a delivery agent does that has been done with it for a second."""
        name = f"{int(time.time())}.T{next(self._numbers)}.test{info}"
        temporary = self.folder(path) / "tmp" / name
        temporary.write_bytes(content)
        moment = time.time() - 1
        os.utime(temporary, (moment, moment))
        target = self.folder(path) / sub / name
        temporary.rename(target)
        return target

    def flag(self, file: Path, letters: str) -> Path:
        """Show other flags on a message, as a mail program does."""
        target = file.parent.parent / "cur" / f"{file.name.partition(':2,')[0]}:2,{letters}"
        file.rename(target)
        return target


def places_of(problems: list[Problem]) -> list[str]:
    """Return where each item lies, or its id, without the name that is before it."""
    return [one.item.rpartition(" (")[2].removesuffix(")") if one.item.endswith(")") else one.item for one in problems]


def assert_mirrored(account: Account, mirror: Mirror) -> None:
    """Fail unless the disk holds what the account holds: folders, bytes, flags, keywords, memberships and dates."""
    folders = {_path(account, mailbox): mailbox.id for mailbox in account.mailboxes.values()}
    assert sorted(folders) == sorted(mirror.path_of(cur.parent) for cur in mirror.root.rglob("cur"))
    assert not [left for temporary in mirror.root.rglob("tmp") for left in temporary.iterdir()]
    there: dict[str, list[Shown]] = {}
    for path, box in folders.items():
        inside = [email for email in account.emails.values() if box in email.mailbox_ids]
        if inside:
            there[path] = sorted((stored(account.raw(email.id)), *_flags(email.keywords), email.received_at) for email in inside)
    here = on_disk(mirror)
    assert sorted(here) == sorted(there)
    for path, messages in there.items():
        assert here[path] == messages, path


def assert_converges(account: Account, mirror: Mirror, *, requests: int = 1) -> None:
    """Synchronise, fail unless both sides are then equal, and unless a further run does nothing in one request.

    Where a page of changes cannot hold all that the first run wrote, the further one needs more `requests` to see it all.
    """
    report = mirror.sync()
    assert (report.state.value, report.exit_code, report.problems, said(report)) == ("synced", 0, [], [])
    assert_mirrored(account, mirror)
    again = mirror.sync()
    assert (again.to_disk.total, again.to_server.total, mirror.requests) == (0, 0, requests)


def _path(account: Account, mailbox: Mailbox) -> str:
    """Return the path of a mailbox of a plain name as a mirror has it."""
    top, slash, rest = account.path(mailbox).partition("/")
    inbox = next(box for box in account.mailboxes.values() if box.role == "inbox" and box.parent_id is None)
    return f"{'INBOX' if top == inbox.name else top}{slash}{rest}"


def _flags(keywords: frozenset[str]) -> tuple[str, frozenset[str]]:
    """Return the flag letters that Maildir has for keywords, and the keywords it has none for."""
    known = {flag.lower().replace("\\", "$"): letter for flag, letter in LETTERS.items()}
    return "".join(sorted(known[word] for word in keywords & known.keys())), keywords - known.keys()


def said(report: KindReport) -> list[str]:
    """Return what a run said of what it did, without the change of rights on the server that may have led to it."""
    return [one for one in report.messages if not one.startswith("The rights in the ")]
