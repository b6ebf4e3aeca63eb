"""The servers under contract: the embedded one in each dialect, and the real ones it has to equal."""

from __future__ import annotations

import imaplib
import itertools
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import DemoServer
from tests.contract.peer import Peer
from tests.live.cyrus import Cyrus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from _pytest.mark import ParameterSet

    from jmapsync.demo import Account

_numbers = itertools.count(1)
_SERVERS = {
    "demo-rfc": "rfc",
    "demo-cyrus36": "3.6",
    "demo-cyrus312": "3.12",
    "cyrus-3.6": "3.6",
    "cyrus-3.12": "3.12",
}


@pytest.fixture(scope="session")
def real_servers() -> Iterator[Callable[[str], Cyrus]]:
    """Hand out the session's Cyrus of a flavour, started when first asked for."""
    servers: dict[str, Cyrus] = {}
    with ExitStack() as stack:

        def running(flavour: str) -> Cyrus:
            if flavour not in servers:
                servers[flavour] = stack.enter_context(Cyrus.start(flavour))
            return servers[flavour]

        yield running


def _each(*names: str) -> list[ParameterSet]:
    return [pytest.param(name, marks=pytest.mark.live if name.startswith("cyrus") else (), id=name) for name in names]


@pytest.fixture(params=_each(*_SERVERS))
def peer(request: pytest.FixtureRequest, real_servers: Callable[[str], Cyrus]) -> Iterator[Peer]:
    """A fresh account on each server in turn."""
    with _open(request.param, real_servers) as client:
        yield client


@pytest.fixture(params=_each("demo-rfc", "demo-stalwart"))
def contacts_peer(request: pytest.FixtureRequest, real_servers: Callable[[str], Cyrus]) -> Iterator[Peer]:
    """A fresh account on each server that has RFC 9610; no real one of them can be installed."""
    with _open(request.param, real_servers) as client:
        yield client


@pytest.fixture(params=_each("demo-rfc", "demo-stalwart", "demo-cyrus312", "cyrus-3.12"))
def calendar_peer(request: pytest.FixtureRequest, real_servers: Callable[[str], Cyrus]) -> Iterator[Peer]:
    """A fresh account on each server that has the calendars of draft-ietf-jmap-calendars."""
    with _open(request.param, real_servers) as client:
        yield client


@contextmanager
def _open(name: str, real_servers: Callable[[str], Cyrus]) -> Iterator[Peer]:
    make, _, version = name.partition("-")
    flavour = _SERVERS.get(name, version)
    with ExitStack() as stack:
        if make == "demo":
            server = stack.enter_context(DemoServer(dialect=version))
            url, user, password = server.url, "demo", "demo"
            server.account.calendars.render = lambda events: (
                f"BEGIN:VCALENDAR\r\n{[(one['uid'], one['title']) for one in events]}".encode()
            )
            mark = _hiding(server.account)
        else:
            real = real_servers(flavour)
            url, user, password = real.jmap_url, f"contract{next(_numbers)}", "correct horse"
            real.create_user(user, password)
            mark = _marking(real.imap_port, user, password)
        client = stack.enter_context(Peer(url, user, password, flavour))
        client.mark_deleted = mark
        yield client


def _hiding(account: Account) -> Callable[[bool], None]:
    """Return what hides the only message of an embedded account, or lets it come back."""

    def mark(deleted: bool) -> None:
        if deleted:
            account.hide(next(iter(account.emails)))
        else:
            account.unhide(next(iter(account._hidden)))

    return mark


def _marking(port: int, user: str, password: str) -> Callable[[bool], None]:
    """Return what marks the only message of a real account as deleted over IMAP, or takes the mark away."""

    def mark(deleted: bool) -> None:
        with imaplib.IMAP4("127.0.0.1", port) as client:
            client.login(user, password)
            client.select("INBOX")
            status, _ = client.store("1", "+FLAGS" if deleted else "-FLAGS", "\\Deleted")
            assert status == "OK"

    return mark
