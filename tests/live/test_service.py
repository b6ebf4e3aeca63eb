"""The daemon as a service of an unprivileged user's real `systemd --user`, against a real Cyrus IMAP 3.12."""

from __future__ import annotations

import os
import re
import socket
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.live.imap import Draft
from tests.live.userspace import PROJECT, Userspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.live.conftest import Account
    from tests.live.cyrus import Cyrus

ALL = "jmapsync.service"
ONE = "jmapsync@home.service"

# What limits a process in the units that others ship; nothing else of a unit counts for its exposure.
OTHERS = {
    "vdirsyncer, Debian 12, 0.19.0-1, /usr/lib/systemd/user/vdirsyncer.service": (),
    "mbsync, wiki.archlinux.org/title/Isync, ~/.config/systemd/user/mbsync.service": (),
    "syncthing, Debian 12, 1.19.2~ds1-1, /usr/lib/systemd/user/syncthing.service": (
        "SystemCallArchitectures=native",
        "MemoryDenyWriteExecute=true",
        "NoNewPrivileges=true",
    ),
}


@pytest.fixture
def cyrus(running_cyrus: Callable[[str], Cyrus]) -> Cyrus:
    return running_cyrus("3.12")


@pytest.fixture
def user() -> Iterator[Userspace]:
    with Userspace.start() as user:
        yield user


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Tell what was measured, also where nothing fails."""

    def tell(line: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{line}")

    return tell


@dataclass(frozen=True)
class Service:
    """The installed units, and a configuration of one account, `home`, kept in ~/Mail."""

    user: Userspace
    account: Account

    def __post_init__(self) -> None:
        self.user.write(".config/jmapsync/password", f"{self.account.password}\n")
        self.configure()
        self.user.run("jmapsync", "run", "--install")
        self.user.systemctl("daemon-reload")

    @property
    def mail(self) -> Path:
        return self.user.home / "Mail"

    def configure(self, *, secret: str = 'password_file = "~/.config/jmapsync/password"', url: str = "", more: str = "") -> None:
        account = f'[accounts.home]\nurl = "{url or self.account.url}"\nuser = "{self.account.user}"\nauth = "basic"\n{secret}\n'
        self.user.write(".config/jmapsync/config.toml", f'{account}[accounts.home.mail]\npath = "~/Mail"\n{more}')

    def drop_in(self, content: str, unit: str = ALL) -> None:
        self.user.write(f".config/systemd/user/{unit}.d/test.conf", f"[Service]\n{content}\n")
        self.user.systemctl("daemon-reload")

    def start(self, unit: str = ALL) -> None:
        self.user.systemctl("start", unit)

    def pid(self, unit: str = ALL) -> int:
        return int(self.user.show(unit, "MainPID"))

    def state(self, unit: str = ALL) -> str:
        return self.user.show(unit, "ActiveState")

    def status(self, unit: str = ALL) -> str:
        return self.user.show(unit, "StatusText")

    def log(self, unit: str = ALL) -> str:
        return "\n".join(f"<{entry.get('PRIORITY')}>{entry['MESSAGE']}" for entry in self.user.journal(unit))

    def subjects(self, folder: str = "INBOX") -> set[str]:
        found = set()
        for sub in ("new", "cur"):
            place = self.mail / folder / sub
            for name in os.listdir(place) if place.is_dir() else ():
                match = re.search(rb"^Subject: (.*)$", (place / name).read_bytes(), re.MULTILINE)
                found.add(match[1].decode() if match else "")
        return found


@pytest.fixture
def service(user: Userspace, account: Account) -> Service:
    return Service(user, account)


def letter(subject: str) -> Draft:
    return Draft(f"From: a@example.com\r\nMessage-ID: <{subject}@example.com>\r\nSubject: {subject}\r\n\r\nHello.\r\n".encode())


def until(condition: Callable[[], object], seconds: float = 15.0) -> float:
    """Wait for a condition; return the seconds it took, or fail."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, "it did not happen in time"
        time.sleep(0.02)
    return time.monotonic() - begun


@contextmanager
def silent_server() -> Iterator[tuple[str, socket.socket]]:
    """A server that accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/jmap/", listener


def exposure(user: Userspace, unit: str) -> float:
    told = user.run("systemd-analyze", "--user", "security", "--no-pager", unit, check=False).stdout
    found = re.search(r"Overall exposure level for \S+: ([\d.]+) ", told)
    assert found, told
    return float(found[1])


def test_it_is_ready_when_the_first_look_is_done(service: Service) -> None:
    service.account.imap.append("INBOX", [letter(f"seeded {number}") for number in range(20)])
    assert service.subjects() == set()
    service.start()  # returns when the service said that it is ready
    assert service.subjects() == {f"seeded {number}" for number in range(20)}
    assert service.state() == "active"
    assert "home" in service.user.systemctl("status", ALL)
    assert service.status()


def test_it_is_not_ready_before_the_server_answered_the_first_look(service: Service) -> None:
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
    account.imap.append("INBOX", [letter("delivered")])
    report(f"from delivery into the Maildir: {until(lambda: 'delivered' in service.subjects()):.2f} s")
    (file,) = (one for one in (service.mail / "INBOX" / "new").iterdir() if b"Subject: old" in one.read_bytes())
    file.rename(service.mail / "INBOX" / "cur" / f"{file.name.partition(':')[0]}:2,FS")

    def flags() -> frozenset[str]:
        (found,) = (one.flags for one in account.imap.messages("INBOX") if b"Subject: old" in one.content)
        return found

    took = until(lambda: {"\\Seen", "\\Flagged"} <= flags())
    report(f"from a flag in the Maildir to IMAP: {took:.2f} s")
    assert service.user.show(ALL, "NRestarts") == "0"


def test_a_daemon_that_stands_still_is_started_anew(service: Service) -> None:
    service.start()
    assert service.user.show(ALL, "WatchdogUSec") == "1min"
    service.user.systemctl("stop", ALL)
    service.drop_in("WatchdogSec=2\nRestartSec=100ms")
    service.start()
    stopped = service.pid()
    time.sleep(3.0)
    assert service.pid() == stopped, "it was not restarted while it ran well"
    service.user.run_as_root("kill", "-STOP", str(stopped))
    service.account.imap.append("INBOX", [letter("meanwhile")])
    until(lambda: service.user.show(ALL, "NRestarts") == "1" and service.state() == "active", 20)
    assert service.pid() not in {0, stopped}
    assert "meanwhile" in service.subjects()
    assert "watchdog" in service.log().lower()


def test_it_stops_cleanly_and_soon(service: Service) -> None:
    service.start()
    begun = time.monotonic()
    service.user.systemctl("stop", ALL)
    assert time.monotonic() - begun < 5.0
    assert [service.user.show(ALL, name) for name in ("ActiveState", "Result", "ExecMainStatus")] == ["inactive", "success", "0"]


def test_it_stops_soon_while_a_first_mirror_is_made_and_goes_on_from_there(service: Service) -> None:
    wanted = {f"many {number}" for number in range(3000)}
    service.account.imap.append("INBOX", [letter(subject) for subject in wanted])
    service.user.systemctl("start", "--no-block", ALL)
    until(lambda: (service.mail / "INBOX" / "cur").is_dir() and service.subjects())
    begun = time.monotonic()
    service.user.systemctl("stop", ALL)
    assert time.monotonic() - begun < 5.0
    assert service.user.show(ALL, "Result") == "success"
    service.start()
    assert service.subjects() == wanted
    assert len(os.listdir(service.mail / "INBOX" / "new")) == 3000


def test_a_stop_before_the_server_ever_answered_is_soon_too(service: Service) -> None:
    with silent_server() as (url, listener):
        service.configure(url=url)
        service.user.systemctl("start", "--no-block", ALL)
        connection, _ = listener.accept()
        with connection:
            begun = time.monotonic()
            service.user.systemctl("stop", ALL)
            assert time.monotonic() - begun < 5.0


def test_a_reload_takes_up_a_changed_configuration(service: Service, make_account: Callable[[], Account]) -> None:
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


def test_a_broken_configuration_is_told_and_what_ran_goes_on(service: Service) -> None:
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
    told = [entry for entry in service.user.journal(ALL) if entry.get("_PID") in pid]
    assert told, service.log()
    for entry in told:
        assert not re.match(r"<\d>|\x1b|.*\d\d:\d\d:\d\d", entry["MESSAGE"]), entry["MESSAGE"]
        assert entry["PRIORITY"] in {"5", "6"}, entry["MESSAGE"]


def test_a_secret_comes_from_a_credential_of_the_unit(service: Service) -> None:
    service.configure(secret='credential = "jmapsync"')
    service.drop_in("LoadCredential=jmapsync:%h/.config/jmapsync/password")
    service.account.imap.append("INBOX", [letter("seeded")])
    service.start()
    assert service.subjects() == {"seeded"}


def test_a_missing_credential_is_no_failure_of_the_unit(service: Service) -> None:
    service.configure(secret='credential = "jmapsync"')
    service.start()
    assert service.state() == "active"
    assert "sign" in service.status().lower()
    assert re.search(r"^<[34]>.*credential", service.log(), re.MULTILINE)


def test_password_commands_and_hooks_work_in_the_units_sandbox(service: Service) -> None:
    key = ("--batch", "--quiet", "--passphrase", "", "--quick-generate-key", "me@example.com", "default", "default", "never")
    service.user.run("gpg", *key)
    secret = str(service.user.home / ".config/jmapsync/password")
    service.user.run("gpg", "--batch", "--quiet", "--trust-model", "always", "--encrypt", "--recipient", "me@example.com", secret)
    service.user.run("rm", secret)
    service.user.write(".notmuch-config", f"[database]\npath={service.mail}\n[user]\nname=Me\nprimary_email=me@example.com\n")
    hook = '[hooks]\nafter_sync = "ionice -c 3 notmuch new"\n'
    service.configure(secret=f'password_command = "gpg --batch --quiet --decrypt {secret}.gpg"', more=hook)
    service.account.imap.append("INBOX", [letter("seeded")])
    service.start()
    until(lambda: service.user.run("notmuch", "count", "subject:seeded", check=False).stdout == "1\n")


def test_the_template_runs_one_account_instead_of_all(service: Service) -> None:
    service.account.imap.append("INBOX", [letter("seeded")])
    service.start()
    service.start(ONE)
    assert (service.state(ALL), service.state(ONE)) == ("inactive", "active")
    assert service.subjects() == {"seeded"}
    service.account.imap.append("INBOX", [letter("delivered")])
    until(lambda: "delivered" in service.subjects())


def test_a_program_and_a_configuration_may_lie_anywhere(user: Userspace, account: Account) -> None:
    service = Service(user, account)
    config = user.write("c %u\"'\\x/$HOME", (user.home / ".config/jmapsync/config.toml").read_text())
    program = user.home / "o p%i$HOME" / "jmapsync"
    program.parent.mkdir()
    program.symlink_to(user.run("which", "jmapsync").stdout.strip())
    user.run(str(program), "-c", str(config), "run", "--install")
    user.systemctl("daemon-reload")
    service.start()
    command = user.run_as_root("cat", f"/proc/{service.pid()}/cmdline").split("\0")
    assert command[1:-1] == [str(program), "-c", str(config), "run"]


@pytest.mark.parametrize("sandbox", [False, True], ids=["as shipped", "sandbox"])
def test_a_disk_that_comes_and_goes_is_seen_from_inside(service: Service, sandbox: bool) -> None:
    service.account.imap.append("INBOX", [letter("seeded")])
    service.mail.mkdir(mode=0o700)
    os.chown(service.mail, service.user.uid, service.user.uid)
    if sandbox:
        shipped = (PROJECT / "systemd" / "sandbox.conf").read_text()
        service.user.write(f".config/systemd/user/{ALL}.d/sandbox.conf", shipped)
        service.user.systemctl("daemon-reload")
    with service.user.disk(service.mail):
        service.start()
        seen = f"/proc/{service.pid()}/root{service.mail}/INBOX"
        service.user.run_as_root("test", "-d", seen)
        service.account.imap.append("INBOX", [letter("on the disk")])
        inside = f"/proc/{service.pid()}/root{service.mail}/INBOX/new"
        until(lambda: len(service.user.run_as_root("ls", inside).split()) == 2)
    time.sleep(1.0)
    service.user.run_as_root("test", "!", "-e", seen)
    assert len(service.account.imap.messages("INBOX")) == 2, "nothing was deleted on the server"


def test_both_units_are_verified_without_a_warning(service: Service) -> None:
    for unit in (ALL, ONE):
        done = service.user.run("systemd-analyze", "--user", "verify", unit, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_it_is_less_exposed_than_what_others_ship(service: Service, report: Callable[[str], None]) -> None:
    others = {}
    for number, (name, settings) in enumerate(OTHERS.items()):
        lines = "\n".join(settings)
        service.user.write(f".config/systemd/user/other{number}.service", f"[Service]\nExecStart=/bin/true\n{lines}\n")
        service.user.systemctl("daemon-reload")
        others[name] = exposure(service.user, f"other{number}.service")
    ours = {unit: exposure(service.user, unit) for unit in (ALL, ONE)}
    service.user.write(f".config/systemd/user/{ALL}.d/sandbox.conf", (PROJECT / "systemd" / "sandbox.conf").read_text())
    service.user.systemctl("daemon-reload")
    ours["with systemd/sandbox.conf"] = exposure(service.user, ALL)
    for name, level in (ours | others).items():
        report(f"exposure {level} of {name}")
    assert max(ours.values()) < min(others.values())
    assert ours[ALL] == ours[ONE] <= 6.6
    assert ours["with systemd/sandbox.conf"] <= 2.5


def test_uninstalling_leaves_nothing_behind(service: Service) -> None:
    service.user.systemctl("enable", "--now", ALL)
    service.user.run("jmapsync", "run", "--uninstall")
    service.user.systemctl("stop", ALL)
    service.user.systemctl("daemon-reload")
    units = service.user.home / ".config" / "systemd" / "user"
    assert [one for one in units.rglob("*") if not one.is_dir()] == []
    assert service.user.show(ALL, "LoadState") == "not-found"
