"""Folders that did not change are not listed again, and whatever changes in one is seen by the next run all the same."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.formats.names import KEYWORDS
from jmapsync.planner.guard import Limits
from jmapsync.storage.files import directory_stamps as stamps
from jmapsync.storage.files import scan
from jmapsync.storage.files.root import MARKER
from jmapsync.storage.maildir import observe as observed
from jmapsync.storage.maildir import tree
from jmapsync.storage.maildir import unchanged as listed
from jmapsync.sync.observe import AUDIT_SECONDS
from tests.contract.peer import message
from tests.kit.mirror import assert_converges, assert_mirrored

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.demo import DemoServer
    from jmapsync.demo.account import Account
    from tests.kit.mirror import Mirror

TICKS = 40_000_000
"""Nanoseconds within which a file system may give two changes the same time, and some."""
FOLDERS = ("Full", "Empty", "Outer", "Outer/Inner")


@pytest.fixture(autouse=True)
def short_age(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust stamps as soon as that is safe; on any file system, as those of these tests are local."""
    monkeypatch.setattr(stamps, "OLD", TICKS)
    monkeypatch.setattr(listed, "are_exact", lambda _: True)


@pytest.fixture
def synced(server: DemoServer, mirror: Mirror) -> Mirror:
    """Return a mirror whose folders are all known by their stamps."""
    return filled(server, mirror)


def filled(server: DemoServer, mirror: Mirror) -> Mirror:
    for path in FOLDERS:
        server.account.create_mailbox(path)
    for number in range(3):
        server.account.deliver(message(f"{number}"), ["Full"], ["$seen"])
    sync_until_quiet(server.account, mirror)
    return mirror


def sync_until_quiet(account: Account, mirror: Mirror) -> None:
    assert_converges(account, mirror)
    for _ in range(2):
        time.sleep(3 * TICKS / 1e9)
        mirror.sync()


def content(text: str) -> bytes:
    """Return a message as it lies on the disk."""
    return message(text).replace(b"\r\n", b"\n")


class Listings:
    """Counts what a run lists."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folders = 0
        self.walks = 0
        one_folder, observe_folders = scan.scan, tree.Tree._found

        def scanned(*arguments: Any) -> Any:  # noqa: ANN401 # whatever they are
            self.folders += 1
            return one_folder(*arguments)

        def found(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 # whatever they are
            self.walks += 1
            return observe_folders(*arguments, **named)

        monkeypatch.setattr(observed, "scan", scanned)
        monkeypatch.setattr(tree.Tree, "_found", found)


def test_a_run_with_nothing_to_do_lists_no_folder(synced: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    listings = Listings(monkeypatch)
    report = synced.sync()
    assert (report.to_disk.total, report.to_server.total, listings.folders, listings.walks) == (0, 0, 0, 0)


def test_a_full_run_lists_every_folder(server: DemoServer, synced: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    listings = Listings(monkeypatch)
    synced.sync(full=True)
    assert listings.folders == listings.walks == len(server.account.mailboxes)


def test_a_folder_that_changed_just_now_is_listed_again(synced: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stamps, "OLD", 3_600_000_000_000)
    synced.drop("Full", content("new"))
    synced.sync()
    listings = Listings(monkeypatch)
    synced.sync()
    assert listings.folders == 1
    synced.sync()
    assert listings.folders == 2


def test_nothing_is_trusted_on_a_file_system_that_is_not_known(synced: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listed, "are_exact", lambda _: False)
    listings = Listings(monkeypatch)
    synced.sync()
    assert listings.folders > 0
    assert listings.walks > 0


def first(mirror: Mirror, path: str = "Full") -> Path:
    return mirror.files(path)[0]


def flag(mirror: Mirror) -> None:
    mirror.flag(first(mirror), "FS")


def move(mirror: Mirror) -> None:
    first(mirror).rename(mirror.folder("Empty") / "cur" / first(mirror).name)


def delete(mirror: Mirror) -> None:
    first(mirror).unlink()


def deliver(mirror: Mirror) -> None:
    mirror.drop("Empty", content("delivered"))


def deliver_with_an_old_time(mirror: Mirror) -> None:
    """As `cp -a` and rsync do, which set the times of the directory too."""
    cur = mirror.folder("Empty") / "cur"
    state = cur.stat()
    mirror.drop("Empty", content("delivered"), sub="cur", info=":2,S")
    os.utime(cur, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert cur.stat().st_mtime_ns == state.st_mtime_ns


def edit_in_place(mirror: Mirror) -> None:
    """Of a draft, say; no directory shows that."""
    path = first(mirror)
    state = path.stat()
    path.write_bytes(content("edited"))
    os.utime(path, ns=(state.st_mtime_ns - 10**9, state.st_mtime_ns - 10**9))


def replace_by_rename(mirror: Mirror) -> None:
    """As editors do that write another file and give it the name."""
    path = first(mirror)
    state = path.stat()
    other = path.parent.parent / "tmp" / "edited"
    other.write_bytes(content("replaced"))
    os.utime(other, ns=(state.st_mtime_ns, state.st_mtime_ns))
    other.replace(path)


def move_there_and_back(mirror: Mirror) -> None:
    """Two renames, after which only the letters of a message differ."""
    path = first(mirror)
    elsewhere = mirror.folder("Empty") / "cur" / path.name
    path.rename(elsewhere)
    elsewhere.rename(path.with_name(path.name.partition(":2,")[0] + ":2,RS"))


def rename_folder(mirror: Mirror) -> None:
    mirror.folder("Full").rename(mirror.folder("Other"))


def replace_directory(mirror: Mirror) -> None:
    """A backup is put back: other directories of the same times, which hold one message more."""
    cur = mirror.folder("Empty") / "cur"
    state = cur.stat()
    copy = cur.with_name("copy")
    copy.mkdir()
    (copy / "1.restored:2,S").write_bytes(content("restored"))
    os.utime(copy / "1.restored:2,S", (1, 1))
    os.utime(copy, ns=(state.st_atime_ns, state.st_mtime_ns))
    cur.rmdir()
    copy.rename(cur)
    assert cur.stat().st_mtime_ns == state.st_mtime_ns


def set_clock_back(mirror: Mirror) -> None:
    """A file came while the clock was an hour behind: the directory's time is before that which it had."""
    mirror.drop("Empty", content("late"))
    moment = time.time_ns() - 3_600_000_000_000
    os.utime(mirror.folder("Empty") / "new", ns=(moment, moment))


ACTS = (
    flag,
    move,
    delete,
    deliver,
    deliver_with_an_old_time,
    replace_by_rename,
    move_there_and_back,
    replace_directory,
    set_clock_back,
    rename_folder,
)


@pytest.mark.parametrize("layout", ["nested", "maildir++"])
def test_every_change_of_a_mail_program_is_seen(server: DemoServer, mirror: Mirror, layout: str) -> None:
    mirror.layout = layout
    filled(server, mirror)
    for act in ACTS:
        before = state_of(server.account)
        act(mirror)
        mirror.sync()
        assert state_of(server.account) != before, act.__name__
        assert_mirrored(server.account, mirror)
        sync_until_quiet(server.account, mirror)
        for path in mirror.files("Empty"):
            path.unlink()
        sync_until_quiet(server.account, mirror)


class TestAMessageEditedInPlace:
    """No directory shows that: it is found where every file is examined, and never overwritten or deleted unseen."""

    @pytest.fixture
    def edited(self, server: DemoServer, synced: Mirror) -> Mirror:
        before = server.account.listing()
        edit_in_place(synced)
        report = synced.sync()
        assert (report.to_server.total, server.account.listing()) == (0, before)
        return synced

    def test_is_found_by_a_full_run(self, server: DemoServer, edited: Mirror) -> None:
        edited.sync(full=True)
        assert self.is_on(server)
        assert_mirrored(server.account, edited)

    def test_is_found_within_a_week(self, server: DemoServer, edited: Mirror) -> None:
        edited.clock = lambda: time.time() + AUDIT_SECONDS - 3600
        edited.sync()
        assert not self.is_on(server)
        edited.clock = lambda: time.time() + AUDIT_SECONDS + 3600
        edited.sync()
        assert self.is_on(server)
        assert_mirrored(server.account, edited)

    def test_is_found_when_the_last_audit_is_in_the_future(self, server: DemoServer, edited: Mirror) -> None:
        edited.clock = lambda: time.time() - 30 * AUDIT_SECONDS
        edited.sync()
        assert self.is_on(server)

    @pytest.mark.parametrize("narrow", [True, False])
    def test_is_found_where_the_watcher_reports_its_folder(self, server: DemoServer, edited: Mirror, *, narrow: bool) -> None:
        for folders in ({"Empty"}, None):
            edited.run(folders=folders and frozenset(map(str, map(edited.folder, folders))), examined=frozenset())
            assert not self.is_on(server)
        full = frozenset({str(edited.folder("Full"))})
        edited.run(folders=full if narrow else None, examined=full)
        assert self.is_on(server)
        assert_mirrored(server.account, edited)

    def test_is_found_where_hints_of_the_watcher_were_lost(self, server: DemoServer, edited: Mirror) -> None:
        edited.run(examined=None)
        assert self.is_on(server)

    def test_is_found_after_a_run_that_could_not_be_sure(self, server: DemoServer, edited: Mirror) -> None:
        """Folders changed during the scan, so that what was found in others was withheld."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(observed.MessageScan, "is_overtaken", lambda _: True)
            edited.run(examined=None)
        assert not self.is_on(server)
        edited.sync()
        assert self.is_on(server)

    def test_is_found_by_verify(self, edited: Mirror) -> None:
        assert edited.verify().differences

    def test_is_found_where_its_folder_changes_besides(self, server: DemoServer, edited: Mirror) -> None:
        edited.drop("Full", content("another"))
        edited.sync()
        assert self.is_on(server)
        assert_mirrored(server.account, edited)

    def test_survives_that_the_server_deletes_the_message(self, server: DemoServer, edited: Mirror) -> None:
        for email in list(server.account.emails):
            server.account.destroy(email)
        edited.limits = Limits(100, 100)
        edited.sync()
        assert self.is_on(server)
        assert_mirrored(server.account, edited)

    def test_survives_that_the_server_flags_the_message(self, server: DemoServer, edited: Mirror) -> None:
        for email in list(server.account.emails):
            server.account.set_keyword(email, "$flagged")
        edited.sync()
        assert self.is_on(server)
        sync_until_quiet(server.account, edited)

    def test_survives_that_the_server_moves_the_message(self, server: DemoServer, edited: Mirror) -> None:
        for email in list(server.account.emails):
            server.account.move(email, "Full", "Empty")
        edited.sync()
        assert self.is_on(server)
        sync_until_quiet(server.account, edited)

    @staticmethod
    def is_on(server: DemoServer) -> bool:
        return any(b"edited" in server.account.raw(email) for email in server.account.emails)


def state_of(account: Account) -> object:
    return account.listing(), {mailbox.name for mailbox in account.mailboxes.values()}


def test_a_message_that_is_read_is_seen(server: DemoServer, synced: Mirror) -> None:
    path = synced.drop("Empty", content("unread"))
    sync_until_quiet(server.account, synced)
    path.rename(path.parent.parent / "cur" / f"{path.name}:2,S")
    report = synced.sync()
    assert report.to_server.total == 1
    assert_mirrored(server.account, synced)


def test_a_folder_that_is_made_is_seen(server: DemoServer, synced: Mirror) -> None:
    for part in ("cur", "new", "tmp"):
        (synced.folder("Outer/Made") / part).mkdir(parents=True)
    synced.sync()
    assert "Outer/Made" in {server.account.path(mailbox) for mailbox in server.account.mailboxes.values()}
    assert_mirrored(server.account, synced)


def test_a_directory_that_becomes_a_folder_is_seen(server: DemoServer, synced: Mirror) -> None:
    folder = synced.folder("Becoming")
    folder.mkdir()
    (folder / "notes.txt").write_text("no folder of mail")
    debounce_only(synced)
    for part in ("cur", "new", "tmp"):
        (folder / part).mkdir(exist_ok=True)
    synced.drop("Becoming", content("in it"))
    synced.sync()
    assert "Becoming" in {server.account.path(mailbox) for mailbox in server.account.mailboxes.values()}
    assert_mirrored(server.account, synced)


def debounce_only(mirror: Mirror) -> None:
    for _ in range(3):
        mirror.sync()
        time.sleep(3 * TICKS / 1e9)


def test_a_folder_that_is_removed_is_seen(server: DemoServer, synced: Mirror) -> None:
    shutil.rmtree(synced.folder("Outer/Inner"))
    synced.sync()
    assert "Outer/Inner" not in {server.account.path(mailbox) for mailbox in server.account.mailboxes.values()}
    assert_mirrored(server.account, synced)


def test_a_marker_that_is_edited_in_place_is_seen(server: DemoServer, synced: Mirror) -> None:
    one, other = (synced.folder(path) / MARKER for path in ("Full", "Empty"))
    texts = one.read_text(), other.read_text()
    one.write_text(texts[1])
    other.write_text(texts[0])
    synced.sync()
    names = {server.account.path(mailbox): mailbox.id for mailbox in server.account.mailboxes.values()}
    assert texts[0].count(f'"{names["Empty"]}"') == 1
    assert_mirrored(server.account, synced)


def test_a_keyword_table_that_another_program_writes_is_read(server: DemoServer, synced: Mirror) -> None:
    (synced.folder("Full") / KEYWORDS).write_text("0 forwarded\n")
    sync_until_quiet(server.account, synced)
    with (synced.folder("Full") / KEYWORDS).open("a") as file:
        file.write("1 urgent\n")
    synced.flag(first(synced), "Sb")
    synced.sync()
    assert {"$seen", "urgent"} in [set(keywords) for _, keywords in server.account.listing().values()]


def test_a_folder_behind_a_link_is_named_and_left(server: DemoServer, synced: Mirror, tmp_path: Path) -> None:
    folder = synced.folder("Full")
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    before = server.account.listing()
    for _ in range(3):
        report = synced.sync()
        assert any("symbolic link" in problem.why for problem in report.problems)
        time.sleep(3 * TICKS / 1e9)
    assert server.account.listing() == before


def test_what_a_killed_run_left_is_removed(synced: Mirror) -> None:
    left = synced.folder("Empty") / "tmp" / "1.J1R00000000.x"
    left.write_bytes(b"half")
    synced.sync()
    assert not left.exists()


def test_what_the_server_does_in_a_synced_folder_comes_here(server: DemoServer, synced: Mirror) -> None:
    server.account.deliver(message("from there"), ["Empty"])
    server.account.rename_mailbox("Outer/Inner", "Core")
    server.account.create_mailbox("Outer/Another")
    server.account.destroy(next(iter(server.account.emails)))
    synced.sync()
    sync_until_quiet(server.account, synced)


def test_a_lost_row_of_a_file_is_found_again(server: DemoServer, synced: Mirror) -> None:
    """What the ledger does not know of a folder any more is not hidden by stamps."""
    import sqlite3  # noqa: PLC0415

    with sqlite3.connect(synced.state / "ledger.sqlite") as db:
        db.execute("DELETE FROM place WHERE name IN (SELECT name FROM place LIMIT 1)")
        db.execute("DELETE FROM folder WHERE path = 'Empty'")
    db.close()
    synced.sync()
    assert_mirrored(server.account, synced)
    sync_until_quiet(server.account, synced)
