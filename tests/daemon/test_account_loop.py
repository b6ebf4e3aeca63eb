"""The loop of an account that cannot be opened: how often it retries, and what it answers."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from jmapsync.daemon import account_loop as module
from jmapsync.daemon import supervision
from jmapsync.daemon.account_loop import AccountLoop, Settings
from jmapsync.daemon.account_state import AccountState
from jmapsync.errors import (
    BusyError,
    ExitCode,
    ForbiddenError,
    HostRefusedError,
    JmapsyncError,
    LocalError,
    Remedy,
    SignInError,
)
from jmapsync.sync.options import Options
from jmapsync.sync.progress import Meter
from jmapsync.sync.report import AccountReport, Counts, KindReport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from jmapsync.daemon.account_loop import Opened

pytestmark = pytest.mark.anyio
PAUSE = 0.2


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE", PAUSE)
    monkeypatch.setattr(module, "CRASH_PAUSE", PAUSE)


class Closed:
    """An account that cannot be opened."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.tries = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Opened]:
        self.tries += 1
        raise self.error
        yield


class Resting:
    """An account with nothing to do."""

    client = None
    audited = float("inf")

    def __init__(self, root: Path) -> None:
        self.roots = [root]
        self.acts: list[str] = []
        self.reports: list[AccountReport] = []
        """Of the next runs; after them nothing is to be done."""
        self.types: frozenset[str] = frozenset()
        self.account_id: Callable[[], Awaitable[str]]

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Resting]:
        yield self

    async def run(self, _: Options) -> AccountReport:
        self.acts.append("run")
        return self.reports.pop(0) if self.reports else AccountReport("home")

    def rest(self) -> None:
        self.acts.append("rest")


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(90):
        while not true():  # noqa: ASYNC110  # what is waited for has no event
            await asyncio.sleep(0.005)


async def never(report: AccountReport) -> None:
    raise AssertionError(report)


@asynccontextmanager
async def kept(
    closed: Closed | Resting,
    settings: Settings = Settings(),  # noqa: B008 - a value
    *,
    after: Callable[[AccountReport], Awaitable[None]] = never,
    state_changed: Callable[[AccountLoop], None] = lambda _: None,
) -> AsyncIterator[AccountLoop]:
    open_: Any = closed.open  # as much of an account as a loop needs here
    loop = AccountLoop(
        "home",
        open_,
        settings,
        Meter(),
        after,
        lambda _: None,
        lambda error: JmapsyncError(str(error)),
        state_changed,
    )
    task = asyncio.create_task(loop.run())
    await asyncio.wait_for(loop.first_run.wait(), 90)
    yield loop
    task.cancel()
    await asyncio.wait([task])


@pytest.mark.parametrize("error", [BusyError("Another one holds it."), LocalError("The disk refuses."), ValueError("A slip.")])
async def test_what_time_may_fix_is_tried_again_after_a_pause_that_grows(error: Exception) -> None:
    closed = Closed(error)
    async with kept(closed) as loop:
        assert loop.state is AccountState.TROUBLE
        begun = asyncio.get_running_loop().time()
        await until(lambda: closed.tries >= 4)
        assert asyncio.get_running_loop().time() - begun > 1.9 * PAUSE  # two pauses at least began since


@pytest.mark.parametrize("error", [SignInError("No."), HostRefusedError("Not there.")])
async def test_a_refusal_needs_a_person_once_it_was_repeated_and_is_then_seldom_tried(error: JmapsyncError) -> None:
    closed = Closed(error)
    async with kept(closed) as loop:
        assert (loop.state, loop.why) == (AccountState.TROUBLE, error.message)
        await until(lambda: loop.state is AccountState.SIGN_IN)
        assert closed.tries == module.REFUSALS
        loop.tick("it is time for the slow poll")
        await asyncio.sleep(PAUSE * 2)
        assert closed.tries == module.REFUSALS
        assert loop.hints.due is not None
        assert loop.hints.due - asyncio.get_running_loop().time() > module.SIGN_IN_PAUSE - 60


async def test_a_refusal_is_tried_again_from_time_to_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SIGN_IN_PAUSE", PAUSE)
    closed = Closed(SignInError("No."))
    turns: list[AccountState] = []
    async with kept(closed, state_changed=lambda loop: turns.append(loop.state)):
        await until(lambda: closed.tries >= module.REFUSALS + 2)
    assert turns[:2] == [AccountState.TROUBLE, AccountState.SIGN_IN]
    assert turns.count(AccountState.SIGN_IN) == 1, "nobody needs to read it twice"


@pytest.mark.parametrize("error", [SignInError("A page."), ForbiddenError("Another."), HostRefusedError("Sign in at the hotel.")])
async def test_a_refusal_that_need_not_be_the_server_s_is_tried_again_and_again(error: JmapsyncError) -> None:
    error.remedy = Remedy.LATER
    closed = Closed(error)
    async with kept(closed) as loop:
        await until(lambda: closed.tries >= 4)
        assert (loop.state, loop.why) == (AccountState.TROUBLE, error.message)
        report = await asyncio.wait_for(loop.request(Options()), 90)
        assert report.exit_code == ExitCode.SIGN_IN


async def test_a_bare_refusal_that_lasts_needs_a_person_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_PAUSE", PAUSE / 10)
    error = SignInError("No.")
    error.remedy = Remedy.LATER
    closed = Closed(error)
    async with kept(closed) as loop:
        await until(lambda: loop.state is AccountState.SIGN_IN)
        assert closed.tries == module.BARE_REFUSALS
        assert loop.hints.due is not None
        assert loop.hints.due - asyncio.get_running_loop().time() > module.SIGN_IN_PAUSE - 60


async def test_a_refusal_within_a_run_counts_by_who_refused(tmp_path: Path) -> None:
    account = Resting(tmp_path)
    report = AccountReport("home", error="No.", exit_code=ExitCode.SIGN_IN, remedy=Remedy.LATER)
    account.reports = [report] * 4
    async with kept(account, Settings(push=False)) as loop:
        await until(lambda: loop.state is AccountState.IN_STEP)
        assert len(account.acts) >= 5
        account.reports = [msgspec.structs.replace(report, remedy=Remedy.HUMAN)] * 2
        loop.tick("it is time")
        await until(lambda: loop.state is AccountState.SIGN_IN)


async def test_a_refusal_that_was_followed_by_a_good_run_does_not_count(tmp_path: Path) -> None:
    account = Resting(tmp_path)
    refused = AccountReport("home", error="No.", exit_code=ExitCode.SIGN_IN, remedy=Remedy.HUMAN)
    account.reports = [refused, AccountReport("home"), refused, AccountReport("home")]
    async with kept(account, Settings(push=False)) as loop:
        await until(lambda: loop.state is AccountState.IN_STEP)
        loop.tick("it is time")
        await until(lambda: not account.reports)
        await until(lambda: loop.state is AccountState.IN_STEP)


async def test_push_that_cannot_even_begin_is_begun_anew_and_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "FIRST_PAUSE", 0.01)
    account = Resting(tmp_path)
    account.types = frozenset()
    tries = 0

    async def account_id() -> str:
        nonlocal tries
        tries += 1
        raise KeyError("accounts") if tries % 2 else SignInError("The endpoint refuses.")

    account.account_id = account_id
    async with kept(account) as loop:
        await until(lambda: tries >= 4)
        runs = account.acts.count("run")
        report = await asyncio.wait_for(loop.request(Options()), 90)
        assert report.exit_code == ExitCode.IN_SYNC
        assert account.acts.count("run") == runs + 1
        assert loop.state is AccountState.IN_STEP
        assert module.PUSH in loop.faults
        assert loop.push is not None
        assert (loop.push.mode, loop.push.connected) == ("poll", False)
        assert loop.push.why == loop.faults[module.PUSH]


async def test_a_hook_that_fails_in_an_unforeseen_way_is_called_again_for_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "FIRST_PAUSE", 0.01)
    account = Resting(tmp_path)
    calls: list[AccountReport] = []

    async def after(report: AccountReport) -> None:
        calls.append(report)
        raise OSError(7, "Argument list too long")

    changed = AccountReport("home", kinds={"mail": KindReport(to_disk=Counts(created=1))})
    account.reports = [changed, changed]
    async with kept(account, Settings(push=False, debounce=0.01), after=after) as loop:
        await until(lambda: len(calls) == 1)
        await loop.request(Options())
        await until(lambda: len(calls) == 2)
        assert "Argument list too long" in loop.faults[module.HOOKS]
        assert loop.state is AccountState.IN_STEP


async def test_somebody_who_asks_has_it_tried_once_and_is_answered() -> None:
    closed = Closed(SignInError("No."))
    async with kept(closed) as loop:
        report = await asyncio.wait_for(loop.request(Options()), 90)
        assert (report.exit_code, report.error, closed.tries) == (ExitCode.SIGN_IN, "No.", 2)
        await asyncio.sleep(PAUSE)
        assert closed.tries == 2


async def test_an_account_that_rests_gives_its_memory_back_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REST", 0.05)
    account = Resting(tmp_path)
    async with kept(account, Settings(push=False)) as loop:
        await until(lambda: len(account.acts) >= 2)
        await asyncio.sleep(0.3)
        assert account.acts == ["run", "rest"]
        loop.tick("it is time")
        loop.tick("it is time")
        await until(lambda: len(account.acts) >= 4)
        await asyncio.sleep(0.3)
        assert account.acts == ["run", "rest", "run", "rest"]


async def test_what_somebody_wants_done_is_done_before_the_next_run_and_fails_alone(tmp_path: Path) -> None:
    resting = Resting(tmp_path)

    async def good(opened: Resting) -> str:
        opened.acts.append("task")
        return "done"

    async def bad(opened: Resting) -> str:
        raise BusyError("Not now.")

    async with kept(resting, Settings(push=False)) as loop:
        failing, done = loop.run_task(bad), loop.run_task(good)
        assert await asyncio.wait_for(done, 90) == "done"
        with pytest.raises(BusyError):
            await failing
        await loop.request(Options())
        assert loop.state is AccountState.IN_STEP
        assert resting.acts[:3] == ["run", "task", "run"]


async def test_what_somebody_wants_done_with_an_account_that_cannot_be_opened_says_why() -> None:
    async def act(_: object) -> None:
        raise AssertionError

    async with kept(Closed(SignInError("No."))) as loop:
        with pytest.raises(SignInError, match="No"):
            await asyncio.wait_for(loop.run_task(act), 90)
    async with kept(Closed(LocalError("The disk refuses."))) as loop:
        with pytest.raises(JmapsyncError, match="The disk refuses"):
            await asyncio.wait_for(loop.run_task(act), 90)
