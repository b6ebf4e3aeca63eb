"""Mirror mail both ways on real Cyrus servers; every end is compared over IMAP."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.kit.mirror import Mirror
from tests.live.compare import assert_same, on_disk, on_server
from tests.live.imap import Draft

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live.conftest import Account


@pytest.fixture
def mirror(account: Account, tmp_path: Path) -> Mirror:
    return Mirror(account.url, account.user, account.password, tmp_path / "mail", tmp_path / "state")


def letter(number: int, body: str = "Hello.\r\n") -> bytes:
    return f"From: a@example.com\r\nMessage-ID: <{number}@example.com>\r\nSubject: letter {number}\r\n\r\n{body}".encode()


def seed(account: Account, count: int = 3) -> None:
    account.imap.append("INBOX", [Draft(letter(number), received=1_700_000_000 + number) for number in range(count)])


def synced(account: Account, mirror: Mirror) -> None:
    """Synchronise, compare over IMAP, and see that a further run does nothing with one request."""
    report = mirror.sync()
    assert (report.state.value, report.problems) == ("synced", [])
    assert_same(account, mirror)
    again = mirror.sync()
    assert (again.to_disk.total, again.to_server.total, mirror.requests) == (0, 0, 1)


def test_the_first_pull_brings_bytes_flags_keywords_and_dates(account: Account, mirror: Mirror) -> None:
    account.imap.append(
        "INBOX",
        [
            Draft(letter(1), received=1_600_000_000),
            Draft(letter(2), ["\\Seen", "\\Flagged", "$Forwarded", "work"], 1_600_000_001),
            Draft(b"X-Odd: x\r\n\r\n\xff\xfe\x80 bytes\r\rbare\r\n", received=1_600_000_002),
            Draft(b"Subject: no final line end\r\n\r\nend", ["\\Answered", "\\Draft"], 1_600_000_003),
        ],
    )
    account.imap.create_folder("Lists/python")
    account.imap.append("Lists/python", [Draft(letter(3, "long\r\n" * 400_000), received=1_600_000_004)])
    synced(account, mirror)
    assert len(mirror.files()) == 5


def test_a_delta_brings_what_another_client_did(account: Account, mirror: Mirror) -> None:
    seed(account, 6)
    synced(account, mirror)
    uids = [message.uid for message in account.imap.messages("INBOX")]
    account.imap.store("INBOX", uids[:1], "+", ["\\Seen", "\\Answered"])
    account.imap.move("INBOX", uids[1:2], "Archive")
    account.imap.copy("INBOX", uids[2:3], "Sent")
    account.imap.store("INBOX", uids[3:4], "+", ["\\Deleted"])
    account.imap.expunge("INBOX", uids[3:4])
    account.imap.append("INBOX", [Draft(letter(10), received=1_700_001_000)])
    account.imap.create_folder("New/Deep")
    account.imap.append("New/Deep", [Draft(letter(11), received=1_700_001_001)])
    synced(account, mirror)
    assert sorted(on_disk(mirror)) == ["Archive", "INBOX", "New/Deep", "Sent"]


def test_every_local_act_reaches_the_server(account: Account, mirror: Mirror) -> None:
    seed(account, 9)
    synced(account, mirror)
    files = mirror.files("INBOX")
    read, answered, forwarded, flagged, moved, copied, deleted, twice, keyworded = files
    mirror.flag(read, "S")
    mirror.flag(answered, "RS")
    mirror.flag(forwarded, "PS")
    mirror.flag(flagged, "F")
    moved.rename(mirror.root / "Archive" / "new" / moved.name)
    os.link(copied, mirror.root / "Sent" / "cur" / f"{copied.name}:2,S")
    deleted.unlink()
    mirror.folder("Archive").joinpath("cur", "copy-of-twice").write_bytes(twice.read_bytes())
    twice.unlink()
    (mirror.root / "INBOX" / "dovecot-keywords").write_text("0 project-x\n")
    mirror.flag(keyworded, "a")
    mirror.drop("Drafts", b"Subject: new\n\nwritten here\n", sub="cur", info=":2,DS")
    mirror.drop("INBOX", b"Subject: dropped\n\ninto new\n")
    mirror.sync()
    shown = on_server(account)
    flags = {one[0]: (one[1], one[2]) for one in shown["INBOX"]}
    assert flags[read_of(mirror, 0)] == ("S", frozenset())
    assert flags[read_of(mirror, 1)] == ("RS", frozenset())
    assert flags[read_of(mirror, 2)] == ("PS", frozenset())
    assert flags[read_of(mirror, 3)] == ("F", frozenset())
    assert flags[read_of(mirror, 8)] == ("", frozenset({"project-x"}))
    assert len(shown["Archive"]) == 2
    assert [one[0] for one in shown["Sent"]] == [read_of(mirror, 5)]
    assert [one[0] for one in shown["Trash"]] == [read_of(mirror, 6)]
    assert [one[:2] for one in shown["Drafts"]] == [(b"Subject: new\n\nwritten here\n", "DS")]
    synced(account, mirror)


def read_of(_mirror: Mirror, number: int) -> bytes:
    return letter(number).replace(b"\r\n", b"\n")


def test_different_edits_of_one_message_on_both_sides_never_conflict(account: Account, mirror: Mirror) -> None:
    seed(account, 1)
    synced(account, mirror)
    file = mirror.flag(mirror.files("INBOX")[0], "F")
    file.rename(mirror.root / "Archive" / "cur" / file.name)
    uid = account.imap.messages("INBOX")[0].uid
    account.imap.store("INBOX", [uid], "+", ["\\Seen", "todo"])
    account.imap.copy("INBOX", [uid], "Sent")
    report = mirror.sync()
    assert report.conflicts == 0
    synced(account, mirror)
    [(_, letters, keywords, _)] = on_server(account)["Archive"]
    assert (letters, keywords) == ("FS", frozenset({"todo"}))
    assert sorted(on_server(account)) == ["Archive", "Sent"]


def test_a_message_in_three_mailboxes_stays_in_the_other_two(account: Account, mirror: Mirror) -> None:
    seed(account, 1)
    uid = account.imap.messages("INBOX")[0].uid
    account.imap.copy("INBOX", [uid], "Archive")
    account.imap.copy("INBOX", [uid], "Sent")
    synced(account, mirror)
    assert len({file.stat().st_ino for file in mirror.files()}) == 1
    mirror.files("INBOX")[0].unlink()
    synced(account, mirror)
    assert sorted(on_server(account)) == ["Archive", "Sent"]
    moved = mirror.files("Sent")[0]
    moved.rename(mirror.root / "Junk" / "cur" / f"{moved.name}:2,")
    synced(account, mirror)
    assert sorted(on_server(account)) == ["Archive", "Junk"]


def test_the_last_copy_goes_by_on_delete(account: Account, mirror: Mirror) -> None:
    seed(account, 2)
    synced(account, mirror)
    mirror.on_delete = "destroy"
    mirror.files("INBOX")[0].unlink()
    synced(account, mirror)
    assert sorted(on_server(account)) == ["INBOX"]
    mirror.on_delete = "keep"
    mirror.files("INBOX")[0].unlink()
    mirror.sync()
    assert len(on_server(account)["INBOX"]) == 1
    assert mirror.files() == []
    assert mirror.sync(full=True).to_disk.total == 0


def test_two_mirrors_of_one_account_agree_after_a_storm(account: Account, tmp_path: Path) -> None:
    seed(account, 40)
    mirrors = [
        Mirror(account.url, account.user, account.password, tmp_path / name / "mail", tmp_path / name / "state") for name in "ab"
    ]
    for mirror in mirrors:
        mirror.sync()
    for number, mirror in enumerate(mirrors):
        mine = mirror.files("INBOX")[number::2]
        for file in mine[0::4]:
            mirror.flag(file, "FS")
        for file in mine[1::4]:
            file.rename(mirror.root / "Archive" / "cur" / f"{file.name.partition(':')[0]}:2,")
        for position in range(5):
            mirror.drop("INBOX", read_of(mirror, 1000 + 100 * number + position))
    with ThreadPoolExecutor() as pool:
        list(pool.map(Mirror.sync, mirrors))
    assert [mirror.sync().problems for mirror in (*mirrors, *mirrors)] == [[]] * 4
    for mirror in mirrors:
        assert_same(account, mirror)
    assert sum(map(len, on_server(account).values())) == 50


def test_a_lost_ledger_is_rebuilt_without_fetching_what_is_there(account: Account, mirror: Mirror) -> None:
    seed(account, 30)
    uid = account.imap.messages("INBOX")[0].uid
    account.imap.copy("INBOX", [uid], "Archive")
    synced(account, mirror)
    before = sorted(file.name for file in mirror.files())
    for file in mirror.state.glob("ledger.sqlite*"):
        file.unlink()
    mirror.flag(mirror.files("INBOX")[3], "F")
    report = mirror.sync()
    assert report.to_disk.created == 0
    assert report.to_server.created == 0
    synced(account, mirror)
    assert len(before) == len(mirror.files())
