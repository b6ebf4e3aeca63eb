"""Work that stays stale is quarantined by name and tried again with back-off; it is released when it is done, or moot."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import SetError
from tests.kit.mirror import assert_converges
from tests.kit.object_mirror import ObjectMirror, change
from tests.sync.objects.samples import ADA, WEEKLY

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.demo import DemoServer
    from jmapsync.demo.problems import JsonObject
    from jmapsync.sync.report import KindReport
    from tests.kit.mirror import Mirror

MESSAGE = b"From: Ada <ada@example.com>\r\nSubject: engines\r\n\r\nx\r\n"


def once(mirror: Mirror) -> tuple[KindReport, int]:
    report = mirror.sync()
    return report, mirror.requests


def assert_quarantined(report: KindReport, *words: str) -> None:
    assert (report.exit_code, report.state.value, len(report.problems)) == (3, "synced", 1), report
    reported = f"{report.problems[0].item}: {report.problems[0].why}"
    assert all(word in reported for word in (*words, "tried again later")), reported


@pytest.mark.parametrize("error", ["notFound", "willDestroy"])
def test_a_flag_that_the_server_never_takes_is_quarantined_and_costs_one_request_a_run(
    server: DemoServer, mirror: Mirror, error: str
) -> None:
    server.account.deliver(MESSAGE)
    mirror.sync()
    mirror.flag(mirror.files()[0], "F")
    server.faults.set_error.arm(SetError(error, "no such thing"), only=["Email/set"])
    report, _ = once(mirror)
    assert_quarantined(report, error)
    for _ in range(2):
        report, requests = once(mirror)
        assert_quarantined(report, error)
        assert requests == 1
    server.faults.clear()
    report, requests = once(mirror)
    assert (report.exit_code, requests) == (3, 1), "its time has not come"
    mirror.clock = lambda: time.time() + 400
    report = mirror.sync()
    assert (report.exit_code, report.to_server.updated) == (0, 1)
    assert_converges(server.account, mirror)


def test_the_pauses_grow_to_an_hour(server: DemoServer, mirror: Mirror) -> None:
    server.account.deliver(MESSAGE)
    mirror.sync()
    mirror.flag(mirror.files()[0], "F")
    server.faults.set_error.arm(SetError("notFound"), only=["Email/set"])
    start, tried = time.time(), []
    for minute in range(0, 240, 5):
        mirror.clock = lambda minute=minute: start + 60 * minute  # type: ignore[misc]
        if once(mirror)[1] > 1:
            tried.append(minute)
    pauses = [later - earlier for earlier, later in itertools.pairwise(tried)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (5, 60)
    assert len(tried) < 10


def test_it_is_released_when_a_full_run_can_do_it(server: DemoServer, mirror: Mirror) -> None:
    server.account.deliver(MESSAGE)
    mirror.sync()
    mirror.flag(mirror.files()[0], "F")
    server.faults.set_error.arm(SetError("notFound"), only=["Email/set"])
    mirror.sync()
    server.faults.clear()
    assert mirror.sync(full=True).exit_code == 0


def test_it_is_released_when_the_flag_is_taken_back(server: DemoServer, mirror: Mirror) -> None:
    server.account.deliver(MESSAGE)
    mirror.sync()
    file = mirror.flag(mirror.files()[0], "F")
    server.faults.set_error.arm(SetError("notFound"), only=["Email/set"])
    assert mirror.sync().exit_code == 3
    mirror.flag(file, "")
    report, requests = once(mirror)
    assert (report.exit_code, report.problems, requests) == (0, [], 1)


def test_a_flag_on_a_message_that_is_gone_follows_the_message(server: DemoServer, mirror: Mirror) -> None:
    """The list of changes leaves it out, as Stalwart's of shared accounts does; what the server says of the id is believed."""
    for number in range(8):
        server.account.deliver(MESSAGE.replace(b"engines", f"engines {number}".encode()))
    mirror.sync()
    file = mirror.files()[0]
    server.faults.omit_destroyed.arm()
    gone = next(
        one.id for one in server.account.emails.values() if server.account.raw(one.id).replace(b"\r", b"") == file.read_bytes()
    )
    server.account.destroy(gone)
    mirror.flag(file, "F")
    mirror.sync()
    report, requests = once(mirror)
    assert (report.exit_code, requests) == (0, 1)
    server.faults.clear()
    assert_converges(server.account, mirror)


def test_a_folder_that_is_never_in_the_expected_state_is_quarantined(server: DemoServer, mirror: Mirror) -> None:
    mirror.sync()
    for sub in ("cur", "new", "tmp"):
        (mirror.folder("Plans") / sub).mkdir(parents=True)
    server.faults.set_error.arm(SetError("willDestroy"), only=["Mailbox/set"])
    report, _ = once(mirror)
    assert_quarantined(report, "Plans", "willDestroy")
    report, requests = once(mirror)
    assert_quarantined(report, "Plans")
    assert requests == 1
    server.faults.clear()
    assert mirror.sync(full=True).exit_code == 0
    assert "Plans" in {box.name for box in server.account.mailboxes.values()}


@pytest.mark.parametrize(("kind", "line"), [("contacts", "NOTE:here"), ("calendars", "DESCRIPTION:here")])
def test_an_object_that_is_never_in_the_expected_state_is_quarantined(
    server: DemoServer, tmp_path: Path, kind: str, line: str
) -> None:
    store = server.account.contacts if kind == "contacts" else server.account.calendars
    item: JsonObject = ADA if kind == "contacts" else WEEKLY
    store.add(item)
    desk = ObjectMirror(server.url, tmp_path, (kind,))
    desk.sync_until_quiet()
    file = desk.files(kind)[0]
    ending = "END:VCARD" if kind == "contacts" else "END:VEVENT"
    change(file, ending, f"{line}\r\n{ending}")
    server.faults.set_error.arm(SetError("notFound", "no such thing"), only=[f"{store.model.item}/set"])
    report = desk.sync()[kind]
    assert_quarantined(report, "no such thing")
    server.requests.clear()
    assert_quarantined(desk.sync()[kind])
    assert server.requests.count("http") <= 2
    server.faults.clear()
    report = desk.sync(full=True)[kind]
    assert (report.exit_code, report.to_server.updated) == (0, 1)
