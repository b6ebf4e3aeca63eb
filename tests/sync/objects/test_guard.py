"""Losses that nobody may have meant, of cards and of events: exit 4, and nothing is written."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import DemoServer
from jmapsync.errors import AccountGoneError, ExitCode, SuspendedError, UnsupportedError
from tests.kit.object_mirror import ObjectMirror, writes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jmapsync.demo import Store

MANY = 40
LOST = 30


class Full:
    """One kind with many items, in step."""

    def __init__(self, server: DemoServer, kind: str, base: Path) -> None:
        self.server, self.kind = server, kind
        self.store: Store = server.account.contacts if kind == "contacts" else server.account.calendars
        fill(self.store, "i")
        self.desk = ObjectMirror(server.url, base, (kind,))
        self.desk.sync_until_quiet()
        server.requests.clear()

    @property
    def root(self) -> Path:
        return self.desk.base / self.kind

    def disk(self) -> dict[Path, bytes]:
        return {file: file.read_bytes() for file in sorted(self.root.rglob("*")) if file.is_file() and file.name[0] != "."}

    def delete_here(self, count: int) -> None:
        for file in self.desk.files(self.kind)[:count]:
            file.unlink()

    def delete_there(self, count: int) -> None:
        for ref in sorted(self.store.items)[:count]:
            self.store.delete(ref)

    def assert_suspended(self, *, allow_deletes: bool = False) -> str:
        """Run and fail unless that ends with exit 4 and a sentence, and nothing was written on either side."""
        disk, items, sets = self.disk(), dict(self.store.items), self._sets()
        report = self.desk.sync(allow_deletes=allow_deletes)[self.kind]
        assert report.exit_code is ExitCode.SUSPENDED
        assert writes({self.kind: report}) == 0
        assert (self.disk(), self.store.items, self._sets()) == (disk, items, sets)
        [message] = report.messages
        return message

    def _sets(self) -> int:
        return sum(len(self.server.requests.calls(f"{name}/set")) for name in (self.store.model.item, self.store.model.collection))


def fill(store: Store, prefix: str) -> None:
    for number in range(MANY):
        uid = f"{prefix}{number:02}"
        event = {"title": uid, "start": "2026-12-07T10:00:00", "duration": "PT1H"}
        store.add({"uid": uid, **(event if store.model.item == "CalendarEvent" else {"name": {"full": uid}})})


@pytest.fixture(params=["contacts", "calendars"])
def kind(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def full(kind: str, tmp_path: Path) -> Iterator[Full]:
    with DemoServer() as server:
        yield Full(server, kind, tmp_path)


class TestAMassDelete:
    def test_here_is_suspended_and_let_through_by_a_word(self, full: Full) -> None:
        full.delete_here(LOST)
        for _ in range(2):
            assert "--allow-deletes" in full.assert_suspended()
        assert full.desk.sync(allow_deletes=True)[full.kind].to_server.deleted == LOST
        full.desk.sync_until_quiet()
        assert len(full.store.items) == MANY - LOST
        assert full.store.sent == []

    def test_there_is_suspended_and_let_through_by_a_word(self, full: Full) -> None:
        full.delete_there(LOST)
        for _ in range(2):
            assert "--allow-deletes" in full.assert_suspended()
        assert full.desk.sync(allow_deletes=True)[full.kind].to_disk.deleted == LOST
        full.desk.sync_until_quiet()
        assert len(full.desk.files(full.kind)) == MANY - LOST

    def test_that_grew_since_it_was_shown_is_shown_again(self, full: Full) -> None:
        full.delete_here(LOST)
        full.assert_suspended()
        full.delete_here(1)
        assert "not the plan" in full.assert_suspended(allow_deletes=True)
        assert full.desk.sync(allow_deletes=True)[full.kind].to_server.deleted == LOST + 1

    def test_that_was_never_shown_is_shown_first(self, full: Full) -> None:
        full.delete_here(LOST)
        full.assert_suspended(allow_deletes=True)

    def test_is_allowed_once(self, full: Full) -> None:
        full.delete_here(LOST)
        full.assert_suspended()
        full.desk.sync(allow_deletes=True)
        fill(full.store, "j")
        full.desk.sync_until_quiet()
        full.delete_here(LOST)
        full.assert_suspended()

    def test_that_is_taken_back_is_forgotten(self, full: Full, tmp_path: Path) -> None:
        kept = shutil.copytree(full.root, tmp_path / "kept")
        full.delete_here(LOST)
        full.assert_suspended()
        shutil.copytree(kept, full.root, dirs_exist_ok=True)
        full.desk.sync_until_quiet()
        assert len(full.store.items) == MANY

    def test_holds_up_no_other_kind(self, kind: str, tmp_path: Path) -> None:
        with DemoServer() as server:
            other = "calendars" if kind == "contacts" else "contacts"
            full = Full(server, kind, tmp_path)
            full.desk.kinds = (kind, other)
            full.desk.sync_until_quiet()
            store = server.account.contacts if other == "contacts" else server.account.calendars
            fill(store, "k")
            full.delete_here(LOST)
            found = full.desk.sync()
            assert (found[kind].exit_code, found[other].exit_code) == (ExitCode.SUSPENDED, ExitCode.IN_SYNC)
            assert found[other].to_disk.created == MANY


class TestARoot:
    def test_that_is_not_mounted_is_no_deletion(self, full: Full) -> None:
        elsewhere = full.root.rename(full.root.with_name("elsewhere"))
        with_nothing = full.root
        for mount_point in (False, True):
            if mount_point:
                with_nothing.mkdir(exist_ok=True)
            full.assert_suspended()
            assert not list(with_nothing.glob("[!.]*"))
            if with_nothing.exists():
                shutil.rmtree(with_nothing)
        elsewhere.rename(full.root)
        full.desk.sync_until_quiet()
        assert len(full.store.items) == MANY

    def test_whose_files_are_all_gone_is_doubted(self, full: Full) -> None:
        full.delete_here(MANY)
        full.assert_suspended()

    def test_whose_directory_with_all_items_is_gone_is_doubted(self, full: Full) -> None:
        for folder in full.root.glob("[!.]*"):
            shutil.rmtree(folder)
        assert "disappeared" in full.assert_suspended()
        assert len(full.store.items) == MANY

    def test_with_few_items_that_are_all_gone_is_doubted(self, kind: str, tmp_path: Path) -> None:
        with DemoServer() as server:
            full = Full(server, kind, tmp_path)
            full.delete_here(MANY - 5)
            full.desk.sync()
            full.desk.sync(allow_deletes=True)
            full.desk.sync_until_quiet()
            full.delete_here(5)
            full.assert_suspended()

    def test_of_another_account_is_not_touched(self, full: Full, tmp_path: Path) -> None:
        with DemoServer() as server:
            (tmp_path / "other").mkdir()
            other = Full(server, full.kind, tmp_path / "other")
            shutil.rmtree(full.root)
            shutil.copytree(other.root, full.root)
            marker = full.root / ".jmapsync"
            marker.write_text(marker.read_text().replace("a1", "b9"))
            full.assert_suspended()


class TestAnAccount:
    def test_that_was_replaced_is_not_synchronised(self, full: Full) -> None:
        before = full.disk()
        other = full.server.add_account("b2", name="shared")
        full.server.service.accounts = {"b2": other, "a1": full.server.account}
        full.desk.session = None
        with pytest.raises(SuspendedError, match="b2"):
            full.desk.sync()
        assert full.disk() == before
        full.server.service.accounts = {"a1": full.server.account, "b2": other}
        full.desk.session = None
        full.desk.sync_until_quiet()

    def test_on_another_server_is_no_reason_to_delete_or_overwrite(self, full: Full) -> None:
        before, url = full.disk(), full.desk.url
        with DemoServer() as empty:
            empty.account.logs[full.store.model.item].forget()
            full.desk.url, full.desk.session = empty.url, None
            assert full.desk.sync()[full.kind].exit_code is ExitCode.SUSPENDED
            assert full.disk() == before
            assert not empty.requests.calls(f"{full.store.model.item}/set")
        full.desk.url, full.desk.session = url, None
        full.desk.sync_until_quiet()
        assert full.disk() == before

    def test_that_vanished_leaves_the_files_alone(self, full: Full) -> None:
        before = full.disk()
        full.delete_here(1)
        full.server.faults.vanished_account.arm("")
        full.desk.session = None
        with pytest.raises((AccountGoneError, UnsupportedError)) as reported:
            full.desk.sync()
        is_gone = isinstance(reported.value, AccountGoneError)
        assert reported.value.exit_code is (ExitCode.SUSPENDED if is_gone else ExitCode.FAILED)
        assert len(full.disk()) == len(before) - 1
        full.server.faults.clear()
        full.desk.sync_until_quiet()
        assert len(full.store.items) == MANY - 1
