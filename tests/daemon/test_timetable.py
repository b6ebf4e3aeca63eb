"""The timetable: what is due runs once, and a jump of the clocks or a suspend causes one run, not many."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from jmapsync.daemon.timetable import JUMP, Clocks, Timetable
from jmapsync.daemon.triggers import Hints

pytestmark = pytest.mark.anyio
NOON = Clocks(wall=1_700_000_000.0, running=1000.0, since_boot=1000.0)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def later(clocks: Clocks, seconds: float) -> Clocks:
    return Clocks(clocks.wall + seconds, clocks.running + seconds, clocks.since_boot + seconds)


class TestClocks:
    def test_that_agree_report_nothing(self) -> None:
        assert NOON.difference(later(NOON, 2.0)) == ""

    def test_show_a_suspend(self) -> None:
        asleep = Clocks(NOON.wall + 3600, NOON.running + 2, NOON.since_boot + 3600)
        assert NOON.difference(asleep) == "the machine was suspended"

    @pytest.mark.parametrize("seconds", [86_400.0, -86_400.0, JUMP + 5])
    def test_show_that_the_time_was_set(self, seconds: float) -> None:
        moved = later(NOON, 2.0)
        assert NOON.difference(replace(moved, wall=moved.wall + seconds)) == "the clock was set"

    def test_do_not_mind_how_a_clock_is_kept_right(self) -> None:
        moved = later(NOON, 2.0)
        assert NOON.difference(replace(moved, wall=moved.wall + 0.5)) == ""

    def test_show_that_the_process_was_stopped(self) -> None:
        assert NOON.difference(later(NOON, 120.0)) == "the daemon was stopped for a while"


class Recorder:
    def __init__(self) -> None:
        self.jumps: list[str] = []
        self.clocks = NOON
        self.runs = 0
        self.timetable = Timetable(self.jumps.append, read=lambda: self.clocks)

    def count(self) -> None:
        self.runs += 1


async def test_a_job_runs_in_the_loop_where_hints_may_be_given() -> None:
    reported = Recorder()
    hints = Hints(0.1)
    reported.timetable.start()
    reported.timetable.every("poll", 0.05, lambda: hints.wake("it is time"))
    observed = await asyncio.wait_for(hints.next(), 90)
    reported.timetable.stop()
    assert observed.reasons == ["it is time"]


async def test_a_job_runs_again_and_again_until_it_is_dropped() -> None:
    reported = Recorder()
    reported.timetable.every("poll", 0.05, reported.count)
    reported.timetable.start()
    async with asyncio.timeout(90):
        while reported.runs < 3:  # noqa: ASYNC110  # it is a number
            await asyncio.sleep(0.01)
    reported.timetable.drop("poll")
    reported.timetable.drop("poll")
    await asyncio.sleep(0.01)  # one may have begun
    before = reported.runs
    await asyncio.sleep(0.12)
    assert reported.runs == before
    reported.timetable.stop()


async def test_a_jump_of_the_clock_is_reported_once_and_every_job_is_reckoned_anew() -> None:
    reported = Recorder()
    reported.timetable.every("poll", 600, reported.count)
    reported.timetable.start()
    reported.timetable._scheduler.modify_job("poll", next_run_time=datetime(2099, 1, 1, tzinfo=UTC))
    reported.clocks = replace(later(NOON, 2), wall=NOON.wall - 86_400)
    reported.timetable.watch_clocks()
    reported.timetable.watch_clocks()
    due = reported.timetable.due("poll")
    assert reported.jumps == ["the clock was set"]
    assert reported.runs == 0
    assert due is not None
    assert 590 < (due - datetime.now(UTC)).total_seconds() <= 600
    reported.timetable.stop()


async def test_a_job_that_was_missed_many_times_runs_once() -> None:
    reported = Recorder()
    reported.timetable.every("poll", 0.02, reported.count)
    reported.timetable.start()
    await asyncio.sleep(0.03)
    before = reported.runs
    time.sleep(0.3)  # noqa: ASYNC251  # the loop hangs: fifteen runs are missed
    await asyncio.sleep(0.015)
    assert reported.runs - before <= 2
    reported.timetable.stop()
