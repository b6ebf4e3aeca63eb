"""What the kernel does to a watcher: mounts that come and go, limits, dropped events. Each in namespaces of its own.

The limits are those of a user namespace (namespaces(7), /proc/sys/user), so nobody else meets them.
"""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

from tests.daemon.watcher_recorder import FarEar, make_maildir

if TYPE_CHECKING:
    from pathlib import Path

QUEUE = 16_384
"""fs.inotify.max_queued_events, as the kernel sets it."""


def deliver(folder: Path, name: str = "m") -> None:
    (folder / "tmp" / name).write_text("Subject: m\n\n")
    (folder / "tmp" / name).rename(folder / "new" / name)


def make_older(root: Path) -> None:
    """Let the folders have been as they are for long: polling reports a young one once more when it is two seconds old."""
    for folder, _, _ in os.walk(root):
        os.utime(folder, (1_700_000_000, 1_700_000_000))


def mount_mail(disk: Path, root: Path) -> str:
    """Return shell commands that mount an empty disk and make a root with an inbox on it."""
    return f"mount -t tmpfs disk {disk} && mkdir -p {root}/INBOX/cur {root}/INBOX/new {root}/INBOX/tmp"


class TestDroppedEvents:
    def test_a_queue_that_ran_over_asks_for_a_full_sync_and_for_new_watches(self, root: Path, inbox: Path) -> None:
        with FarEar(root) as ear:
            ear.process.send_signal(signal.SIGSTOP)
            for number in range(QUEUE + 1000):
                (inbox / f"cur/{number}").touch()
            make_maildir(root / "Unseen")
            ear.process.send_signal(signal.SIGCONT)
            ear.wait_for("lost", "The inotify queue overflowed.")
            ear.silence()
            deliver(root / "Unseen")
            ear.wait_for("changed", os.fspath(root / "Unseen"))

    def test_a_watcher_that_slept_reports_what_it_missed(self, root: Path, inbox: Path) -> None:
        with FarEar(root) as ear:
            ear.process.send_signal(signal.SIGSTOP)
            deliver(inbox)
            ear.process.send_signal(signal.SIGCONT)
            ear.wait_for("changed", os.fspath(inbox))


class TestLimits:
    def test_too_few_watches_at_the_start_mean_polling(self, root: Path, inbox: Path) -> None:
        make_older(root)
        with FarEar(root, setup="echo 3 > /proc/sys/user/max_inotify_watches") as ear:
            assert ear.state.startswith("polling: The kernel watches no more than ")
            assert "Raise fs.inotify.max_user_watches" in ear.state
            assert ear.silence() == []
            deliver(inbox)
            ear.wait_for("changed", os.fspath(inbox))

    def test_watches_that_run_out_later_mean_polling_and_it_is_said_once(self, root: Path, inbox: Path) -> None:
        with FarEar(root, setup="echo 6 > /proc/sys/user/max_inotify_watches") as ear:
            assert ear.state == "inotify: "
            for name in ("A", "B", "C"):
                make_maildir(root / name)
            why = ear.wait_for("lost", "The kernel watches no more than ")
            assert why.endswith("sysctl and restart. So the directories are polled every 0.03 s.")
            assert ear.wait_for("state").startswith("polling: ")
            make_maildir(root / "D")
            assert "lost" not in [kind for kind, _ in ear.silence()]
            for folder in (inbox, root / "C", root / "D"):
                deliver(folder)
                ear.wait_for("changed", os.fspath(folder))

    def test_no_inotify_instance_means_polling(self, root: Path, inbox: Path) -> None:
        with FarEar(root, setup="echo 0 > /proc/sys/user/max_inotify_instances") as ear:
            assert ear.state.startswith("polling: The kernel gives no more than ")
            deliver(inbox)
            ear.wait_for("changed", os.fspath(inbox))

    def test_a_folder_that_may_not_be_read_is_watched_once_it_may(self, root: Path, inbox: Path) -> None:
        make_maildir(root / "Locked")
        (root / "Locked").chmod(0)
        with FarEar(root, through=("setpriv", "--bounding-set=-all", "--inh-caps=-all")) as ear:
            assert ear.state == "inotify: "
            deliver(inbox)
            ear.wait_for("changed", os.fspath(inbox))
            (root / "Locked").chmod(0o700)
            ear.wait_for("changed", os.fspath(root / "Locked"))
            ear.silence()
            deliver(root / "Locked")
            assert ear.silence() == [["changed", os.fspath(root / "Locked")]]

    def test_a_root_that_may_not_be_read_is_reported_once_and_awaited(self, root: Path, inbox: Path) -> None:
        root.chmod(0)
        with FarEar(root, through=("setpriv", "--bounding-set=-all", "--inh-caps=-all")) as ear:
            assert ear.state == f"off: The folder {root} cannot be watched: Permission denied."
            time.sleep(1.1)  # as often as it is tried
            assert ear.silence() == []
            root.chmod(0o700)
            ear.wait_for("lost", f"The folder {root} is there now.")
            ear.silence()
            deliver(inbox)
            assert ear.silence() == [["changed", os.fspath(inbox)]]


class TestMounts:
    """The watcher's side: a disk that goes is reported before anybody could take its emptiness for deletions."""

    def test_a_root_that_is_unmounted_is_reported_and_one_mounted_again_too(self, root: Path, inbox: Path) -> None:
        with FarEar(root, setup=mount_mail(root, root)) as ear:
            ear.run("umount", root)
            ear.wait_for("lost")
            ear.silence()
            ear.run("sh", "-ec", mount_mail(root, root))
            ear.wait_for("lost", f"Another folder lies at {root} now, or below it.")
            ear.silence()
            deliver(ear.path(inbox))
            assert ear.silence() == [["changed", os.fspath(inbox)]]

    def test_a_disk_mounted_over_the_root_is_reported_though_inotify_knows_nothing(self, root: Path, inbox: Path) -> None:
        with FarEar(root) as ear:
            ear.run("sh", "-ec", mount_mail(root, root))
            ear.wait_for("lost", f"Another folder lies at {root} now, or below it.")
            ear.silence()
            deliver(inbox, "hidden")
            assert ear.silence() == []
            deliver(ear.path(inbox))
            assert ear.silence() == [["changed", os.fspath(inbox)]]
            ear.run("umount", "--lazy", root)
            ear.wait_for("lost")
            ear.silence()
            deliver(inbox)
            assert ear.silence() == [["changed", os.fspath(inbox)]]

    def test_a_mount_point_that_goes_with_its_disk_is_awaited(self, tmp_path: Path) -> None:
        disk = tmp_path / "disk"
        disk.mkdir()
        root = disk / "mail"
        mount = mount_mail(disk, root)
        with FarEar(root, setup=mount) as ear:
            ear.run("umount", disk)
            ear.wait_for("lost", f"The folder {root} is not there.")
            assert ear.wait_for("state").startswith("off: ")
            ear.run("sh", "-ec", mount)
            ear.wait_for("lost", f"The folder {root} is there now.")
            ear.silence()
            deliver(ear.path(root / "INBOX"))
            assert ear.silence() == [["changed", os.fspath(root / "INBOX")]]

    def test_a_folder_on_a_disk_of_its_own_that_is_unmounted_is_reported(self, root: Path) -> None:
        make_maildir(root / "Big")
        with FarEar(root, setup=mount_mail(root / "Big", root / "Big")) as ear:
            ear.run("umount", root / "Big")
            ear.wait_for("lost")
            ear.silence()
            deliver(root / "Big")
            assert ear.silence() == [["changed", os.fspath(root / "Big")]]

    def test_a_disk_mounted_over_a_folder_is_reported_and_watched(self, root: Path) -> None:
        make_maildir(root / "Big")
        with FarEar(root) as ear:
            ear.run("sh", "-ec", mount_mail(root / "Big", root / "Big"))
            ear.wait_for("lost", "or below it")
            ear.silence()
            deliver(ear.path(root / "Big/INBOX"))
            assert ear.silence() == [["changed", os.fspath(root / "Big/INBOX")]]

    def test_mounts_elsewhere_concern_nobody(self, root: Path, tmp_path: Path) -> None:
        (tmp_path / "other").mkdir()
        with FarEar(root) as ear:
            ear.run("mount", "-t", "tmpfs", "disk", tmp_path / "other")
            assert ear.silence() == []
