"""A real Cyrus has a quota: what does not fit is not sent, is named with the figures, and goes by itself once there is room."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.live.home_folder import HomeFolder

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live.conftest import Account


def message(subject: str, size: int) -> str:
    head = f"From: a@example.com\nSubject: {subject}\n\n"
    return head + "x" * 70 + "\n" + ("y" * 78 + "\n") * ((size - len(head) - 71) // 80)


def drop(desk: HomeFolder, subject: str, size: int) -> None:
    desk.write(f"Mail/home/INBOX/new/{subject}", message(subject, size))


def report(desk: HomeFolder) -> tuple[list[str], list[dict[str, Any]]]:
    """Return why items wait, and the quotas, by `status`."""
    account = json.loads(desk.run("sh", "-c", "jmapsync status --json || :"))["accounts"]["home"]
    return [one["why"] for one in account["kinds"]["mail"]["problems"]], account["quota"]["quotas"]


def test_what_has_no_room_waits_for_it(account: Account, tmp_path: Path) -> None:
    desk = HomeFolder.set_up(tmp_path, account)
    desk.run("jmapsync", "sync")
    account.server.set_quota(account.user, kilobytes=100)
    drop(desk, "first", 60_000)
    drop(desk, "second", 60_000)
    desk.run("jmapsync", "sync", "--full", code=3)
    assert len(desk.on_server()["INBOX"]) == 1
    [why], quotas = report(desk)
    assert why.startswith("waits for room on the server: it has 60.0 kB, and ")
    [quota] = [one for one in quotas if one["resource"] == "octets"]
    assert quota["limit"] == 102_400
    assert 55_000 < quota["used"] < 65_000
    assert " of 102 kB used (" in desk.run("jmapsync", "check")
    desk.run("jmapsync", "sync", code=3)
    assert len(desk.on_server()["INBOX"]) == 1
    account.server.set_quota(account.user, kilobytes=1000)
    desk.run("jmapsync", "sync")
    assert set(desk.on_server()["INBOX"]) == {"first", "second"}
    assert report(desk)[0] == []


def test_room_that_a_deletion_makes_is_used(account: Account, tmp_path: Path) -> None:
    desk = HomeFolder.set_up(tmp_path, account, mail='on_delete = "destroy"')
    desk.run("jmapsync", "sync")
    drop(desk, "first", 60_000)
    desk.run("jmapsync", "sync")
    account.server.set_quota(account.user, kilobytes=100)
    drop(desk, "second", 60_000)
    desk.run("jmapsync", "sync", code=3)
    [message] = account.imap.messages("INBOX")
    account.imap.expunge("INBOX", [message.uid])
    desk.run("jmapsync", "sync")
    assert set(desk.on_server()["INBOX"]) == {"second"}


def test_a_number_of_messages_that_the_server_shows_or_refuses(account: Account, tmp_path: Path) -> None:
    """Cyrus 3.12 shows it; 3.6 shows octets only, and refuses with overQuota."""
    desk = HomeFolder.set_up(tmp_path, account)
    desk.run("jmapsync", "sync")
    shows = account.server.flavour == "3.12"
    account.server.set_quota(account.user, messages=4)
    for number in range(7):
        drop(desk, f"m{number}", 500)
    desk.run("jmapsync", "sync", code=3)
    there = len(desk.on_server()["INBOX"])
    assert 2 <= there <= 4  # Cyrus 3.12 counts a Sieve script among them
    why, _ = report(desk)
    assert len(why) == 7 - there
    assert all(("0 messages are left, 4 of 4 messages used" if shows else "overQuota") in one for one in why)
    account.server.set_quota(account.user, messages=100)
    desk.run("jmapsync", "sync", *([] if shows else ["--full"]))
    assert len(desk.on_server()["INBOX"]) == 7


def test_a_restore_that_does_not_fit_is_finished_later(account: Account, tmp_path: Path) -> None:
    desk = HomeFolder.set_up(tmp_path, account)
    desk.run("jmapsync", "sync")
    for subject in ("first", "second"):
        drop(desk, subject, 60_000)
    desk.run("jmapsync", "sync")
    account.imap.expunge("INBOX", [one.uid for one in account.imap.messages("INBOX")])
    account.server.set_quota(account.user, kilobytes=100)
    said = desk.run("jmapsync", "restore", code=3)
    assert "waits for room on the server" in said
    assert len(desk.on_server()["INBOX"]) == 1
    account.server.set_quota(account.user, kilobytes=1000)
    desk.run("jmapsync", "restore")
    assert set(desk.on_server()["INBOX"]) == {"first", "second"}
