"""Open accounts on the real servers and on the embedded one of the same name."""

from __future__ import annotations

import itertools
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from jmapsync.demo import DemoServer
from tests.live.agreement.account import JAMES_VERSION, Account
from tests.live.cyrus import Cyrus
from tests.live.james_server import James

if TYPE_CHECKING:
    from collections.abc import Iterator

CYRUS = {"cyrus36": "3.6", "cyrus312": "3.12"}
REAL = (*CYRUS, "james")
"""The profiles whose real servers can be run here."""
_numbers = itertools.count(1)


class Opener(Protocol):
    """Makes a fresh account."""

    def __call__(self) -> Account:
        """Return it; the caller closes it."""


def on_cyrus(server: Cyrus) -> Account:
    """Make an account on a Cyrus."""
    user = f"agree{next(_numbers)}"
    server.create_user(user, "correct horse")
    return Account(server.jmap_url, user, "correct horse")


def on_james(server: James) -> Account:
    """Make an account on a James."""
    one = server.account(f"agree{next(_numbers)}")
    return Account(one.url, one.user, one.password, headers={"Accept": JAMES_VERSION})


@contextmanager
def real_server(profile: str) -> Iterator[Opener]:
    """Start the real server of a profile."""
    with ExitStack() as stack:
        if profile in CYRUS:
            cyrus = stack.enter_context(Cyrus.start(CYRUS[profile]))
            yield lambda: on_cyrus(cyrus)
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jmapsync-james-")))
            james = stack.enter_context(James.start(folder))
            yield lambda: on_james(james)


@contextmanager
def embedded_account(profile: str) -> Iterator[Account]:
    """Start an embedded server of a profile for one account."""
    headers = {"Accept": JAMES_VERSION} if profile == "james" else None
    with DemoServer(dialect=profile) as server, Account(server.url, "demo", "demo", headers=headers) as account:
        yield account
