"""A folder that is renamed or removed during a run makes what is to be done in it stale; it is no mistake of the program."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from jmapsync.planner.model import Order, Side, Verb, Version
from jmapsync.storage.port import Filed, Job, Stale
from tests.kit.maildir_driver import MaildirDriver

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LETTER = b"Subject: one\r\n\r\nbody\r\n"


@pytest.fixture(params=["nested", "maildir++"])
def room(request: pytest.FixtureRequest, tmp_path: Path) -> MaildirDriver:
    return MaildirDriver(tmp_path, layout=request.param)


@pytest.fixture
def made(room: MaildirDriver) -> tuple[int, int, int]:
    """The folders Work and Other, and a message in both, of which Work is then forgotten as by a scan that misses it."""
    work, other = room.folder("Work"), room.folder("Other")
    key = room.create(LETTER, [work, other], ["$seen", "a-word"])
    return work, other, key


ORDERS: dict[str, Callable[[MaildirDriver, int, int, int], Job]] = {
    "flag": lambda room, _work, _other, key: room.to_update(key, tags=["$flagged", "new-word"]),
    "move": lambda room, work, _other, key: room.to_update(key, homes=[work]),
    "delete": lambda room, _work, _other, key: room.to_delete(key),
    "create": lambda room, work, other, _key: room.to_create(LETTER, [work, other], ["x"]),
}


@pytest.mark.parametrize("act", ORDERS)
@pytest.mark.parametrize("is_removed", [False, True])
def test_an_order_in_a_folder_that_is_not_known_any_more_is_stale(
    room: MaildirDriver, made: tuple[int, int, int], act: str, is_removed: bool
) -> None:
    work, other, key = made
    job = ORDERS[act](room, work, other, key)
    if is_removed:
        shutil.rmtree(room.side.tree.folder(work))
    else:
        del room.side.tree.paths[work]
        room.side.tree.tables.pop(work)
    [receipt] = room.side.write([job], room.ledger).receipts
    assert type(receipt) in {Stale, Filed} if is_removed else isinstance(receipt, Stale)
    assert room.side.failure() is None


def test_a_message_in_a_folder_that_is_not_known_any_more_is_read_elsewhere(
    room: MaildirDriver, made: tuple[int, int, int]
) -> None:
    work, other, key = made
    del room.side.tree.paths[work]
    assert room.side.read(key, room.places(key)).data == LETTER
    del room.side.tree.paths[other]
    assert room.side.read(key, room.places(key)).vanished
    assert all(room.side.measure(place) is None for place in room.places(key))


@pytest.mark.parametrize("verb", [Verb.CREATE, Verb.REPLACE, Verb.UPDATE, Verb.DELETE])
def test_a_folder_order_about_one_that_is_not_known_any_more_is_stale(room: MaildirDriver, verb: Verb) -> None:
    work = room.folder("Work")
    inner = room.folder("inner", parent=work)
    del room.side.tree.paths[work]
    if verb is not Verb.CREATE:
        del room.side.tree.paths[inner]
    version = Version("new", "new", homes=frozenset({work}))
    job = Job(
        Order(Side.LOCAL, verb, inner, None if verb is Verb.CREATE else version, version, frozenset(), version.homes, ""), "M", 0
    )
    assert isinstance(room.side.write_folder(job, "", room.ledger), Stale)
