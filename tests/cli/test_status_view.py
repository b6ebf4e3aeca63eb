"""Test the texts of progress and of `status --watch` at 40, 80 and 200 columns."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from jmapsync.app.health import AccountHealth, KindHealth
from jmapsync.cli.figures import cells, progress_line
from jmapsync.cli.status_view import account_lines, plain, wrapped
from jmapsync.cli.status_watch import screen
from jmapsync.errors import ExitCode
from jmapsync.sync.report import Problem

NOW = datetime(2026, 11, 30, 12, 5, 0, tzinfo=UTC)
EARLIER = datetime(2026, 11, 30, 11, 59, 58, tzinfo=UTC)
FETCHING: dict[str, Any] = {
    "kind": "mail",
    "what": "fetching mail",
    "done": 10_661,
    "of": 20_000,
    "bytes": 106_600_000,
    "of_bytes": 200_000_000,
    "per_second": 812.3,
    "bytes_per_second": 8_100_000,
    "seconds": 13,
    "seconds_left": 11,
}
LISTING = FETCHING | {"what": "listing mail", "of": 0, "bytes": 0, "of_bytes": 0, "seconds_left": None}
CONNECTING = LISTING | {"kind": "", "what": "connecting", "done": 0}
LONG = "alice-with-a-rather-long-name.example"


@pytest.mark.parametrize(
    ("columns", "name", "figures", "expected"),
    [
        (39, "home", CONNECTING, "home: connecting 0:13"),
        (39, "home", LISTING, "home: listing mail 10,661 812/s"),
        (39, "home", FETCHING, "home: fetching mail 10,661/20,000 0:11"),
        (39, LONG, FETCHING, "alice-with-a-…: mail 10,661/20,000 0:11"),
        (79, "home", FETCHING, "home: fetching mail  ━━━━─────  10,661/20,000  106.6/200.0 MB  812/s  0:11 left"),
        (
            199,
            "home",
            FETCHING,
            f"home: fetching mail  {'━' * 21}{'─' * 19}  10,661/20,000  106.6/200.0 MB  812/s  8.1 MB/s  0:11 left",
        ),
    ],
)
def test_a_line_of_progress_has_what_there_is_room_for(columns: int, name: str, figures: dict[str, Any], expected: str) -> None:
    assert progress_line(name, figures, columns) == expected


@pytest.mark.parametrize("columns", range(24, 120, 5))
@pytest.mark.parametrize("name", ["home", LONG, "家" * 30])
def test_a_line_of_progress_never_exceeds_the_terminal(columns: int, name: str) -> None:
    for figures in (CONNECTING, LISTING, FETCHING, FETCHING | {"done": 123_456_789, "of": 987_654_321, "seconds_left": 98_765}):
        assert cells(progress_line(name, figures, columns)) <= columns


def _live(**more: object) -> dict[str, Any]:
    return {
        "standing": "at work",
        "why": "",
        "next_poll": "2026-11-30T12:13:00+00:00",
        "push": {"mode": "websocket", "connected": True, "why": ""},
        "watch": {"mode": "inotify", "why": ""},
        "progress": [FETCHING],
        "faults": [],
        **more,
    }


def _synced(count: int, **more: Any) -> KindHealth:  # noqa: ANN401  # fields of several types
    return KindHealth(last_run=EARLIER, last_state="synced", last_success=EARLIER, here=count, on_server=count, **more)


PULLING = AccountHealth(
    "home",
    running=True,
    live=_live(),
    kinds={
        "mail": KindHealth(here=10_661, on_server=20_000, waiting=9_339),
        "contacts": _synced(1203, problems=[Problem("a.vcf", "no name")], conflicts=2),
        "calendars": KindHealth(),
    },
)
REFUSED = AccountHealth(
    "work",
    running=True,
    live=_live(
        standing="needs sign-in",
        why="The server mail.example.com refuses the password. Sign in with: jmapsync login work",
        push={"mode": "poll", "connected": False, "why": "no connection"},
        progress=[],
    ),
    kinds={"mail": _synced(12, suspended="Too many deletions: 30 of 40 messages.", last_code=ExitCode.SUSPENDED)},
)


def _text(health: AccountHealth, columns: int) -> str:
    return "".join(
        f"{''.join(segment.text for segment in part)}\n"
        for line in account_lines(health, columns, NOW)
        for part in wrapped(line, columns)
    )


def test_a_running_pull_at_40_columns() -> None:
    assert (
        _text(PULLING, 40)
        == """\
home: synchronizing  push: websocket
  disk: inotify  next poll 12:13:00
  fetching mail 10,661/20,000 0:11 left
    10,661 here, 20,000 on the server
  contacts: synced  1,203
    last sync 11:59:58  1 quarantined
    2 in conflict
  calendars: never synchronized
"""
    )


def test_a_running_pull_at_80_columns() -> None:
    assert (
        _text(PULLING, 80)
        == """\
home: synchronizing  push: websocket  disk: inotify  next poll 12:13:00
  fetching mail  ━━━━━━━───────  10,661/20,000  106.6/200.0 MB  812/s  0:11 left
    10,661 here, 20,000 on the server
  contacts: synced  1,203  last sync 11:59:58  1 quarantined  2 in conflict
  calendars: never synchronized
"""
    )


def test_a_running_pull_at_200_columns() -> None:
    bar = "━━━━━━━━━━━━━━━━━━━━━───────────────────"
    assert (
        _text(PULLING, 200)
        == f"""\
home: synchronizing  push: websocket  disk: inotify  next poll 12:13:00
  fetching mail  {bar}  10,661/20,000  106.6/200.0 MB  812/s  8.1 MB/s  0:11 left
    10,661 here, 20,000 on the server
  contacts: synced  1,203  last sync 11:59:58  1 quarantined  2 in conflict
  calendars: never synchronized
"""
    )


def test_what_needs_a_person_at_40_columns() -> None:
    assert (
        _text(REFUSED, 40)
        == """\
work: needs sign-in
  The server mail.example.com refuses
  the password. Sign in with: jmapsync
  login work  push: no connection
  disk: inotify  next poll 12:13:00
  mail: suspended  12
    last sync 11:59:58
    Too many deletions: 30 of 40
      messages.
"""
    )


def test_a_run_of_sync_and_an_idle_account() -> None:
    run = AccountHealth("home", running=True, run={"process": 4711, "progress": [CONNECTING]}, kinds={"mail": KindHealth()})
    assert _text(run, 80) == "home: synchronizing  process 4711\n  connecting  0:13\n  mail: never synchronized\n"
    assert _text(AccountHealth("home"), 80) == "home: idle  no daemon\n"


QUOTAS = {
    "at": 1_796_000_000,
    "quotas": [
        {"used": 4_100_000_000, "limit": 15_000_000_000, "text": "4.1 GB of 15 GB used (27%)", "near": False},
        {"used": 980, "limit": 1000, "text": "980 of 1,000 messages used (98%) (mail); nearly full", "near": True},
        {"used": None, "limit": "1", "text": "not known", "near": False},
    ],
}


def test_quotas_have_a_bar_where_their_figures_are_known() -> None:
    health = AccountHealth("home", seen={"quota": QUOTAS})
    assert (
        _text(health, 40)
        == """\
home: idle  no daemon
  quota:  ━━────────
    4.1 GB of 15 GB used (27%)
  quota:  ━━━━━━━━━─
    980 of 1,000 messages used (98%)
    (mail); nearly full
  quota:  not known
"""
    )
    assert "  quota:  ━━────────  4.1 GB of 15 GB used (27%)\n" in _text(health, 80)


def test_foreign_text_is_escaped() -> None:
    health = AccountHealth("home", error="line\n\x1b[31mred")
    assert plain(account_lines(health, 80, NOW)[-1]) == "  line\\n\\x1b[31mred"


def test_where_there_is_no_room_for_all_the_urgent_ones_come_first() -> None:
    many = [AccountHealth(f"a{number}", kinds={"mail": _synced(3)}) for number in range(20)]
    shown = ["".join(segment.text for segment in line) for line in screen([*many, REFUSED], 80, 10, NOW)]
    assert len(shown) == 10
    assert shown[0].startswith("work: needs sign-in")
    assert shown[-1] == "… 36 more lines: jmapsync status"
