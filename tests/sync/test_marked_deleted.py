"""A file marked deleted (the Maildir flag T) that the server never held: it is sent first, then `on_delete` decides about it."""

from __future__ import annotations

import pytest

from jmapsync.demo import DemoServer, SetError
from jmapsync.demo.dialect import CYRUS_312, RFC, Dialect
from jmapsync.errors import ExitCode
from jmapsync.kinds import MAIL
from jmapsync.ledger import Ledger
from tests.kit.mirror import Mirror, assert_converges, assert_mirrored
from tests.sim.sweep import TOLERANT

LAYOUTS = ("nested", "maildir++")


def letter(word: str) -> bytes:
    return f"From: a@example.com\nSubject: {word}\n\n[{word}]\n".encode()


def wire(word: str) -> bytes:
    return letter(word).replace(b"\n", b"\r\n")


def lying(server: DemoServer) -> dict[bytes, tuple[set[str], set[str]]]:
    """Return where each message lies on the server, and its keywords, by content."""
    account = server.account
    return {account.raw(ref): (set(homes), set(words)) for ref, (homes, words) in account.listing().items()}


def make(mirror: Mirror, path: str) -> None:
    """Make a folder as another program does, before any run or after."""
    for part in ("cur", "new", "tmp"):
        (mirror.folder(path) / part).mkdir(parents=True, exist_ok=True)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("info", [":2,T", ":2,ST", ":2,FRST", ":2T"])
def test_a_new_file_marked_deleted_goes_to_the_trash_with_its_flags(
    server: DemoServer, mirror: Mirror, layout: str, info: str
) -> None:
    mirror.layout = layout
    mirror.sync()
    mirror.drop("INBOX", letter("marked"), sub="cur", info=info)
    report = mirror.sync()
    assert (report.to_server.created, report.to_server.deleted, report.to_disk.deleted) == (1, 1, 1)
    words = {"S": "$seen", "F": "$flagged", "R": "$answered"}
    assert lying(server) == {wire("marked"): ({"Trash"}, {words[one] for one in info if one in words})}
    assert_converges(server.account, mirror)
    assert len(mirror.files("Trash")) == 1


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_adopted_tree_keeps_what_is_marked_deleted_in_it(server: DemoServer, mirror: Mirror, layout: str) -> None:
    mirror.layout = layout
    server.account.deliver(wire("known"), ["INBOX"], ["$seen"])
    for path in ("INBOX", "Old", "Old/Deep"):
        make(mirror, path)
    mirror.drop("INBOX", letter("known"), sub="cur", info=":2,ST")
    mirror.drop("INBOX", letter("unknown"), sub="cur", info=":2,FT")
    mirror.drop("Old/Deep", letter("deep"), sub="cur", info=":2,T")
    mirror.drop("Old/Deep", letter("stays"), sub="cur", info=":2,S")
    mirror.sync()
    assert lying(server) == {
        wire("known"): ({"INBOX"}, {"$seen"}),  # nothing was ever agreed on it, so the mark takes nothing away
        wire("unknown"): ({"Trash"}, {"$flagged"}),
        wire("deep"): ({"Trash"}, set()),
        wire("stays"): ({"Old/Deep"}, {"$seen"}),
    }
    assert_converges(server.account, mirror)


def test_of_several_copies_those_not_marked_decide(server: DemoServer, mirror: Mirror) -> None:
    mirror.sync()
    mirror.drop("INBOX", letter("one"), sub="cur", info=":2,ST")
    mirror.drop("Archive", letter("one"), sub="cur", info=":2,S")
    mirror.drop("INBOX", letter("all"), sub="cur", info=":2,T")
    mirror.drop("Archive", letter("all"), sub="cur", info=":2,ST")
    mirror.sync()
    assert lying(server) == {wire("one"): ({"Archive"}, {"$seen"}), wire("all"): ({"Trash"}, {"$seen"})}
    assert_converges(server.account, mirror)


def test_a_file_marked_deleted_before_it_could_be_sent_keeps_its_flags(server: DemoServer, mirror: Mirror) -> None:
    mirror.sync()
    file = mirror.drop("INBOX", letter("late"), sub="cur", info=":2,")
    server.faults.set_error.arm(SetError("tooLarge"), only={"Email/import"}, times=1)
    assert mirror.sync().to_server.total == 0
    mirror.flag(file, "FT")
    mirror.sync()
    assert lying(server) == {wire("late"): ({"Trash"}, {"$flagged"})}
    assert_converges(server.account, mirror)


@pytest.mark.parametrize(("on_delete", "left"), [("destroy", {}), ("keep", {wire("marked"): ({"INBOX"}, {"$seen"})})])
def test_on_delete_decides_as_for_a_message_that_was_synchronised(
    server: DemoServer, mirror: Mirror, on_delete: str, left: dict[bytes, tuple[set[str], set[str]]]
) -> None:
    mirror.on_delete = on_delete
    mirror.sync()
    mirror.drop("INBOX", letter("marked"), sub="cur", info=":2,ST")
    report = mirror.sync()
    assert (report.to_server.created, report.to_server.deleted) == (1, 1)
    assert lying(server) == left
    assert mirror.files() == []
    assert mirror.sync().to_server.total == 0


def test_without_a_trash_it_is_sent_and_named(server: DemoServer, mirror: Mirror) -> None:
    server.account.destroy_mailbox("Trash")
    mirror.sync()
    mirror.drop("INBOX", letter("marked"), sub="cur", info=":2,ST")
    report = mirror.sync()
    assert ["no Trash mailbox" in problem.why for problem in report.problems] == [True]
    assert lying(server) == {wire("marked"): ({"INBOX"}, {"$seen"})}
    assert len(mirror.files("INBOX")) == 1


def test_a_mirror_that_only_pulls_leaves_the_only_copy_alone(server: DemoServer, mirror: Mirror) -> None:
    mirror.kind = MAIL.pulled_only()
    server.account.deliver(wire("theirs"))
    mirror.sync()
    mine = mirror.drop("INBOX", letter("mine"), sub="cur", info=":2,FT")
    theirs = next(file for file in mirror.files("INBOX") if file.read_bytes() == letter("theirs"))
    mirror.flag(theirs, "ST")
    for _ in range(2):
        mirror.sync()
        assert mine.read_bytes() == letter("mine")
        assert len(mirror.files()) == 2
    assert set(lying(server)) == {wire("theirs")}


def test_a_dry_run_says_that_it_is_sent_first(server: DemoServer, mirror: Mirror) -> None:
    mirror.sync()
    mirror.drop("INBOX", letter("marked"), sub="cur", info=":2,ST")
    report = mirror.sync(dry=True)
    assert [line.partition(' "marked" from ')[0] for line in report.messages] == ["create", "delete", "delete"]
    assert report.messages[0].endswith("on the server: marked deleted here, never on the server: sent first, then deleted")
    assert [line.endswith("marked deleted here, unchanged on the server") for line in report.messages] == [False, True, True]
    assert lying(server) == {}
    assert len(mirror.files("INBOX")) == 1


def test_very_many_marked_files_ask_first(server: DemoServer, mirror: Mirror) -> None:
    mirror.sync()
    for number in range(30):
        mirror.drop("INBOX", letter(f"marked {number}"), sub="cur", info=":2,ST")
    report = mirror.sync()
    assert report.exit_code == ExitCode.SUSPENDED
    assert "30 of 30" in report.messages[0]
    assert (lying(server), len(mirror.files("INBOX"))) == ({}, 30)
    assert mirror.sync(allow_deletes=True).to_server.created == 30
    assert [homes for homes, _ in lying(server).values()] == 30 * [{"Trash"}]
    assert_converges(server.account, mirror)


def test_few_marked_files_among_many_new_ones_do_not_ask(server: DemoServer, mirror: Mirror) -> None:
    make(mirror, "INBOX")
    for number in range(30):
        mirror.drop("INBOX", letter(f"marked {number}"), sub="cur", info=":2,ST")
    for number in range(200):
        mirror.drop("INBOX", letter(f"stays {number}"), sub="cur", info=":2,S")
    assert mirror.sync().exit_code == ExitCode.IN_SYNC
    assert sorted(len(homes & {"Trash"}) for homes, _ in lying(server).values()) == [0] * 200 + [1] * 30


def test_a_folder_that_the_server_removes_comes_back_for_what_is_marked_in_it(server: DemoServer, mirror: Mirror) -> None:
    server.account.create_mailbox("Lists")
    mirror.sync()
    mirror.drop("Lists", letter("marked"), sub="cur", info=":2,ST")
    server.account.destroy_mailbox("Lists")
    mirror.sync()
    assert lying(server) == {wire("marked"): ({"Trash"}, {"$seen"})}
    mirror.sync()
    assert_mirrored(server.account, mirror)


def test_an_edit_marked_deleted_is_sent_before_it_is_deleted(server: DemoServer, mirror: Mirror) -> None:
    server.account.deliver(wire("before"), ["INBOX"], ["$seen"])
    mirror.sync()
    [file] = mirror.files("INBOX")
    file.unlink()
    mirror.drop("INBOX", letter("edited"), sub="cur", info="").rename(file)
    mirror.flag(file, "ST")
    mirror.sync()
    assert {homes.pop() for homes, _ in lying(server).values()} == {"Trash"}
    assert wire("edited") in lying(server)
    assert_converges(server.account, mirror)


def test_where_nothing_may_be_put_on_the_server_it_is_kept_as_a_conflict(server: DemoServer, mirror: Mirror) -> None:
    server.account.set_rights("INBOX", mayAddItems=False)
    mirror.sync()
    mirror.drop("INBOX", letter("marked"), sub="cur", info=":2,ST")
    mirror.sync()
    ledger = Ledger.open(mirror.state / "ledger.sqlite")
    try:
        assert len(ledger.conflict_copies("mail")) == 1
    finally:
        ledger.close()


@pytest.mark.parametrize("dialect", [RFC, CYRUS_312, TOLERANT], ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("known", [False, True])
def test_a_marked_file_takes_its_twin_along_nowhere(mirror: Mirror, dialect: Dialect, known: bool) -> None:
    with DemoServer(dialect=dialect) as server:
        mirror.url = server.url
        if known:
            server.account.deliver(wire("twin"), ["INBOX"], ["$seen"])
        mirror.sync()
        if not known:
            mirror.drop("INBOX", letter("twin"), sub="cur", info=":2,S")
        mirror.drop("INBOX", letter("twin"), sub="cur", info=":2,ST")
        for _ in range(3):
            report = mirror.sync()
        assert (report.exit_code, report.to_disk.total, report.to_server.total) == (0, 0, 0)
        assert mirror.files("INBOX")
        assert any(home.casefold() == "inbox" for homes, _ in server.account.listing().values() for home in homes)


@pytest.mark.parametrize("on_delete", ["trash", "destroy"])
@pytest.mark.parametrize("dialect", [RFC, CYRUS_312, TOLERANT], ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("infos", [(":2,T", ":2,S"), (":2,FT", ":2,RT", ":2,"), (":2,T", ":2,", ":2,ST")])
def test_a_twin_without_a_mark_stays_whichever_of_the_files_is_sent_first(
    mirror: Mirror, dialect: Dialect, on_delete: str, infos: tuple[str, ...]
) -> None:
    mirror.on_delete = on_delete
    with DemoServer(dialect=dialect) as server:
        mirror.url = server.url
        mirror.sync()
        for info in infos:
            mirror.drop("INBOX", letter("twin"), sub="cur", info=info)
        for _ in range(3):
            report = mirror.sync()
        assert (report.exit_code, report.to_disk.total, report.to_server.total) == (0, 0, 0)
        assert [path for path in mirror.files("INBOX") if "T" not in path.name.rpartition(":2,")[2]]
        homes = [home.casefold() for homes, _ in server.account.listing().values() for home in homes]
        assert "inbox" in homes
