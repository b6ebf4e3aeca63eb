"""Listing a Maildir folder that somebody works in: nothing is missed for long, and nothing is ever taken for deleted by mistake."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from jmapsync.ledger import Place
from jmapsync.storage.files import scan as scanning
from jmapsync.storage.files.file_state import state_of
from jmapsync.storage.files.scan import scan
from jmapsync.storage.maildir.file_names import MESSAGES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TICK = 9_990_000
"""Nanoseconds."""
STORM = """
import json, os, random, sys, time
folder, names, doomed = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
spots = [("cur", ":2,"), ("cur", ":2,S"), ("cur", ":2,FS"), ("new", "")]
at = {name: spots[0] for name in names}
print("begun", flush=True)
while True:
    name, new = random.choice(names), random.choice(spots)
    old, at[name] = at[name], new
    os.rename(f"{folder}/{old[0]}/{name}{old[1]}", f"{folder}/{new[0]}/{name}{new[1]}")
    if doomed and random.random() < 0.01:
        os.unlink(f"{folder}/cur/{doomed.pop()}:2,")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for sub in ("cur", "new", "tmp"):
        (tmp_path / "INBOX" / sub).mkdir(parents=True)
    return tmp_path / "INBOX"


def put(folder: Path, name: str, *, sub: str = "cur", content: bytes = b"Subject: x\n\nbody\n") -> Place:
    """Make a message and return it as the ledger would know it."""
    file = folder / sub / name
    file.write_bytes(content)
    unique, colon, flags = name.partition(":2,")
    return Place(1, unique, f"{colon}{flags}", sub, 1, *state_of(file.stat()), "raw")


@pytest.fixture
def slow_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give time stamps the coarseness that they have on kernels before 6.13, here ten milliseconds."""
    mtimes, clock = scanning._mtimes, time.clock_gettime_ns
    monkeypatch.setattr(scanning, "_mtimes", lambda *of: tuple(moment - moment % TICK for moment in mtimes(*of)))
    monkeypatch.setattr(time, "clock_gettime_ns", lambda number: clock(number) - clock(number) % TICK)


@contextmanager
def storm(folder: Path, names: list[str], doomed: list[str] = []) -> Iterator[None]:  # noqa: B006 - read only
    """Rename messages as fast as another process can, and delete the doomed ones now and then."""
    arguments = [sys.executable, "-c", STORM, str(folder), json.dumps(names), json.dumps(doomed)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            assert process.poll() is None, "the storm died"
            process.send_signal(signal.SIGKILL)


class TestAbsence:
    @pytest.mark.parametrize("count", [4, 300])
    def test_no_file_renamed_during_the_listing_is_taken_for_deleted(self, folder: Path, count: int) -> None:
        known = [put(folder, f"m{number}:2,") for number in range(count)]
        with storm(folder, [place.name for place in known]):
            end = time.monotonic() + 1.5
            while time.monotonic() < end:
                changes = scan(str(folder), known, MESSAGES)
                assert changes.vanished == []
                assert {entry.name for entry in changes.unknown} <= {place.name for place in known}

    @pytest.mark.parametrize("count", [4, 300])
    def test_a_listing_that_is_to_prove_absence_is_complete_even_within_a_tick(
        self, folder: Path, count: int, slow_ticks: None
    ) -> None:
        known = [put(folder, f"m{number}:2,") for number in range(count)]
        names = {place.name for place in known}
        with storm(folder, sorted(names)):
            end = time.monotonic() + 1.5
            while time.monotonic() < end:
                listing, proves = scanning._list(str(folder), MESSAGES, proving=True)
                found = {text.partition(":2,")[0] for entries in listing.values() for text in entries}
                assert not proves or found == names

    def test_a_file_deleted_in_the_storm_is_found_to_be_gone_once_it_is_over(self, folder: Path) -> None:
        known = [put(folder, f"m{number}:2,") for number in range(40)]
        doomed = [place.name for place in known[30:]]
        with storm(folder, [place.name for place in known[:30]], doomed):
            end = time.monotonic() + 0.5
            while time.monotonic() < end:
                gone = {place.name for place in scan(str(folder), known, MESSAGES).vanished}
                assert gone <= set(doomed)
        gone = {place.name for place in scan(str(folder), known, MESSAGES).vanished}
        assert gone == {name for name in doomed if not (folder / "cur" / f"{name}:2,").exists()}

    def test_a_deletion_is_seen_by_the_very_next_scan(self, folder: Path) -> None:
        for _ in range(20):
            known = [put(folder, "a:2,"), put(folder, "b:2,")]
            (folder / "cur" / "a:2,").unlink()
            assert [place.name for place in scan(str(folder), known, MESSAGES).vanished] == ["a"]

    def test_a_folder_whose_clock_is_ahead_of_ours_proves_absence_as_well(self, folder: Path) -> None:
        known = [put(folder, "a:2,")]
        (folder / "cur" / "a:2,").unlink()
        ahead = time.time() + 3600
        for sub in ("cur", "new"):
            os.utime(folder / sub, (ahead, ahead))
        begun = time.monotonic()
        assert scan(str(folder), known, MESSAGES).vanished == known
        assert time.monotonic() - begun < 60

    def test_a_file_that_has_become_something_else_is_odd_but_not_gone(self, folder: Path) -> None:
        known = [put(folder, "a:2,"), put(folder, "b:2,")]
        (folder / "cur" / "a:2,").unlink()
        (folder / "cur" / "a:2,").mkdir()
        (folder / "cur" / "b:2,").write_bytes(b"")
        changes = scan(str(folder), known, MESSAGES)
        assert changes.vanished == []
        assert sorted(path for path, _ in changes.odd) == ["cur/a:2,", "cur/b:2,"]

    def test_a_folder_that_cannot_be_listed_says_so(self, folder: Path) -> None:
        known = [put(folder, "a:2,")]
        for file in (folder / "cur").iterdir():
            file.unlink()
        (folder / "cur").rmdir()
        with pytest.raises(FileNotFoundError):
            scan(str(folder), known, MESSAGES)


class TestChanges:
    def test_new_flags_and_the_move_from_new_to_cur_are_renames(self, folder: Path) -> None:
        one, other = put(folder, "a", sub="new"), put(folder, "b:2,S")
        (folder / "new" / "a").rename(folder / "cur" / "a:2,S")
        (folder / "cur" / "b:2,S").rename(folder / "cur" / "b:2,FS")
        changes = scan(str(folder), [one, other], MESSAGES)
        renamed = [(place.name, entry.sub, entry.info) for place, entry in changes.renamed]
        assert renamed == [("a", "cur", ":2,S"), ("b", "cur", ":2,FS")]
        assert (changes.vanished, changes.unknown, changes.touched) == ([], [], [])

    def test_two_files_with_one_unique_part_are_two_messages(self, folder: Path) -> None:
        known = put(folder, "a:2,", content=b"one")
        put(folder, "a:2,S", content=b"another")
        changes = scan(str(folder), [known], MESSAGES)
        assert changes.vanished == []
        assert len(changes.unknown) + len(changes.renamed) + len(changes.touched) == 1
        assert [entry.file for entry in changes.unknown] == ["cur/a:2,S"]

    def test_what_nobody_changed_is_nothing(self, folder: Path) -> None:
        known = [put(folder, f"m{number}:2,S") for number in range(10)]
        changes = scan(str(folder), known, MESSAGES)
        assert (changes.unknown, changes.renamed, changes.touched, changes.vanished, changes.odd) == ([], [], [], [], [])
        assert changes.count == 10
