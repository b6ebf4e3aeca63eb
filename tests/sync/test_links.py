"""Symbolic links below the root: nothing is reached through one, what it hides is not deleted, and it is named."""

from __future__ import annotations

import ctypes
import os
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jmapsync.errors import ExitCode, RootError
from tests.kit.mirror import Mirror, assert_converges

if TYPE_CHECKING:
    from jmapsync.demo import DemoServer

_EXCHANGE = 2
FOREIGN = b"From: thief@example.com\nSubject: not yours\n\nnothing of the mirror\n"


def letter(number: int) -> bytes:
    return f"From: a@example.com\r\nSubject: {number}\r\n\r\nbody {number}\r\n".encode()


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes() if path.is_file() else b"", path.lstat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
    }


def hide(path: Path, outside: Path) -> Path:
    """Move what lies at a path elsewhere, lay a link there, and return where it lies now."""
    moved = outside / path.name
    outside.mkdir(exist_ok=True)
    path.rename(moved)
    path.symlink_to(moved)
    for folder in [moved, *moved.rglob("*")] if moved.is_dir() else []:
        if folder.name in {"cur", "new"}:
            (folder / "1.foreign:2,").write_bytes(FOREIGN)
    return moved


@pytest.fixture
def layout() -> str:
    return "nested"


@pytest.fixture
def mirror(layout: str, server: DemoServer, tmp_path: Path) -> Mirror:
    return Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state", layout=layout)


@pytest.fixture
def refs(server: DemoServer, mirror: Mirror) -> dict[str, list[str]]:
    """Messages by mailbox, mirrored, some of them read and some with a keyword."""
    account = server.account
    for path in ("Lists", "Lists/python", "Foo"):
        account.create_mailbox(path)
    found = {
        box: [account.deliver(letter(10 * number + each), [box], ["$seen", "project"][:each]) for each in range(3)]
        for number, box in enumerate(("INBOX", "Lists", "Lists/python", "Foo"))
    }
    mirror.sync()
    assert_converges(account, mirror)
    return found


def change_everything(server: DemoServer, refs: dict[str, list[str]]) -> None:
    """Deliver, flag, move and delete in every mailbox of the server."""
    account = server.account
    for number, (box, ids) in enumerate(refs.items()):
        account.deliver(letter(100 + number), [box], ["$seen", "another"])
        account.set_keyword(ids[0], "$flagged")
        account.set_keyword(ids[0], "urgent")
        account.destroy(ids[1])
        account.move(ids[2], box, "Archive")


PLACES = [
    *(("nested", (folder, part)) for folder, part in (("Foo", "cur"), ("INBOX", "new"), ("Foo", "tmp"), ("Lists/python", ""))),
    *(("maildir++", (folder, part)) for folder, part in (("INBOX", "cur"), ("Lists/python", "cur"), ("Foo", ""))),
]


@pytest.mark.parametrize(("layout", "place"), PLACES)
def test_nothing_is_read_or_changed_through_a_link_and_the_rest_goes_on(
    server: DemoServer, mirror: Mirror, refs: dict[str, list[str]], tmp_path: Path, place: tuple[str, str]
) -> None:
    folder, part = place
    path = mirror.folder(folder) / part if part else mirror.folder(folder)
    moved = hide(path, tmp_path / "outside")
    before = snapshot(tmp_path / "outside")
    emails = set(server.account.emails)
    for is_dry in (True, False):
        report = mirror.sync(dry=is_dry)
        assert report.exit_code == ExitCode.QUARANTINED
        assert any(one.item == folder and "symbolic link" in one.why for one in report.problems), report.problems
    assert set(server.account.emails) == emails
    change_everything(server, refs)
    emails = set(server.account.emails)
    for _ in range(2):
        report = mirror.sync()
        assert any(one.item == folder and "symbolic link" in one.why for one in report.problems), report.problems
        assert set(server.account.emails) == emails
        assert snapshot(tmp_path / "outside") == before
    subjects = {file.read_bytes().partition(b"Subject: ")[2].partition(b"\n")[0] for file in mirror.files("Lists")}
    assert subjects == {b"10", b"101"}
    path.unlink()
    moved.rename(path)
    for file in path.rglob("1.foreign*"):
        file.unlink()
    for _ in range(3):
        mirror.sync(full=True)
    assert_converges(server.account, mirror)
    assert set(server.account.emails) == emails


def test_what_is_changed_here_beside_a_link_still_goes_up(
    server: DemoServer, mirror: Mirror, refs: dict[str, list[str]], tmp_path: Path
) -> None:
    hide(mirror.folder("Foo") / "cur", tmp_path / "outside")
    (mirror.folder("Lists") / "cur" / "new:2,").write_bytes(b"Subject: made here\n\nx\n")
    mirror.sync()
    assert len(server.account.emails) == 13


@pytest.mark.usefixtures("refs")
@pytest.mark.parametrize("target", ["/not/mounted", "secret", "."])
@pytest.mark.parametrize(
    ("layout", "folder"),
    [("nested", "Foo"), ("nested", "Lists"), ("nested", "Empty"), ("maildir++", "Lists/python"), ("maildir++", "Empty")],
)
def test_a_known_folder_stays_whatever_the_link_in_its_place_leads_to(
    server: DemoServer, mirror: Mirror, tmp_path: Path, folder: str, target: str
) -> None:
    server.account.create_mailbox("Empty")
    mirror.sync()
    (mirror.root / "secret").write_text("a file\n")
    moved = tmp_path / "elsewhere"
    path = mirror.folder(folder)
    path.rename(moved)
    path.symlink_to(mirror.root / target if target in {"secret", "."} else target)
    before = {box.id: (box.name, box.parent_id) for box in server.account.mailboxes.values()}
    emails = server.account.listing()
    for _ in range(2):
        report = mirror.sync()
        assert report.exit_code == ExitCode.QUARANTINED
        assert any(one.item == folder and "symbolic link" in one.why for one in report.problems), report.problems
        assert not any("still holds" in one.why or "disk refused" in one.why for one in report.problems), report.problems
    assert {box.id: (box.name, box.parent_id) for box in server.account.mailboxes.values()} == before
    assert server.account.listing() == emails
    path.unlink()
    moved.rename(path)
    (mirror.root / "secret").unlink()
    for _ in range(2):
        report = mirror.sync()
    assert report.exit_code == 0
    assert_converges(server.account, mirror)
    assert server.account.listing() == emails


def lay(path: Path, kind: str) -> None:
    """Lay something that is no directory at a path."""
    if kind == "file":
        path.write_text("no folder\n")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            here = Path.cwd()
            os.chdir(path.parent)  # the name of a socket is at most 108 octets long
            listener.bind(path.name)
            os.chdir(here)
    else:
        path.symlink_to(path.with_name("nothing is here"))


@pytest.mark.usefixtures("refs")
@pytest.mark.parametrize(
    ("layout", "place", "kind"),
    [
        *(("nested", ("Empty", ""), kind) for kind in ("file", "pipe", "socket", "broken link")),
        *(("nested", place, "file") for place in (("Foo", ""), ("Lists", ""), ("Empty", "cur"))),
        ("maildir++", ("Empty", ""), "file"),
    ],
)
def test_a_known_folder_in_whose_place_lies_no_directory_is_named_and_not_deleted(
    server: DemoServer, mirror: Mirror, tmp_path: Path, place: tuple[str, str], kind: str
) -> None:
    folder, part = place
    server.account.create_mailbox("Empty")
    mirror.sync()
    path = mirror.folder(folder) / part if part else mirror.folder(folder)
    moved = path.rename(tmp_path / "elsewhere")
    lay(path, kind)
    before = {box.id: (box.name, box.parent_id) for box in server.account.mailboxes.values()}
    emails = server.account.listing()
    for _ in range(2):
        report = mirror.sync()
        assert report.exit_code == ExitCode.QUARANTINED
        named = [one for one in report.problems if one.item == folder]
        assert len(named) == 1, report.problems
        assert "nothing" in named[0].why
    assert {box.id: (box.name, box.parent_id) for box in server.account.mailboxes.values()} == before
    assert server.account.listing() == emails
    path.unlink()
    moved.rename(path)
    mirror.sync()
    assert_converges(server.account, mirror)
    assert server.account.listing() == emails


def test_a_folder_that_moved_and_left_a_link_is_a_rename(server: DemoServer, mirror: Mirror, refs: dict[str, list[str]]) -> None:
    mirror.folder("Foo").rename(mirror.folder("Bar"))
    mirror.folder("Foo").symlink_to(mirror.folder("Bar"))
    mirror.sync()
    mirror.sync()
    names = [box.name for box in server.account.mailboxes.values()]
    assert "Bar" in names
    assert "Foo" not in names
    assert set(refs["Foo"]) <= set(server.account.emails)


@pytest.mark.parametrize("name", ["dovecot-keywords", ".jmapsync", ".dovecot-keywords.tmp", "..jmapsync.tmp"])
def test_a_link_instead_of_a_file_of_ours_is_neither_read_nor_written(
    server: DemoServer, mirror: Mirror, refs: dict[str, list[str]], tmp_path: Path, name: str
) -> None:
    outside = tmp_path / "secret"
    outside.write_text("0 leaked\n1 secret\n")
    place = mirror.folder("Foo") / name
    place.unlink(missing_ok=True)
    place.symlink_to(outside)
    server.account.set_keyword(refs["Foo"][0], "urgent")
    report = mirror.sync()
    assert outside.read_text() == "0 leaked\n1 secret\n"
    assert server.account.listing()[refs["Foo"][2]][1] >= {"$seen", "project"}
    assert not {tag for _, tags in server.account.listing().values() for tag in tags} & {"leaked", "secret"}
    if not name.endswith(".tmp"):
        assert any(one.item == "Foo" and "symbolic link" in one.why for one in report.problems), report.problems
        assert place.is_symlink()


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_root_whose_marker_is_no_file_is_left_alone(
    server: DemoServer, mirror: Mirror, refs: dict[str, list[str]], tmp_path: Path, kind: str
) -> None:
    marker = mirror.root / ".jmapsync"
    marker.rename(tmp_path / "marker")
    if kind == "link":
        marker.symlink_to(tmp_path / "marker")
    else:
        os.mkfifo(marker)
    before = set(server.account.emails)
    report = mirror.run()
    assert report.worst == ExitCode.SUSPENDED
    assert "symbolic link" in str(report.kinds) if kind == "link" else "a pipe" in str(report.kinds)
    assert set(server.account.emails) == before
    assert RootError.exit_code == ExitCode.SUSPENDED


def test_the_root_itself_may_be_a_link(server: DemoServer, tmp_path: Path) -> None:
    (tmp_path / "disk" / "mail").mkdir(parents=True)
    (tmp_path / "mail").symlink_to(tmp_path / "disk" / "mail")
    mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
    ref = server.account.deliver(letter(1))
    mirror.sync()
    mirror.flag(mirror.files("INBOX")[0], "S")
    mirror.sync()
    assert_converges(server.account, mirror)
    assert server.account.listing()[ref][1] == {"$seen"}


def test_hard_links_to_files_outside_are_messages_like_others(server: DemoServer, tmp_path: Path) -> None:
    mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
    mirror.sync()
    (tmp_path / "draft").write_bytes(b"Subject: linked\n\nx\n")
    os.link(tmp_path / "draft", mirror.folder("INBOX") / "cur" / "linked:2,S")
    assert mirror.sync().exit_code == ExitCode.IN_SYNC
    assert len(server.account.emails) == 1


def test_a_link_laid_while_files_are_written_leads_nowhere(server: DemoServer, tmp_path: Path) -> None:
    """Somebody exchanges `cur` and a link to another directory as fast as the kernel can, while mail comes and goes."""
    mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
    account = server.account
    refs = [account.deliver(letter(number), keywords=["$seen"]) for number in range(40)]
    mirror.sync()
    outside, inside = tmp_path / "outside", mirror.folder("INBOX")
    outside.mkdir()
    for number in range(5):
        (outside / f"{number}.foreign:2,").write_bytes(FOREIGN)
    before = snapshot(outside)
    (tmp_path / "aside").symlink_to(outside)
    libc, ending = ctypes.CDLL(None), threading.Event()
    one, other = os.fsencode(tmp_path / "aside"), os.fsencode(inside / "cur")

    def exchange() -> None:
        while not ending.is_set():
            libc.renameat2(-100, one, -100, other, _EXCHANGE)
            time.sleep(0)

    thread = threading.Thread(target=exchange)
    thread.start()
    try:
        for round_ in range(4):
            for number, ref in enumerate(refs[10 * round_ :]):
                account.set_keyword(ref, f"word{number % 5}-{round_}")
            refs += [account.deliver(letter(1000 + 10 * round_ + number), keywords=["$flagged"]) for number in range(10)]
            account.destroy(refs.pop(0))
            mirror.run_whatever_comes()
    finally:
        ending.set()
        thread.join()
    assert snapshot(outside) == before
    assert not any(b"not yours" in account.raw(ref) for ref in account.emails)
    assert set(refs) <= set(account.emails)


class TestASymbolicLink:
    def test_in_place_of_a_folder_is_named_and_not_followed(self, server: DemoServer, mirror: Mirror, tmp_path: Path) -> None:
        server.account.create_mailbox("Foo")
        mirror.sync()
        (mirror.root / "Foo").rename(tmp_path / "elsewhere")
        (mirror.root / "Foo").symlink_to(tmp_path / "elsewhere")
        server.account.deliver(letter(1), ["Foo"])
        report = mirror.sync()
        assert "Foo" in {problem.item for problem in report.problems}
        assert list((tmp_path / "elsewhere").rglob("cur/*")) == []
        assert "Foo" in {box.name for box in server.account.mailboxes.values()}
        (mirror.root / "Foo").unlink()
        (tmp_path / "elsewhere").rename(mirror.root / "Foo")
        mirror.sync()
        assert [file.read_bytes() for file in mirror.files("Foo")] == [letter(1).replace(b"\r\n", b"\n")]

    def test_that_is_new_is_named_and_not_followed(self, server: DemoServer, mirror: Mirror, tmp_path: Path) -> None:
        mirror.sync()
        (mirror.root / "up").symlink_to(tmp_path)
        assert [problem.item for problem in mirror.sync().problems] == ["up"]
        assert len(server.account.mailboxes) == 6
