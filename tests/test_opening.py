"""Files that may be anything: nothing waits for a pipe, and only regular files are read."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from jmapsync.config import load
from jmapsync.errors import ConfigError, LocalError, SignInError
from jmapsync.jmap.auth import from_file
from jmapsync.ledger import AccountLock
from jmapsync.opening import open_given, open_regular, read_regular
from jmapsync.storage.files.directories import Below, shown
from jmapsync.storage.outbox import Outbox

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=["pipe", "socket", "device", "folder"])
def odd(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Something that is no regular file."""
    path = tmp_path / "odd"
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "socket":
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(path))
    elif request.param == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    return path


def test_nothing_but_a_regular_file_is_opened(odd: Path) -> None:
    with pytest.raises(OSError, match=r"not a regular file|Is a directory") as caught:
        open_regular(odd, follow=True)
    assert caught.value.filename == str(odd)


def test_a_link_is_followed_only_where_that_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    assert read_regular(tmp_path / "link", 10, follow=True) == b"content"
    with pytest.raises(OSError, match="symbolic link"):
        read_regular(tmp_path / "link", 10, follow=False)


def test_what_is_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    with pytest.raises(OSError, match="larger than 6 octets"):
        read_regular(tmp_path / "file", 6, follow=True)


def test_a_pipe_that_a_shell_handed_over_is_read() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"[accounts]\n")
    os.close(writer)
    try:
        from pathlib import Path  # noqa: PLC0415

        with open_given(Path(f"/dev/fd/{reader}")) as file:
            assert file.read() == b"[accounts]\n"
    finally:
        os.close(reader)


def test_a_configuration_is_a_file(odd: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(odd)


def test_a_password_file_is_a_file(odd: Path) -> None:
    with pytest.raises(SignInError, match="cannot be read"):
        from_file(odd)


def test_a_lock_is_a_file(odd: Path) -> None:
    with pytest.raises(LocalError, match="cannot be used"), AccountLock(odd, "home"):
        pass


def test_a_note_of_the_outbox_is_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "one.json")
    [waiting] = Outbox(tmp_path).entries()
    assert waiting.held
    assert "a pipe" in waiting.why


class TestBelow:
    def test_directories_are_reached_through_no_link(self, tmp_path: Path) -> None:
        (tmp_path / "root" / "a" / "b").mkdir(parents=True)
        (tmp_path / "root" / "link").symlink_to("a")
        (tmp_path / "also").symlink_to("root")
        with Below(tmp_path / "also") as below:
            assert os.listdir(below.at("a")) == ["b"]
            assert shown(f"{below.at('a')}/b") == str(tmp_path / "root" / "a" / "b")
            for path in ("link", "link/b"):
                with pytest.raises(OSError, match="link is a symbolic link"):
                    below.at(path)
            for path in ("a/..", "a//b", "a/./b"):
                with pytest.raises(OSError, match="no path below the root"):
                    below.at(path)
            with pytest.raises(FileNotFoundError):
                below.at("a/c")

    def test_what_is_done_goes_where_the_directory_is_by_now(self, tmp_path: Path) -> None:
        (tmp_path / "root" / "a").mkdir(parents=True)
        (tmp_path / "outside").mkdir()
        with Below(tmp_path / "root") as below:
            where = below.at("a")
            (tmp_path / "root" / "a").rename(tmp_path / "root" / "b")
            (tmp_path / "root" / "a").symlink_to(tmp_path / "outside")
            with open(f"{where}/file", "x", encoding="utf-8"):
                pass
        assert os.listdir(tmp_path / "outside") == []
        assert os.listdir(tmp_path / "root" / "b") == ["file"]

    def test_no_more_than_some_are_open_at_a_time_and_none_afterwards(self, tmp_path: Path) -> None:
        before = len(os.listdir("/proc/self/fd"))
        with Below(tmp_path) as below:
            for number in range(300):
                below.make(f"d{number}")
            assert len(os.listdir("/proc/self/fd")) < before + 120
            assert os.path.realpath(below.at("d0")) == str(tmp_path / "d0")
        assert len(os.listdir("/proc/self/fd")) == before
