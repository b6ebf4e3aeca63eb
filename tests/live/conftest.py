"""Real servers for the live tests: one of each flavour for the whole session, a fresh account for each test."""

from __future__ import annotations

import itertools
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.live.cyrus import FLAVOURS, Cyrus
from tests.live.imap import Imap
from tests.live.jmapraw import Jmap
from tests.live.service import Service
from tests.live.smtp_relay import Relay, listening
from tests.live.userspace import Userspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


_HERE = Path(__file__).parent
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Account:
    """A fresh account on a real server, with INBOX, Drafts, Sent, Trash, Junk and Archive and no mail."""

    server: Cyrus
    user: str
    password: str
    jmap: Jmap
    imap: Imap

    @property
    def url(self) -> str:
        return self.server.jmap_url


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.live)


@pytest.fixture(scope="module")
def relay() -> Iterator[tuple[Relay, int]]:
    """Where the mail of servers goes, and its port."""
    relay = Relay()
    with listening(relay) as port:
        yield relay, port


@pytest.fixture(scope="session")
def running_cyrus() -> Iterator[Callable[[str], Cyrus]]:
    """Hand out the session's server of a flavour, started when first asked for.

    Not a parametrised session fixture: pytest would stop a server each time the random order changes flavour.
    """
    servers: dict[str, Cyrus] = {}
    with ExitStack() as stack:

        def running(flavour: str) -> Cyrus:
            if flavour not in servers:
                servers[flavour] = stack.enter_context(Cyrus.start(flavour))
            return servers[flavour]

        yield running


@pytest.fixture(params=FLAVOURS, ids=lambda flavour: f"cyrus-{flavour}")
def cyrus(request: pytest.FixtureRequest, running_cyrus: Callable[[str], Cyrus]) -> Cyrus:
    """The session's server of each flavour in turn; share it: never stop it, start your own for that."""
    return running_cyrus(request.param)


@pytest.fixture
def make_account(cyrus: Cyrus) -> Iterator[Callable[[], Account]]:
    """Make accounts on the same server, for tests that need more than one."""
    with ExitStack() as stack:

        def make() -> Account:
            user, password = f"user{next(_numbers)}", "correct horse"
            cyrus.create_user(user, password)
            jmap = stack.enter_context(Jmap(cyrus.jmap_url, user, password))
            imap = stack.enter_context(Imap(cyrus.imap_port, user, password))
            return Account(cyrus, user, password, jmap, imap)

        yield make


@pytest.fixture
def account(make_account: Callable[[], Account]) -> Account:
    return make_account()


@pytest.fixture
def user() -> Iterator[Userspace]:
    """A user of this system with a service manager."""
    with Userspace.start() as user:
        yield user


@pytest.fixture
def service(user: Userspace, account: Account) -> Service:
    """The units installed for the user, and a configuration of the account."""
    return Service(user, account)


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Print what was measured, also where nothing fails."""

    def write(line: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{line}")

    return write
