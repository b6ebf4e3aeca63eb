"""The units under a real `systemd --user`: what they forbid, what works in spite of that, where they may be installed."""

from __future__ import annotations

import os
import re
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.live.service import ALL, ONE, Service, letter, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live.conftest import Account
    from tests.live.cyrus import Cyrus
    from tests.live.userspace import Userspace


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

# Tries what the unit forbids, and the same with a sandbox; prints the names of what was possible.
PROBE = """
import ctypes, mmap, os, socket, tempfile
def attempt(name, act):
    try:
        act()
    except OSError:
        return
    print(name, end=" ")
def call(name, *arguments):
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), name)
attempt("home", lambda: os.close(os.open(os.path.expanduser("~/probe"), os.O_CREAT | os.O_WRONLY)))
attempt("setuid-file", lambda: os.chmod(os.path.expanduser("~/probe"), 0o4700))
attempt("temporary", lambda: tempfile.TemporaryFile(dir="/tmp").close())
attempt("runtime", lambda: os.close(os.open(os.environ["XDG_RUNTIME_DIR"] + "/probe", os.O_CREAT | os.O_WRONLY)))
attempt("elsewhere", lambda: os.close(os.open("/srv/probe", os.O_CREAT | os.O_WRONLY)))
attempt("namespace", lambda: call("unshare", 0x10000000))
attempt("writable-code", lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC))
attempt("personality", lambda: call("personality", 0x0040000))
attempt("packets", lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM))
attempt("internet", lambda: socket.socket(socket.AF_INET6, socket.SOCK_STREAM))
attempt("debugging", lambda: call("ptrace", 0, 0, 0, 0))
attempt("devices", lambda: os.stat("/dev/kmsg"))
print(open("/proc/self/status").read().partition("NoNewPrivs:")[2].split()[0], end=" ")
print(oct(os.umask(0)))
"""


@pytest.fixture
def cyrus(running_cyrus: Callable[[str], Cyrus]) -> Cyrus:
    return running_cyrus("3.12")


def exposure(user: Userspace, unit: str) -> float:
    reported = user.run("systemd-analyze", "--user", "security", "--no-pager", unit, check=False).stdout
    found = re.search(r"Overall exposure level for \S+: ([\d.]+) ", reported)
    assert found, reported
    return float(found[1])


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
    assert "no credential named jmapsync" in service.status()
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
        service.sandbox()
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


def test_what_the_unit_forbids_is_not_possible(service: Service) -> None:
    everywhere = service.user.directory / "elsewhere"
    everywhere.mkdir()
    everywhere.chmod(0o777)
    service.user.run_as_root("mount", "--bind", str(everywhere), "/srv")
    probe = service.user.write("probe.py", PROBE)
    free = service.user.run("systemd-run", "--user", "--quiet", "--pipe", "--wait", sys.executable, str(probe)).stdout
    everything = "home setuid-file temporary runtime elsewhere namespace writable-code personality packets internet debugging"
    assert free.split() == [*everything.split(), "devices", "0", "0o22"]
    service.drop_in(f"Type=oneshot\nRestart=no\nTimeoutStartSec=60\nExecStart=\nExecStart={sys.executable} %h/probe.py")

    def possible() -> str:
        service.start()
        service.user.run_as_root("journalctl", "--sync")
        reported = [entry["MESSAGE"] for entry in service.user.journal(ALL) if entry["_COMM"] != "systemd"]
        assert isinstance(reported[-1], str)
        return reported[-1]

    assert possible() == "home temporary runtime elsewhere internet devices 1 0o77"
    service.sandbox()
    assert possible() == "home temporary runtime internet 1 0o77"


def test_the_units_are_verified_without_a_warning(service: Service) -> None:
    for unit in (ALL, ONE, "jmapsync-sync.service", "jmapsync-sync.timer"):
        done = service.user.run("systemd-analyze", "--user", "verify", unit, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_timer_synchronizes_once_without_a_daemon(service: Service) -> None:
    service.user.systemctl("enable", "--now", "jmapsync-sync.timer")
    assert "jmapsync-sync.timer" in service.user.systemctl("list-timers", "--all")
    service.user.systemctl("start", "jmapsync-sync.service")
    assert service.user.show("jmapsync-sync.service", "Result") == "success"
    assert (service.user.home / "Mail/.jmapsync").exists()
    assert service.user.show(ALL, "ActiveState") == "inactive"


def test_it_is_less_exposed_than_what_others_ship(service: Service, report: Callable[[str], None]) -> None:
    others = {}
    for number, (name, settings) in enumerate(OTHERS.items()):
        lines = "\n".join(settings)
        service.user.write(f".config/systemd/user/other{number}.service", f"[Service]\nExecStart=/bin/true\n{lines}\n")
        service.user.systemctl("daemon-reload")
        others[name] = exposure(service.user, f"other{number}.service")
    ours = {unit: exposure(service.user, unit) for unit in (ALL, ONE)}
    service.sandbox()
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
