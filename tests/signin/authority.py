"""The authorization server of these tests on a port of this machine, for programs that run as processes of their own."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from tests.signin.world import Asked, World

if TYPE_CHECKING:
    from collections.abc import Iterator


class LiveWorld(World):
    """A world by the clock of this machine."""

    def __init__(self, origin: str) -> None:
        super().__init__()
        self.metadata = {
            name: value.replace("https://auth.example.com", origin) if isinstance(value, str) else value
            for name, value in self.metadata.items()
        }
        self.interval = 1

    def accepts(self, token: str) -> bool:
        self.now = time.time()
        return super().accepts(token)


@contextmanager
def authority() -> Iterator[LiveWorld]:
    """Run an authorization server that allows everything to everybody."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if urlsplit(self.path).path == "/authorize":
                self.send_response(302)
                self.send_header("Location", world.authorize(self.path))
                self.end_headers()
            else:
                self._answer("")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers["Content-Length"])).decode())

        def _answer(self, body: str) -> None:
            form = {name: values[0] for name, values in parse_qs(body).items()} if not body.startswith("{") else {}
            asked = Asked(self.command, "", urlsplit(self.path).path, form, self.headers.get("Authorization", ""))
            world.now = time.time()
            world.asked.append(asked)
            reply = world.authority(asked, body)
            content = b"".join(reply.stream)  # type: ignore[arg-type]  # a ByteStream is both
            self.send_response(reply.status_code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name of the standard library
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    world = LiveWorld(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield world
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
