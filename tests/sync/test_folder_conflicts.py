"""Merge changes of folders on both sides, and names that one directory cannot hold twice."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from jmapsync.errors import ExitCode
from tests.contract.peer import message
from tests.kit.mirror import assert_converges

if TYPE_CHECKING:
    from jmapsync.demo import DemoServer
    from tests.kit.mirror import Mirror


def prepare(server: DemoServer, mirror: Mirror, *paths: str) -> None:
    """Make mailboxes with a message in each, and mirror them beside other mail."""
    server.account.deliver(message())
    for path in paths:
        server.account.create_mailbox(path)
        server.account.deliver(message(), [path])
    assert_converges(server.account, mirror)


def paths(server: DemoServer) -> set[str]:
    """Return the paths of the mailboxes that tests made."""
    account = server.account
    return {account.path(box) for box in account.mailboxes.values() if not box.role}


class TestFoldersThatBothSidesChange:
    def test_renamed_on_both_sides_it_has_the_servers_name_and_all_mail(self, server: DemoServer, mirror: Mirror) -> None:
        prepare(server, mirror, "Lists")
        mirror.folder("Lists").rename(mirror.folder("Here"))
        server.account.rename_mailbox("Lists", "There")
        assert_converges(server.account, mirror)
        assert paths(server) == {"There"}
        assert len(mirror.files("There")) == 1

    def test_a_parent_deleted_there_while_its_child_is_renamed_here(self, server: DemoServer, mirror: Mirror) -> None:
        prepare(server, mirror, "Lists", "Lists/python")
        mirror.folder("Lists/python").rename(mirror.folder("Lists/snake"))
        server.account.destroy_mailbox("Lists/python")
        server.account.destroy_mailbox("Lists")
        mirror.drop("Lists/snake", b"Subject: mine\n\nbody\n")
        mirror.sync()
        assert_converges(server.account, mirror)
        assert any(b"Subject: mine" in server.account.raw(ref) for ref in server.account.emails)

    def test_a_parent_deleted_here_while_its_child_is_renamed_there(self, server: DemoServer, mirror: Mirror) -> None:
        prepare(server, mirror, "Lists", "Lists/python")
        shutil.rmtree(mirror.folder("Lists"))
        server.account.rename_mailbox("Lists/python", "snake")
        late = server.account.deliver(message(), ["Lists/snake"])
        assert mirror.sync().exit_code == ExitCode.SUSPENDED
        mirror.sync(allow_deletes=True)
        assert_converges(server.account, mirror)
        assert server.account.listing()[late][0] == {"Lists/snake"}

    def test_two_moves_that_would_close_a_circle_end_as_the_server_has_them(self, server: DemoServer, mirror: Mirror) -> None:
        prepare(server, mirror, "One", "Two")
        mirror.folder("One").rename(mirror.folder("Two/One"))
        server.account.rename_mailbox("Two", "Two", parent="One")
        mirror.sync()
        assert_converges(server.account, mirror)
        assert paths(server) == {"One", "One/Two"}
        assert (len(mirror.files("One")), len(mirror.files("One/Two"))) == (1, 1)

    def test_moved_into_its_own_child(self, server: DemoServer, mirror: Mirror) -> None:
        prepare(server, mirror, "Outer", "Outer/Inner")
        mirror.folder("Outer/Inner").rename(mirror.folder("Inner"))
        mirror.folder("Outer").rename(mirror.folder("Inner/Outer"))
        mirror.sync()
        assert_converges(server.account, mirror)
        assert paths(server) == {"Inner", "Inner/Outer"}


class TestNamesThatMeetInOneDirectory:
    def test_siblings_by_case_have_folders_of_their_own_for_good(self, server: DemoServer, mirror: Mirror) -> None:
        for path in ("Work", "work", "WORK"):
            server.account.create_mailbox(path)
            server.account.deliver(message(), [path])
        mirror.sync()
        before = mirror.tree()
        assert len({folder.casefold() for folder in before}) == len(before) == 3
        for ledger in mirror.state.glob("ledger.sqlite*"):
            ledger.unlink()
        report = mirror.sync()
        assert (report.to_disk.total, report.to_server.total, report.folders.total, mirror.tree()) == (0, 0, 0, before)

    def test_a_name_that_is_another_s_escaped_is_no_other_s_folder(self, server: DemoServer, mirror: Mirror) -> None:
        for number, name in enumerate(("cur", "%63ur", "a%2Fb")):
            box = server.account.create_mailbox(f"plain{number}")
            server.account.rename_mailbox(box, name)
            server.account.deliver(message(), [box])
        mirror.sync()
        assert sorted(map(len, mirror.tree().values())) == [1, 1, 1]
        assert (mirror.sync(full=True).folders.total, len(server.account.emails)) == (0, 3)
