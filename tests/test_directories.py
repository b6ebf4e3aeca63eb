"""Directories that only their owner may enter."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from jmapsync.directories import make_private

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_those_that_are_missing_above_are_private_too(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir(mode=0o755)
    for _ in range(2):
        make_private(there / "a/b/c")
    assert mode(there) == 0o755
    assert {mode(there / name) for name in ("a", "a/b", "a/b/c")} == {0o700}


def test_a_link_to_a_directory_is_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    make_private(tmp_path / "link")
    make_private(tmp_path / "link/below")
    assert (tmp_path / "real/below").is_dir()


def test_a_file_in_the_way_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        make_private(tmp_path / "file")
    with pytest.raises(NotADirectoryError):
        make_private(tmp_path / "file/below")
