"""Keep one connection to an account's push open, and say when a look at the server is worth it."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Never

from jmapsync.errors import ForbiddenError, HostRefusedError, JmapsyncError, NetworkError, SignInError, UnsupportedError
from jmapsync.jmap.failures import RequestError
from jmapsync.jmap.push import PING_SECONDS, EventSource, Mode, NoPushError, Push, SilentError, StateChange
from jmapsync.jmap.retry_policy import Setback
from jmapsync.jmap.websocket import WebSocket

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Mapping

    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Session

MAIL_TYPES = frozenset({"Mailbox", "Email"})
_MOST_DOUBLINGS = 16
_SILENT_CONNECTIONS = 2
"""So many connections in a row on which nothing comes while requests are answered: something between holds it back.

One may be a server that had just hung."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Timing:
    """The listener's patience, in seconds."""

    ping: float = PING_SECONDS
    """How often a sign of life is asked for; 30 to 300 is what every server has to grant (RFC 8620, section 7.3)."""
    first_pause: float = 1.0
    longest_pause: float = 60.0
    """Pauses after trouble are chosen at random from 0 to a limit that doubles from the first to the longest."""
    first_retest: float = 900.0
    longest_retest: float = 6 * 3600.0
    """A server without push is asked again after so long, at first and in the end."""


@dataclass(frozen=True, slots=True)
class PushState:
    """How an account is told of changes at present."""

    mode: Literal[Mode, "poll"]
    """`poll`: not at all, so that only the slow poll notices them."""
    connected: bool
    why: str
    """Why not, in a sentence; empty while connected."""
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

        The latter because nothing is told of what changed between two connections. `crashed` is called with what nobody foresaw;
        the way of push that raised it is then left alone until the next test.
        """
        self.timing = timing or Timing()
        self.state = PushState("poll", connected=False, why="The connection is yet to be opened.", since=time.time())
        self.told: dict[str, str] = {}
        """The latest state that the server told of, by data type."""
        self._client = client
        self._account_id = account_id
        self._changed = changed
        self._types = frozenset(types)
        self._crashed = crashed
        ways: list[Push] = [way(client.exchange, ping=self.timing.ping) for way in (WebSocket, EventSource)]
        self._ways = ways
        self._refused: dict[str, str] = {}
        """Why a way is of no use at present, by its mode."""
        self._silent = 0
        self._failures = 0
        self._retests = 0
        self._present: asyncio.Timeout | None = None

    async def run(self) -> Never:
        """Listen until cancelled. Whatever a server does to push is trouble of push alone; `state` says which."""
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
                self._set(self.state.mode, why="The connection is being opened anew.")
            except asyncio.CancelledError:
                self._set(self.state.mode, why="Nobody listens any more.")
                raise
            finally:
                self._present = None

    def renew(self) -> None:
        """Give up the present connection or pause and connect at once, as after a suspend or when the network is back."""
        if self._present is not None and not self._present.expired():
            self._present.reschedule(asyncio.get_running_loop().time())

    async def _listen(self) -> float:
        """Hold one connection as long as it lasts; return how many seconds to wait before the next."""
        mode: Literal[Mode, "poll"] = "poll"
        opened: float | None = None
        retry_after: float | None = None
        silent, self._silent = self._silent, 0
        try:
            if self._retests:
                self._client.expire_session()  # it may name another way by now
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
                # Whoever is down or cut off holds nothing back.
                self._silent = silent + 1 if await self._answers() else 0
            if self._silent >= _SILENT_CONNECTIONS:
                return self._refuse(mode, f"{why} Something between may be holding it back.")
        except Setback as setback:
            why, retry_after = setback.error.message, setback.retry_after
        except JmapsyncError as error:
            why = error.message
        except Exception as error:  # noqa: BLE001  # what a server can raise in a library is without end
            self._crashed(error)
            return self._refuse(mode, f"Something unexpected happened ({type(error).__name__}).")
        lived = 0.0 if opened is None else time.monotonic() - opened
        return self._back_off(mode, why, lived, retry_after)

    async def _follow(self, mode: Mode, changes: AsyncIterator[StateChange]) -> None:
        self._set(mode, connected=True)
        self._changed("push is connected")
        async for change in changes:
            self._tell(change.changed.get(self._account_id, {}))

    async def _session(self) -> Session:
        """Return the session, without the patience of a request that somebody waits for."""
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
        """Return the best way that is not refused; raise `NoPushError` saying why there is none."""
        for way in offered:
            if way.mode not in self._refused:
                return way
        raise NoPushError(" ".join(self._refused.values()) or "The server offers no push.")

    def _tell(self, states: Mapping[str, str]) -> None:
        """Pass on a change of our account; what is told of others, or of types that are not mirrored, is nobody's concern."""
        ours = {name: state for name, state in states.items() if name in self._types}
        self.told |= ours
        if ours:
            self._changed(f"push tells of {', '.join(sorted(ours))}")

    def _note_refusal(self, error: JmapsyncError) -> None:
        """Have a look show whether it is the endpoint of push alone that refuses the credential."""
        if isinstance(error, SignInError) and not isinstance(error, ForbiddenError):
            self._changed("push was refused")

    def _refuse(self, mode: Literal[Mode, "poll"], why: str) -> float:
        """Leave a way alone and go on to the next at once, or, when there is none, to polling until the next test."""
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
        """Return a random pause that is the longer the more connections failed; one that lived for long starts anew."""
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
        # A connection that comes and goes is nothing to fill a journal with.
        level = logging.INFO if mode == "poll" or mode != before.mode else logging.DEBUG
        _log.log(level, "push of %s: %s", self._account_id, f"connected ({mode})" if connected else why)
