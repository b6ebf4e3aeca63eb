"""What the server's quotas have no room for is not sent, is named with the figures, and goes by itself once there is room."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from jmapsync.demo import CYRUS_36, CYRUS_312, RFC, STALWART, DemoServer, SetError
from jmapsync.demo.dialect import JAMES
from jmapsync.kinds import CONTACTS, MAIL, SIEVE
from jmapsync.planner.model import NO_TAGS, NOTHING, Order, Side, Verb, Version
from jmapsync.sync.room import needs_room
from tests.kit.mirror import Mirror, assert_converges

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jmapsync.demo import Dialect
    from jmapsync.demo.problems import JsonObject
    from jmapsync.kinds import Kind
    from jmapsync.sync.report import KindReport

COUNTING = [RFC, CYRUS_312, JAMES]
"""The dialects that have quotas of messages."""
HIDING = dataclasses.replace(RFC, quota=None)
"""A server that has quotas and does not say so."""


class Client:
    """A server, its mirror, and a clock."""

    def __init__(self, dialect: Dialect, folder: Path) -> None:
        self.server = DemoServer(dialect=dialect).start()
        self.account = self.server.account
        self.now = 1_000_000.0
        self.mirror = Mirror(self.server.url, "demo", "demo", folder / "mail", folder / "state", clock=lambda: self.now)
        self.mirror.sync()

    def drop(self, subject: str, size: int = 1000) -> None:
        text = f"Subject: {subject}\nX: {subject}\n\n"
        self.mirror.drop("INBOX", f"{text}{'x' * 60}\n".encode() * 1 + b"y" * (size - len(text) - 61 - 4))

    def sync(self, **options: bool) -> KindReport:
        self.server.requests.clear()
        return self.mirror.sync(**options)

    def sent(self) -> int:
        """Return how many messages were sent by the last run, taken or not."""
        uploads = self.server.requests.count("upload")
        return uploads + sum(len(call.arguments["create"]) for call in self.server.requests.calls("Blob/upload"))


@pytest.fixture
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Client]:
    found = Client(getattr(request, "param", RFC), tmp_path)
    yield found
    found.server.stop()


def named(dialect: Dialect) -> str:
    return dialect.name


@pytest.mark.parametrize("client", [RFC, CYRUS_36, STALWART], ids=named, indirect=True)
class TestAQuotaOfOctets:
    def test_keeps_what_does_not_fit_from_being_sent_and_names_it_with_the_figures(self, client: Client) -> None:
        client.account.allowance.octets = 2500
        client.drop("one")
        client.drop("two")
        client.drop("three")
        report = client.sync()
        assert report.exit_code == 3
        [problem] = report.problems
        assert "waits for room on the server: it has 1.0 kB, and 500 octets are left" in problem.why
        assert "octets are left, 2.0 kB of 2.5 kB used (80%)" in problem.why
        assert problem.why.endswith("it is sent by itself when there is room")
        assert (len(client.account.emails), client.sent()) == (2, 2)

    def test_is_asked_for_once_a_run_and_nothing_is_sent_while_it_is_full(self, client: Client) -> None:
        client.account.allowance.octets = 100
        client.drop("one")
        client.sync()
        for _ in range(2):
            assert client.sync().exit_code == 3
            assert (client.sent(), client.server.requests.count("Quota/get")) == (0, 1)
            assert client.server.requests.count("Email/import") == 0

    def test_lets_it_go_once_there_is_room(self, client: Client) -> None:
        client.account.allowance.octets = 1500
        client.drop("one")
        client.sync()
        client.drop("two")
        assert client.sync().exit_code == 3
        [email] = client.account.emails
        client.account.destroy(email)
        client.sync()
        assert client.sync().exit_code == 0
        assert [client.account.raw(one)[:12] for one in client.account.emails] == [b"Subject: two"]

    def test_that_is_raised_lets_it_go(self, client: Client) -> None:
        client.account.allowance.octets = 100
        client.drop("one")
        assert client.sync().exit_code == 3
        client.account.allowance.octets = 5000
        assert client.sync().exit_code == 0
        assert_converges(client.account, client.mirror)
        assert len(client.account.emails) == 1

    def test_that_is_exceeded_already_takes_nothing_and_loses_nothing(self, client: Client) -> None:
        client.account.deliver(b"Subject: large\r\n\r\n" + b"x" * 9000)
        client.account.allowance.octets = 1000
        client.drop("one")
        report = client.sync()
        assert (report.exit_code, client.sent(), report.to_disk.created) == (3, 0, 1)
        assert "0 octets are left, 9.0 kB of 1.0 kB used (901%)" in report.problems[0].why
        assert len(client.mirror.files("INBOX")) == 2

    def test_leaves_a_smaller_message_its_place(self, client: Client) -> None:
        client.account.allowance.octets = 1500
        client.drop("large", 9000)
        client.drop("small", 1000)
        assert client.sync().exit_code == 3
        assert [client.account.raw(one)[:14] for one in client.account.emails] == [b"Subject: small"]


@pytest.mark.parametrize("client", COUNTING, ids=named, indirect=True)
def test_a_quota_of_messages_counts_them(client: Client) -> None:
    client.account.allowance.messages = 2
    for subject in ("one", "two", "three"):
        client.drop(subject)
    report = client.sync()
    [problem] = report.problems
    assert "waits for room on the server: 0 messages are left, 2 of 2 messages used (100%)" in problem.why
    assert (len(client.account.emails), client.sent()) == (2, 2)
    client.account.allowance.messages = 3
    assert client.sync().exit_code == 0


def test_the_tightest_of_several_quotas_decides(client: Client) -> None:
    client.account.allowance.octets, client.account.allowance.messages = 100_000, 1
    client.drop("one")
    client.drop("two")
    assert "1 message" in client.sync().problems[0].why


def test_a_quota_that_is_for_other_things_or_says_too_little_keeps_nothing(client: Client) -> None:
    quotas: list[JsonObject] = [
        {"types": ["CalendarEvent"], "resourceType": "octets", "used": 10, "hardLimit": 10},
        {"types": ["Mailbox"], "resourceType": "count", "used": 10, "hardLimit": 10},
        {"types": ["Email"], "resourceType": "octets", "hardLimit": 10},
        {"types": ["Email"], "resourceType": "octets", "used": 10},
        {"types": ["Email"], "resourceType": "octets", "used": 10, "hardLimit": None, "softLimit": 10, "warnLimit": 5},
        {"types": ["Email"], "resourceType": "octets", "used": -5, "hardLimit": 10},
        {"types": ["Email"], "resourceType": "octets", "used": "10", "hardLimit": True},
        {"types": ["Email"], "resourceType": "doublons", "used": 10, "hardLimit": 10},
        {"types": ["Email"]},
    ]
    client.account.allowance.shown = [{"id": f"q{number}", **quota} for number, quota in enumerate(quotas)]
    client.drop("one")
    assert client.sync().exit_code == 0
    assert len(client.account.emails) == 1


def test_a_quota_of_the_domain_or_for_everything_counts_too(client: Client) -> None:
    client.drop("one")
    for types in (["Email"], ["Mail"], ["mail", "Calendar"], [], None):
        for scope in ("account", "domain", "global", None):
            client.account.allowance.shown = [
                {"id": "q", "types": types, "scope": scope, "resourceType": "octets", "used": 10.0, "hardLimit": 10}
            ]
            assert (client.sync().exit_code, client.sent()) == (3, 0), (types, scope)


@pytest.mark.parametrize("client", [HIDING, RFC], ids=["without figures", "with wrong figures"], indirect=True)
class TestAServerThatRefuses:
    @pytest.fixture(autouse=True)
    def full(self, client: Client) -> None:
        client.account.allowance.octets = 100
        client.account.allowance.shown = [{"id": "q", "resourceType": "octets", "used": 1, "hardLimit": 10_000, "types": ["Email"]}]
        client.drop("one")
        client.drop("two")

    def test_is_not_asked_again_before_an_hour_has_passed(self, client: Client) -> None:
        report = client.sync()
        assert (report.exit_code, client.sent()) == (3, 2)
        assert "overQuota" in report.problems[0].why
        for _ in range(2):
            client.now += 600
            report = client.sync()
            assert (report.exit_code, client.sent()) == (3, 0)
            assert "it refused 1.0 kB for its quota (overQuota; " in report.problems[0].why
        client.now += 3600
        assert (client.sync().exit_code, client.sent()) == (3, 1)
        client.now += 600
        assert (client.sync().exit_code, client.sent()) == (3, 0)

    def test_is_sent_everything_again_once_it_takes_one(self, client: Client) -> None:
        client.sync()
        client.account.allowance.octets = 100_000
        client.now += 4000
        assert client.sync().exit_code == 0
        assert len(client.account.emails) == 2

    def test_is_sent_at_once_what_a_person_asks_for(self, client: Client) -> None:
        client.sync()
        client.account.allowance.octets = 100_000
        assert client.sync(full=True).exit_code == 0

    def test_is_sent_what_is_smaller_than_that(self, client: Client) -> None:
        client.sync()
        client.drop("small", 90)
        client.sync()
        assert [client.account.raw(one)[:14] for one in client.account.emails] == [b"Subject: small"]


def test_figures_that_grow_make_another_try_at_once(client: Client) -> None:
    client.account.allowance.octets = 100
    client.account.allowance.shown = [{"id": "q", "resourceType": "octets", "used": 1, "hardLimit": 10_000, "types": ["Email"]}]
    client.drop("one")
    client.sync()
    client.account.allowance.octets = None
    client.account.allowance.shown[0]["hardLimit"] = 20_000
    assert client.sync().exit_code == 0


def test_a_quota_that_cannot_be_read_keeps_nothing(client: Client) -> None:
    client.server.faults.method_error.arm(only=["Quota/get"])
    client.drop("one")
    assert client.sync().exit_code == 0


def test_an_edited_message_needs_room_as_a_new_one_does(client: Client) -> None:
    client.drop("one")
    client.sync()
    [email] = client.account.emails
    client.account.allowance.octets = 1500
    [file] = client.mirror.files("INBOX")
    file.write_bytes(file.read_bytes().replace(b"xxxx", b"zzzz"))
    report = client.sync()
    assert (report.exit_code, list(client.account.emails), client.sent()) == (3, [email], 0)
    client.account.allowance.octets = 5000
    assert client.sync().exit_code == 0
    assert b"zzzz" in b"".join(map(client.account.raw, client.account.emails))


def test_what_the_server_sends_needs_no_room_there(client: Client) -> None:
    client.account.allowance.octets = 10
    client.account.deliver(b"Subject: theirs\r\n\r\nbody\r\n")
    assert client.sync().exit_code == 0
    assert client.server.requests.count("Quota/get") == 1, "with the first request"
    assert client.server.requests.count("api") == 2


def test_a_restore_names_what_does_not_fit_and_restores_the_rest(client: Client) -> None:
    for subject in ("one", "two", "three"):
        client.drop(subject)
    client.sync()
    for email in list(client.account.emails):
        client.account.destroy(email)
    client.account.allowance.octets = 2500
    client.server.requests.clear()
    restored = client.mirror.restore()
    assert (len(client.account.emails), client.sent(), len(restored.report.problems)) == (2, 2, 1)
    assert restored.report.exit_code == 3
    assert "waits for room on the server" in restored.report.problems[0].why
    client.account.allowance.octets = 5000
    assert client.mirror.restore().report.exit_code == 0
    assert len(client.account.emails) == 3


def test_a_change_of_keywords_that_is_refused_for_the_quota_is_tried_every_hour(client: Client) -> None:
    client.drop("one")
    client.sync()
    client.server.faults.set_error.arm(SetError("overQuota"), only=["Email/set"])
    client.mirror.flag(client.mirror.files("INBOX")[0], "F")
    assert client.sync().exit_code == 3
    client.now += 600
    assert (client.sync().exit_code, client.server.requests.count("Email/set")) == (3, 0)
    client.server.faults.set_error.disarm()
    client.now += 3600
    assert client.sync().exit_code == 0


@pytest.mark.parametrize(
    ("kind", "verb", "needs"),
    [
        (MAIL, Verb.CREATE, True),
        (MAIL, Verb.REPLACE, True),
        (MAIL, Verb.UPDATE, False),
        (CONTACTS, Verb.CREATE, True),
        (CONTACTS, Verb.REPLACE, False),
        (SIEVE, Verb.CREATE, False),
    ],
)
def test_what_makes_something_new_on_the_server_needs_room(kind: Kind, verb: Verb, *, needs: bool) -> None:
    source = None if verb is Verb.UPDATE else Version("body")
    order = Order(Side.REMOTE, verb, 1, None, source, NO_TAGS, NOTHING, "")
    assert needs_room(kind, order) is needs
    assert not needs_room(kind, replace(order, side=Side.LOCAL))
    assert not needs_room(kind, None)
