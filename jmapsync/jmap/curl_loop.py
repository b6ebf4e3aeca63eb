"""Drive libcurl's multi interface from the event loop: its sockets and its timer are the loop's.

Nothing in here knows HTTP. A transfer is a handle that was set up by the caller; what libcurl says of its end is the result.
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import socket
import threading
from typing import TYPE_CHECKING

from jmapsync.jmap.libcurl import pycurl

if TYPE_CHECKING:
    from jmapsync.jmap.traffic import RateLimit

CONNECTIONS = 24
"""Connections to one host at a time: those of sixteen downloads, of requests of the API and of uploads."""
_PAUSE = 0.005
"""Seconds from which a pause for the rate limit is worth a timer."""
_MULTIPLEX = 2
"""CURLPIPE_MULTIPLEX."""
_OK = 0
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
"""Of tcp(7); Linux alone has it."""

_EVENTS = {
    pycurl.POLL_IN: selectors.EVENT_READ,
    pycurl.POLL_OUT: selectors.EVENT_WRITE,
    pycurl.POLL_INOUT: selectors.EVENT_READ | selectors.EVENT_WRITE,
}
_ACTIONS = {
    selectors.EVENT_READ: pycurl.CSELECT_IN,
    selectors.EVENT_WRITE: pycurl.CSELECT_OUT,
    selectors.EVENT_READ | selectors.EVENT_WRITE: pycurl.CSELECT_IN | pycurl.CSELECT_OUT,
}

Ended = tuple[int, str]
"""libcurl's code of a transfer's end, and its text."""


class CurlLoop:
    """Transfers under way, and the connections that they share."""

    def __init__(self, limit: RateLimit | None) -> None:
        """Prepare within a running loop; `limit` is that of the octets, which the caller counts."""
        self._paused = 0.0
        """Seconds that transfers were paused in all, for the rate limit."""
        self._loop = asyncio.get_running_loop()
        self._limit = limit
        self.may_resolve = False
        """Whether a name may still be looked up: libcurl waits at its own end for that (glibc: ten seconds or more)."""
        self._ends: dict[pycurl.Curl, asyncio.Future[Ended]] = {}
        self._sockets: dict[int, int] = {}
        """What libcurl waits for at each socket."""
        # Of its own, and watched by the loop as a whole: the loop's methods for a socket take ten times as long.
        self._selector = selectors.DefaultSelector()
        self._loop.add_reader(self._selector.fileno(), self._serve_ready)
        self._timer: asyncio.Handle | None = None
        self._pause: asyncio.TimerHandle | None = None
        self._pause_began = 0.0
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._wait_for)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        self._multi.setopt(pycurl.M_PIPELINING, _MULTIPLEX)
        self._multi.setopt(pycurl.M_MAX_HOST_CONNECTIONS, CONNECTIONS)
        self._multi.setopt(pycurl.M_MAXCONNECTS, CONNECTIONS)

    @property
    def is_idle(self) -> bool:
        """Return whether no transfer is under way."""
        return not self._ends

    def time(self) -> float:
        """Return the seconds of a clock that stands still while transfers are paused."""
        now = self._loop.time()
        return (self._pause_began if self._pause is not None else now) - self._paused

    async def run(self, handle: pycurl.Curl) -> Ended:
        """Carry out one transfer and return how it ended; a transfer whose caller is cancelled is given up."""
        end = self._ends[handle] = self._loop.create_future()
        self._multi.add_handle(handle)
        try:
            ended: Ended = await end
        finally:
            if self._ends.pop(handle, None) is not None:
                self._multi.remove_handle(handle)
        return ended

    def stop(self, handle: pycurl.Curl) -> None:
        """End a transfer as if by libcurl's own timeout."""
        if handle in self._ends and not self._ends[handle].done():
            self._ends[handle].set_result((pycurl.E_OPERATION_TIMEDOUT, ""))

    def close(self) -> None:
        """Close every connection and give up what is under way."""
        for handle, end in self._ends.items():
            end.cancel()
            self._multi.remove_handle(handle)
        self._ends.clear()
        for timer in (self._timer, self._pause):
            if timer is not None:
                timer.cancel()
        self._loop.remove_reader(self._selector.fileno())
        self._selector.close()
        self._sockets.clear()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, None)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, None)
        if self.may_resolve:
            threading.Thread(target=self._multi.close, daemon=True).start()
        else:
            self._multi.close()

    # what libcurl asks for

    def _wait_for(self, what: int, descriptor: int, _multi: object, _data: object) -> None:
        wanted = 0 if what == pycurl.POLL_REMOVE else what
        before = self._sockets.pop(descriptor, 0)
        if wanted:
            self._sockets[descriptor] = wanted
        if before != wanted:
            # First removed: libcurl may have closed the socket and opened another under its number, which epoll does not know.
            if before:
                self._selector.unregister(descriptor)
            if wanted:
                self._selector.register(descriptor, _EVENTS[wanted])

    def _set_timer(self, milliseconds: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if milliseconds == 0:
            self._timer = self._loop.call_soon(self._time_out)
        elif milliseconds > 0:
            self._timer = self._loop.call_later(milliseconds / 1000, self._time_out)

    # what the loop says

    def _serve_ready(self) -> None:
        for key, ready in self._selector.select(0):
            if self._pause is None and key.fd in self._sockets:  # neither closed nor put off by what came before it
                self._act(key.fd, _ACTIONS[ready])

    def _time_out(self) -> None:
        self._timer = None
        self._act(pycurl.SOCKET_TIMEOUT, 0)

    def _act(self, descriptor: int, events: int) -> None:
        self._multi.socket_action(descriptor, events)
        if events & pycurl.CSELECT_IN and descriptor in self._sockets:
            _acknowledge(descriptor)
        _, succeeded, failed = self._multi.info_read()
        for handle in succeeded:
            self._end(handle, _OK, "")
        for handle, code, text in failed:
            self._end(handle, code, text)
        if self._limit is not None and self._pause is None and (left := self._limit.left()) > _PAUSE:
            self._stop_for(left)

    def _end(self, handle: pycurl.Curl, code: int, text: str) -> None:
        end = self._ends.pop(handle)
        self._multi.remove_handle(handle)
        if not end.done():
            end.set_result((code, text))

    # the rate limit

    def _stop_for(self, seconds: float) -> None:
        """Read and write nothing for a while: the server then sends no more than the kernel's buffers hold."""
        self._pause = self._loop.call_later(seconds, self._resume)
        self._pause_began = self._loop.time()
        self._loop.remove_reader(self._selector.fileno())

    def _resume(self) -> None:
        self._pause = None
        self._paused += self._loop.time() - self._pause_began
        self._loop.add_reader(self._selector.fileno(), self._serve_ready)


def _acknowledge(descriptor: int) -> None:
    """Acknowledge now what was received over TCP.

    A server that writes an answer in pieces without TCP_NODELAY, as Cyrus does, sends the last piece when the ones before it are
    acknowledged (RFC 896), which Linux else delays by 40 ms. The option does not last: it is set after each piece.
    """
    if _QUICKACK is None:
        return
    with contextlib.suppress(OSError):  # libcurl's resolver wakes it by a descriptor that is no socket
        borrowed = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=descriptor)
        try:
            borrowed.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        finally:
            borrowed.detach()
