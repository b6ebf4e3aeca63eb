"""Keep one push connection of an account open, and call back when the server reports changes."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from typing import TYPE_CHECKING, Literal, Never

from msgspec import Struct

from jmapsync.errors import ForbiddenError, HostRefusedError, JmapsyncError, NetworkError, SignInError, UnsupportedError
from jmapsync.jmap.failures import RequestError
from jmapsync.jmap.push import PING_SECONDS, EventSource, Mode, NoPushError, Push, SilentError, StateChange
from jmapsync.jmap.retry_policy import RetryableError
from jmapsync.jmap.websocket import WebSocket

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Mapping

    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Session

MAIL_TYPES = frozenset({"Mailbox", "Email"})
_MOST_DOUBLINGS = 16
_SILENT_CONNECTIONS = 2
"""Consecutive connections without any data, while requests are answered, after which a proxy is assumed to buffer the stream.

A single one may be a server that hung for a moment."""

_log = logging.getLogger(__name__)


class Timing(Struct, frozen=True):
    """Timeouts and pauses of the listener, in seconds."""

    ping: float = PING_SECONDS
    """Requested interval of pings; every server has to grant 30 to 300 (RFC 8620, section 7.3)."""
    first_pause: float = 1.0
    longest_pause: float = 60.0
    """Pauses after a failure: random from 0 to a limit that doubles from the first to the longest."""
    first_retest: float = 900.0
    longest_retest: float = 6 * 3600.0
    """Interval after which a server without push is tested again: the first and the longest."""


class PushState(Struct, frozen=True):
    """How the server reports changes of an account."""

    mode: Literal[Mode, "poll"]
    """`poll`: there is no push; changes are found by polling."""
    connected: bool
    why: str
    """Why it is not connected, in a sentence; empty while connected."""
    since: float
    """When mode or connection last changed, in seconds since 1970."""


class Listener:
    """The push connection of one account; never more than one is open."""

    def __init__(
        self,
        client: Client,
        account_id: str,
        changed: Callable[[str], None],
        *,
        types: Collection[str] = MAIL_TYPES,
        timing: Timing | None = None,
        crashed: Callable[[Exception], object] = lambda _: None,
    ) -> None:
        """Prepare to call `changed` with a reason for each change of these data types, and after every connection.

        The latter because changes between two connections are not reported. `crashed` is called with an unexpected exception;
        the transport that raised it is not used until the next test.
        """
        self.timing = timing or Timing()
        self.state = PushState("poll", connected=False, why="The connection is yet to be opened.", since=time.time())
        self.states: dict[str, str] = {}
        """The latest state that the server reported, by data type."""
        self._client = client
        self._account_id = account_id
        self._changed = changed
        self._types = frozenset(types)
        self._crashed = crashed
        ways: list[Push] = [way(client.exchange, ping=self.timing.ping) for way in (WebSocket, EventSource)]
        self._ways = ways
        self._refused: dict[str, str] = {}
        """Why a transport is not used at present, by its mode."""
        self._silent = 0
        self._failures = 0
        self._retests = 0
        self._present: asyncio.Timeout | None = None

    async def run(self) -> Never:
        """Listen until cancelled. Failures of push are shown in `state` and never raised."""
        while True:
            try:
                async with asyncio.timeout(None) as present:
                    self._present = present
                    await asyncio.sleep(await self._listen())
            except TimeoutError:
                if not present.expired():
                    raise
                self._failures = self._retests = self._silent = 0
                self._refused.clear()
                self._set(self.state.mode, why="Reconnecting.")
            except asyncio.CancelledError:
                self._set(self.state.mode, why="The listener has stopped.")
                raise
            finally:
                self._present = None

    def renew(self) -> None:
        """Reconnect at once, as after a suspend or when the network is back."""
        if self._present is not None and not self._present.expired():
            self._present.reschedule(asyncio.get_running_loop().time())

    async def _listen(self) -> float:
        """Follow one connection until it ends; return the seconds to wait before the next."""
        mode: Literal[Mode, "poll"] = "poll"
        opened: float | None = None
        retry_after: float | None = None
        silent, self._silent = self._silent, 0
        try:
            if self._retests:
                self._client.expire_session()  # it may name another URL by now
            session = await self._session()
            way = self._choose([way for way in self._ways if way.offered(session)])
            mode = way.mode
            async with way.connect(session) as changes:
                opened = time.monotonic()
                await self._follow(mode, changes)
            why = "The server closed the connection."
        except (NoPushError, HostRefusedError, RequestError, UnsupportedError, SignInError) as error:
            self._note_refusal(error)
            return self._refuse(mode, error.message)
        except SilentError as error:
            why = error.message
            if not error.proven:
                opened = None
                # A server that is down is not a buffering proxy.
                self._silent = silent + 1 if await self._answers() else 0
            if self._silent >= _SILENT_CONNECTIONS:
                return self._refuse(mode, f"{why} A proxy may be buffering the event stream.")
        except RetryableError as failure:
            why, retry_after = failure.error.message, failure.retry_after
        except JmapsyncError as error:
            why = error.message
        except Exception as error:  # noqa: BLE001  # a hostile answer may raise anything in a library
            self._crashed(error)
            return self._refuse(mode, f"An unexpected error occurred ({type(error).__name__}).")
        lived = 0.0 if opened is None else time.monotonic() - opened
        return self._back_off(mode, why, lived, retry_after)

    async def _follow(self, mode: Mode, changes: AsyncIterator[StateChange]) -> None:
        self._set(mode, connected=True)
        self._changed("push is connected")
        async for change in changes:
            self._report_change(change.changed.get(self._account_id, {}))

    async def _session(self) -> Session:
        """Return the session, with a shorter timeout than a sync run has."""
        try:
            async with asyncio.timeout(2 * self.timing.ping):
                return await self._client.session()
        except TimeoutError as error:
            raise NetworkError("The server does not answer.") from error

    async def _answers(self) -> bool:
        """Return whether the server answers another request."""
        self._client.expire_session()
        try:
            await self._session()
        except JmapsyncError:
            return False
        return True

    def _choose(self, offered: list[Push]) -> Push:
        """Return the first transport that is not refused; raise `NoPushError` with the reasons if there is none."""
        for way in offered:
            if way.mode not in self._refused:
                return way
        raise NoPushError(" ".join(self._refused.values()) or "The server offers no push.")

    def _report_change(self, states: Mapping[str, str]) -> None:
        """Pass on a change of this account; ignore other accounts and types that are not synchronized."""
        ours = {name: state for name, state in states.items() if name in self._types}
        self.states |= ours
        if ours:
            self._changed(f"push reports {', '.join(sorted(ours))}")

    def _note_refusal(self, error: JmapsyncError) -> None:
        """Start a run to find out whether only the push endpoint refuses the credential."""
        if isinstance(error, SignInError) and not isinstance(error, ForbiddenError):
            self._changed("push was refused")

    def _refuse(self, mode: Literal[Mode, "poll"], why: str) -> float:
        """Stop using a transport: try the next at once or, when there is none, poll until the next test."""
        self._silent = 0
        if mode != "poll":
            self._refused[mode] = why
            return 0.0
        self._set("poll", why=why)
        pause = min(self.timing.longest_retest, self.timing.first_retest * 2.0**self._retests)
        self._retests = min(self._retests + 1, _MOST_DOUBLINGS)
        self._refused.clear()
        return pause * random.uniform(0.75, 1.25)  # noqa: S311  # no secret

    def _back_off(self, mode: Literal[Mode, "poll"], why: str, lived: float, retry_after: float | None) -> float:
        """Return a random pause that grows with consecutive failures; a connection that lasted long resets it."""
        if lived > 2 * self.timing.ping:
            self._failures = self._retests = 0
        if lived > self.timing.first_retest:
            self._refused.clear()
        self._set(mode if mode != "poll" else self.state.mode, why=why)
        limit = min(self.timing.longest_pause, self.timing.first_pause * 2.0**self._failures)
        self._failures = min(self._failures + 1, _MOST_DOUBLINGS)
        return min(retry_after or 0.0, self.timing.longest_retest) + random.uniform(0, limit)  # noqa: S311  # no secret

    def _set(self, mode: Literal[Mode, "poll"], *, connected: bool = False, why: str = "") -> None:
        before = self.state
        if (before.mode, before.connected, before.why) == (mode, connected, why):
            return
        same = (before.mode, before.connected) == (mode, connected)
        self.state = PushState(mode, connected, why, before.since if same else time.time())
        # Do not fill the journal with a connection that comes and goes.
        level = logging.INFO if mode == "poll" or mode != before.mode else logging.DEBUG
        _log.log(level, "push of %s: %s", self._account_id, f"connected ({mode})" if connected else why)
