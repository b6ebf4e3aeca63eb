"""Small files are replaced in one step, and groups of files are made durable, or the disk's refusal is raised."""

from __future__ import annotations

import ctypes
import errno
import os
import threading
from typing import TYPE_CHECKING

import pytest

from jmapsync.storage.files import atomic
from jmapsync.storage.files.atomic import GROUP, replace_text, sync_directories, sync_files, unfinished
from tests.storage.test_write import other_disk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class TestReplacing:
    def test_readers_see_the_old_text_or_the_new_one(self, tmp_path: Path) -> None:
        path = tmp_path / "table"
        texts = [f"{number} " * 20_000 for number in range(8)]
        replace_text(path, texts[0])
        torn: list[str] = []
        over = threading.Event()

        def read() -> None:
            while not over.is_set():
                text = path.read_text()
                if text not in texts:
                    torn.append(text)

        reader = threading.Thread(target=read)
        reader.start()
        for text in texts * 3:
            replace_text(path, text)
        over.set()
        reader.join()
        assert torn == []
        assert os.listdir(tmp_path) == ["table"]

    def test_on_a_full_disk_the_old_text_stays(self, tmp_path: Path) -> None:
        place = tmp_path / "small"
        place.mkdir()
        with other_disk(place, "64k"):
            replace_text(place / "table", "old")
            with pytest.raises(OSError, match="No space left"):
                replace_text(place / "table", "new" * 100_000)
            assert (place / "table").read_text() == "old"
            replace_text(place / "table", "newer")  # over what the failure left
            assert (place / "table").read_text() == "newer"

    def test_what_a_killed_run_left_is_written_over(self, tmp_path: Path) -> None:
        unfinished(tmp_path / "table").write_text("half of something longer than the text")
        replace_text(tmp_path / "table", "text")
        assert (tmp_path / "table").read_text() == "text"
        assert os.listdir(tmp_path) == ["table"]

    def test_the_text_is_for_its_owner_only(self, tmp_path: Path) -> None:
        replace_text(tmp_path / "table", "text")
        assert (tmp_path / "table").stat().st_mode & 0o777 == 0o600


class TestDurability:
    @pytest.mark.parametrize("syncfs", [True, False])
    @pytest.mark.parametrize("count", [1, GROUP + 1])
    def test_files_are_synced_with_or_without_syncfs(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, syncfs: bool
    ) -> None:
        if not syncfs:
            monkeypatch.setattr(atomic, "_SYNCFS", None)
        synced: list[int] = []
        fsync = os.fsync

        def count_fsync(handle: int) -> None:
            synced.append(handle)
            fsync(handle)

        monkeypatch.setattr(os, "fsync", count_fsync)
        paths = []
        for number in range(count):
            (tmp_path / str(number)).write_bytes(b"x")
            paths.append(str(tmp_path / str(number)))
        sync_files(tmp_path, paths)
        assert len(synced) == (0 if syncfs and count > GROUP else count)

    def test_a_file_that_is_gone_is_reported(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            sync_files(tmp_path, [str(tmp_path / "gone")])

    def test_a_directory_that_is_gone_needs_none(self, tmp_path: Path) -> None:
        sync_directories([str(tmp_path / "gone"), str(tmp_path)])


class TestNames:
    def test_two_files_swap_names_in_one_step(self, tmp_path: Path) -> None:
        one, other = tmp_path / "one", tmp_path / "other"
        one.write_text("1")
        other.write_text("2")
        assert atomic.exchange(str(one), str(other))
        assert (one.read_text(), other.read_text()) == ("2", "1")

    def test_a_file_that_is_gone_is_reported(self, tmp_path: Path) -> None:
        (tmp_path / "one").write_text("1")
        with pytest.raises(FileNotFoundError):
            atomic.exchange(str(tmp_path / "one"), str(tmp_path / "other"))
        assert (tmp_path / "one").read_text() == "1"

    @pytest.mark.parametrize("number", [None, errno.EINVAL, errno.ENOSYS])
    def test_where_names_cannot_be_swapped_nothing_is_done(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int | None
    ) -> None:
        def refuse(*_: object) -> int:
            ctypes.set_errno(number or 0)
            return -1

        monkeypatch.setattr(atomic, "_RENAMEAT2", refuse if number else None)
        (tmp_path / "one").write_text("1")
        assert not atomic.exchange(str(tmp_path / "one"), str(tmp_path / "other"))
        assert (tmp_path / "one").read_text() == "1"

    @pytest.mark.parametrize("number", [None, *sorted(atomic.NO_LINKS)])
    def test_a_name_is_given_but_taken_from_nobody(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int | None
    ) -> None:
        if number is not None:
            monkeypatch.setattr(os, "link", _refuser(number))
        one, other = tmp_path / "one", tmp_path / "other"
        one.write_text("1")
        other.write_text("2")
        with pytest.raises(FileExistsError):
            atomic.give_name(str(one), str(other))
        assert (one.read_text(), other.read_text()) == ("1", "2")
        atomic.give_name(str(one), str(tmp_path / "third"))
        assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "third"]

    @pytest.mark.parametrize("links", [True, False])
    def test_what_was_set_aside_gets_its_name_back(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
        if not links:
            monkeypatch.setattr(os, "link", _refuser(errno.EPERM))
        aside = tmp_path / "aside"
        aside.write_text("1")
        atomic.put_back(str(aside), str(tmp_path / "name"), str(tmp_path / "beside"))
        assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("name", "1")]

    def test_where_its_name_is_taken_it_gets_another(self, tmp_path: Path) -> None:
        (tmp_path / "aside").write_text("1")
        (tmp_path / "name").write_text("2")
        atomic.put_back(str(tmp_path / "aside"), str(tmp_path / "name"), str(tmp_path / "beside"))
        assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"name": "2", "beside": "1"}


def _refuser(number: int) -> Callable[[str, str], None]:
    def refuse(source: str, target: str) -> None:
        raise OSError(number, os.strerror(number), source, None, target)

    return refuse
