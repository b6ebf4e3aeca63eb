"""Mirror accounts of a real Apache James 3.8.1: `tests/live/run-james`."""

from __future__ import annotations

import itertools
import json
import time
from typing import TYPE_CHECKING

import pytest

from tests.live.home_folder import HomeFolder
from tests.live.james_server import Account, James

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_numbers = itertools.count(1)


@pytest.fixture
def james(tmp_path_factory: pytest.TempPathFactory) -> Iterator[James]:
    """Start one for each test: after some hundred imports its in-memory store may leave a call unanswered for minutes."""
    with James.start(tmp_path_factory.mktemp("james")) as server:
        yield server


@pytest.fixture
def account(james: James) -> Account:
    return james.account(f"user{next(_numbers)}")


@pytest.fixture
def desk(account: Account, tmp_path: Path) -> HomeFolder:
    desk = HomeFolder.set_up(tmp_path, account)  # type: ignore[arg-type]  # of which it needs url, user and password
    desk.run("jmapsync", "-q", "sync")
    return desk


def drop(desk: HomeFolder, folder: str, number: int, info: str = ":2,S") -> Path:
    """Put a message into a folder."""
    path = desk.home / "Mail/home" / folder / "cur" / f"{number}.test{info}"
    text = (
        f"From: a@example.com\nTo: b@example.com\nSubject: number {number}\nMessage-ID: <{number}@example.com>\n\nBody {number}.\n"
    )
    path.write_text(text)
    return path


def files(desk: HomeFolder, folder: str) -> list[Path]:
    """Return the messages of a folder."""
    return sorted(file for sub in ("cur", "new") for file in (desk.home / "Mail/home" / folder / sub).iterdir())


def sync(desk: HomeFolder, *options: str) -> dict[str, dict[str, int]]:
    """Synchronise; fail unless all is in sync, and return what was done."""
    reported = json.loads(desk.run("jmapsync", "-q", "sync", "--json", *options))
    mail = reported["accounts"]["home"]["kinds"]["mail"]
    assert mail["problems"] == []
    return {side: mail[side] for side in ("to_disk", "to_server")}


def test_mail_goes_there_as_it_is_with_its_flags_and_folders(desk: HomeFolder, account: Account) -> None:
    for number, info in enumerate((":2,", ":2,S", ":2,FS", ":2,R")):
        drop(desk, "INBOX", number, info)
    both = drop(desk, "INBOX", 9)
    (desk.home / "Mail/home/Archive/cur" / both.name).hardlink_to(both)
    assert sync(desk)["to_server"]["created"] == 5
    boxes = account.mailboxes()
    there = {one["subject"]: (sorted(one["keywords"]), sorted(one["mailboxIds"])) for one in account.emails().values()}
    inbox = [boxes["INBOX"]]
    assert there == {
        "number 0": ([], inbox),
        "number 1": (["$seen"], inbox),
        "number 2": (["$flagged", "$seen"], inbox),
        "number 3": (["$answered"], inbox),
        "number 9": (["$seen"], sorted([boxes["INBOX"], boxes["Archive"]])),
    }
    assert sync(desk)["to_server"] == {"created": 0, "updated": 0, "deleted": 0}
    desk.run("jmapsync", "verify")


def test_deletions_over_more_than_one_page_arrive(desk: HomeFolder, account: Account) -> None:
    for number in range(300):
        drop(desk, "INBOX", number)
    sync(desk)
    ids = sorted(account.emails(), key=int)
    assert len(ids) == 256  # as many as James lists at once
    account.destroy(ids[::13])
    assert sync(desk, "--full")["to_disk"]["deleted"] == len(ids[::13])
    account.destroy(ids[5:8])
    assert sync(desk)["to_disk"]["deleted"] == 3
    assert len(files(desk, "INBOX")) == 300 - 3 - len(ids[::13])
    desk.run("jmapsync", "verify")


def test_flags_moves_and_deletions_go_both_ways(desk: HomeFolder, account: Account) -> None:
    for number in range(4):
        drop(desk, "INBOX", number)
    sync(desk)
    boxes = account.mailboxes()
    ids = {one["subject"]: ref for ref, one in account.emails().items()}
    patch = {ids["number 0"]: {"keywords/$flagged": True, "keywords/work": True}}
    move = {ids["number 1"]: {f"mailboxIds/{boxes['INBOX']}": None, f"mailboxIds/{boxes['Archive']}": True}}
    account.call(("Email/set", {"update": {**patch, **move}}))
    sync(desk)
    assert len(files(desk, "Archive")) == 1
    here = {file.read_text().partition("Subject: ")[2].partition("\n")[0]: file for file in files(desk, "INBOX")}
    assert here["number 0"].name.partition(":2,")[2].startswith("FS")
    here["number 2"].rename(desk.home / "Mail/home/Archive/cur" / here["number 2"].name)
    here["number 3"].unlink()
    sync(desk)
    there = {one["subject"]: set(one["mailboxIds"]) for one in account.emails().values()}
    assert there["number 2"] == {boxes["Archive"]}
    assert there["number 3"] == {boxes["Trash"]}
    desk.run("jmapsync", "verify")


def test_a_mailbox_deleted_there_with_its_mail_goes_here(desk: HomeFolder, account: Account) -> None:
    (made,) = account.call(("Mailbox/set", {"create": {"x": {"name": "Lists"}}}))
    sync(desk)
    for number in range(3):
        drop(desk, "Lists", number)
    sync(desk)
    account.call(("Mailbox/set", {"destroy": [made["created"]["x"]["id"]], "onDestroyRemoveEmails": True}))
    sync(desk)
    assert not (desk.home / "Mail/home/Lists").exists()
    assert sync(desk)["to_server"] == {"created": 0, "updated": 0, "deleted": 0}


def test_mail_is_put_back_byte_for_byte_without_alarm(desk: HomeFolder, account: Account) -> None:
    for number in range(30):
        drop(desk, "INBOX", number)
    sync(desk)
    account.destroy(sorted(account.emails()))
    desk.run("jmapsync", "restore")
    assert len(account.emails()) == 30
    reported = desk.run("jmapsync", "restore")
    assert "other bytes" not in reported
    assert len(account.emails()) == 30
    desk.run("jmapsync", "sync")
    desk.run("jmapsync", "verify")


def test_a_message_is_sent_and_filed(desk: HomeFolder, account: Account, james: James) -> None:
    other = james.account(f"other{next(_numbers)}")
    message = desk.write("letter", f"From: {account.user}\nTo: {other.user}\nSubject: sent\n\nHello.\n")
    script = f"jmapsync sendmail -t < {message}"
    desk.run("sh", "-c", script)
    end = time.monotonic() + 30
    while not (arrived := other.emails()) and time.monotonic() < end:
        time.sleep(0.2)
    assert [one["subject"] for one in arrived.values()] == ["sent"]
    boxes = account.mailboxes()
    assert [set(one["mailboxIds"]) for one in account.emails().values()] == [{boxes["Sent"]}]
    sync(desk)
    assert len(files(desk, "Sent")) == 1
