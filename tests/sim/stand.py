"""An account of all kinds that is mirrored again and again from the same beginnings, with a server whose answers are altered."""

from __future__ import annotations

import json
import os
import resource
import shutil
import time
import traceback
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any
from unittest import mock

import httpx

from jmapsync.app import App
from jmapsync.app.account import AccountRun
from jmapsync.app.crash import report_crash
from jmapsync.config import load
from jmapsync.demo import DemoServer
from jmapsync.demo.dialect import BLOB
from jmapsync.errors import ExitCode, JmapsyncError
from jmapsync.jmap.client import Client
from tests.kit import virtual
from tests.kit.processor_time import limited_to
from tests.sim.objects import WORD, Flavour, ObjectWorld, words_in
from tests.sim.world import World, letter, local_letter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from jmapsync.demo.account import Snapshot
    from jmapsync.sync.report import AccountReport

CPU_SECONDS = 5
HOURS = 2 * 3600.0
"""Between two runs: what is tried again later is tried again then."""
LONG_AGO = 1_750_000_000
_ACCOUNT = "test"
_WHEN = "2026-12-07T10:00:00"


@dataclass(frozen=True)
class Scenario:
    """What is run, from which beginning, against which server."""

    name: str
    begins: str = "edited"
    """`edited`: a mirror at rest, then acts on both sides; `new`: a server's account and an old tree of mail."""
    full: bool = False
    pages: bool = False
    """The server gives two objects at a time."""
    downloads: bool = False
    """The server has no `Blob/get`."""
    command: str = "sync"


SCENARIOS = {
    one.name: one
    for one in (
        Scenario("changes"),
        Scenario("changes in pages", pages=True),
        Scenario("full", full=True),
        Scenario("first", begins="new"),
        Scenario("first in pages", begins="new", pages=True),
        Scenario("first by downloads", begins="new", downloads=True),
        Scenario("verify", command="verify"),
        Scenario("restore", command="restore"),
    )
}


@dataclass
class Outcome:
    """What a run came to."""

    report: AccountReport | None = None
    crash: str = ""
    """The trace of an exception that is not one of ours."""
    cpu: float = 0.0
    waited: float = 0.0
    peak: int = 0
    """Octets of memory that a run took at most, beyond what the process held before it."""
    text: str = ""
    """What people would read."""

    @property
    def is_fine(self) -> bool:
        """Whether the report says that all is well."""
        return self.report is not None and self.report.worst is ExitCode.IN_SYNC and not self.problems

    @property
    def problems(self) -> list[str]:
        kinds = self.report.kinds.values() if self.report is not None else ()
        return [f"{one.item}: {one.why}" for kind in kinds for one in kind.problems]


@dataclass(frozen=True)
class Picture:
    """What both sides hold: places and words."""

    disk: frozenset[tuple[str, ...]]
    server: frozenset[tuple[str, ...]]
    conflict_copies: frozenset[str]

    @property
    def disk_words(self) -> frozenset[str]:
        return _words(self.disk)

    @property
    def server_words(self) -> frozenset[str]:
        return _words(self.server)


def _words(side: frozenset[tuple[str, ...]]) -> frozenset[str]:
    return frozenset(word for item in side for word in item[2:] if WORD.fullmatch(word))


class TooSlowError(BaseException):
    """A run took more seconds of the processor than it may."""


class _Altered(httpx.AsyncBaseTransport):
    """Carries requests to the application in this thread and hands over altered answers."""

    def __init__(self, app: Any, alter: Any) -> None:  # noqa: ANN401
        self._inner = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self._alter = alter

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        body = await response.aread()
        status, headers, body = self._alter(request, response.status_code, dict(response.headers), body)
        headers.setdefault("content-length", str(len(body)))
        return httpx.Response(
            status, headers=[(name, value.encode()) for name, value in headers.items()], stream=Whole(body), request=request
        )


class Whole(httpx.AsyncByteStream):
    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._body), 1 << 18):
            yield self._body[start : start + (1 << 18)]


def unaltered(_request: httpx.Request, status: int, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
    return status, headers, body


@dataclass
class _Beginning:
    snapshot: Snapshot
    tree: Path
    doomed: frozenset[str]
    """Words that acts of users and other clients take away."""


@dataclass
class Stand:
    """One embedded server, and its beginnings."""

    base: Path
    flavour: Flavour
    beginnings: dict[str, _Beginning] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.server = DemoServer(dialect=self.flavour.dialect)
        self.account = self.server.account
        self.here = self.base / "case"
        self.here.mkdir()
        self.mail = World(self.here, self.flavour.dialect, self.server)
        self.objects = ObjectWorld(self.here, self.flavour, self.server)
        self._app = self.server.endpoints.application()
        self._later = 0.0
        self._limits = vars(self.server.limits).copy()
        self._words = iter(range(1, 10_000))
        self._config = self.base / "config.toml"
        secret = self.base / "secret"
        secret.touch(mode=0o600)
        secret.write_text("demo")
        tables = "".join(f'[accounts.{_ACCOUNT}.{kind}]\npath = "{self.here / kind}"\n' for kind in self.kinds)
        url = f"http://127.0.0.1:1{self.flavour.dialect.session_path}"
        self._config.write_text(
            f'state_dir = "{self.here / "state"}"\n[accounts.{_ACCOUNT}]\nurl = "{url}"\nuser = "demo"\nauth = "basic"\n'
            f'password_file = "{secret}"\n{tables}'
        )
        self._build()

    @property
    def kinds(self) -> tuple[str, ...]:
        return ("mail", *self.flavour.kinds)

    # beginnings

    def _word(self) -> str:
        return f"w{next(self._words)}w"

    def _build(self) -> None:
        self._populate()
        for folder in ("INBOX", "Old"):
            self.mail.mkdir(folder)
        self.mail.drop("INBOX", local_letter(self._word()), sub="cur", info=":2,S")
        self.mail.drop("Old", local_letter(self._word()))
        self._keep("new", frozenset())
        for _ in range(3):
            outcome = self.run()
            assert not outcome.crash, outcome.crash
            assert outcome.is_fine, outcome.text
        self._keep("edited", frozenset(self._act()))

    def _keep(self, name: str, doomed: frozenset[str]) -> None:
        for path in self.here.rglob("*"):
            if path.is_file() and "state" not in path.parts and path.suffix in {".vcf", ".ics"}:
                os.utime(path, (LONG_AGO, LONG_AGO))
        tree = self.base / f"kept-{name}"
        _link(self.here, tree)
        self.beginnings[name] = _Beginning(self.account.snapshot(), tree, doomed)

    def _populate(self) -> None:
        account = self.account
        for path in ("Lists", "Lists/python"):
            account.create_mailbox(path)
        for number, homes in enumerate(
            (["INBOX"], ["INBOX"], ["INBOX", "Archive"], ["Lists/python"], ["Drafts"], ["Archive"], ["INBOX"])
        ):
            account.deliver(letter(self._word()), homes, ["$seen", "work"][: number % 3], LONG_AGO - 9000 + number)
        for kind in self.flavour.kinds:
            if kind != "tasks":
                self.objects.store(kind).create_collection("second")
            for number in range(4):
                self._add(kind, 0 if number < 3 else -1)

    def _add(self, kind: str, where: int) -> None:
        store = self.objects.store(kind)
        item: dict[str, Any] = {"uid": f"u{self._word()}".replace("w", "")}
        if kind == "contacts":
            item |= {
                "name": {"full": self._word(), "components": [{"kind": "given", "value": "A"}]},
                "phones": {"p": {"number": self._word(), "features": {"voice": True}}},
                "emails": {"e": {"address": "a@example.com", "contexts": {"work": True}, "pref": 1}},
                "notes": {"n": {"note": self._word()}},
                "addresses": {"a": {"components": [{"kind": "locality", "value": "Bonn"}], "full": "Bonn"}},
                "anniversaries": {"b": {"kind": "birth", "date": {"year": 1970, "month": 2, "day": 3}}},
                "organizations": {"o": {"name": "ACME", "units": [{"name": "R"}]}},
                "media": {"m": {"kind": "photo", "uri": "data:image/png;base64,iVBORw0KGgo="}},
            }
        else:
            item |= {"title": self._word(), "description": self._word(), "timeZone": "Europe/Berlin", "sequence": 1}
            if kind == "tasks":
                item |= {"@type": "Task", "due": _WHEN, "progress": "needs-action"}
            else:
                item |= {
                    "@type": "Event",
                    "start": _WHEN,
                    "duration": "PT1H",
                    "recurrenceRule": {"@type": "RecurrenceRule", "frequency": "weekly", "count": 5},
                    "recurrenceOverrides": {"2026-12-14T10:00:00": {"title": "other"}},
                    "locations": {"l": {"name": "Room"}},
                    "alerts": {"a": {"trigger": {"@type": "OffsetTrigger", "offset": "-PT5M"}}},
                }
                if self.flavour.dialect.calendars == "1.0":
                    del item["recurrenceRule"], item["recurrenceOverrides"]
        store.add(item, (sorted(store.collections)[where],))

    def _act(self) -> list[str]:
        """Act on both sides of a mirror at rest; return the words that are gone for good."""
        doomed: list[str] = []
        account, mail = self.account, self.mail
        # The server's side.
        refs = sorted(account.emails, key=lambda ref: int("".join(filter(str.isdigit, ref)) or 0) if self._serial else 0)
        account.deliver(letter(self._word()), ["INBOX", "Lists"], ["$flagged"], LONG_AGO - 100)
        account.deliver(letter(self._word()), ["INBOX"], received_at=LONG_AGO - 99)
        account.set_keyword(refs[0], "$flagged")
        account.move(refs[1], min(account.emails[refs[1]].mailbox_ids), "Archive")
        doomed += words_in(account.raw(refs[5]))
        account.destroy(refs[5])
        account.create_mailbox("Work")
        account.deliver(letter(self._word()), ["Work"], received_at=LONG_AGO - 98)
        # The disk's.
        mail.drop("INBOX", local_letter(self._word()))
        mail.drop("Archive", local_letter(self._word()), sub="cur", info=":2,F")
        there = {account.raw(ref).replace(b"\r\n", b"\n"): ref for ref in account.emails}
        by_ref = {there[file.read_bytes()]: file for file in mail.files() if file.read_bytes() in there}
        mail.flag(by_ref[refs[3]], "FS")
        mail.move(by_ref[refs[6]], "Lists")
        mail.mkdir("Projects")
        mail.drop("Projects", local_letter(self._word()))
        old = by_ref[refs[4]]
        doomed += words_in(old.read_bytes())
        mail.edit(old, local_letter(self._word(), "Edited."))
        extra = next(file for file in mail.files("Old"))
        extra.unlink()  # goes to the Trash there
        for kind in self.flavour.kinds:
            doomed += self._act_on(kind)
        return doomed

    @property
    def _serial(self) -> bool:
        return self.flavour.dialect.email_ids == "serial"

    def _act_on(self, kind: str) -> list[str]:
        store = self.objects.store(kind)
        items = sorted(self.objects.items(kind), key=lambda one: (len(one["uid"]), one["uid"]))
        name = "notes" if kind == "contacts" else "description"
        doomed = list(words_in(json.dumps(items[0][name]).encode()))
        store.edit(items[0]["id"], {name: {"n": {"note": self._word()}} if kind == "contacts" else self._word()})
        self._add(kind, 0)
        files = {self.objects.uid(kind, file): file for file in self.objects.files(kind)}
        edited, deleted = files[items[1]["uid"]], files[items[2]["uid"]]
        content = edited.read_bytes()
        word = words_in(content)[0]
        doomed += [word, *words_in(deleted.read_bytes())]
        edited.write_bytes(content.replace(word.encode(), self._word().encode()))
        uid = f"u{self._word()}".replace("w", "").encode()
        fresh = content.replace(items[1]["uid"].encode(), uid)
        for one in words_in(content):
            fresh = fresh.replace(one.encode(), self._word().encode())
        (edited.parent / f"fresh-{kind}{edited.suffix}").write_bytes(fresh)
        deleted.unlink()
        return doomed

    # runs

    def enter(self, scenario: Scenario) -> _Beginning:
        """Have everything as it was at a beginning."""
        beginning = self.beginnings[scenario.begins]
        shutil.rmtree(self.here)
        _link(beginning.tree, self.here)
        self.account.restore(beginning.snapshot)
        self.server.faults.clear()
        vars(self.server.limits).update(self._limits)
        if scenario.pages:
            vars(self.server.limits).update(max_objects_in_set=2, max_query_limit=2, max_changes=2)
        if scenario.downloads:
            self.server.faults.hidden_capabilities.arm({BLOB})
        return beginning

    def run(self, alter: Any = unaltered, *, full: bool = False, command: str = "sync") -> Outcome:  # noqa: ANN401
        """Run a command once, in this thread alone."""
        outcome = Outcome()
        traces: list[str] = []

        def crashed(error: BaseException, folder: Path) -> BaseException:
            traces.append("".join(traceback.format_exception(error)))
            return report_crash(error, folder)

        client = partial(Client, transport=_Altered(self._app, alter))
        begun = time.process_time()
        self._later += HOURS
        begun_at = time.time() + self._later
        held = forget_peak()
        with ExitStack() as stack:
            stack.enter_context(mock.patch("jmapsync.app.wiring.Client", client))
            stack.enter_context(mock.patch("jmapsync.app.wiring.AccountRun", partial(AccountRun, clock=lambda: begun_at)))
            stack.enter_context(mock.patch("jmapsync.app.crash.report_crash", crashed))
            stack.enter_context(limited())
            try:
                outcome.report, outcome.waited = virtual.run(_command(App(load(self._config)), command, full=full))
            except (TooSlowError, virtual.StuckError) as error:
                outcome.crash = "".join(traceback.format_exception(error))
            except Exception as error:  # noqa: BLE001  # this is what the test searches for
                outcome.crash = "".join(traceback.format_exception(error))
        outcome.cpu, outcome.peak = time.process_time() - begun, peak() - held
        outcome.crash = outcome.crash or "\n".join(traces)
        if outcome.report is not None:
            outcome.text = json.dumps(outcome.report.to_json())
        return outcome

    def picture(self) -> Picture:
        """Return what both sides hold."""
        disk = {("mail", path, *words_in(data)[:1], *flags) for path, data, flags in self.mail.on_disk()}
        server = {("mail", home, *words_in(data)[:1], *flags) for homes, data, flags, _ in self.mail.on_server() for home in homes}
        disk |= {(kind, name, *words) for kind, _, name, words in self.objects.on_disk()}
        server |= {(kind, name, *words) for kind, _, name, words in self.objects.on_server()}
        conflict_copies = {word for file in (self.here / "state").glob("*/shelf/*") for word in words_in(file.read_bytes())}
        return Picture(frozenset(disk), frozenset(server), frozenset(conflict_copies))


async def _command(app: App, command: str, *, full: bool) -> AccountReport | None:
    if command == "verify":
        return (await app.verify())[_ACCOUNT][0]
    if command == "restore":
        try:
            await app.restore(None)
        except JmapsyncError:
            return None
        return None
    return (await app.sync(full=full)).accounts[_ACCOUNT]


def _link(source: Path, target: Path) -> None:
    """Copy a tree by links, so that inodes stay the same; what is written in place is copied."""

    def copy(one: str, other: str) -> None:
        if "/state/" in one:
            shutil.copy2(one, other)
        else:
            os.link(one, other)

    shutil.copytree(source, target, copy_function=copy)


def limited() -> AbstractContextManager[None]:
    """Raise TooSlowError where the processor is used for too long."""
    return limited_to(CPU_SECONDS, TooSlowError)


def forget_peak() -> int:
    """Begin to measure the most memory anew, and return the octets of now: a process of many tests holds much already."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        return 0
    return peak()


def peak() -> int:
    try:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
