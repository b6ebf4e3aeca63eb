"""Relay everything between a client and a server on loopback, and report what was requested."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote, urlsplit

from tests.live.jmapraw import BLOB

if TYPE_CHECKING:
    from types import TracebackType

_CHUNK = 1 << 16
_PATIENCE = 60.0
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_DOWNLOAD = re.compile(r"/download/[^/]+/([^/]+)/")


class Relay:
    """Listens on a port of its own and notes what clients send; HTTP/1.1 with Content-Length is all it understands."""

    def __init__(self, url: str, *, single: bool = False) -> None:
        """`single` hides Blob/get from the client, which then downloads each message by itself."""
        self._single = single
        parts = urlsplit(url)
        self._target = (str(parts.hostname), int(parts.port or 80))
        self._path = parts.path
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._heard: list[bytearray] = []
        self._threads: list[threading.Thread] = []
        self._passing = threading.Condition()
        self.octets = 0
        """What passed in either direction since the last `take`."""
        self.called = threading.Event()
        """Set by the first connection since the last `take`."""
        self._threads.append(threading.Thread(target=self._accept, daemon=True))
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}{self._path}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # Closing alone does not wake a thread that waits in accept.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(_PATIENCE)

    def wait_for(self, octets: int, seconds: float) -> bool:
        """Wait until so many octets have passed since the last `take`, or for some seconds; return whether they have."""
        with self._passing:
            return self._passing.wait_for(lambda: self.octets >= octets, seconds)

    def take(self) -> list[str]:
        """Return the ids of the blobs asked for since the last call, in order, and forget them. Every client has to be gone."""
        accepting, *serving = self._threads
        for thread in serving:  # until a dead client's last octets have come through
            thread.join(_PATIENCE)
        self._threads = [accepting]
        heard, self._heard = self._heard, []
        self.called.clear()
        self.octets = 0
        return [blob for stream in heard for blob in _blobs_in(bytes(stream))]

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            stream = bytearray()
            self._heard.append(stream)
            self.called.set()
            thread = threading.Thread(target=self._serve, args=(client, stream), daemon=True)
            thread.start()
            self._threads.append(thread)  # what `take` finds there it may join

    def _serve(self, client: socket.socket, stream: bytearray) -> None:
        with client, socket.create_connection(self._target) as server:
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=self._pass_on, args=(server, client), daemon=True)
            back.start()
            self._pass_on(client, server, stream)
            back.join()

    def _pass_on(self, source: socket.socket, target: socket.socket, heard: bytearray | None = None) -> None:
        """Pass everything on until either end goes away, and keep it where that is wanted."""
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK):
                if heard is not None:
                    heard += data
                elif self._single:
                    for name in BLOB.values():  # a name of the same length: the answer's length is announced
                        data = data.replace(name.encode(), name.encode()[:-1] + b"_")
                target.sendall(data)
                with self._passing:
                    self.octets += len(data)
                    self._passing.notify_all()
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


def _blobs_in(stream: bytes) -> list[str]:
    """Return the blobs asked for by the requests of one connection; the last request may be cut."""
    found: list[str] = []
    while (end := stream.find(b"\r\n\r\n")) >= 0:
        head, stream = stream[:end], stream[end + 4 :]
        length = _LENGTH.search(head)
        size = int(length[1]) if length else 0
        body, stream = stream[:size], stream[size:]
        target = head.split(b" ", 2)[1].decode()
        download = _DOWNLOAD.search(target)
        if download:
            found.append(unquote(download[1]))
        elif len(body) == size and body.startswith(b"{"):
            found += _blobs_of(json.loads(body))
    return found


def _blobs_of(request: dict[str, Any]) -> list[str]:
    """Return the blobs whose bytes a request asks for; digests are no bytes."""
    return [
        blob
        for name, arguments, _ in request.get("methodCalls", ())
        if name == "Blob/get" and not all(one.startswith("digest:") for one in arguments.get("properties") or ["data"])
        for blob in arguments.get("ids") or ()
    ]
