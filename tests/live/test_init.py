"""An unprivileged user sets up an account by `jmapsync init` in a terminal; mutt shows the mail, and the service brings more."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.live.imap import Draft
from tests.live.interview import answer_all
from tests.live.screen import on_screen
from tests.live.service import until

if TYPE_CHECKING:
    from tests.live.conftest import Account
    from tests.live.userspace import Userspace


def letter(subject: str) -> Draft:
    return Draft(f"From: ada@example.com\r\nSubject: {subject}\r\n\r\nHello.\r\n".encode())


def processes() -> bytes:
    """Return the arguments and the environments of all processes."""
    found = b""
    for file in (*Path("/proc").glob("[0-9]*/cmdline"), *Path("/proc").glob("[0-9]*/environ")):
        with suppress(OSError):  # it has ended
            found += file.read_bytes()
    return found


@pytest.mark.parametrize("cyrus", ["3.12"], indirect=True)  # the dialogue is the same with the other
def test_a_newcomer_on_a_narrow_terminal_reads_mail_and_the_service_brings_more(user: Userspace, account: Account) -> None:
    account.imap.append("INBOX", [letter("the first letter")])
    command = user.entering("jmapsync", "init", account.url, "--user", account.user, TERM="screen")
    with on_screen(command, {}, columns=40, lines=50) as screen:
        answer_all(screen, account.password)
        screen.wait_for_wrapped("Keep it synchronized by a systemd service?")
        screen.keys("Enter")
        screen.wait_for_end()
    config = user.home / ".config/jmapsync/config.toml"
    assert config.stat().st_mode & 0o777 == 0o600
    assert account.password not in config.read_text()
    secret = account.password.encode()
    holding = [file.name for file in user.home.rglob("*") if file.is_file() and secret in file.read_bytes()]
    assert holding in ([], ["signin"])  # encrypted by systemd-creds, or plain for want of a keyring
    assert secret not in processes()
    [inbox] = (user.home / "Mail").glob("*/INBOX")
    assert user.systemctl("is-active", "jmapsync.service") == "active"
    account.imap.append("INBOX", [letter("the second letter")])
    until(lambda: len([*inbox.glob("new/*"), *inbox.glob("cur/*")]) == 2)
    with on_screen(user.entering("mutt", "-f", str(inbox), TERM="screen"), {}) as screen:
        screen.wait_for_wrapped("the first letter")
        screen.wait_for_wrapped("the second letter")
        screen.keys("x")
