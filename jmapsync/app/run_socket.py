"""Answer how far a run of `sync` is: a socket in the account's state folder, for `status`; no other question is answered on it."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from jmapsync.app.daemon_socket import bound
from jmapsync.app.state_paths import RUN_SOCKET

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from jmapsync.sync.progress import Meter

_LONGEST = 1 << 12
"""Octets of a question."""


@asynccontextmanager
async def answering_progress(state_dir: Path, meter: Meter) -> AsyncIterator[None]:
    """Answer as long as the context lasts; the process must hold the account's lock. Without a socket nothing is answered."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await reader.readuntil(b"\n")
            answer = {"state": {"process": os.getpid(), "progress": meter.to_json(), "waiting": meter.waits}}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()

    server = None
    with suppress(OSError):  # a file system without sockets: the run is as good without
        server = await asyncio.start_unix_server(serve, sock=bound(state_dir, RUN_SOCKET), limit=_LONGEST)
    try:
        yield
    finally:
        if server is not None:
            server.close()
            (state_dir / RUN_SOCKET).unlink(missing_ok=True)
