"""A server and a mirror in one thread, whose runs can be made to die; both sides can be read and compared."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import shutil
import tempfile
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from jmapsync.demo import DemoServer
from jmapsync.demo.freedoms import NONE
from jmapsync.errors import UnsupportedError
from jmapsync.formats.names import Patterns
from jmapsync.jmap.client import MAX_WAIT
from jmapsync.ledger import Ledger
from jmapsync.storage.files import directory_stamps
from jmapsync.storage.files.root import MARKER
from jmapsync.storage.maildir import unchanged
from jmapsync.sync.observe import AUDIT_SECONDS
from tests.kit.mirror import Mirror, said
from tests.sim.fate import DiedError, Fate
from tests.sim.instant import DirectTransport, replaced, run_at_once
from tests.sim.script_tree import ScriptTree

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    import httpx

    from jmapsync.backup.restore import Restored
    from jmapsync.backup.verify import Proof
    from jmapsync.demo.account import Account
    from jmapsync.demo.dialect import Dialect
    from jmapsync.demo.freedoms import Freedoms
    from jmapsync.jmap.client import Client
    from jmapsync.planner.model import Version
    from jmapsync.sync.report import AccountReport, KindReport

NOW = 1_750_000_000
"""The time in every world, in seconds since the epoch."""
TICKS = 40_000_000
"""Nanoseconds within which a file system may give two changes the same time, and some."""
EDITED = NOW - 1800
"""The time of files that a user saved anew."""
OTHER_HOSTS = tuple(f"127.0.0.{number}:1" for number in (2, 3, 4))
"""Hosts of a server that has several, which the user approved of."""
LETTERS = {"S": "$seen", "R": "$answered", "F": "$flagged", "D": "$draft", "P": "$forwarded"}
MOST_RUNS = 4
"""Runs after which a world must be silent."""

Result = TypeVar("Result")
Copy = tuple[str, bytes, tuple[str, ...]]
"""One message in one folder: the folder's path, its bytes, its keywords."""
OURS = re.compile(r"[0-9]+\.J[0-9]+R")
"""How the names of files begin that a mirror made."""


@dataclass(frozen=True)
class Ways:
    """How the mirror of a world is configured."""

    direction: str = "both"
    on_delete: str = "trash"
    layout: str = "nested"
    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True)
class Picture:
    """What both sides hold, without the names and ids that differ from run to run."""

    folders: tuple[str, ...]
    boxes: tuple[str, ...]
    disk: tuple[Copy, ...]
    server: tuple[tuple[tuple[str, ...], bytes, tuple[str, ...], int], ...]
    conflict_copies: int


USUAL = Ways()


class World:
    """One account on an embedded server and one mirror of it."""

    def __init__(
        self,
        base: Path,
        dialect: Dialect,
        server: DemoServer | None = None,
        *,
        freedoms: Freedoms = NONE,
        ways: Ways = USUAL,
        holder: str = "own",
        scripts: bool = False,
    ) -> None:
        """Make a world with a server of its own, or with one that other worlds have too.

        `holder` says whose account it is, as `ACCOUNTS` of the catalogue has it; `scripts`: they are mirrored beside the mail.
        """
        self.base = base
        self.now = NOW
        """What the clock of the mirror says."""
        self.requests = 0
        """HTTP requests of the last run."""
        self.ways = ways
        self.exclude = ways.exclude
        """The mailboxes that the configuration leaves out."""
        self.server = server or DemoServer(dialect=dialect, freedoms=freedoms)
        self.account = account_of(self.server, holder, _deliver_twins)
        self.account_id = "" if self.account is self.server.account else self.account.id
        """The account that the configuration names."""
        self._app = self.server.endpoints.application()
        self._app.state.http_version = self.server.freedoms.http_version
        self._url = f"http://127.0.0.1:1{self.server.service.dialect.session_path}"
        self._other_hosts = OTHER_HOSTS
        self._runner: Callable[[Coroutine[Any, Any, Any]], Any] = run_at_once
        self._session: bytes | None = None
        self._tokens = itertools.count(1)
        self._names = itertools.count(1)
        self._processes = itertools.count(1001)
        self._edits = itertools.count(1)
        self.unseen = False
        """Whether a file was edited in place, which the next run may not see."""
        self.scripts = ScriptTree(base, self.account, self.account_id, lambda: f"{next(self._tokens):08x}") if scripts else None
        self.script_report: KindReport | None = None
        """What the last run that came to its end did with scripts."""
        self.on_scripts: Callable[[KindReport | None], None] = lambda report: None
        """Called with that after each run; with nothing after one that died."""

    @property
    def root(self) -> Path:
        return self.base / "mail"

    @property
    def state(self) -> Path:
        return self.base / "state"

    def place(self, path: str) -> Path:
        """Return where a folder lies, whose name needs no escapes."""
        if self.ways.layout == "nested":
            return self.root / path
        return self.root if path == "INBOX" else self.root / f".{path.replace('/', '.')}"

    def path_of(self, folder: str) -> str:
        """Return the path of a folder that lies somewhere."""
        place = folder.removeprefix(f"{self.base}/mail").removeprefix("/") or "."  # relpath takes a fiftieth of a world's time
        if self.ways.layout == "nested":
            return place
        return "INBOX" if place == "." else place.removeprefix(".").replace(".", "/")

    # runs

    def mirror(self, fate: Fate | None) -> Mirror:
        """Return a mirror as a new process would make it: all it knows is on disk. Without a fate none of its steps is counted."""
        return Mirror(
            self._url,
            "demo",
            "demo",
            self.root,
            self.state,
            account_id=self.account_id,
            direction=self.ways.direction,
            on_delete=self.ways.on_delete,
            layout=self.ways.layout,
            include=self.ways.include,
            exclude=self.exclude,
            session=self._session,
            trusted_hosts=self._other_hosts,
            max_wait=MAX_WAIT,  # no wait takes any time here
            transport=self._transport(fate),
            wrap=fate.wrap if fate else _as_it_is,
            token=lambda: f"{next(self._tokens):08x}",
            clock=lambda: self.now,
            runner=self._runner,
            beside=lambda client, session: [self.scripts.sides(client, session, fate)] if self.scripts is not None else [],
        )

    def _transport(self, fate: Fate | None) -> httpx.AsyncBaseTransport | None:
        """Return the way to the server; None is the product's own, by sockets."""
        return fate.transport(self._app) if fate else DirectTransport(self._app)

    def sync(self, fate: Fate | None = None, **options: bool) -> KindReport:
        """Run once, in this thread alone, so that the same world takes the same steps. Raises DiedError."""
        return self._mail_of(self._do(lambda mirror: mirror.run(**options), fate))

    def _mail_of(self, report: AccountReport) -> KindReport:
        self.script_report = report.kinds.get("sieve")
        self.on_scripts(self.script_report)
        return report.kinds["mail"]

    def sync_on_hint(self) -> KindReport:
        """Run as the daemon does when only the server gave a hint: no folder of the disk is listed."""
        return self._mail_of(self._do(lambda mirror: mirror.run(folders=frozenset())))

    def restore(self) -> Restored:
        """Put back what the server lacks and the disk has."""
        return self._do(Mirror.restore)

    def verify(self) -> Proof:
        """Prove both sides equal, and those of scripts; nothing is written."""

        def verify(mirror: Mirror) -> Proof:
            proof = mirror.verify()
            differences = [one for beside in mirror.proved_beside for one in beside.differences]
            assert self.account.is_read_only or not differences, f"at rest: {differences[0].item}: {differences[0].why}"
            return proof

        return self._do(verify)

    def with_client(self, what: Callable[[Client], Coroutine[Any, Any, None]], fate: Fate | None = None) -> None:
        """Ask the server for something beside the runs, as a process of its own."""
        self._do(lambda mirror: mirror.ask(what), fate)

    def _do(self, what: Callable[[Mirror], Result], fate: Fate | None = None) -> Result:
        mirror = self.mirror(fate)
        number = next(self._processes)
        process = replaced(os, "getpid", lambda: number)
        try:
            # How old a directory's stamp is depends on how fast the test runs: it must not decide which steps are taken. In other
            # runs a directory that did not change for a moment is trusted, so that the files in it are not examined.
            trusted = replaced(unchanged, "are_exact", lambda *_: not fate)
            soon = replaced(directory_stamps, "OLD", TICKS)
            inside = replaced(asyncio, "to_thread", _in_this_thread)
            with fate.over(self.base) if fate else nullcontext(), process, trusted, soon, inside:
                result = what(mirror)
        except UnsupportedError:
            self._session = None  # the next process asks whether it still is so
            raise
        finally:
            if fate is not None and fate.trouble is not None:
                raise fate.trouble
        self._session, self.requests = mirror.session, mirror.requests
        return result

    def die(self, step: int, *, every_call: bool = False, slips: dict[int, Callable[[], None]] | None = None) -> Fate:
        """Run and die at a step, or live to the end when there are fewer; see `Fate`."""
        fate = Fate(step, every_call=every_call, slips=slips)
        try:
            self.sync(fate)
        except DiedError:
            assert fate.dead
            self.on_scripts(None)
        else:
            assert not fate.dead, f"survived its own death at {fate.trace[-1]}"
        return fate

    def sync_until_quiet(self) -> list[KindReport]:
        """Run until a run writes nothing; fail if that takes too long or anything is quarantined."""
        reports = []
        for _ in range(MOST_RUNS):
            report = self.sync()
            assert (report.state.value, report.problems, said(report)) == ("synced", [], []), report
            reports.append(report)
            if not writes(report):
                return reports
        raise AssertionError(f"still writing after {MOST_RUNS} runs: {reports}")

    # pictures

    def picture(self) -> Picture:
        ledger = Ledger.open_readonly(self.state / "ledger.sqlite")
        assert ledger is not None
        conflict_copies = len(ledger.conflict_copies())
        ledger.close()
        folders = sorted(self.path_of(one) for one in maildirs(os.fspath(self.root)))
        return Picture(
            tuple(folders), tuple(sorted(self._boxes().values())), tuple(self.on_disk()), tuple(self.on_server()), conflict_copies
        )

    def _boxes(self) -> dict[str, str]:
        boxes = self.account.mailboxes.values()
        return {box.id: "INBOX" if box.role == "inbox" else self.account.path(box) for box in boxes}

    def on_server(self) -> list[tuple[tuple[str, ...], bytes, tuple[str, ...], int]]:
        boxes = self._boxes()
        return sorted(
            (
                tuple(sorted(boxes[home] for home in email.mailbox_ids - self.account.unreadable)),
                self.account.raw(email.id),
                tuple(sorted(email.keywords)),
                email.received_at,
            )
            for email in self.account.emails.values()
        )

    def on_disk(self) -> list[Copy]:
        found = []
        for folder in maildirs(os.fspath(self.root)):
            table = Path(folder, "dovecot-keywords")
            lines = table.read_text().splitlines() if table.exists() else []
            names = LETTERS | {chr(ord("a") + int(line.split()[0])): line.split()[1] for line in lines}
            path = self.path_of(folder)
            for sub in ("cur", "new"):
                for name in os.listdir(f"{folder}/{sub}"):
                    # A letter that no table explains came along from another folder, and says nothing.
                    words = tuple(sorted(names[letter] for letter in name.partition(":2,")[2] if letter in names))
                    assert not words or sub == "cur", f"no reader looks for flags in {folder}/{sub}/{name}"
                    found.append((path, _read(f"{folder}/{sub}/{name}"), words))
        return sorted(found)

    def assert_same(self) -> None:
        """Fail unless the disk holds what the server holds, message for message, copy for copy.

        A user's own file may have other line ends than the server's copy, and its own time; a file of ours has neither.
        """
        server, patterns, mirrored = self.on_server(), self.patterns, self.mirrored()
        expected = sorted((home, _lf(data), words) for homes, data, words, _ in server for home in homes if patterns.covers(home))
        here = sorted((home, _lf(data), words) for home, data, words in self.on_disk() if home in mirrored)
        if self.ways.direction == "pull":
            here = sorted({one for one in here if one in expected})  # what is only here stays here, copies too
        assert here == expected, f"only here: {_named(here, expected)}; only there: {_named(expected, here)}"
        files = [file for file in self.files() if OURS.match(file.name) and self.path_of(str(file.parent.parent)) in mirrored]
        ours = {(file.read_bytes(), int(file.stat().st_mtime)) for file in files}
        edited = {one for one in ours if EDITED <= one[1] < NOW}
        assert self.ways.direction == "pull" or ours - edited <= {(to_disk(data), at) for _, data, _, at in server}

    @property
    def patterns(self) -> Patterns:
        """Return what says which mailboxes are mirrored."""
        return Patterns(self.ways.include, self.exclude)

    def mirrored(self) -> set[str]:
        """Return the paths of the folders that are mirrored; fail where the mirror leaves one alone without a reason.

        The reason is the path, or that the mailbox of which it is the folder has another path by now, or is gone.
        """
        patterns = self.patterns
        covered = {path for folder in maildirs(os.fspath(self.root)) if patterns.covers(path := self.path_of(folder))}
        ledger = None if patterns.is_all else Ledger.open_readonly(self.state / "ledger.sqlite")
        if ledger is None:
            return covered
        with closing(ledger):
            left_alone = covered & set(ledger.left_alone("mail"))
        boxes = self._boxes()
        for path in left_alone:
            at = boxes.get(json.loads((self.place(path) / MARKER).read_bytes())["mailbox"])
            assert at is None or not patterns.covers(at), f"{path} is left alone although it is the folder of {at}"
        return covered - left_alone

    def assert_same_folders(self) -> None:
        """Fail unless there is a folder for each mailbox that is mirrored, and no other; one without mail too."""
        patterns = self.patterns
        here = {self.path_of(folder) for folder in maildirs(os.fspath(self.root))}
        there = set(self._boxes().values())
        missing, extra = (
            {path for path in there - here if patterns.covers(path)},
            {path for path in here - there if patterns.is_all},
        )
        assert (missing, extra) == (set(), set()), f"folders missing here: {sorted(missing)}; only here: {sorted(extra)}"

    def leftovers(self) -> list[str]:
        """Return files that only a run under way may have."""
        found = []
        for folder, _, names in os.walk(self.base):
            temporary = os.path.basename(folder) in {"tmp", "spool"}
            found += [os.path.join(folder, name) for name in names if temporary or name.endswith(".tmp")]
        return sorted(os.path.relpath(one, self.base) for one in found)

    def trees(self) -> list[tuple[object, ...]]:
        """Return what the ledger knows of every item, without keys and labels, which differ from life to life."""
        ledger = Ledger.open_readonly(self.state / "ledger.sqlite")
        assert ledger is not None
        with closing(ledger):
            records = [record for kind in ("mailbox", "mail") for record in ledger.all(kind)]
            paths = {key: path for key, (path, _) in ledger.folders().items()}
            files = ledger.places_of([record.key for record in records])

            def reported(version: Version | None) -> str:
                if version is None:
                    return "-"
                homes = sorted(paths.get(home, "?") for home in version.homes)
                return f"{version.body} {version.sense} {sorted(version.tags)} {homes} {sorted(version.leaving)} {version.untidy}"

            trees = []
            for one in records:
                base = one.base
                versions = (one.local, one.remote, base.local if base else None, base.remote if base else None)
                places = sorted((paths[at.folder], at.info, at.sub, at.size, at.form) for at in files.get(one.key, ()))
                trees.append((one.kind, one.ref or "", one.size, one.stamp, one.digest, *map(reported, versions), str(places)))
            return sorted(trees)

    def dangling(self) -> list[str]:
        """Return what the ledger still has open, and its places where no file lies."""
        ledger = Ledger.open_readonly(self.state / "ledger.sqlite")
        assert ledger is not None
        with closing(ledger):
            found = [f"intent {key}" for key in ledger.intents("mail")]
            found += [f"open item {record}" for record in ledger.open_items("mail")]
            for key, (path, _) in ledger.folders().items():
                for place in ledger.places_in(key):
                    file = self.root / path / place.sub / (place.name + place.info)
                    if not file.exists() or file.stat().st_ino != place.ino:
                        found.append(f"place {file}")
            return found

    # acts of the user

    def files(self, folder: str = "") -> list[Path]:
        """Return messages of a folder, or of all, in the order of their bytes."""
        root = os.fspath(self.root)
        folders = [os.fspath(self.place(folder))] if folder else maildirs(root)
        subs = (f"{one}/{sub}" for one in folders for sub in ("new", "cur") if os.path.isdir(f"{one}/{sub}"))
        found = sorted((_read(f"{sub}/{name}"), os.path.dirname(sub), f"{sub}/{name}") for sub in subs for name in os.listdir(sub))
        return [Path(path) for _, _, path in found]

    def file(self, word: bytes, folder: str = "") -> Path:
        """Return the message that has a word in it."""
        return next(file for file in self.files(folder) if word in file.read_bytes())

    def drop(self, folder: str, content: bytes, *, sub: str = "new", info: str = "") -> Path:
        """Deliver a message as any mail program does, an hour ago."""
        name = f"{NOW}.T{next(self._names)}.test{info}"
        temporary = self.place(folder) / "tmp" / name
        temporary.write_bytes(content)
        os.utime(temporary, (NOW - 3600, NOW - 3600))
        return temporary.rename(self.place(folder) / sub / name)

    @staticmethod
    def flag(file: Path, letters: str) -> Path:
        return file.rename(file.parent.parent / "cur" / f"{file.name.partition(':2,')[0]}:2,{letters}")

    def edit(self, file: Path, content: bytes) -> Path:
        """Save a message anew under its name, as a mail program saves a draft."""
        temporary = file.parent.parent / "tmp" / f"edit{next(self._names)}"
        temporary.write_bytes(content)
        os.utime(temporary, (EDITED, EDITED))
        return temporary.replace(file)

    def edit_in_place(self, file: Path, content: bytes) -> None:
        """Write another content into a file: no directory shows that, so only a run that examines every file has to see it."""
        file.write_bytes(content)
        moment = EDITED + next(self._edits)
        os.utime(file, (moment, moment))
        self.unseen = True

    def audit(self) -> None:
        """Let a week pass, so that the next run examines every file."""
        self.now += AUDIT_SECONDS
        self.unseen = False

    def move(self, file: Path, folder: str) -> Path:
        return file.rename(self.place(folder) / file.parent.name / file.name)

    def copy(self, file: Path, folder: str) -> Path:
        target = self.place(folder) / "cur" / f"{NOW}.C{next(self._names)}.test:2,{file.name.partition(':2,')[2]}"
        shutil.copy2(file, target)
        return target

    def mkdir(self, path: str) -> None:
        for part in ("cur", "new", "tmp"):
            (self.place(path) / part).mkdir(parents=True)

    def email(self, word: bytes) -> str:
        """Return the id of the email that has a word in it."""
        return next(ref for ref in self.account.emails if word in self.account.raw(ref))


def account_of(server: DemoServer, holder: str, fill: Callable[[Account], None]) -> Account:
    """Return a world's account, with others beside it unless `holder` says that it is the user's only one; `fill` fills those."""
    own = server.account
    if holder in {"own", "read only"}:
        own.is_read_only = holder == "read only"
        return own
    other = server.add_account("a2", name="other@example.com", personal=False)
    mine, theirs = (own, other) if holder == "beside others" else (other, own)
    fill(theirs)
    return mine


def _deliver_twins(account: Account) -> None:
    """Give an account messages of the same bytes as this world's own first ones."""
    for word in ("w1", "w2"):
        account.deliver(letter(word), received_at=NOW)


def writes(report: KindReport) -> int:
    return report.to_disk.total + report.to_server.total


def _named(some: list[Copy], others: list[Copy]) -> list[str]:
    """Return the copies that are not among others, short enough for a line."""
    return [
        f"{home}:{data[-12:].strip().decode(errors='replace')}{list(words)}"
        for home, data, words in some
        if (home, data, words) not in others
    ]


def _lf(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n")


def to_disk(data: bytes) -> bytes:
    """Return the bytes as a mirror stores them: with LF only where every line end is CRLF."""
    ends = data.count(b"\r\n")
    return data.replace(b"\r\n", b"\n") if data.count(b"\n") == ends == data.count(b"\r") else data


def letter(word: str, body: str = "Hello.") -> bytes:
    """Return a message with a word in it that no other has, as it goes over the wire."""
    return f"From: a@example.com\r\nMessage-ID: <{word}@example.com>\r\nSubject: {word}\r\n\r\n{body} [{word}]\r\n".encode()


def local_letter(word: str, body: str = "Hello.") -> bytes:
    """Return the same as a mail program writes it to disk."""
    return letter(word, body).replace(b"\r\n", b"\n")


@contextmanager
def scratch() -> Iterator[Path]:
    """Offer a folder in memory where there is one: a sweep makes thousands of small files durable."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="jmapsync-sim-", dir=memory if os.access(memory, os.W_OK) else None) as path:
        yield Path(path)


def _as_it_is(part: Result) -> Result:
    return part


async def _in_this_thread(call: Callable[..., Result], *args: object) -> Result:
    await asyncio.sleep(0)
    return call(*args)


def maildirs(root: str) -> list[str]:
    """Return the paths of all Maildirs below a folder, sorted; the walk of pathlib takes most of a small world's time."""
    found, waiting = [], [root]
    while waiting:
        folder = waiting.pop()
        try:
            names = {entry.name for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)}
        except FileNotFoundError:
            continue
        if "cur" in names:
            found.append(folder)
        waiting += [f"{folder}/{name}" for name in names - {"cur", "new", "tmp"}]
    return sorted(found)


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.read()
