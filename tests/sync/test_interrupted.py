"""Die between the write to the disk and the ledger; never wait for a password that nobody types."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, NoReturn

import pytest

from jmapsync.errors import SignInError
from jmapsync.jmap.auth import from_command
from jmapsync.sync.commit import Committer
from tests.kit.mirror import Mirror, assert_converges

if TYPE_CHECKING:
    from jmapsync.demo import DemoServer


class DeathError(BaseException):
    """The process ends here; nothing in the program catches it."""


def die(*_: object) -> NoReturn:
    raise DeathError


def test_dying_between_the_rename_and_the_ledger_fetches_and_makes_nothing_twice(
    server: DemoServer, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(10):
        server.account.deliver(f"Subject: {number}\r\n\r\nbody\r\n".encode())
    with monkeypatch.context() as patch:
        patch.setattr(Committer, "commit", die)
        with pytest.raises(DeathError):
            mirror.sync()
    names = {file.name for file in mirror.files("INBOX")}
    assert len(names) == 10
    server.requests.clear()
    assert_converges(server.account, mirror)
    assert {file.name for file in mirror.files("INBOX")} == names
    assert not [call for call in server.requests.calls("Blob/get") if "data" in call.arguments["properties"]]


def test_dying_after_the_server_took_a_change_and_before_the_ledger_did(
    server: DemoServer, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.account.deliver(b"Subject: there\r\n\r\nbody\r\n")
    mirror.sync()
    mirror.flag(mirror.files("INBOX")[0], "FS")
    mirror.drop("INBOX", b"Subject: here\n\nbody\n")
    with monkeypatch.context() as patch:
        patch.setattr(Committer, "commit", die)
        with pytest.raises(DeathError):
            mirror.sync()
    assert_converges(server.account, mirror)
    assert len(server.account.emails) == 2


def test_a_command_for_the_secret_that_waits_for_a_person_is_not_waited_for() -> None:
    started = time.monotonic()
    with pytest.raises(SignInError):
        asyncio.run(from_command("read answer < /dev/tty; sleep 30", seconds=1))
    assert time.monotonic() - started < 25  # less than the command lasts
