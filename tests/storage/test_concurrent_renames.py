"""A mail program moves messages while the folders are listed: no scan takes a move for a deletion or a copy."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from jmapsync.storage.files.scan import SCANS, scan
from jmapsync.storage.maildir import observe as observed
from tests.kit.maildir_driver import MaildirDriver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from jmapsync.ledger import Place
    from jmapsync.storage.files.scan import Changes, Rules


@pytest.fixture
def room(tmp_path: Path) -> MaildirDriver:
    room = MaildirDriver(tmp_path)
    room.folder("First")
    room.folder("Second")
    return room


@pytest.fixture
def after(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[int], object]], None]:
    """Have something happen each time that a folder was listed; it is given how often the folder was listed before."""
    acts: dict[str, Callable[[int], object]] = {}
    times: dict[str, int] = {}

    def listed(folder: str, known: Iterable[Place], rules: Rules) -> Changes:
        changes = scan(folder, known, rules)
        name = os.path.basename(os.path.realpath(folder))
        if name in acts:
            acts[name](times.setdefault(name, 0))
            times[name] += 1
        return changes

    monkeypatch.setattr(observed, "scan", listed)
    return acts.__setitem__


def keys_of(room: MaildirDriver) -> tuple[int, int]:
    first, second = (record.key for record in room.ledger.all("mailbox"))
    return first, second


def move(path: Path, folder: str) -> Path:
    return path.rename(path.parent.parent.parent / folder / "cur" / path.name)


def deliver(room: MaildirDriver, folder: str, number: int) -> None:
    temporary = room.root / folder / "tmp" / f"d{number}"
    temporary.write_bytes(f"Subject: delivered {number}\n\n".encode())
    os.utime(temporary, (1_700_000_000, 1_700_000_000))
    temporary.rename(room.root / folder / "cur" / f"d{number}:2,")


def test_a_message_moved_into_a_folder_not_yet_listed_is_in_one_place(
    room: MaildirDriver, after: Callable[[str, Callable[[int], object]], None]
) -> None:
    first, second = keys_of(room)
    key = room.create(b"Subject: moving\r\n\r\n", [first])
    [path] = room.paths(key)
    after("First", lambda time: None if time else move(path, "Second"))
    seen = room.observe()
    assert not seen.gone
    assert room.version(key).homes == {second}


def test_a_message_moved_into_a_folder_listed_already_is_not_gone(
    room: MaildirDriver, after: Callable[[str, Callable[[int], object]], None]
) -> None:
    first, second = keys_of(room)
    key = room.create(b"Subject: moving\r\n\r\n", [second])
    [path] = room.paths(key)
    after("First", lambda time: None if time else move(path, "First"))
    seen = room.observe()
    assert not seen.gone
    assert room.version(key).homes == {first}


def test_a_message_that_goes_to_and_fro_is_never_gone(
    room: MaildirDriver, after: Callable[[str, Callable[[int], object]], None]
) -> None:
    """Two scans that both miss it prove no more than one."""
    _, second = keys_of(room)
    key = room.create(b"Subject: moving\r\n\r\n", [second])
    name = room.paths(key)[0].name
    folders = [room.root / folder / "cur" / name for folder in ("First", "Second")]
    after("First", lambda _: folders[1].rename(folders[0]))
    after("Second", lambda _: folders[0].rename(folders[1]))
    seen = room.observe()
    assert not seen.gone
    assert room.version(key).homes == {second}


def test_a_message_moved_is_reported_although_another_folder_does_not_rest(
    room: MaildirDriver, after: Callable[[str, Callable[[int], object]], None]
) -> None:
    first, second = keys_of(room)
    third = room.folder("Third")
    key = room.create(b"Subject: moving\r\n\r\n", [second, third])
    path = next(path for path in room.paths(key) if "Second" in str(path))
    deliveries = iter(range(1000))
    after("First", lambda time: None if time else move(path, "First"))
    after("Third", lambda _: deliver(room, "Third", next(deliveries)))
    room.observe()
    assert room.version(key).homes == {first, third}


def test_a_copy_made_meanwhile_is_one(room: MaildirDriver, after: Callable[[str, Callable[[int], object]], None]) -> None:
    first, second = keys_of(room)
    key = room.create(b"Subject: copied\r\n\r\n", [first])
    [path] = room.paths(key)
    after("First", lambda time: None if time else os.link(path, room.root / "Second" / "cur" / path.name))
    room.observe()
    assert room.version(key).homes == {first, second}


def test_a_folder_that_never_rests_holds_up_deletions_and_nothing_else(
    room: MaildirDriver, after: Callable[[str, Callable[[int], object]], None]
) -> None:
    first, _ = keys_of(room)
    deleted, flagged = (room.create(f"Subject: {n}\r\n\r\n".encode(), [first]) for n in range(2))
    room.paths(deleted)[0].unlink()
    [path] = room.paths(flagged)
    path.rename(path.parent.parent / "cur" / f"{path.name.partition(':')[0]}:2,F")
    deliveries = iter(range(1000))
    after("Second", lambda _: deliver(room, "Second", next(deliveries)))
    seen = room.observe()
    assert not seen.gone
    assert room.version(flagged).tags == {"$flagged"}
    assert len([one for one in seen.items if one.key is None]) == SCANS - 1, "what lies there is taken up all the same"
    after("Second", lambda _: None)
    assert room.observe().gone == [deleted]


def test_a_new_message_that_moves_meanwhile_is_one_message_in_one_folder(
    room: MaildirDriver, after: Callable[[str, Callable[[int], object]], None]
) -> None:
    _, second = keys_of(room)
    deliver(room, "First", 1)
    after("First", lambda time: None if time else move(room.root / "First" / "cur" / "d1:2,", "Second"))
    room.observe()
    [record] = room.ledger.all("mail")
    assert record.local is not None
    assert record.local.homes == {second}
