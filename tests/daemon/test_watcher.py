"""What the watcher reports, and what it does not. By real inotify; see test_watcher_limits.py for its limits."""

# ruff: noqa: ASYNC240  # what people do to their files, they do at once

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest
from watchdog.observers.inotify_c import inotify_rm_watch

from jmapsync.daemon.watch import watcher
from jmapsync.daemon.watch.inotify import Kernel
from jmapsync.daemon.watch.watcher import Watcher, WatchMode, WatchState
from tests.daemon.watcher_recorder import RecordedWatcher, make_maildir

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the watcher check for a missing root more often, so that the test does not wait."""
    monkeypatch.setattr(watcher, "_WAIT_SECONDS", 0.05)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with two Maildirs and a message."""
    root = tmp_path / "mail"
    for folder in ("INBOX", "Lists/python"):
        make_maildir(root / folder)
    (root / "INBOX/cur/a:2,S").write_text("Subject: a\n\n")
    return root


def put_in_place(folder: Path) -> None:
    (folder / "tmp/b").write_text("Subject: b\n\n")
    (folder / "tmp/b").rename(folder / "new/b")


def link_into_place(folder: Path) -> None:
    (folder / "tmp/b").write_text("Subject: b\n\n")
    (folder / "new/b").hardlink_to(folder / "tmp/b")
    (folder / "tmp/b").unlink()


def read_everything(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            path.read_bytes()


def open_and_close(folder: Path) -> None:
    os.close(os.open(folder / "cur/a:2,S", os.O_RDONLY))


def deliver_halfway(folder: Path) -> None:
    (folder / "tmp/b").write_text("Subject: b\n\n")
    (folder / "tmp/b").unlink()


class TestMessages:
    @pytest.mark.parametrize(
        "act",
        [
            put_in_place,
            link_into_place,
            lambda folder: (folder / "cur/a:2,S").rename(folder / "cur/a:2,FS"),
            lambda folder: (folder / "cur/a:2,S").rename(folder / "new/a"),
            lambda folder: (folder / "cur/a:2,S").rename(folder.parent.parent / "a"),
            lambda folder: (folder / "cur/a:2,S").unlink(),
            lambda folder: (folder / "cur/a:2,S").write_text("Subject: edited\n\n"),
            lambda folder: os.truncate(folder / "cur/a:2,S", 3),
            lambda folder: os.utime(folder / "cur/a:2,S", (1, 1)),
            lambda folder: (folder / "cur/a:2,S").chmod(0o400),
        ],
        ids=["delivered", "linked", "flagged", "unread", "moved-out", "deleted", "edited", "cut", "touched", "chmod"],
    )
    async def test_each_change_of_a_message_is_a_hint_at_its_folder_and_no_other(
        self, root: Path, inbox: Path, act: Callable[[Path], object]
    ) -> None:
        async with RecordedWatcher(root) as ear:
            act(inbox)
            assert await ear.silence() == [inbox]

    @pytest.mark.parametrize(
        "act",
        [
            read_everything,
            open_and_close,
            deliver_halfway,
            lambda folder: (folder / "cur/.nfs0001").touch(),
        ],
        ids=["read", "opened", "written-to-tmp", "hidden"],
    )
    async def test_what_changes_no_message_is_no_hint(self, root: Path, inbox: Path, act: Callable[[Path], object]) -> None:
        async with RecordedWatcher(root) as ear:
            act(inbox)
            assert await ear.silence() == []

    async def test_a_message_written_in_place_is_reported_until_its_writer_has_closed_it(self, root: Path, inbox: Path) -> None:
        async with RecordedWatcher(root) as ear:
            with (inbox / "cur/slow:2,").open("w") as file:
                await ear.wait_for(inbox)
                file.write("Subject: half\n")
                file.flush()
                await ear.wait_for(inbox)
                await ear.silence()
            assert await ear.silence() == [inbox]

    async def test_a_message_moved_away_is_reported_at_once_not_when_the_other_half_of_the_move_is_missed(
        self, root: Path, inbox: Path, tmp_path: Path
    ) -> None:
        async with RecordedWatcher(root) as ear:
            for number in range(40):  # a busy machine may be slow at some of them
                (inbox / f"cur/moved{number}:2,").write_text("Subject: moved\n\n")
                await ear.silence()
                started = time.monotonic()
                (inbox / f"cur/moved{number}:2,").rename(tmp_path / f"elsewhere{number}")
                await ear.wait_for(inbox)
                if time.monotonic() - started < 0.25:
                    return
        pytest.fail("watchdog's own emitter waits for half a second, each time")

    async def test_a_message_moved_between_folders_is_reported_in_both(self, root: Path, inbox: Path) -> None:
        async with RecordedWatcher(root) as ear:
            (inbox / "cur/a:2,S").rename(root / "Lists/python/cur/a:2,S")
            assert await ear.silence() == [inbox, root / "Lists/python"]

    async def test_ten_thousand_touched_files_enter_the_loop_as_a_handful_of_calls(
        self, root: Path, inbox: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(10_000):
            (inbox / f"cur/{number}").touch()
        calls: list[object] = []
        loop = asyncio.get_running_loop()
        enter = loop.call_soon_threadsafe

        def count(callback: Callable[..., object], *arguments: object, **named: object) -> object:
            if isinstance(threading.current_thread(), Kernel):
                calls.append(callback)
            return enter(callback, *arguments)

        def touch() -> None:
            for path in (inbox / "cur").iterdir():
                os.utime(path)

        monkeypatch.setattr(loop, "call_soon_threadsafe", count)
        async with RecordedWatcher(root) as ear:
            await asyncio.to_thread(touch)
            await ear.wait_for(inbox)
            await ear.silence()
        assert 1 <= len(calls) < 100  # a busy machine takes longer for the burst, and so reports it in more parts


class TestFolders:
    async def test_a_folder_filled_before_it_could_be_watched_is_reported_and_watched(self, root: Path, tmp_path: Path) -> None:
        source = tmp_path / "copy"
        for number in range(30):
            make_maildir(source / f"{number % 3}/{number}")
            (source / f"{number % 3}/{number}/cur/m").write_text("Subject: m\n\n")
        async with RecordedWatcher(root) as ear:
            subprocess.run(["cp", "-r", source, root / "Archive"], check=True)  # noqa: ASYNC221  # the loop is to be busy
            folders = [root / f"Archive/{number % 3}/{number}" for number in range(30)]
            await ear.wait_for(*folders)
            await ear.silence()
            for folder in folders:
                put_in_place(folder)
            await ear.wait_for(*folders)

    async def test_a_folder_made_bit_by_bit_is_watched(self, root: Path) -> None:
        async with RecordedWatcher(root) as ear:
            (root / "New").mkdir()
            await ear.wait_for(root, root / "New")
            make_maildir(root / "New/sub")
            await ear.wait_for(root / "New/sub")
            await ear.silence()
            put_in_place(root / "New/sub")
            assert await ear.silence() == [root / "New/sub"]

    async def test_a_renamed_folder_goes_on_under_its_new_name(self, root: Path) -> None:
        async with RecordedWatcher(root) as ear:
            (root / "Lists").rename(root / "Groups")
            await ear.wait_for(root, root / "Groups/python")
            await ear.silence()
            put_in_place(root / "Groups/python")
            assert await ear.silence() == [root / "Groups/python"]

    async def test_folders_that_swap_their_names_are_each_found_by_the_right_one(self, root: Path) -> None:
        make_maildir(root / "A")
        make_maildir(root / "B")
        async with RecordedWatcher(root) as ear:
            (root / "A").rename(root / "between")
            (root / "B").rename(root / "A")
            (root / "between").rename(root / "B")
            await ear.silence()
            put_in_place(root / "A")
            assert await ear.silence() == [root / "A"]
            put_in_place(root / "B")
            assert await ear.silence() == [root / "B"]

    async def test_a_folder_moved_out_is_heard_no_more(self, root: Path, tmp_path: Path) -> None:
        async with RecordedWatcher(root) as ear:
            (root / "Lists").rename(tmp_path / "Lists")
            assert await ear.silence() == [root]
            put_in_place(tmp_path / "Lists/python")
            assert await ear.silence() == []

    async def test_a_removed_folder_is_a_change_and_no_loss(self, root: Path) -> None:
        async with RecordedWatcher(root) as ear:
            shutil.rmtree(root / "Lists")
            await ear.wait_for(root)
            assert ear.losses == []

    async def test_a_folder_made_again_is_watched_again(self, root: Path) -> None:
        async with RecordedWatcher(root) as ear:
            for _ in range(20):
                shutil.rmtree(root / "Lists")
                make_maildir(root / "Lists/python")
            await ear.silence()
            put_in_place(root / "Lists/python")
            assert await ear.silence() == [root / "Lists/python"]

    @pytest.mark.parametrize("name", ["dovecot-keywords", ".jmapsync"])
    async def test_the_files_that_say_what_a_folder_and_its_letters_are_matter(self, root: Path, inbox: Path, name: str) -> None:
        async with RecordedWatcher(root) as ear:
            (inbox / name).write_text("0 $label1\n")
            assert await ear.silence() == [inbox]

    @pytest.mark.parametrize("name", ["dovecot.index.log", "dovecot-uidlist", ".mh_sequences", "mutt-cache"])
    async def test_other_files_beside_the_messages_do_not(self, root: Path, inbox: Path, name: str) -> None:
        async with RecordedWatcher(root) as ear:
            (inbox / name).write_text("")
            assert await ear.silence() == []

    async def test_what_notmuch_writes_into_its_database_wakes_nobody(self, root: Path) -> None:
        (root / ".notmuch/xapian").mkdir(parents=True)
        async with RecordedWatcher(root) as ear:
            (root / ".notmuch/xapian/docdata.glass").write_text("")
            (root / ".notmuch/lock").write_text("")
            (root / ".git").mkdir()
            assert await ear.silence() == []

    async def test_the_folders_of_a_maildir_plus_plus_root_are_watched(self, tmp_path: Path) -> None:
        root = tmp_path / "maildir"
        make_maildir(root)
        make_maildir(root / ".Lists.python")
        async with RecordedWatcher(root) as ear:
            put_in_place(root)
            assert await ear.silence() == [root]
            put_in_place(root / ".Lists.python")
            assert await ear.silence() == [root / ".Lists.python"]
            make_maildir(root / ".New")
            await ear.wait_for(root / ".New")
            await ear.silence()
            put_in_place(root / ".New")
            assert await ear.silence() == [root / ".New"]

    async def test_a_root_that_becomes_a_maildir_is_scanned_anew(self, root: Path) -> None:
        async with RecordedWatcher(root) as ear:
            make_maildir(root)
            assert "changed" in await ear.loss()
            await ear.silence()
            put_in_place(root)
            assert await ear.silence() == [root]

    async def test_a_link_is_a_hint_where_it_lies_and_never_followed(self, root: Path, tmp_path: Path) -> None:
        make_maildir(tmp_path / "disk/Big")
        (root / "Before").symlink_to(tmp_path / "disk/Big")
        (root / "Elsewhere").symlink_to(tmp_path / "disk")
        async with RecordedWatcher(root) as ear:
            (root / "After").symlink_to(tmp_path / "disk/Big")
            assert await ear.silence() == [root]
            put_in_place(tmp_path / "disk/Big")
            (tmp_path / "disk/file").touch()
            assert await ear.silence() == []
            (root / "After").unlink()
            assert await ear.silence() == [root]
            put_in_place(tmp_path / "disk/Big")
            assert await ear.silence() == []


class TestItems:
    """Directories with a file per item: vdir and Sieve scripts."""

    @pytest.fixture
    def friends(self, tmp_path: Path) -> Path:
        folder = tmp_path / "contacts/friends"
        folder.mkdir(parents=True)
        (folder / "a.vcf").write_text("BEGIN:VCARD\n")
        return folder

    async def test_an_item_saved_by_rename_is_a_hint_at_its_folder(self, friends: Path) -> None:
        async with RecordedWatcher(friends.parent) as ear:
            (friends / ".a.vcf.tmp").write_text("BEGIN:VCARD\nEND:VCARD\n")
            assert await ear.silence() == []
            (friends / ".a.vcf.tmp").rename(friends / "a.vcf")
            assert await ear.silence() == [friends]

    @pytest.mark.parametrize(
        "name", [".a.vcf.swp", ".a.vcf.swx", "4913", "a.vcf~", ".#a.vcf", "#a.vcf#", "a.vcf.tmp", "a.vcf.lock"]
    )
    async def test_editors_temporary_files_are_no_hint(self, friends: Path, name: str) -> None:
        async with RecordedWatcher(friends.parent) as ear:
            (friends / name).write_text("BEGIN:VCARD\n")
            (friends / name).unlink()
            assert await ear.silence() == []

    async def test_an_editor_that_keeps_a_backup_is_heard(self, friends: Path) -> None:
        async with RecordedWatcher(friends.parent) as ear:
            (friends / "a.vcf").rename(friends / "a.vcf~")
            (friends / "a.vcf").write_text("BEGIN:VCARD\nEND:VCARD\n")
            assert await ear.silence() == [friends]

    async def test_the_link_to_the_active_script_matters(self, tmp_path: Path) -> None:
        (tmp_path / "a.sieve").write_text("keep;\n")
        async with RecordedWatcher(tmp_path) as ear:
            (tmp_path / "active").symlink_to("a.sieve")
            assert await ear.silence() == [tmp_path]


class TestRoots:
    async def test_a_root_that_is_missing_is_awaited(self, root: Path, inbox: Path, tmp_path: Path) -> None:
        root.rename(tmp_path / "away")
        async with RecordedWatcher(root) as ear:
            assert ear.watcher.state == WatchState(WatchMode.OFF, f"The folder {root} is not there.")
            (tmp_path / "away").rename(root)
            assert await ear.loss() == f"The folder {root} is there now."
            assert ear.watcher.state == WatchState(WatchMode.INOTIFY, "")
            put_in_place(inbox)
            assert await ear.silence() == [inbox]

    async def test_a_root_that_is_added_later_is_watched_too_and_what_was_there_is_reported(
        self, root: Path, tmp_path: Path
    ) -> None:
        make_maildir(tmp_path / "other/INBOX")
        async with RecordedWatcher(root) as ear:
            ear.watcher.include([root, tmp_path / "other"])
            assert await ear.loss() == f"The folder {tmp_path / 'other'} is there now."
            put_in_place(tmp_path / "other/INBOX")
            assert await ear.silence() == [tmp_path / "other/INBOX"]
            ear.watcher.include([root, tmp_path / "other"])
            assert await ear.silence() == []

    async def test_a_root_that_goes_and_comes_back_is_reported_twice_and_watched_again(
        self, root: Path, inbox: Path, tmp_path: Path
    ) -> None:
        async with RecordedWatcher(root) as ear:
            root.rename(tmp_path / "away")
            assert await ear.loss() == f"The folder {root} was moved away. The folder {root} is not there."
            assert ear.watcher.state.mode is WatchMode.OFF
            assert await ear.silence() == []
            (tmp_path / "away").rename(root)
            assert await ear.loss() == f"The folder {root} is there now."
            put_in_place(inbox)
            assert await ear.silence() == [inbox]

    async def test_a_removed_root_is_reported_and_the_empty_one_in_its_place_too(self, root: Path) -> None:
        async with RecordedWatcher(root) as ear:
            shutil.rmtree(root)
            assert f"The folder {root} was removed." in await ear.loss()
            root.mkdir()
            assert await ear.loss() == f"The folder {root} is there now."

    async def test_another_folder_put_instead_of_the_root_is_watched(self, root: Path, tmp_path: Path) -> None:
        make_maildir(tmp_path / "other/INBOX")
        async with RecordedWatcher(root) as ear:
            root.rename(tmp_path / "away")
            (tmp_path / "other").rename(root)
            assert await ear.loss()
            await ear.silence()
            put_in_place(root / "INBOX")
            assert await ear.silence() == [root / "INBOX"]
            put_in_place(tmp_path / "away/INBOX")
            assert await ear.silence() == []

    async def test_a_root_that_is_missing_does_not_keep_another_from_being_watched(
        self, root: Path, inbox: Path, tmp_path: Path
    ) -> None:
        async with RecordedWatcher(tmp_path / "missing", root) as ear:
            assert ear.watcher.state.mode is WatchMode.OFF
            put_in_place(inbox)
            assert await ear.silence() == [inbox]

    async def test_a_root_that_is_no_folder_is_awaited_too(self, root: Path, tmp_path: Path) -> None:
        root.rename(tmp_path / "away")
        root.write_text("")
        async with RecordedWatcher(root) as ear:
            assert ear.watcher.state == WatchState(WatchMode.OFF, f"The folder {root} is not there.")
            assert await ear.silence() == []
            root.unlink()
            (tmp_path / "away").rename(root)
            assert await ear.loss() == f"The folder {root} is there now."

    async def test_a_watch_that_the_kernel_gives_up_by_itself_is_reported_and_made_anew(self, root: Path, inbox: Path) -> None:
        async with RecordedWatcher(root) as ear:
            kernel = ear.watcher._kernel
            assert kernel is not None
            path = os.fsencode(inbox / "cur")
            wd = next(wd for wd, watch in kernel._watch_for_wd.items() if watch._initial_creation_path == path)
            inotify_rm_watch(kernel._inotify_fd, wd)
            assert await ear.loss() == f"The kernel removed its watch on {inbox}/cur."
            (inbox / "cur/a:2,S").unlink()
            assert await ear.silence() == [inbox]

    async def test_a_root_behind_a_link_is_reported_by_the_name_it_was_given(self, root: Path, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(root)
        async with RecordedWatcher(tmp_path / "link") as ear:
            put_in_place(root / "Lists/python")
            assert await ear.silence() == [tmp_path / "link/Lists/python"]


class TestTheEnd:
    async def test_a_watch_that_breaks_down_is_reported_and_replaced_by_polling(
        self, root: Path, inbox: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*arguments: object) -> None:
            raise OSError(5, "Input/output error")

        async with RecordedWatcher(root) as ear:
            monkeypatch.setattr(Kernel, "read_events", fail)
            put_in_place(inbox)  # wakes the thread for the last time
            assert await ear.loss() == (
                "Watching by inotify ended: OSError(5, 'Input/output error'). So the directories are polled every 0.03 s."
            )
            assert ear.watcher.state.mode is WatchMode.POLLING
            (inbox / "new/b").unlink()
            await ear.wait_for(inbox)

    async def test_nobody_is_notified_after_the_end_and_nothing_is_left_open(
        self, root: Path, inbox: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with RecordedWatcher(root):
            pass  # the loop makes its threads and handles
        await asyncio.sleep(0.05)
        handles, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
        ear = RecordedWatcher(root)
        monkeypatch.setattr("jmapsync.daemon.watch.watcher._PATIENCE", 60)
        ear.watcher.start()
        put_in_place(inbox)
        time.sleep(0.05)  # noqa: ASYNC251  # the hint is on its way into the loop, which does not come to it
        started = time.monotonic()
        ear.watcher.stop()
        assert time.monotonic() - started < 30
        assert await ear.silence() == []
        assert (len(os.listdir("/proc/self/fd")), threading.active_count()) == (handles, threads)
        assert ear.watcher.state.mode is WatchMode.OFF

    async def test_a_watch_that_never_began_can_end(self, root: Path) -> None:
        Watcher([root], print, print).stop()
