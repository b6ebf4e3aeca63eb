"""What a file system holds is tried out when a root is made, and again when the root lies on another one."""

from __future__ import annotations

import errno
import json
import os
from typing import TYPE_CHECKING

import pytest

from jmapsync.storage.files.filesystem import USUAL, FileSystem, examine, file_system_of, peculiarities_at, refuses_name
from tests.kit.disks import like_exfat, refuse_names

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_system_of_unix_holds_every_name(tmp_path: Path) -> None:
    assert examine(tmp_path) == USUAL
    assert (USUAL.separator, USUAL.forbidden, USUAL.peculiarities()) == (":", "", [])
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_colons_and_links_is_known_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_names(monkeypatch, like_exfat)
    found = examine(tmp_path)
    assert found == FileSystem(colon=False, marks=False, links=False)
    assert (found.separator, set(found.forbidden)) == (";", set(':?*"<>|\\'))
    assert len(found.peculiarities()) == 3
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_with_short_names_is_known_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_names(monkeypatch, lambda name: len(name) > 143, errno.ENAMETOOLONG, links=True)
    assert examine(tmp_path) == FileSystem(longest=143)


def test_what_a_killed_run_left_of_trying_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".jmapsync-probe-abc").mkdir()
    (tmp_path / ".jmapsync-probe-abc/case").touch()
    examine(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_it_is_tried_out_once_for_each_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_names(monkeypatch, like_exfat)
    assert file_system_of(tmp_path, "", dry=True) == (USUAL, "")  # a dry run tries nothing
    found, kept = file_system_of(tmp_path, "", dry=False)
    assert found.separator == ";"
    monkeypatch.undo()
    assert file_system_of(tmp_path, kept, dry=False) == (found, kept)
    note = json.loads(kept)
    other = json.dumps({**note, "device": note["device"] + 1})  # the root was on another one
    assert file_system_of(tmp_path, other, dry=False)[0] == USUAL


def test_where_nothing_can_be_tried_it_counts_as_one_of_unix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_names(monkeypatch, lambda _: True, errno.EROFS)
    assert file_system_of(tmp_path, "", dry=False) == (USUAL, "")
    assert peculiarities_at(tmp_path / "not/there/yet") == []


def test_a_name_that_is_refused_is_distinguished_from_a_file_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one").touch()
    with pytest.raises(FileNotFoundError) as gone:
        os.rename(tmp_path / "two", tmp_path / "three")
    with pytest.raises(FileNotFoundError) as astray:
        os.rename(tmp_path / "one", tmp_path / "nowhere/three")
    refuse_names(monkeypatch, like_exfat)
    with pytest.raises(FileNotFoundError) as refused:
        os.rename(os.fspath(tmp_path / "one"), os.fspath(tmp_path / "one:2,S"))
    assert [refuses_name(one.value) for one in (gone, astray, refused)] == [False, False, True]
