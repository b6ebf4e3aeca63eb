"""Cyrus 3.12 answers delivered mail with the vacation reply that was set, at its times, and no filter of the user's is lost."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from typing import TYPE_CHECKING

import pytest

from tests.live.conftest import Account
from tests.live.cyrus import Cyrus
from tests.live.home_folder import HomeFolder
from tests.live.imap import Imap
from tests.live.jmapraw import CORE, MAIL, Jmap
from tests.live.smtp_relay import Relay, listening

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage
    from pathlib import Path

SIEVE, VACATION = "urn:ietf:params:jmap:sieve", "urn:ietf:params:jmap:vacationresponse"
FILTER = 'require ["fileinto"];\r\nfileinto "Junk";\r\n'
_senders = itertools.count(1)


@pytest.fixture(scope="module")
def answering() -> Iterator[tuple[Cyrus, Relay]]:
    """A server that knows its domain, and where its replies go."""
    relay = Relay()
    with listening(relay) as port:
        settings = f"defaultdomain: example.com\nsmtp_backend: host\nsmtp_host: 127.0.0.1:{port}\n"
        with Cyrus.start("3.12", settings=settings) as server:
            yield server, relay


@pytest.fixture
def desk(answering: tuple[Cyrus, Relay], tmp_path: Path) -> Iterator[HomeFolder]:
    server, relay = answering
    user = f"ute{next(_senders)}"
    server.create_user(user, "correct horse")
    relay.taken.clear()
    with Jmap(server.jmap_url, user, "correct horse") as jmap, Imap(server.imap_port, user, "correct horse") as imap:
        yield HomeFolder.set_up(tmp_path, Account(server, user, "correct horse", jmap, imap))


def answer(desk: HomeFolder, relay: Relay) -> EmailMessage | None:
    """Deliver a message of somebody new, and return the answer, if there is one."""
    user, sender = desk.account.user, f"friend{next(_senders)}@example.org"
    relay.taken.clear()
    letter = f"From: {sender}\nTo: {user}@example.com\nSubject: hello\nMessage-ID: <{sender}>\n\nAre you there?\n"
    desk.account.server.deliver(user, letter, sender)
    if not relay.taken:
        return None
    [(_, recipients, content)] = relay.taken
    assert recipients == [sender]
    return message_from_bytes(content, policy=policy.default)


def scripts(desk: HomeFolder) -> dict[str, bool]:
    """Return which Sieve scripts there are, and which is active."""
    [answer] = desk.account.jmap.call([("SieveScript/get", {"ids": None})], [CORE, SIEVE])
    return {one["name"]: one["isActive"] for one in answer["list"]}


def add_filter(desk: HomeFolder) -> None:
    blob = desk.account.jmap.upload(FILTER.encode(), "application/sieve")
    wish = {"create": {"new": {"name": "mine", "blobId": blob}}, "onSuccessActivateScript": "#new"}
    desk.account.jmap.call([("SieveScript/set", wish)], [CORE, SIEVE])
    assert scripts(desk) == {"mine": True}


def test_delivered_mail_is_answered_with_it_while_it_is_on(desk: HomeFolder, answering: tuple[Cyrus, Relay]) -> None:
    relay = answering[1]
    assert answer(desk, relay) is None
    text = "Ich bin weg.\n\nBis bald — Ute\n"
    desk.write("away.txt", text)
    desk.run("jmapsync", "vacation", "on", "--file", "away.txt", "--subject", "Im Urlaub")
    found = answer(desk, relay)
    assert found is not None
    assert found["Subject"] == "Im Urlaub"
    assert found.get_content().replace("\r\n", "\n").strip() == text.strip()
    assert "vacation reply: on, read" in desk.run("jmapsync", "status")
    desk.run("jmapsync", "vacation", "off")
    assert answer(desk, relay) is None
    desk.run("jmapsync", "vacation", "on")
    again = answer(desk, relay)
    assert again is not None
    assert again["Subject"] == "Im Urlaub"


def test_a_subject_that_it_cannot_write_is_refused_with_advice(desk: HomeFolder) -> None:
    said = desk.run("jmapsync", "vacation", "on", "--subject", 'Im "Urlaub"', code=1)
    assert "Try it without quotation marks" in said
    assert scripts(desk).get(VACATION) is not True


def test_both_forms_of_the_text_are_sent(desk: HomeFolder, answering: tuple[Cyrus, Relay]) -> None:
    desk.write("away.txt", "plain\n")
    desk.write("away.html", "<p>rich</p>\n")
    desk.run("jmapsync", "vacation", "on", "--file", "away.txt", "--html", "away.html")
    found = answer(desk, answering[1])
    assert found is not None
    assert [(part.get_content_type(), part.get_content().strip()) for part in found.iter_parts()] == [
        ("text/plain", "plain"),
        ("text/html", "<p>rich</p>"),
    ]


def test_it_is_sent_within_its_times_only(desk: HomeFolder, answering: tuple[Cyrus, Relay]) -> None:
    now = datetime.now().astimezone()
    hour = timedelta(hours=1)
    begins, ends = (moment.strftime("%Y-%m-%d %H:%M:%S") for moment in (now - hour, now + hour))
    desk.run("jmapsync", "vacation", "on", "--from", begins, "--until", ends)
    assert answer(desk, answering[1]) is not None
    desk.run("jmapsync", "vacation", "--from", ends, "--until", "")
    assert "on, but not sent yet" in desk.run("jmapsync", "status")
    assert answer(desk, answering[1]) is None
    desk.run("jmapsync", "vacation", "--from", "", "--until", begins)
    assert "on, but not sent any more" in desk.run("jmapsync", "status")
    assert answer(desk, answering[1]) is None


def test_it_takes_the_place_of_a_filter_only_where_that_is_allowed(desk: HomeFolder, answering: tuple[Cyrus, Relay]) -> None:
    add_filter(desk)
    said = desk.run("jmapsync", "vacation", "on", code=1)
    assert "The Sieve script 'mine' is active." in said
    assert scripts(desk) == {"mine": True}
    assert answer(desk, answering[1]) is None
    assert len(desk.account.imap.messages("Junk")) == 1
    desk.run("jmapsync", "vacation", "--subject", "Weg")
    assert scripts(desk)["mine"] is True
    desk.run("jmapsync", "vacation", "on", "--replace-script")
    assert scripts(desk) == {"mine": False, VACATION: True}
    assert answer(desk, answering[1]) is not None
    assert "No Sieve script is active; yours: mine." in desk.run("jmapsync", "vacation", "off")


def test_what_another_client_wrote_is_shown_and_kept(desk: HomeFolder, answering: tuple[Cyrus, Relay]) -> None:
    wish = {"update": {"singleton": {"isEnabled": True, "subject": "Weg", "textBody": "theirs", "toDate": "2100-01-01T00:00:00Z"}}}
    desk.account.jmap.call([("VacationResponse/set", wish)], [CORE, MAIL, VACATION])
    assert "theirs" in desk.run("jmapsync", "vacation")
    desk.run("jmapsync", "vacation", "off")
    desk.run("jmapsync", "vacation", "on")
    [found] = desk.account.jmap.call([("VacationResponse/get", {"ids": ["singleton"]})], [CORE, MAIL, VACATION])
    [held] = found["list"]
    assert (held["isEnabled"], held["subject"], held["textBody"], held["toDate"]) == (True, "Weg", "theirs", "2100-01-01T00:00:00Z")


@pytest.mark.parametrize("cyrus", ["3.6"], indirect=True)
def test_debians_cyrus_3_6_dies_of_the_question_and_is_mirrored_all_the_same(account: Account, tmp_path: Path) -> None:
    desk = HomeFolder.set_up(tmp_path, account)
    desk.run("jmapsync", "sync")
    assert "jmapsync: " in desk.run("jmapsync", "vacation", code=1)
    desk.run("jmapsync", "sync")
