"""Mirror over real connections from servers whose HTTP has other forms: compressed, in chunks, HTTP/1.0, several hosts."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest

from jmapsync.demo import DemoServer
from jmapsync.demo.freedoms import Freedoms
from tests.kit.mirror import Mirror, assert_converges

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MESSAGE = b"Subject: %d\r\nMessage-ID: <%d@example.com>\r\n\r\n" + b"Hello. " * 400 + b"\r\n"


def _mirror(url: str, folder: Path, **options: Any) -> Mirror:  # noqa: ANN401 # passed on
    return Mirror(url, "demo", "demo", folder / "mail", folder / "state", **options)


def _assert_mirrors(server: DemoServer, mirror: Mirror) -> None:
    for number in range(3):
        server.account.deliver(MESSAGE.replace(b"%d", str(number).encode()))
    assert_converges(server.account, mirror)
    mirror.drop("INBOX", MESSAGE.replace(b"%d", b"9").replace(b"\r\n", b"\n"))
    mirror.flag(mirror.files("INBOX")[0], "F")
    mirror.sync()
    assert_converges(server.account, mirror)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("chunked", [False, True])
def test_answers_are_read_however_they_are_compressed(coding: Any, tmp_path: Path, *, chunked: bool) -> None:  # noqa: ANN401
    with DemoServer(freedoms=Freedoms(content_coding=coding, chunked=chunked)) as server:
        _assert_mirrors(server, _mirror(server.url, tmp_path))


def test_a_server_has_hosts_of_its_own_for_files_that_the_user_trusts(tmp_path: Path) -> None:
    with DemoServer(dialect="fastmail") as server:
        hosts = tuple(f"127.0.0.{number}:{server.port}" for number in (2, 3, 4))
        _assert_mirrors(server, _mirror(server.url, tmp_path, trusted_hosts=hosts))
        assert server.requests.counts["download"] > 0


def test_a_server_speaks_http_1_0_and_closes_each_connection(tmp_path: Path) -> None:
    with DemoServer() as server, _older(server) as url:
        _assert_mirrors(server, _mirror(url, tmp_path))


@contextmanager
def _older(server: DemoServer) -> Iterator[str]:
    """Pass requests on to a server and answer them as HTTP/1.0: no length, and the connection ends with the body."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def _pass_on(self) -> None:
            length = self.headers.get("Content-Length")
            body = self.rfile.read(int(length)) if length else b""
            left_out = {"connection", "transfer-encoding"}
            headers = {name: value for name, value in self.headers.items() if name.lower() not in left_out}
            answer = httpx.request(self.command, server.origin + self.path, headers=headers, content=body)
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name not in {"content-length", "connection", "transfer-encoding"}:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = _pass_on  # noqa: N815 # as http.server names them

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Log nothing."""

    relay = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=relay.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{relay.server_port}{urlsplit(server.url).path}"
    finally:
        relay.shutdown()
        thread.join()
        relay.server_close()
