"""The outbox keeps what was taken until it is sent: durable before it is promised, and never half there."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import msgspec
import pytest

from jmapsync.errors import LocalError
from jmapsync.formats.envelope import Envelope
from jmapsync.storage.outbox import Baseline, Outbox, Stage

if TYPE_CHECKING:
    from pathlib import Path

HEADER = b"Subject: one\r\n\r\n"
ENVELOPE = Envelope("a@example.com", ("b@example.com",), "<1@example.com>", "one")


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "state/outbox")


def test_an_outbox_that_is_not_there_is_empty(outbox: Outbox) -> None:
    assert outbox.entries() == []
    assert not outbox.folder.exists()


def test_what_is_put_in_is_found_by_another_process_for_its_owner_only(outbox: Outbox) -> None:
    waiting = outbox.add(HEADER, [b"a\n", b"b\r", b"\nc"], ENVELOPE)
    assert Outbox(outbox.folder).entries() == [waiting]
    assert outbox.message(waiting.id).read_bytes() == HEADER + b"a\r\nb\r\nc"
    assert waiting.envelope == ENVELOPE
    assert {path.stat().st_mode & 0o777 for path in outbox.folder.iterdir()} == {0o600}
    assert outbox.folder.stat().st_mode & 0o777 == 0o700


def test_the_oldest_is_the_first(outbox: Outbox) -> None:
    added = [outbox.add(HEADER, [], ENVELOPE).id for _ in range(20)]
    assert [one.id for one in outbox.entries()] == added


def test_how_far_it_got_is_kept(outbox: Outbox) -> None:
    waiting = msgspec.structs.replace(
        outbox.add(HEADER, [], ENVELOPE), stage=Stage.SENDING, email_id="e1", baseline=Baseline("7", ("s1",), "s2"), asked_at=1.5
    )
    outbox.note(waiting)
    assert outbox.entries() == [waiting]


def test_what_is_removed_leaves_nothing(outbox: Outbox) -> None:
    waiting = outbox.add(HEADER, [], ENVELOPE)
    for half_written in (f".{waiting.id}.json.tmp", f".{waiting.id}.eml"):
        (outbox.folder / half_written).write_bytes(b"half")
    for _ in range(2):
        outbox.remove(waiting.id)
    assert list(outbox.folder.iterdir()) == []


def test_a_body_that_breaks_off_leaves_nothing_that_is_sent(outbox: Outbox) -> None:
    def body() -> object:
        yield b"half"
        raise OSError(5, "Input/output error")

    with pytest.raises(LocalError, match="could not be kept"):
        outbox.add(HEADER, body(), ENVELOPE)  # type: ignore[arg-type]
    assert list(outbox.folder.iterdir()) == []


def test_a_disk_that_takes_no_note_promises_nothing(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("jmapsync.storage.outbox.replace_bytes", full)
    with pytest.raises(LocalError, match="No space left"):
        outbox.add(HEADER, [], ENVELOPE)
    assert outbox.entries() == []
    assert list(outbox.folder.iterdir()) == []


@pytest.mark.parametrize("spoil", [b"", b"{", b'{"id": 1}', b"\0" * 40])
def test_a_note_that_cannot_be_read_is_held_by_name_and_stays(outbox: Outbox, spoil: bytes) -> None:
    bad, good = outbox.add(HEADER, [], ENVELOPE), outbox.add(HEADER, [], ENVELOPE)
    note = outbox.folder / f"{bad.id}.json"
    note.write_bytes(spoil)
    first, second = outbox.entries()
    assert (first.id, first.held, second) == (bad.id, True, good)
    assert "cannot be read" in first.why
    assert note.read_bytes() == spoil
    assert outbox.message(bad.id).exists()


def test_a_note_whose_message_is_gone_is_held(outbox: Outbox) -> None:
    waiting = outbox.add(HEADER, [], ENVELOPE)
    outbox.message(waiting.id).unlink()
    [held] = outbox.entries()
    assert (held.held, held.why) == (True, f"{outbox.message(waiting.id)} is gone")


def test_only_one_process_sends(outbox: Outbox) -> None:
    with outbox.locked() as mine:
        assert mine
        with Outbox(outbox.folder).locked() as theirs:
            assert not theirs
    with outbox.locked() as again:
        assert again


def test_what_a_killed_program_left_half_written_goes_after_a_day(outbox: Outbox) -> None:
    waiting = outbox.add(HEADER, [], ENVELOPE)
    fresh, old, note = (outbox.folder / name for name in ("fresh.eml", "old.eml", ".old.json.tmp"))
    for path in (fresh, old, note):
        path.write_bytes(b"half")
    long_ago = time.time() - 2 * 86_400
    for path in (old, note, outbox.message(waiting.id)):
        os.utime(path, (long_ago, long_ago))
    outbox.tidy()
    assert fresh.exists()
    assert not old.exists()
    assert not note.exists()
    assert outbox.entries() == [waiting]
    assert outbox.message(waiting.id).exists()
