"""A mirror on a real exFAT file system (a loop device mounted by FUSE): no colon, no hard links, no case."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import DemoServer
from tests.kit.mirror import Mirror

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TOOLS = ("mkfs.exfat", "mount.exfat-fuse", "losetup", "umount")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Callable[[], None]]]:
    """A directory on exFAT, and what unmounts it and mounts it again."""
    if os.geteuid() != 0 or any(shutil.which(tool) is None for tool in TOOLS):
        pytest.skip("exfatprogs, exfat-fuse and the right to mount are needed")
    image, mount = tmp_path / "image", tmp_path / "disk"
    mount.mkdir()
    with image.open("wb") as file:
        file.truncate(32 << 20)
    subprocess.run(["mkfs.exfat", image], check=True, capture_output=True)
    loop = subprocess.run(["losetup", "-f", "--show", image], check=True, capture_output=True, text=True).stdout.strip()

    def again() -> None:
        subprocess.run(["umount", mount], check=True)
        subprocess.run(["mount.exfat-fuse", loop, mount], check=True, capture_output=True)

    try:
        made = subprocess.run(["mount.exfat-fuse", loop, mount], check=False, capture_output=True, text=True)
        if made.returncode != 0:
            pytest.skip(f"exFAT cannot be mounted here: {made.stderr}")
        try:
            yield mount, again
        finally:
            subprocess.run(["umount", mount], check=True)
    finally:
        subprocess.run(["losetup", "-d", loop], check=True)


def wire(word: str) -> bytes:
    return f"From: a@example.com\r\nSubject: {word}\r\n\r\n[{word}]\r\n".encode()


@pytest.mark.parametrize("layout", ["nested", "maildir++"])
def test_a_mirror_on_exfat_holds_everything(disk: tuple[Path, Callable[[], None]], tmp_path: Path, layout: str) -> None:
    mount, again = disk
    with DemoServer() as server:
        account = server.account
        for name in ("What? A: B*", "Lists", "lists", "Lists/dovecot-keywords"):
            account.create_mailbox(name)
        both = account.deliver(wire("both"), ["INBOX", "What? A: B*"], ["$seen", "s-keyword"])
        account.deliver(wire("new"), ["INBOX"])
        account.deliver(wire("inner"), ["Lists/dovecot-keywords"], ["$flagged"])
        account.deliver(wire("other"), ["lists"], ["$flagged"])
        mirror = Mirror(server.url, "demo", "demo", mount / "mail", tmp_path / "state", layout=layout)
        report = mirror.sync()
        assert (report.exit_code, report.problems, len(mirror.files())) == (0, [], 5)
        again()  # numbers of files are others by now
        report = mirror.sync()
        assert (report.exit_code, report.to_disk.total, report.to_server.total) == (0, 0, 0)
        new = next(file for file in mirror.files("INBOX") if b"[new]" in file.read_bytes())
        new.rename(new.parent.parent / "cur" / f"{new.name};2,S")
        account.set_keyword(both, "$seen", present=False)
        mirror.drop("Lists", wire("mine"))
        mirror.sync()
        report = mirror.sync()
        assert (report.exit_code, report.problems, report.to_disk.total, report.to_server.total) == (0, [], 0, 0)
        words = {account.raw(ref): set(held) for ref, (_, held) in account.listing().items()}
        assert words[wire("new")] == {"$seen"}
        assert words[wire("both")] == {"s-keyword"}
        assert len(words) == 5
        assert sorted(file.name.partition(";2,")[2] for file in mirror.files()) == ["", "F", "F", "S", "a", "a"]
