"""Copy a large Maildir under a running daemon and measure how it gets to the server: `python -m tests.bench.flood [--messages N]`.

Beside it, in the same run, a client that sends the same uploads and imports at the same concurrency and does nothing else.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from tests.bench.corpus import make_corpus
from tests.bench.daemon import daemon, far_server, say

BATCH = 500
CONNECTIONS = 4
"""Uploads at the same time: what the embedded server allows."""
MOST = 2_000
"""Octets of a message."""
MAIL = "urn:ietf:params:jmap:mail"
CORE = "urn:ietf:params:jmap:core"


class Bare:
    """A client without a mirror."""

    def __init__(self, url: str) -> None:
        token = base64.b64encode(b"demo:demo").decode()
        self._http = httpx.AsyncClient(headers={"Authorization": f"Basic {token}", "Accept-Encoding": "identity"}, timeout=600)
        self._url = url
        self._session: dict[str, Any] = {}

    async def session(self) -> dict[str, Any]:
        if not self._session:
            self._session = (await self._http.get(self._url)).json()
        return self._session

    async def call(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        session = await self.session()
        calls = [[name, {"accountId": session["primaryAccounts"][MAIL], **arguments}, "c"]]
        answer = (await self._http.post(session["apiUrl"], json={"using": [CORE, MAIL], "methodCalls": calls})).json()
        result: dict[str, Any] = answer["methodResponses"][0][1]
        return result

    async def count(self) -> int:
        """Return how many emails there are."""
        return int((await self.call("Email/query", {"limit": 1, "calculateTotal": True}))["total"])

    async def bring(self, bodies: list[bytes]) -> None:
        """Import messages as fast as the server takes them."""
        session = await self.session()
        url = session["uploadUrl"].replace("{accountId}", session["primaryAccounts"][MAIL])
        boxes = (await self.call("Mailbox/get", {"ids": None}))["list"]
        inbox = next(box["id"] for box in boxes if box["role"] == "inbox")
        connections = asyncio.Semaphore(min(CONNECTIONS, session["capabilities"][CORE]["maxConcurrentUpload"]))

        async def upload(body: bytes) -> str:
            async with connections:
                reply = await self._http.post(url, content=body, headers={"Content-Type": "application/octet-stream"})
                return str(reply.json()["blobId"])

        for start in range(0, len(bodies), BATCH):
            blobs = await asyncio.gather(*(upload(body) for body in bodies[start : start + BATCH]))
            emails = {f"k{n}": {"blobId": blob, "mailboxIds": {inbox: True}} for n, blob in enumerate(blobs)}
            await self.call("Email/import", {"emails": emails})


def cut(content: bytes) -> bytes:
    """Return the first lines of a message: the embedded server keeps all of them in memory."""
    return content[: content.rfind(b"\r\n", 0, MOST) + 2]


def bare(bodies: list[bytes]) -> float:
    """Return how many seconds the bare client takes."""
    with far_server(1) as server:
        began = time.monotonic()
        asyncio.run(Bare(server.url).bring(bodies))
        return time.monotonic() - began


def flood(bodies: list[bytes]) -> float:
    """Return how many seconds pass from the first file until the server has them all."""
    with tempfile.TemporaryDirectory() as home, far_server(1) as server, daemon(Path(home), server.url, "") as running:
        before, memory = running.cpu(), running.resident()
        target = running.mail / "INBOX/cur"
        began = time.monotonic()
        for number, body in enumerate(bodies):
            temporary = running.mail / "INBOX/tmp" / f"{number}.flood.bench"
            temporary.write_bytes(body.replace(b"\r\n", b"\n"))
            os.rename(temporary, target / f"{number}.flood.bench:2,S")
        copied = time.monotonic() - began

        async def wait() -> None:
            client = Bare(server.url)
            while await client.count() < len(bodies) + 1:  # noqa: ASYNC110  # the server is elsewhere
                await asyncio.sleep(0.5)

        asyncio.run(wait())
        taken = time.monotonic() - began
        say(f"copied in within {copied:.1f} s; all on the server after {taken:.1f} s, {len(bodies) / taken:.0f} a second")
        say(f"{running.cpu() - before:.1f} s of processor time; {memory:.0f} MB before, {running.resident('VmHWM'):.0f} MB at most")
        return taken


def main() -> None:
    """Flood it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=50_000)
    wanted = parser.parse_args()
    bodies = [f"X-Number: {number}\r\n".encode() + cut(mail.content) for number, mail in enumerate(make_corpus(wanted.messages))]
    say(f"{len(bodies)} messages, {sum(map(len, bodies)) / 1e6:.0f} MB")
    floor = bare(bodies)
    say(f"a bare client: {floor:.1f} s, {len(bodies) / floor:.0f} a second")
    say(f"ratio {flood(bodies) / floor:.2f}")


if __name__ == "__main__":
    main()
