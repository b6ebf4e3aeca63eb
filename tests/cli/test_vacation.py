"""`jmapsync vacation`: the vacation reply is shown and changed, and `status` shows it while it is on."""

from __future__ import annotations

import dataclasses
import io
import json
import sys
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.demo import CYRUS_36, CYRUS_312, RFC, STALWART, Answer, DemoServer, MethodError, SetError
from jmapsync.demo.dialect import JAMES
from jmapsync.jmap import exchange
from tests.cli.conftest import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Command, Home, Result


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[DemoServer]:
    """A server of a dialect, with an empty account; `home` is its user's."""
    with DemoServer(user="alice", password=SECRET, dialect=getattr(request, "param", RFC)) as running:
        yield running


@pytest.fixture(autouse=True)
def _zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The local zone of the tests, an hour or two ahead of UTC."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


everywhere = pytest.mark.parametrize("server", [RFC, STALWART, CYRUS_312, JAMES], ids=lambda dialect: dialect.name, indirect=True)


@everywhere
def test_is_switched_on_with_a_text_and_times_of_the_local_zone(jmapsync: Command, home: Home, server: DemoServer) -> None:
    (home.path / "away.txt").write_text("Ich bin weg.\nBis bald — Ute\n")
    done = jmapsync(
        *("vacation", "home", "on", "--file", str(home.path / "away.txt"), "--subject", "Im Urlaub"),
        *("--from", "2030-07-01", "--until", "2030-12-24"),
    )
    assert (done.code, done.err) == (0, "")
    held = server.account.vacation
    assert (held["isEnabled"], held["subject"], held["textBody"]) == (True, "Im Urlaub", "Ich bin weg.\nBis bald — Ute\n")
    assert (held["fromDate"], held["toDate"]) == ("2030-06-30T22:00:00Z", "2030-12-24T23:00:00Z")
    assert done.out == (
        "home: vacation reply on, but not sent yet: it begins 2030-07-01 00:00, until 2030-12-25 00:00\n"
        "  from     2030-07-01 00:00\n"
        "  until    2030-12-25 00:00\n"
        "  subject  Im Urlaub\n"
        "  text\n"
        "    Ich bin weg.\n"
        "    Bis bald — Ute\n"
    )
    assert jmapsync("vacation").out == done.out


@everywhere
def test_what_is_not_given_is_kept(jmapsync: Command, server: DemoServer) -> None:
    held = {"isEnabled": True, "fromDate": "2020-01-01T00:00:00Z", "toDate": None, "subject": "Weg"}
    held |= {"textBody": "a", "htmlBody": "<b>a</b>"}
    server.account.vacation |= held
    assert jmapsync("vacation", "off").code == 0
    assert server.account.vacation | {"isEnabled": True, "toDate": None} == {"id": "singleton", **held}
    assert server.account.vacation["isEnabled"] is False
    assert jmapsync("vacation", "--subject", "Fort").code == 0
    assert (server.account.vacation["isEnabled"], server.account.vacation["subject"]) == (False, "Fort")
    assert jmapsync("vacation", "on").code == 0
    assert server.account.vacation | {"toDate": None} == {"id": "singleton", **held, "subject": "Fort"}


@everywhere
def test_an_empty_value_removes(jmapsync: Command, server: DemoServer) -> None:
    server.account.vacation |= {"fromDate": "2020-01-01T00:00:00Z", "toDate": "2021-01-01T00:00:00Z"}
    server.account.vacation |= {"subject": "x", "htmlBody": "y"}
    done = jmapsync("vacation", "on", "--subject", "", "--from", "", "--until", "", "--no-html")
    assert done.code == 0
    held = server.account.vacation
    assert [held.get(name) for name in ("fromDate", "toDate", "subject", "htmlBody")] == [None] * 4
    assert done.out.startswith("home: vacation reply on\n  subject  (the server's own)\n")


def test_a_new_text_keeps_the_html_and_says_so(
    jmapsync: Command, home: Home, server: DemoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.account.vacation |= {"textBody": "old", "htmlBody": "<p>old</p>"}
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"new\n")))
        done = jmapsync("vacation", "on", "--file", "-")
    assert (server.account.vacation["textBody"], server.account.vacation["htmlBody"]) == ("new\n", "<p>old</p>")
    assert "--no-html removes it" in done.err
    (home.path / "new.html").write_text("<p>new</p>")
    done = jmapsync("vacation", "--html", str(home.path / "new.html"))
    assert (server.account.vacation["textBody"], server.account.vacation["htmlBody"], done.err) == ("new\n", "<p>new</p>", "")


@pytest.mark.parametrize(
    ("begins", "ends", "said"),
    [
        (None, None, "on"),
        (None, "2020-01-01T00:00:00Z", "on, but not sent any more: it ended 2020-01-01 01:00"),
        ("2100-01-01T00:00:00Z", None, "on, but not sent yet: it begins 2100-01-01 01:00"),
        ("2020-01-01T00:00:00Z", "2100-07-01T00:00:00Z", "on, until 2100-07-01 02:00"),
        (
            "2100-01-01T00:00:00Z",
            "2020-01-01T00:00:00Z",
            "on, but never sent: it ends 2020-01-01 01:00, before it begins 2100-01-01 01:00",
        ),
    ],
)
def test_status_says_whether_it_is_sent_now(
    jmapsync: Command, server: DemoServer, begins: str | None, ends: str | None, said: str
) -> None:
    server.account.vacation |= {"isEnabled": True, "fromDate": begins, "toDate": ends, "subject": "Weg"}
    assert jmapsync("sync").code == 0
    server.stop()
    assert f"  vacation reply: {said}, read 20" in jmapsync("status").out
    reported = json.loads(jmapsync("status", "--json").out)["accounts"]["home"]["vacation"]
    assert (reported["enabled"], reported["from"], reported["until"], reported["subject"]) == (True, begins, ends, "Weg")
    assert (reported["state"], reported["error"]) == (said, None)
    assert reported["seen"].endswith("+00:00")


def test_status_shows_what_the_command_saw_and_nothing_while_it_is_off(jmapsync: Command, server: DemoServer) -> None:
    jmapsync("sync")
    assert "vacation" not in jmapsync("status").out
    jmapsync("vacation", "on")
    assert "  vacation reply: on, read" in jmapsync("status").out
    jmapsync("vacation", "off")
    assert "vacation" not in jmapsync("status").out
    server.account.vacation["isEnabled"] = True
    jmapsync("sync", "--full")
    assert "  vacation reply: on, read" in jmapsync("status").out


FEW_CALLS = dataclasses.replace(RFC, limits=dataclasses.replace(RFC.limits, max_calls_in_request=6))


def made_older(home: Home, seconds: int) -> dict[str, Any]:
    """Have what was read of the server been read so much earlier; return what is stored."""
    file = home.state / "server.json"
    seen: dict[str, Any] = json.loads(file.read_text())
    for one in seen.values():
        one["at"] -= seconds
    file.write_text(json.dumps(seen))
    return seen


def requests_of(done: Result) -> int:
    return int(json.loads(done.out)["accounts"]["home"]["requests"])


def test_is_read_now_and_then_and_the_quotas_by_each_run_with_its_first_request(
    jmapsync: Command, home: Home, server: DemoServer
) -> None:
    jmapsync("sync")
    for _ in range(2):
        server.requests.clear()
        assert requests_of(jmapsync("sync", "--json")) == 1
        assert (server.requests.count("VacationResponse/get"), server.requests.count("Quota/get")) == (0, 1)
    made_older(home, 1000)
    server.account.vacation["isEnabled"] = True
    server.requests.clear()
    assert requests_of(jmapsync("sync", "--json")) == 1
    assert (server.requests.count("VacationResponse/get"), server.requests.count("Quota/get")) == (1, 1)
    assert "vacation reply: on" in jmapsync("status").out


@pytest.mark.parametrize("server", [FEW_CALLS], ids=["few calls"], indirect=True)
def test_a_server_that_takes_few_calls_is_asked_for_them_by_themselves(jmapsync: Command, home: Home, server: DemoServer) -> None:
    jmapsync("sync")
    assert requests_of(jmapsync("sync", "--json")) == 1
    made_older(home, 1000)
    server.requests.clear()
    assert requests_of(jmapsync("sync", "--json")) == 3
    assert (server.requests.count("VacationResponse/get"), server.requests.count("Quota/get")) == (1, 1)


@pytest.mark.parametrize("what", ["Quota/get", "VacationResponse/get"])
def test_a_server_that_fails_at_either_delays_no_mail(
    jmapsync: Command, monkeypatch: pytest.MonkeyPatch, home: Home, server: DemoServer, what: str
) -> None:
    """It answers 503, and 290 seconds later again: whoever waited for that would wait for five minutes."""
    monkeypatch.setattr(exchange, "_SHORT_PAUSE", 0.1)
    jmapsync("sync")
    made_older(home, 1000)
    server.faults.answer.arm(Answer.unavailable("290"), only=[what])
    server.account.deliver(b"Subject: in time\r\n\r\nbody\r\n")
    (home.mail / "INBOX/new/mine").write_bytes(b"Subject: mine\n\nmine\n")
    began = time.monotonic()
    assert jmapsync("sync").code == 0
    assert time.monotonic() - began < 200
    assert any(b"in time" in file.read_bytes() for file in (home.mail / "INBOX/new").iterdir())
    assert any(b"Subject: mine" in server.account.raw(ref) for ref in server.account.emails)
    name = "quota" if what == "Quota/get" else "vacation reply"
    assert f"  {name}: not known: " in jmapsync("status").out
    assert "asks for a pause of 290 seconds" in jmapsync("status").out

    # it is asked again after a quarter of an hour, by itself, then after half an hour
    server.requests.clear()
    assert requests_of(jmapsync("sync", "--json")) == 1
    assert server.requests.count(what) == 0
    made_older(home, 1000)
    fired = server.faults.answer.fired
    assert requests_of(jmapsync("sync", "--json")) == 2
    assert server.faults.answer.fired == fired + 1
    made_older(home, 1000)
    assert requests_of(jmapsync("sync", "--json")) == 1
    server.faults.clear()
    made_older(home, 1000)
    assert requests_of(jmapsync("sync", "--json")) == 2
    assert "not known" not in jmapsync("status").out


@pytest.mark.parametrize(
    "stored", [b"", b"[]", b"\xff", b'{"vacation": {"at": 1}, "quota": {"at": 1, "quotas": [1]}}', b'{"quota": 1}']
)
def test_a_malformed_note_of_what_was_seen_is_as_none(jmapsync: Command, home: Home, stored: bytes) -> None:
    jmapsync("sync")
    (home.state / "server.json").write_bytes(stored)
    assert jmapsync("status").code == 0
    assert jmapsync("sync").code == 0
    assert json.loads((home.state / "server.json").read_text()).keys() == {"quota", "vacation"}


@pytest.mark.parametrize("server", [CYRUS_36], ids=["cyrus36"], indirect=True)
def test_a_server_that_dies_of_the_question_hinders_no_run_and_is_asked_again_after_a_pause(
    jmapsync: Command, home: Home, server: DemoServer
) -> None:
    """As Debian's Cyrus 3.6.1 does."""
    assert jmapsync("sync").code == 0
    assert jmapsync("status").code == 0
    seen = json.loads((home.state / "server.json").read_text())
    assert seen["vacation"]["failures"] == 1
    for seconds, requests, failures in ((600, 1, 1), (600, 2, 2), (1200, 1, 2), (1200, 2, 3)):
        made_older(home, seconds)
        assert requests_of(jmapsync("sync", "--json")) == requests
        seen = json.loads((home.state / "server.json").read_text())
        assert seen["vacation"]["failures"] == failures
    assert json.loads(jmapsync("status", "--json").out)["accounts"]["home"]["vacation"]["error"]
    done = jmapsync("vacation", "on")
    assert done.code == 1
    assert done.err.startswith("jmapsync: ")


def test_a_server_without_it_says_so(jmapsync: Command, server: DemoServer) -> None:
    server.faults.hidden_capabilities.arm(["urn:ietf:params:jmap:vacationresponse"])
    done = jmapsync("vacation", "on")
    assert (done.code, done.err) == (1, f"jmapsync: {server.url.split('/')[2]} offers no vacation reply.\n")
    server.faults.hidden_capabilities.disarm()
    server.faults.method_error.arm(MethodError("unknownMethod"), only=["VacationResponse/get"])
    assert "lists vacation replies among what it offers, and has none" in jmapsync("vacation").err


def test_a_refusal_is_shown_and_a_change_by_another_client_is_not_overwritten(jmapsync: Command, server: DemoServer) -> None:
    server.faults.set_error.arm(SetError("forbidden", "not today"), times=1, only=["VacationResponse/set"])
    done = jmapsync("vacation", "on")
    assert (done.code, done.err) == (1, "jmapsync: The server does not change the vacation reply (forbidden not today).\n")

    def slip_in() -> None:
        server.account.vacation = {**server.account.vacation, "subject": "theirs"}
        server.account.record("VacationResponse", "singleton")

    server.faults.before_call.arm(slip_in, times=1, only=["VacationResponse/set"])
    assert jmapsync("vacation", "on").code == 0
    assert (server.account.vacation["isEnabled"], server.account.vacation["subject"]) == (True, "theirs")


def test_a_server_that_keeps_something_else_is_reported(jmapsync: Command, server: DemoServer) -> None:
    server.faults.drop_properties.arm(["subject"], only=["VacationResponse"])
    server.faults.after_call.arm(lambda: server.account.vacation.update(subject=None), times=1, only=["VacationResponse/set"])
    done = jmapsync("vacation", "on", "--subject", "Weg")
    assert done.code == 1
    assert "holds another subject than it was sent" in done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--from", "tomorrow"), "--from 'tomorrow' is not a time such as 2026-12-24"),
        (
            ("--from", "2030-01-02", "--until", "2030-01-01T12:00"),
            "would end (2030-01-01 12:00) before it begins (2030-01-02 00:00)",
        ),
        (("--until", "9999-12-31"), "is not a time"),
        (("--subject", "Away\nBcc: x@example.com"), "it cannot have a line break"),
        (("--file", "/nowhere"), "/nowhere cannot be read"),
        (("show", "--subject", "x"), "show changes nothing"),
        (("--html", "x", "--no-html"), "exclude each other"),
        (("away",), "There is no account 'away'"),
        (("home", "work", "on"), "at most one account"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error_and_changes_nothing(
    jmapsync: Command, server: DemoServer, arguments: tuple[str, ...], said: str
) -> None:
    before = dict(server.account.vacation)
    done = jmapsync("vacation", *arguments)
    assert done.code == 2
    assert said in done.err
    assert server.account.vacation == before


def test_days_of_a_change_to_summer_time_begin_and_end_in_the_local_zone(jmapsync: Command, server: DemoServer) -> None:
    for given, begins, ends in (
        ("2030-03-31", "2030-03-30T23:00:00Z", "2030-03-31T22:00:00Z"),  # of 23 hours
        ("2030-10-27", "2030-10-26T22:00:00Z", "2030-10-27T23:00:00Z"),  # of 25
    ):
        assert jmapsync("vacation", "on", "--from", given, "--until", given).code == 0
        assert (server.account.vacation["fromDate"], server.account.vacation["toDate"]) == (begins, ends)
    jmapsync("vacation", "on", "--from", "2030-03-31T02:30", "--until", "")  # a time that no clock shows
    assert server.account.vacation["fromDate"] == "2030-03-31T01:30:00Z"


def test_a_year_of_three_digits_is_written_with_four(jmapsync: Command, server: DemoServer) -> None:
    assert jmapsync("vacation", "on", "--from", "0999-01-02T12:00:00Z").code == 0
    assert server.account.vacation["fromDate"] == "0999-01-02T12:00:00Z"


def test_times_with_a_zone_of_their_own_are_taken_as_they_are(jmapsync: Command, server: DemoServer) -> None:
    jmapsync("vacation", "on", "--from", "2030-07-01T12:00:00-04:00", "--until", "2030-07-02T00:00:00Z")
    assert (server.account.vacation["fromDate"], server.account.vacation["toDate"]) == (
        "2030-07-01T16:00:00Z",
        "2030-07-02T00:00:00Z",
    )
    assert json.loads(jmapsync("vacation", "--json").out)["from"] == "2030-07-01T16:00:00Z"


def test_a_run_goes_on_where_neither_can_be_read(jmapsync: Command, server: DemoServer) -> None:
    server.faults.answer.arm(Answer.html(), only=["VacationResponse/get"])
    server.faults.method_error.arm(only=["Quota/get"])
    assert jmapsync("sync").code == 0
    assert json.loads(jmapsync("status", "--json").out)["accounts"]["home"]["quota"]["error"]


@pytest.mark.parametrize("server", [STALWART, CYRUS_312], ids=lambda dialect: dialect.name, indirect=True)
def test_it_takes_the_place_of_the_active_script_only_where_that_is_allowed(jmapsync: Command, server: DemoServer) -> None:
    scripts = server.account.scripts
    scripts.add("filters", "keep;\r\n", active=True)
    done = jmapsync("vacation", "on")
    assert done.code == 1
    assert "The Sieve script 'filters' is active." in done.err
    assert "allow this with --replace-script" in done.err
    assert scripts.active_name == "filters"
    assert "active Sieve script: filters" in jmapsync("vacation", "--subject", "Weg").out
    assert scripts.active_name == "filters"
    assert jmapsync("vacation", "on", "--replace-script").code == 0
    assert scripts.active_name in {"vacation", "urn:ietf:params:jmap:vacationresponse"}
    assert jmapsync("vacation", "on").code == 0
    assert "No Sieve script is active; yours: filters." in jmapsync("vacation", "off").err


@pytest.mark.parametrize("server", [CYRUS_312], ids=["cyrus312"], indirect=True)
def test_a_script_that_another_client_activates_switches_it_off(jmapsync: Command, server: DemoServer) -> None:
    jmapsync("vacation", "on")
    script = server.account.scripts.add("filters", "keep;\r\n")
    server.account.scripts.activate(script)
    assert jmapsync("vacation").out.startswith("home: vacation reply off\n")


def test_a_server_that_answers_in_another_way_leaves_scripts_alone(jmapsync: Command, server: DemoServer) -> None:
    server.account.scripts.add("filters", "keep;\r\n")
    assert jmapsync("vacation", "on").code == 0
    assert server.account.scripts.listing().keys() == {"filters"}
