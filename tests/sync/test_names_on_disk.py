"""Names that the layout uses itself, names without room for flags, and file systems that do not hold every name."""

from __future__ import annotations

import errno
import json
from typing import TYPE_CHECKING

import pytest

from jmapsync.ledger import Ledger
from tests.kit.disks import like_exfat, refuse_names
from tests.kit.mirror import assert_converges

if TYPE_CHECKING:
    from jmapsync.demo import DemoServer
    from tests.kit.mirror import Mirror

LAYOUTS = ("nested", "maildir++")


def letter(word: str) -> bytes:
    return f"From: a@example.com\nSubject: {word}\n\n[{word}]\n".encode()


def wire(word: str) -> bytes:
    return letter(word).replace(b"\n", b"\r\n")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "name", ["dovecot-keywords", "Dovecot-Keywords", "cur", "new", "tmp", ".jmapsync", "jmapsync", "displayname"]
)
def test_a_mailbox_called_as_the_layout_calls_its_own_blocks_nothing(
    server: DemoServer, mirror: Mirror, layout: str, name: str
) -> None:
    mirror.layout = layout
    account = server.account
    top, lists = (account.add_mailbox(one, None, None).id for one in (name, "Lists"))
    for parent in (top, lists, account.mailbox("INBOX").id):
        below = account.add_mailbox(name, parent, None).id
        account.deliver(wire(f"in {below}"), [below], ["$seen", "work"])
        account.add_mailbox("tmp", below, None)
    for box in (top, lists, "INBOX"):
        account.deliver(wire(f"in {box}"), [box], ["$flagged", "later"])
    report = mirror.sync()
    assert (report.exit_code, report.problems) == (0, [])
    assert len(mirror.files()) == 6
    tables = [one.parent.parent / "dovecot-keywords" for one in mirror.files()]
    assert all(table.is_file() for table in tables)
    mirror.drop("INBOX", letter("new"))
    mirror.sync()
    report = mirror.sync()
    assert (report.exit_code, report.to_disk.total, report.to_server.total, mirror.requests) == (0, 0, 0, 1)
    names = sorted(account.path(box) for box in account.mailboxes.values())
    (mirror.state / "ledger.sqlite").unlink()  # the names say what they stand for
    report = mirror.sync()
    assert (report.exit_code, report.to_disk.created, report.to_server.created) == (0, 0, 0)
    assert sorted(account.path(box) for box in account.mailboxes.values()) == names


def test_an_older_mirror_with_a_folder_in_the_way_of_a_table_goes_on(server: DemoServer, mirror: Mirror) -> None:
    account = server.account
    account.create_mailbox("Lists")
    account.create_mailbox("Lists/dovecot-keywords")
    account.deliver(wire("inner"), ["Lists/dovecot-keywords"], ["$seen"])
    mirror.sync()
    [inner] = mirror.files()
    old = mirror.root / "Lists" / "dovecot-keywords"
    inner.parent.parent.rename(old)  # as versions before this one named it
    ledger = Ledger.open(mirror.state / "ledger.sqlite")
    [key] = [key for key, (path, _) in ledger.folders().items() if path.endswith("ovecot-keywords")]
    ledger.put_folder(key, "Lists/dovecot-keywords", "")
    ledger.close()
    account.deliver(wire("outer"), ["Lists"], ["work"])
    report = mirror.sync()
    assert (report.exit_code, report.problems) == (0, [])
    assert (old.read_text(), len(mirror.files())) == ("0 work\n", 2)
    report = mirror.sync()
    assert (report.exit_code, report.to_disk.total, report.to_server.total) == (0, 0, 0)


@pytest.mark.parametrize("length", [250, 251, 252, 255])
def test_a_name_without_room_for_flags_gets_another(server: DemoServer, mirror: Mirror, length: int) -> None:
    mirror.sync()
    file = mirror.drop("INBOX", letter("long"), sub="cur", info="")
    file = file.rename(file.with_name("n" * length))
    mirror.sync()
    [ref] = server.account.emails
    assert mirror.files() == [file] or length < 253
    for word in ("$seen", "$flagged", "$answered"):
        server.account.set_keyword(ref, word)
    assert_converges(server.account, mirror)
    [now] = mirror.files()
    assert now.name.endswith(":2,FRS")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("number", [errno.ENOENT, errno.EINVAL])
def test_a_file_system_without_colons_gets_other_names(
    server: DemoServer, mirror: Mirror, monkeypatch: pytest.MonkeyPatch, layout: str, number: int
) -> None:
    refuse_names(monkeypatch, like_exfat, number)
    mirror.layout = layout
    account = server.account
    for name in ("What? A: B*", "Lists", 'Lists/"a<b>c|d\\e"'):
        account.create_mailbox(name)
    both = account.deliver(wire("both"), ["INBOX", "What? A: B*"], ["$seen", "work"])
    account.deliver(wire("inner"), ['Lists/"a<b>c|d\\e"'], ["$flagged"])
    account.deliver(wire("unread"), ["INBOX"])
    report = mirror.sync()
    assert (report.exit_code, report.problems, len(mirror.files())) == (0, [], 4)
    assert {file.name.partition(";2,")[2] for file in mirror.files()} == {"", "Sa", "F"}
    account.set_keyword(both, "$answered")
    mine = mirror.drop("Lists", letter("mine"))
    mirror.sync()
    assert (len(account.emails), mine.exists()) == (4, True)
    unread = next(file for file in mirror.files("INBOX") if file.read_bytes() == letter("unread"))
    unread.rename(unread.parent.parent / "cur" / f"{unread.name};2,S")
    mirror.sync()
    report = mirror.sync()
    assert (report.exit_code, report.to_disk.total, report.to_server.total, mirror.requests) == (0, 0, 0, 1)
    assert sorted(len(words) for _, words in account.listing().values()) == [0, 1, 1, 3]


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EINVAL, errno.EILSEQ])
def test_a_name_that_is_still_refused_is_named_and_the_rest_goes_on(
    server: DemoServer, mirror: Mirror, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    refuse_names(monkeypatch, lambda name: not name.isascii(), number, links=True)
    account = server.account
    account.create_mailbox("Bücher")
    account.deliver(wire("there"), ["Bücher"])
    account.deliver(wire("here"), ["INBOX"])
    report = mirror.sync()
    assert report.exit_code == 3
    assert any("Bücher" in problem.item and "cannot hold this name" in problem.why for problem in report.problems)
    assert [file.read_bytes() for file in mirror.files()] == [letter("here")]
    assert len(account.emails) == 2
    monkeypatch.undo()
    mirror.sync(full=True)
    assert_converges(account, mirror)


def test_a_root_that_moved_to_another_file_system_is_tried_out_again(
    server: DemoServer, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.account.deliver(wire("one"), ["INBOX"], ["$seen"])
    mirror.sync()
    [file] = mirror.files()
    file.rename(file.with_name(file.name.replace(":", ";")))  # as a program copies it that knows what exFAT holds
    ledger = Ledger.open(mirror.state / "ledger.sqlite")
    ledger.set_note("filesystem:mail", json.dumps({**json.loads(ledger.note("filesystem:mail")), "device": 77}))
    ledger.close()
    refuse_names(monkeypatch, like_exfat)
    server.account.deliver(wire("two"), ["INBOX"], ["$flagged"])
    report = mirror.sync()
    assert (report.exit_code, report.to_server.total) == (0, 0)
    assert sorted(file.name.partition(";")[2] for file in mirror.files()) == ["2,F", "2,S"]
