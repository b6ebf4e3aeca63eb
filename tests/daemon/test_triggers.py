"""Hints: many hints lead to one run; those from the disk are debounced, all others run at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.daemon.triggers import MAX_DEBOUNCES, Hints, Trigger
from tests.sim.instant import InstantLoop

if TYPE_CHECKING:
    from collections.abc import Awaitable

pytestmark = pytest.mark.anyio
DEBOUNCE = 0.05


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Run in a loop whose clock goes by timers only: what the test measures does not depend on the machine."""
    return "asyncio", {"loop_factory": InstantLoop}


async def timed(waiting: Awaitable[Trigger]) -> tuple[Trigger, float]:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    return await waiting, loop.time() - begun


async def is_silent(hints: Hints, seconds: float) -> bool:
    try:
        await asyncio.wait_for(hints.next(), seconds)
    except TimeoutError:
        return True
    return False


async def test_ten_thousand_hints_make_one_run() -> None:
    hints = Hints(DEBOUNCE)
    for number in range(10_000):
        hints.wake(f"push {number}")
        hints.touch("INBOX")
    trigger = await hints.next()
    assert not trigger.disk_only
    assert len(trigger.reasons) < 20
    assert await is_silent(hints, 3 * DEBOUNCE)


async def test_the_server_is_heard_at_once() -> None:
    hints = Hints(DEBOUNCE)
    hints.touch("INBOX")
    hints.wake("push")
    trigger, seconds = await timed(hints.next())
    assert seconds < DEBOUNCE / 2
    assert trigger.reasons == ["INBOX changed", "push"]


async def test_the_disk_is_scanned_when_it_rests() -> None:
    hints = Hints(DEBOUNCE)
    waiting = asyncio.create_task(timed(hints.next()))
    for _ in range(4):
        hints.touch("INBOX")
        await asyncio.sleep(DEBOUNCE / 2)
    trigger, seconds = await waiting
    assert trigger.disk_only
    assert 2 * DEBOUNCE < seconds < MAX_DEBOUNCES * DEBOUNCE


async def test_a_disk_that_never_rests_is_scanned_all_the_same() -> None:
    hints = Hints(DEBOUNCE)
    waiting = asyncio.create_task(timed(hints.next()))
    while not waiting.done():
        hints.touch("INBOX")
        await asyncio.sleep(DEBOUNCE / 5)
    _, seconds = await waiting
    assert MAX_DEBOUNCES * DEBOUNCE * 0.9 < seconds < 2 * MAX_DEBOUNCES * DEBOUNCE


async def test_a_run_for_later_comes_earlier_when_anything_happens() -> None:
    hints = Hints(DEBOUNCE)
    hints.wake("try again", after=60, full=True)
    assert await is_silent(hints, 2 * DEBOUNCE)
    hints.touch("INBOX")
    trigger = await hints.next()
    assert trigger.full
    assert not trigger.disk_only
    assert hints.due is None


async def test_what_the_hook_touched_is_distinguished_from_what_others_touched() -> None:
    hints = Hints(DEBOUNCE)
    hints.touch("INBOX", by_hook=True)
    assert (await hints.next()).by_hook
    hints.touch("INBOX", by_hook=True)
    hints.touch("INBOX")
    assert not (await hints.next()).by_hook


async def test_a_run_that_could_not_be_had_is_due_again_with_all_it_was_asked_for() -> None:
    hints = Hints(DEBOUNCE)
    hints.wake("audit", full=True)
    trigger = await hints.next()
    hints.touch("INBOX")
    hints.give_back(trigger)
    again, seconds = await timed(hints.next())
    assert seconds < DEBOUNCE / 2
    assert again.full
    assert again.reasons == ["audit", "INBOX changed"]
    assert await is_silent(hints, 3 * DEBOUNCE)


class TestFolders:
    """The disk's hints name the folders to trigger at, as long as nothing asks for more."""

    async def test_a_hint_of_the_disk_names_its_folder(self) -> None:
        hints = Hints(DEBOUNCE)
        hints.touch("INBOX")
        hints.touch("Lists")
        assert (await hints.next()).folders == {"INBOX", "Lists"}

    async def test_a_change_on_the_server_is_no_reason_to_scan_the_disk(self) -> None:
        hints = Hints(DEBOUNCE)
        hints.wake("push", server_only=True)
        assert (await hints.next()).folders == set()

    async def test_who_asks_for_a_run_gets_a_scan_of_every_folder(self) -> None:
        hints = Hints(DEBOUNCE)
        hints.touch("INBOX")
        hints.wake("it is time for the slow trigger")
        hints.wake("push", server_only=True)
        assert (await hints.next()).folders is None

    async def test_folders_are_remembered_when_a_run_is_given_back(self) -> None:
        hints = Hints(DEBOUNCE)
        hints.touch("INBOX")
        trigger = await hints.next()
        hints.touch("Lists")
        hints.give_back(trigger)
        assert (await hints.next()).folders == {"INBOX", "Lists"}
        hints.give_back(trigger)
        hints.wake("it is time for the slow trigger")
        assert (await hints.next()).folders is None

    async def test_folders_that_were_reported_are_known_where_all_are_scanned(self) -> None:
        """A file in them may have been edited in place, which no directory shows."""
        hints = Hints(DEBOUNCE)
        hints.touch("INBOX")
        hints.wake("it is time for the slow trigger")
        trigger = await hints.next()
        assert (trigger.folders, trigger.reported, trigger.every_file) == (None, {"INBOX"}, False)
        hints.touch("Lists")
        hints.wake("inotify lost events", every_file=True)
        hints.give_back(trigger)
        trigger = await hints.next()
        assert (trigger.reported, trigger.every_file) == ({"INBOX", "Lists"}, True)
