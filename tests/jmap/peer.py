"""A real HTTP/1.1 server on a loopback port that gives the answers of its script, and records what it was sent."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from jmapsync.demo.server import stop_listening

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

JSON = "application/json"
MAIL = "urn:ietf:params:jmap:mail"
CORE = "urn:ietf:params:jmap:core"
BLOB = "urn:ietf:params:jmap:blob"


@dataclass(frozen=True)
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def calls(self) -> list[list[Any]]:
        return list(json.loads(self.body)["methodCalls"])


@dataclass(frozen=True)
class Answer:
    """One answer; `sent` octets of the body go out before the connection is closed, all of them when it is None."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": JSON})
    sent: int | None = None
    delay: float = 0.0

    @classmethod
    def json(cls, value: object, status: int = 200, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(status, json.dumps(value).encode(), {"Content-Type": JSON, **named})


HTML = Answer(200, b"<!DOCTYPE html><html>Please sign in to the hotel's network</html>", {"Content-Type": "text/html"})
SILENCE = Answer(sent=-1)
"""The connection is closed without any answer."""


def redirect(target: str, status: int = 302) -> Answer:
    return Answer(status, b"", {"Location": target})


def result(*responses: list[Any], state: str = "s0") -> Answer:
    """A JMAP response of these method responses."""
    return Answer.json({"methodResponses": list(responses), "sessionState": state})


ECHO = ["Core/echo", {"hello": True}, "c0"]


class Peer:
    """The server; `answers` maps a path (without its query) to the answers still to give, the last of which stays."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.answers: dict[str, list[Answer | Callable[[Seen], Answer]]] = {}
        self.under_way = 0
        self.most_under_way = 0
        self._server: asyncio.Server | None = None
        self._scheme = "http"
        self._connections: set[asyncio.StreamWriter] = set()

    async def start(self, tls: ssl.SSLContext | None = None) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        self._scheme = "https" if tls else "http"
        return self

    async def stop(self) -> None:
        if self._server is not None:
            await stop_listening(self._server)
            for writer in list(self._connections):
                writer.close()
            await self._server.wait_closed()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self._scheme}://{self.host}"

    def on(self, path: str, *answers: Answer | Callable[[Seen], Answer]) -> None:
        self.answers[path] = list(answers)

    def offer_session(self, **changes: object) -> None:
        self.on("/session", Answer.json(session_object(**changes)))

    def seen_at(self, path: str) -> list[Seen]:
        return [seen for seen in self.seen if seen.path.split("?")[0] == path]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await self._answer(await _read(reader), writer):
                pass
        self._connections.discard(writer)
        writer.close()

    async def _answer(self, seen: Seen, writer: asyncio.StreamWriter) -> bool:
        self.seen.append(seen)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            planned = self.answers.get(seen.path.split("?")[0], [Answer(404)])
            answer = planned.pop(0) if len(planned) > 1 else planned[0]
            if not isinstance(answer, Answer):
                answer = answer(seen)
            await asyncio.sleep(answer.delay)
        finally:
            self.under_way -= 1
        if answer is SILENCE:
            return False
        lines = [f"HTTP/1.1 {answer.status} X", f"Content-Length: {len(answer.body)}"]
        lines += [f"{name}: {value}" for name, value in answer.headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + answer.body[: answer.sent])
        await writer.drain()
        return answer.sent is None


async def _read(reader: asyncio.StreamReader) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    return Seen(method, path, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


def session_object(**changes: object) -> dict[str, Any]:
    """A Session object with one mail account and relative URLs, as Cyrus sends them."""
    return {
        "capabilities": {CORE: {"maxObjectsInGet": 3}, MAIL: {}, BLOB: {}},
        "accounts": {
            "alice": {
                "name": "Alice",
                "isPersonal": True,
                "isReadOnly": False,
                "accountCapabilities": {MAIL: {}, BLOB: {"supportedDigestAlgorithms": ["sha"]}},
            }
        },
        "primaryAccounts": {MAIL: "alice"},
        "username": "alice",
        "apiUrl": "/api",
        "downloadUrl": "/download/{accountId}/{blobId}/{name}?accept={type}",
        "uploadUrl": "/upload/{accountId}/",
        "eventSourceUrl": "/push?types={types}&closeafter={closeafter}&ping={ping}",
        "state": "s0",
        **changes,
    }
