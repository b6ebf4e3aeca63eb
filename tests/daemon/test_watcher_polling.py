"""Watching where the kernel does not report changes: file systems are recognised by type, and directories are polled."""

# ruff: noqa: ASYNC240  # what people do to their files, they do at once

from __future__ import annotations

import os
import shutil
import threading
from typing import TYPE_CHECKING

import pytest

from jmapsync.daemon.watch import mounts, polling
from jmapsync.daemon.watch.watcher import WatchMode, WatchState
from tests.daemon.watcher_recorder import RecordedWatcher, make_maildir

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

LOCAL = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table of mounts to be written: the kernel's own cannot be made to name a file server that is not there."""
    path = tmp_path / "mountinfo"
    path.write_text(f"{LOCAL}\n")
    monkeypatch.setattr(mounts, "TABLE", os.fspath(path))
    return path


@pytest.fixture
def shared(table: Path, root: Path) -> None:
    """The root came over the network."""
    table.write_text(f"{LOCAL}\n36 22 0:41 / {root} rw,relatime shared:7 - nfs4 box:/home rw\n")


class TestFileSystems:
    @pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse", "fuse.sshfs", "virtiofs", "ceph"])
    def test_what_other_machines_write_to_is_known_by_its_type(self, table: Path, kind: str) -> None:
        table.write_text(f"{LOCAL}\n40 22 0:50 / /home rw shared:9 master:1 - {kind} box:/home rw\n")
        assert mounts.shared_file_system("/home/alice/Mail") == kind
        assert mounts.shared_file_system("/homely") == ""

    @pytest.mark.parametrize("kind", ["ext4", "btrfs", "xfs", "tmpfs", "overlay", "ecryptfs", "fuseblk", "vfat", "zfs"])
    def test_a_disk_of_this_machine_is_not_taken_for_one(self, table: Path, kind: str) -> None:
        table.write_text(f"{LOCAL}\n40 22 8:2 / /home rw - {kind} /dev/sdb rw\n")
        assert mounts.shared_file_system("/home/alice/Mail") == ""

    def test_the_nearest_mount_counts_and_the_last_one_at_the_same_place(self, table: Path) -> None:
        table.write_text(
            f"{LOCAL}\n40 22 0:50 / /home rw - nfs box:/ rw\n41 40 8:2 / /home/alice rw - ext4 /dev/sdb rw\n"
            "42 22 8:3 / /srv rw - ext4 /dev/sdc rw\n43 42 0:51 / /srv rw - nfs box:/ rw\n"
        )
        assert mounts.shared_file_system("/home/alice/Mail") == ""
        assert mounts.shared_file_system("/home/bob/Mail") == "nfs"
        assert mounts.shared_file_system("/srv/Mail") == "nfs"

    def test_one_folder_that_came_over_the_network_counts_for_the_root(self, table: Path) -> None:
        table.write_text(f"{LOCAL}\n40 22 0:50 / /home/alice/Mail/Shared\\040Lists rw - cifs //box/lists rw\n")
        assert mounts.shared_file_system("/home/alice/Mail") == "cifs"
        assert mounts.shared_file_system("/home/alice/Mail/Shared Lists") == "cifs"
        assert mounts.shared_file_system("/home/alice/Mail/INBOX") == ""

    def test_a_machine_without_the_table_is_trusted_to_report(self, table: Path) -> None:
        table.unlink()
        assert mounts.shared_file_system("/home") == ""

    def test_the_kernels_own_table_can_be_read(self) -> None:
        assert mounts.mounts_of("/proc/self")[0].kind == "proc"


@pytest.mark.usefixtures("shared")
class TestObserving:
    async def test_a_root_from_the_network_is_polled_and_the_state_says_so(self, root: Path, inbox: Path) -> None:
        async with RecordedWatcher(root) as ear:
            assert ear.watcher.state == WatchState(
                WatchMode.POLLING,
                f"{root} is on nfs4, which other machines may change without this kernel's noticing. "
                "So the directories are polled every 0.03 s.",
            )
            (inbox / "new/b").write_text("Subject: b\n\n")
            assert await ear.silence() == [inbox]
            (inbox / "new/b").rename(inbox / "cur/b:2,S")
            assert await ear.silence() == [inbox]
            (inbox / "cur/b:2,S").unlink()
            assert await ear.silence() == [inbox]

    async def test_folders_that_come_and_go_are_reported(self, root: Path) -> None:
        async with RecordedWatcher(root) as ear:
            make_maildir(root / "New")
            await ear.wait_for(root, root / "New")
            (root / "New").rename(root / "Newer")
            await ear.wait_for(root, root / "Newer")
            shutil.rmtree(root / "Newer")
            await ear.wait_for(root)

    async def test_what_is_in_tmp_is_not_scanned(self, root: Path, inbox: Path) -> None:
        async with RecordedWatcher(root) as ear:
            (inbox / "tmp/b").write_text("Subject: b\n\n")
            assert await ear.silence() == []

    async def test_a_change_in_the_same_tick_as_a_run_is_found_when_the_tick_is_over(
        self, root: Path, inbox: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(polling, "_YOUNG", 0.5)
        async with RecordedWatcher(root) as ear:
            (inbox / "new/first").touch()
            tick = (inbox / "new").stat().st_mtime_ns
            await ear.wait_for(inbox)
            (inbox / "new/second").touch()
            os.utime(inbox / "new", ns=(tick, tick))
            await ear.wait_for(inbox)

    async def test_a_root_that_goes_and_comes_back_is_survived(self, root: Path, inbox: Path, tmp_path: Path) -> None:
        async with RecordedWatcher(root) as ear:
            root.rename(tmp_path / "away")
            assert f"The folder {root} is not there." in await ear.loss()
            assert ear.watcher.state.mode is WatchMode.OFF
            (tmp_path / "away").rename(root)
            assert (await ear.loss()).startswith(f"The folder {root} is there now. {root} is on nfs4, ")
            (inbox / "new/b").touch()
            await ear.wait_for(inbox)

    async def test_nobody_scans_any_more_after_the_end(self, root: Path) -> None:
        async with RecordedWatcher(root):
            assert any(isinstance(thread, polling.DirectoryPoller) for thread in threading.enumerate())
        assert not any(isinstance(thread, polling.DirectoryPoller) for thread in threading.enumerate())

    async def test_links_are_not_followed(self, root: Path, inbox: Path) -> None:
        (inbox / "again").symlink_to(inbox)
        async with RecordedWatcher(root) as ear:
            (inbox / "new/b").touch()
            assert await ear.silence() == [inbox]
