"""A keeper of an account that cannot even be opened: how often it tries, and what it tells those who ask."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.engine import keeper as module
from jmapsync.engine.keeper import Keeper, Settings
from jmapsync.engine.meter import Meter
from jmapsync.engine.options import Options
from jmapsync.engine.report import AccountReport
from jmapsync.engine.standing import Standing
from jmapsync.errors import BusyError, ExitCode, JmapsyncError, LocalError, SignInError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from jmapsync.engine.keeper import Opened

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

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Resting]:
        yield self

    async def run(self, _: Options) -> AccountReport:
        self.acts.append("run")
        return AccountReport("home")

    def rest(self) -> None:
        self.acts.append("rest")


@asynccontextmanager
async def kept(closed: Closed | Resting, settings: Settings = Settings()) -> AsyncIterator[Keeper]:  # noqa: B008 - a value
    async def after(report: AccountReport) -> None:
        raise AssertionError(report)

    open_: Any = closed.open  # as much of an account as a keeper needs here
    keeper = Keeper(
        "home",
        open_,
        settings,
        Meter(),
        after,
        lambda error: JmapsyncError(str(error)),
        lambda _: None,
    )
    task = asyncio.create_task(keeper.run())
    await asyncio.wait_for(keeper.first_look.wait(), 5)
    yield keeper
    task.cancel()
    await asyncio.wait([task])


@pytest.mark.parametrize("error", [BusyError("Another one holds it."), LocalError("The disk refuses."), ValueError("A slip.")])
async def test_what_time_may_mend_is_tried_again_after_a_pause_that_grows(error: Exception) -> None:
    closed = Closed(error)
    async with kept(closed) as keeper:
        assert keeper.standing is Standing.TROUBLE
        await asyncio.sleep(PAUSE * 4)
        assert 2 <= closed.tries <= 8


async def test_a_sign_in_that_a_person_has_to_mend_is_not_tried_again() -> None:
    closed = Closed(SignInError("No."))
    async with kept(closed) as keeper:
        keeper.tick("it is time for the slow look")
        await asyncio.sleep(PAUSE * 4)
        assert keeper.standing is Standing.SIGN_IN
        assert closed.tries == 1


async def test_somebody_who_asks_has_it_tried_once_and_is_told() -> None:
    closed = Closed(SignInError("No."))
    async with kept(closed) as keeper:
        report = await asyncio.wait_for(keeper.request(Options()), 5)
        assert (report.exit_code, report.error, closed.tries) == (ExitCode.SIGN_IN, "No.", 2)
        await asyncio.sleep(PAUSE)
        assert closed.tries == 2


async def test_an_account_that_rests_gives_its_memory_back_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REST", 0.05)
    account = Resting(tmp_path)
    async with kept(account, Settings(push=False)) as keeper:
        await asyncio.sleep(0.3)
        assert account.acts == ["run", "rest"]
        keeper.tick("it is time")
        keeper.tick("it is time")
        await asyncio.sleep(0.3)
        assert account.acts == ["run", "rest", "run", "rest"]


async def test_what_somebody_wants_done_is_done_before_the_next_look_and_fails_alone(tmp_path: Path) -> None:
    resting = Resting(tmp_path)

    async def good(opened: Resting) -> str:
        opened.acts.append("errand")
        return "done"

    async def bad(opened: Resting) -> str:
        raise BusyError("Not now.")

    async with kept(resting, Settings(push=False)) as keeper:
        failing, done = keeper.lend(bad), keeper.lend(good)
        assert await asyncio.wait_for(done, 5) == "done"
        with pytest.raises(BusyError):
            await failing
        await keeper.request(Options())
        assert keeper.standing is Standing.IN_STEP
        assert resting.acts[:3] == ["run", "errand", "run"]


async def test_what_somebody_wants_done_with_an_account_that_cannot_be_opened_says_why() -> None:
    async def act(_: object) -> None:
        raise AssertionError

    async with kept(Closed(SignInError("No."))) as keeper:
        with pytest.raises(SignInError, match="No"):
            await asyncio.wait_for(keeper.lend(act), 5)
    async with kept(Closed(LocalError("The disk refuses."))) as keeper:
        with pytest.raises(JmapsyncError, match="The disk refuses"):
            await asyncio.wait_for(keeper.lend(act), 5)
