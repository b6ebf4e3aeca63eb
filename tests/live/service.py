"""The units, installed for a user, and the configuration of one account beside them."""

from __future__ import annotations

import os
import re
import socket
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.live.imap import Draft
from tests.live.userspace import PROJECT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.live.conftest import Account
    from tests.live.userspace import Userspace

ALL = "jmapsync.service"
ONE = "jmapsync@home.service"


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

    def sandbox(self) -> None:
        self.user.write(f".config/systemd/user/{ALL}.d/sandbox.conf", (PROJECT / "systemd" / "sandbox.conf").read_text())
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


def letter(subject: str) -> Draft:
    return Draft(f"From: a@example.com\r\nMessage-ID: <{subject}@example.com>\r\nSubject: {subject}\r\n\r\nHello.\r\n".encode())


def until(condition: Callable[[], object], seconds: float = 90.0) -> float:
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
        listener.settimeout(90.0)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/jmap/", listener
