"""Follow one request that libcurl carries out: its content, the answer as it arrives, and the time since it made progress."""

from __future__ import annotations

import contextlib
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

from jmapsync.errors import ServerError
from jmapsync.jmap.bounds import ERROR_OCTETS, ERROR_SECONDS
from jmapsync.jmap.inflating import inflater
from jmapsync.jmap.libcurl import pycurl
from jmapsync.jmap.replies import Reply, cut_short, too_large

if TYPE_CHECKING:
    from jmapsync.jmap.bounds import Bounds
    from jmapsync.jmap.inflating import Inflater
    from jmapsync.jmap.replies import Sink
    from jmapsync.jmap.traffic import Traffic

_SUCCESS = range(200, 300)
_LEAST_FINAL = 200
"""The least status of a final answer (RFC 9110, section 15.2): 1xx are interim."""


class Reading(Protocol):
    """The content of a request, as it is sent."""

    def read(self, most: int, /) -> bytes:
        """Return the next octets, none at the end."""
        ...

    def rewind(self) -> None:
        """Begin anew."""
        ...


class Octets:
    """Reads bytes as `FileReader` does a file."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def read(self, most: int) -> bytes:
        """Return the next octets, none at the end."""
        piece = self._content[self._at : self._at + most]
        self._at += len(piece)
        return piece

    def rewind(self) -> None:
        """Begin anew."""
        self._at = 0


class _Phase(Enum):
    CONNECTING = auto()
    ASKING = auto()
    READING = auto()
    FAILING = auto()
    """The body of an answer that is a failure is read."""


class Transfer:
    """A handle of libcurl and the request that it carries out at present; used for one request after the other.

    libcurl calls `note_sent`, `give`, `rewind` and `take`, from which no exception may escape: `finish` raises it.
    """

    def __init__(self, handle: pycurl.Curl, traffic: Traffic) -> None:
        self.handle = handle
        self._traffic = traffic
        self.is_sent = False
        """Whether the server may have received a part of the request."""
        self.lines: list[bytes] = []
        """The lines of heads as they came: those of a proxy and of status 1xx too."""
        handle.setopt(pycurl.HEADERFUNCTION, lambda line: self.lines.append(line))  # noqa: PLW0108  # the list is another each time
        handle.setopt(pycurl.WRITEFUNCTION, self.take)
        handle.setopt(pycurl.READFUNCTION, self.give)
        handle.setopt(pycurl.SEEKFUNCTION, self.rewind)
        handle.setopt(pycurl.PREREQFUNCTION, self.note_sent)

    def begin(self, url: str, content: Reading | None, sink: Sink | None, most: int, *, bounds: Bounds, now: float) -> None:
        """Begin another request."""
        self.url = url
        self.bounds = bounds
        self.is_sent = False
        self.lines = []
        self._status = 0
        self._reason = self._version = ""
        self._headers: dict[str, str] = {}
        self._content = content
        self._sink = sink
        self._most = most
        self._pieces: list[bytes] = []
        self._inflate: Inflater | None = None
        self._raw = self._size = self._given = self._sent = 0
        self._is_enough = False
        self._failure: BaseException | None = None
        self._phase = _Phase.CONNECTING
        # libcurl has its own timeout of TCP connects and handshakes; this covers everything around them.
        self._until = now + 2 * bounds.connect
        self._needed = 0.0

    def end(self) -> None:
        """Keep nothing of a request that ended."""
        self._content = self._sink = self._failure = None
        self._pieces = self.lines = []

    # the request

    def note_sent(self, *_addresses: object) -> int:
        """Note that there is a connection and the request goes out; end it if a part of an answer was used already.

        libcurl repeats a request where an HTTP/2 server wants HTTP/1.1 (HTTP_1_1_REQUIRED), in the middle of an answer too.
        """
        self.is_sent = True
        return int(pycurl.PREREQFUNC_ABORT if self._raw else pycurl.PREREQFUNC_OK)

    def give(self, most: int) -> bytes | int:
        """Return the next octets of the content, none at its end."""
        limit = self._traffic.limit
        try:
            piece = self._content.read(most if limit is None else min(most, limit.piece)) if self._content is not None else b""
        except BaseException as error:  # noqa: BLE001  # raised by `finish`
            self._failure = error
            return int(pycurl.READFUNC_ABORT)
        self._traffic.send(len(piece))
        self._given += len(piece)
        self._sent += len(piece)
        return piece

    def rewind(self, offset: int, _origin: int) -> int:
        """Begin the content anew, as libcurl sends it again by another connection; return whether that fails."""
        if offset or self._content is None:
            return int(pycurl.SEEKFUNC_FAIL)
        self._content.rewind()
        return int(pycurl.SEEKFUNC_OK)

    # the answer

    def take(self, octets: bytes) -> int:
        """Take some octets of the body; return how many were wanted."""
        try:
            self._take(octets)
        except BaseException as error:  # noqa: BLE001  # raised by `finish`
            self._failure = error
            return 0
        return 0 if self._is_enough else len(octets)

    def _take(self, octets: bytes) -> None:
        if not self._status:
            self._read_head()
        count = len(octets)
        self._traffic.receive(count)
        self._needed -= count
        self._raw += count
        if self._is_within(self._raw):
            if self._inflate is None:
                self._keep(octets)
                return
            for piece in self._inflate.feed(octets):
                self._size += len(piece)
                if not self._is_within(self._size):
                    break
                self._keep(piece)

    def _is_within(self, size: int) -> bool:
        """Return whether so many octets are wanted; raise `TooLargeError` where a success has more."""
        if self._is_success:
            if size > self._most:
                raise too_large(self.url, self._most)
            return True
        self._is_enough = size > ERROR_OCTETS
        return not self._is_enough

    def _keep(self, piece: bytes) -> None:
        if self._sink is not None and self._is_success:
            self._sink(piece)
        else:
            self._pieces.append(piece)

    @property
    def _is_success(self) -> bool:
        return self._status in _SUCCESS

    def _read_head(self) -> None:
        """Read the last head; raise `ServerError` for a content coding that was not requested."""
        starts = self._heads()
        if not starts:
            return
        self._version, _, rest = _text(self.lines[starts[-1]]).partition(" ")
        code, _, self._reason = rest.partition(" ")
        headers = self._headers
        for line in self.lines[starts[-1] + 1 :]:
            if not line.strip():
                break  # what follows are trailers
            name, colon, value = _text(line).partition(":")
            if colon:
                name, value = name.lower(), value.strip()
                headers[name] = f"{headers[name]}, {value}" if name in headers else value
        self._status = int(code) if code.isascii() and code.isdigit() else 0
        encoding = headers.get("content-encoding")
        if encoding is not None:
            self._inflate = inflater(encoding)

    # time

    def is_over(self, now: float) -> bool:
        """Return whether there was no progress for too long, on a clock that stands still in pauses.

        Asked now and then, so that nothing that arrives in between needs the time.
        """
        silence, needed = self.bounds.silence, self.bounds.silence * self.bounds.least_rate
        if self._phase is _Phase.CONNECTING and self.is_sent:
            self._phase, self._until, self._given = _Phase.ASKING, now + silence, 0
        if self._phase is _Phase.ASKING:
            if self._given:  # a part of the content went out since
                self._until, self._given = now + silence, 0
            if self._is_head_whole():
                is_failure = int(self.handle.getinfo(pycurl.RESPONSE_CODE)) not in _SUCCESS
                self._phase = _Phase.FAILING if is_failure else _Phase.READING
                self._until = now + (min(ERROR_SECONDS, silence) if is_failure else silence)
                self._needed = needed
        if self._phase is _Phase.READING and self._needed <= 0:
            self._until, self._needed = now + silence, needed
        return now >= self._until

    def _is_head_whole(self) -> bool:
        """Return whether the head of the last answer arrived; trailers may have followed it."""
        head = self.lines[max(self._heads(), default=0) :]
        if not any(not line.strip() for line in head):
            return bool(self._raw)
        return int(self.handle.getinfo(pycurl.RESPONSE_CODE)) >= _LEAST_FINAL

    def _heads(self) -> list[int]:
        """Return where heads begin among the lines."""
        return [at for at, line in enumerate(self.lines) if line.startswith(b"HTTP/")]

    @property
    def has_trickled(self) -> bool:
        """Return whether some octets of the body arrived, too few, within the last seconds of silence."""
        return self._phase is _Phase.READING and self._needed < self.bounds.silence * self.bounds.least_rate

    # the end

    def finish(self, *, is_complete: bool) -> Reply | None:
        """Return the reply, None if it did not arrive as a whole; raise what went wrong on this side.

        Of an answer that is a failure its beginning is enough.
        """
        limit = self._traffic.limit
        if limit is not None:
            heads = self.handle.getinfo(pycurl.HEADER_SIZE) + self.handle.getinfo(pycurl.REQUEST_SIZE) - self._sent
            limit.take(max(0, heads))  # the size of a request includes its content
        if not self._status and self._is_head_whole():
            with contextlib.suppress(ServerError):  # there is no body to decode
                self._read_head()
        is_failure = bool(self._status) and not self._is_success
        if self._failure is not None and not (is_failure and isinstance(self._failure, ServerError)):
            raise self._failure
        if not self._status or not (is_complete or is_failure):
            return None
        if self._inflate is not None and not self._inflate.is_whole and not is_failure:
            raise cut_short(self.url)
        is_multiplexed = self._version.startswith("HTTP/2")
        return Reply(self._status, self._reason, self._headers, b"".join(self._pieces), self.url, is_multiplexed)


def _text(line: bytes) -> str:
    try:
        return line.decode().strip()
    except UnicodeDecodeError:
        return line.decode("latin-1").strip()
