"""The servers of the live tests are real, new enough, quick, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.live import cyrus as cyrus_module
from tests.live.cyrus import FLAVOURS, Cyrus, NotProvisionedError
from tests.live.imap import Draft
from tests.live.jmapraw import BLOB, CORE, MAIL, Jmap

if TYPE_CHECKING:
    from tests.live.conftest import Account

MESSAGE = b"From: a@example.com\r\nTo: b@example.com\r\nSubject: one\r\nMessage-ID: <1@example.com>\r\n\r\nhello\r\n"


def test_the_server_says_it_is_the_version_asked_for(cyrus: Cyrus) -> None:
    assert cyrus.version.startswith(cyrus.flavour + ".")


def test_the_session_offers_mail_and_blobs(account: Account) -> None:
    assert {CORE, MAIL, BLOB[account.server.flavour]} <= account.jmap.session["capabilities"].keys()
    assert account.jmap.account == account.user


def test_well_known_leads_to_the_session(account: Account) -> None:
    answer = httpx.get(account.server.well_known_url, auth=(account.user, account.password))
    assert answer.status_code == 301
    assert answer.headers["Location"] == account.server.jmap_url.removesuffix("/")


def test_a_new_account_has_its_folders_and_their_roles_and_no_mail(account: Account) -> None:
    roles = {path: mailbox["role"] for path, mailbox in account.jmap.mailboxes().items()}
    assert roles == {
        "Inbox": "inbox",
        "Drafts": "drafts",
        "Sent": "sent",
        "Trash": "trash",
        "Junk": "junk",
        "Archive": "archive",
    }
    assert account.jmap.emails() == {}


def test_appended_mail_is_seen_through_jmap_byte_for_byte(account: Account) -> None:
    account.imap.append("INBOX", [Draft(MESSAGE, ["\\Seen", "\\Flagged", "Work"], 1_600_000_000)])
    (email,) = account.jmap.emails().values()
    assert email["keywords"] == {"$seen": True, "$flagged": True, "work": True}
    assert email["receivedAt"] == "2020-09-13T12:26:40Z"
    assert account.jmap.download(email["blobId"]) == MESSAGE


def test_imap_shows_what_jmap_imported(account: Account) -> None:
    inbox = account.jmap.mailboxes()["Inbox"]["id"]
    blob = account.jmap.upload(MESSAGE)
    account.jmap.one(
        "Email/import",
        {
            "emails": {
                "new": {
                    "blobId": blob,
                    "mailboxIds": {inbox: True},
                    "keywords": {"$seen": True},
                    "receivedAt": "2020-09-13T12:26:40Z",
                }
            }
        },
    )
    (message,) = account.imap.messages("INBOX")
    assert message.content == MESSAGE
    assert "\\Seen" in message.flags
    assert message.received == 1_600_000_000


def test_many_messages_are_appended_at_once_in_order(account: Account) -> None:
    contents = [MESSAGE.replace(b"hello", b"%d" % number) for number in range(500)]
    account.imap.append("INBOX", [Draft(content) for content in contents])
    assert [message.content for message in account.imap.messages("INBOX")] == contents
    assert len(account.jmap.emails()) == 500


def test_the_imap_client_moves_copies_and_deletes(account: Account) -> None:
    imap = account.imap
    imap.create_folder("Ω & co")
    imap.append("INBOX", [Draft(MESSAGE.replace(b"hello", name)) for name in (b"a", b"b", b"c")])
    first, second, third = (message.uid for message in imap.messages("INBOX"))
    imap.move("INBOX", [first], "Ω & co")
    imap.copy("INBOX", [second], "Archive")
    imap.expunge("INBOX", [third])
    imap.store("INBOX", [second], "+", ["\\Answered"])
    imap.rename_folder("Ω & co", "Ψ/deep")
    imap.create_folder("Gone")
    imap.delete_folder("Gone")
    assert [message.content[-3:] for message in imap.messages("Ψ/deep")] == [b"a\r\n"]
    assert [message.content[-3:] for message in imap.messages("Archive")] == [b"b\r\n"]
    assert [message.flags - {"\\Recent"} for message in imap.messages("INBOX")] == [{"\\Answered"}]
    assert imap.folders().keys() == {"INBOX", "Drafts", "Sent", "Trash", "Junk", "Archive", "Ψ", "Ψ/deep"}
    assert "trash" in imap.folders()["Trash"]


def test_cyrus_carries_no_time_zone_that_an_event_defines(account: Account) -> None:
    """Hence no `timeZones` (RFC 8984, 4.7.2) in what is sent: see formats.ical.own_zones."""
    using = [name for name in account.jmap.session["capabilities"] if "calendars" in name or name == CORE]
    rule = {"@type": "TimeZoneRule", "start": "1601-01-01T00:00:00", "offsetFrom": "+03:07", "offsetTo": "+03:07"}
    zone = {"@type": "TimeZone", "tzId": "Own", "standard": [rule]}
    times = {"start": "2026-07-01T12:00:00", "duration": "PT1H", "timeZone": "/own", "timeZones": {"/own": zone}}
    event = {"@type": "Event", "uid": "u", "title": "own zone", "calendarIds": {"Default": True}, **times}
    made, got = account.jmap.call_raw(
        [("CalendarEvent/set", {"create": {"a": event}}), ("CalendarEvent/get", {"properties": ["timeZones"]})], using
    )
    assert "timeZones" in made[1]["notCreated"]["a"]["properties"]
    assert (got[0], got[1]["type"]) == ("error", "invalidArguments")


def test_accounts_do_not_see_each_other(account: Account) -> None:
    account.server.create_user("somebody", "else")
    account.imap.append("INBOX", [Draft(MESSAGE)])
    with Jmap(account.server.jmap_url, "somebody", "else") as other:
        assert other.emails() == {}


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_server_keeps_its_data_and_ports_when_stopped_or_killed(flavour: str) -> None:
    with Cyrus.start(flavour) as server:
        server.create_user("alice", "secret")
        with Jmap(server.jmap_url, "alice", "secret") as jmap:
            jmap.one("Mailbox/set", {"create": {"new": {"name": "Kept", "parentId": None}}})
        url = server.jmap_url
        server.stop()
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)
        server.restart()
        server.kill()
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)
        server.restart()
        with Jmap(url, "alice", "secret") as jmap:
            assert "Kept" in jmap.mailboxes()


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_two_servers_of_a_flavour_run_side_by_side(flavour: str) -> None:
    with Cyrus.start(flavour) as one, Cyrus.start(flavour) as other:
        one.create_user("alice", "one")
        other.create_user("alice", "other")
        Jmap(other.jmap_url, "alice", "other").http.close()
        assert httpx.get(one.jmap_url, auth=("alice", "other")).status_code == 401


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_nothing_of_a_server_outlives_a_killed_test_run(flavour: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = (
        "import sys, signal; from tests.live.cyrus import Cyrus; server = Cyrus.start(sys.argv[1]);"
        "print(server.jmap_url, server._directory, flush=True); signal.pause()"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", program, flavour], stdout=subprocess.PIPE, text=True, cwd=root) as run:
        assert run.stdout
        url, directory = run.stdout.readline().split()
        assert httpx.get(url).status_code == 401
        os.kill(run.pid, signal.SIGKILL)
    with pytest.raises(httpx.TransportError):
        httpx.get(url)
    assert directory not in Path("/proc/self/mounts").read_text()
    monkeypatch.setattr(cyrus_module, "_PATIENCE", 0.0)
    cyrus_module._remove_leftovers()
    assert not Path(directory).exists()


def test_on_an_unprovisioned_machine_the_message_says_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cyrus_module._TREES, "3.12", tmp_path)
    with pytest.raises(NotProvisionedError, match="tests/live/provision"):
        Cyrus.start("3.12")
