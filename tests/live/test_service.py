"""The daemon as a service of an unprivileged user's real `systemd --user`, against a real Cyrus IMAP 3.12."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING

import pytest

from tests.live.service import ALL, Service, letter, silent_server, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live.conftest import Account
    from tests.live.cyrus import Cyrus


@pytest.fixture
def cyrus(running_cyrus: Callable[[str], Cyrus]) -> Cyrus:
    return running_cyrus("3.12")


def test_it_is_ready_when_the_first_run_is_done(service: Service) -> None:
    service.account.imap.append("INBOX", [letter(f"seeded {number}") for number in range(20)])
    assert service.subjects() == set()
    service.start()  # returns when the service said that it is ready
    assert service.subjects() == {f"seeded {number}" for number in range(20)}
    assert service.state() == "active"
    assert "home" in service.user.systemctl("status", ALL)
    assert service.status()


def test_it_is_not_ready_before_the_server_answered_the_first_run(service: Service) -> None:
    with silent_server() as (url, listener):
        service.configure(url=url)
        service.user.systemctl("start", "--no-block", ALL)
        connection, _ = listener.accept()
        with connection:
            connection.recv(100)
            time.sleep(1.0)
            assert service.state() == "activating"


def test_news_go_both_ways(service: Service, report: Callable[[str], None]) -> None:
    account = service.account
    account.imap.append("INBOX", [letter("old")])
    service.start()
    took = []
    for number in range(6):
        account.imap.append("INBOX", [letter(f"delivered {number}")])
        took.append(until(lambda: len(service.subjects()) == number + 2))  # noqa: B023 - called before the next one
        time.sleep(0.3)
    # The first may be found by the run that follows the opening of the push connection.
    report(f"from delivery into the Maildir: {', '.join(f'{one:.2f}' for one in took[1:])} s; Cyrus looks for news every second")
    (file,) = (one for one in (service.mail / "INBOX" / "new").iterdir() if b"Subject: old" in one.read_bytes())
    file.rename(service.mail / "INBOX" / "cur" / f"{file.name.partition(':')[0]}:2,FS")

    def flagged() -> bool:
        (flags,) = (one.flags for one in account.imap.messages("INBOX") if b"Subject: old" in one.content)
        return {"\\Seen", "\\Flagged"} <= flags

    report(f"from a flag in the Maildir to IMAP: {until(flagged):.2f} s, of which 1 s is settling")
    assert service.user.show(ALL, "NRestarts") == "0"


def test_a_daemon_that_stands_still_is_started_anew(service: Service) -> None:
    service.start()
    assert service.user.show(ALL, "WatchdogUSec") == "1min"
    service.user.systemctl("stop", ALL)
    service.drop_in("WatchdogSec=10\nRestartSec=100ms")
    service.start()
    stopped = service.pid()
    time.sleep(11.0)
    assert service.pid() == stopped, "it was not restarted while it ran well"
    service.user.run_as_root("kill", "-STOP", str(stopped))
    service.account.imap.append("INBOX", [letter("meanwhile")])
    until(lambda: service.user.show(ALL, "NRestarts") == "1" and service.state() == "active")
    assert service.pid() not in {0, stopped}
    assert "meanwhile" in service.subjects()
    assert "watchdog" in service.log().lower()


def test_it_stops_cleanly_and_soon(service: Service) -> None:
    service.start()
    service.user.systemctl("stop", ALL)
    assert [service.user.show(ALL, name) for name in ("ActiveState", "Result", "ExecMainStatus")] == ["inactive", "success", "0"]


def test_it_stops_soon_while_a_first_mirror_is_made_and_goes_on_from_there(service: Service) -> None:
    wanted = {f"many {number}" for number in range(3000)}
    service.account.imap.append("INBOX", [letter(subject) for subject in wanted])
    service.user.systemctl("start", "--no-block", ALL)
    until(lambda: (service.mail / "INBOX" / "cur").is_dir() and service.subjects())
    service.user.systemctl("stop", ALL)
    assert service.user.show(ALL, "Result") == "success", "systemd kills a service that has not ended after TimeoutStopSec"
    service.start()
    assert service.subjects() == wanted
    assert len(os.listdir(service.mail / "INBOX" / "new")) == 3000


def test_a_stop_before_the_server_ever_answered_is_soon_too(service: Service) -> None:
    with silent_server() as (url, listener):
        service.configure(url=url)
        service.user.systemctl("start", "--no-block", ALL)
        connection, _ = listener.accept()
        with connection:
            service.user.systemctl("stop", ALL)
            assert service.user.show(ALL, "Result") == "success", "systemd kills a service that has not ended after TimeoutStopSec"


def test_a_reload_applies_a_changed_configuration(service: Service, make_account: Callable[[], Account]) -> None:
    second = make_account()
    second.imap.append("INBOX", [letter("of another account")])
    service.start()
    running = service.pid()
    table = f'[accounts.work]\nurl = "{second.url}"\nuser = "{second.user}"\nauth = "basic"\n'
    secret = 'password_file = "~/.config/jmapsync/password"\n'
    service.configure(more=f'{table}{secret}[accounts.work.mail]\npath = "~/Work"\n')
    service.user.systemctl("reload", ALL)
    until(lambda: [*(service.user.home / "Work").glob("INBOX/new/*")])
    until(lambda: service.state() == "active")
    assert service.pid() == running


def test_a_broken_configuration_is_reported_and_what_ran_goes_on(service: Service) -> None:
    service.start()
    running = service.pid()
    service.configure(more="colour = 'red'\n")
    service.user.systemctl("reload", ALL)
    until(lambda: "colour" in service.log())
    assert re.search(r"^<[34]>.*colour", service.log(), re.MULTILINE)
    service.account.imap.append("INBOX", [letter("meanwhile")])
    until(lambda: "meanwhile" in service.subjects())
    service.configure()
    service.user.systemctl("reload", ALL)
    service.account.imap.append("INBOX", [letter("mended")])
    until(lambda: "mended" in service.subjects())
    assert (service.pid(), service.state()) == (running, "active")


def test_a_configuration_that_cannot_be_used_is_not_tried_again(service: Service) -> None:
    service.drop_in("RestartSec=100ms")
    service.configure(more="colour = 'red'\n")
    service.user.systemctl("start", ALL, check=False)
    time.sleep(1.0)
    assert [service.user.show(ALL, name) for name in ("ActiveState", "ExecMainStatus", "NRestarts")] == ["failed", "2", "0"]
    assert re.search(r"^<3>.*colour", service.log(), re.MULTILINE)


def test_a_daemon_that_keeps_dying_is_given_up(service: Service) -> None:
    service.drop_in("RestartSec=100ms\nExecStart=\nExecStart=sh -c 'exit 1'")
    service.user.systemctl("start", ALL, check=False)
    until(lambda: service.user.show(ALL, "NRestarts") == "5" and service.state() == "failed")


def test_the_journal_gets_levels_and_no_time_stamps(service: Service) -> None:
    service.start()
    service.account.imap.append("INBOX", [letter("told")])
    until(lambda: "told" in service.subjects())
    service.user.systemctl("stop", ALL)
    pid = {entry.get("_PID") for entry in service.user.journal(ALL) if entry.get("SYSLOG_IDENTIFIER") == "jmapsync"}
    reported = [entry for entry in service.user.journal(ALL) if entry.get("_PID") in pid]
    assert reported, service.log()
    for entry in reported:
        assert not re.match(r"<\d>|\x1b|.*\d\d:\d\d:\d\d", entry["MESSAGE"]), entry["MESSAGE"]
        assert entry["PRIORITY"] in {"5", "6"}, entry["MESSAGE"]


@pytest.mark.parametrize("sandboxed", [False, True])
def test_tags_of_notmuch_go_both_ways_inside_what_the_unit_forbids(sandboxed: bool, service: Service) -> None:
    service.user.write(".notmuch-config", "[database]\npath=Mail\n[new]\ntags=unread\nignore=.jmapsync;dovecot-keywords\n")
    service.configure(more='[accounts.home.mail.notmuch]\n[hooks]\nafter_sync = "/usr/bin/notmuch new --quiet"\n')
    if sandboxed:
        service.sandbox()
    imap = service.account.imap
    imap.append("INBOX", [letter("tagged")])
    imap.store("INBOX", [1], "+", ["Work"])
    service.start()

    def tags() -> list[str]:
        return service.user.run("notmuch", "search", "--output=tags", "*", check=False).stdout.split()

    until(lambda: tags() == ["unread", "work"])
    service.user.run("notmuch", "tag", "+here", "--", "*")
    until(lambda: "here" in imap.messages("INBOX")[0].flags)
