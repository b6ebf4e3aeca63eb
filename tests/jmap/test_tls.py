"""Certificates are verified, and HTTP/2 is spoken where it is offered."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import h2.connection
import h2.events
import pytest
import trustme

from jmapsync.errors import ConfigError, HostRefusedError, NetworkError
from jmapsync.jmap.auth import BearerCredential
from jmapsync.jmap.certificates import UntrustedError
from jmapsync.jmap.client import Client
from jmapsync.jmap.wire import Call
from tests.jmap.peer import CORE, ECHO, Peer, redirect, result, session_object
from tests.jmap.wild import wild

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

ECHO_CALL = Call("Core/echo", {"hello": True}, "c0")


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """A certificate authority that this machine trusts by SSL_CERT_FILE."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return ca


def server_context(
    ca: trustme.CA, *protocols: str, name: str = "127.0.0.1", since: datetime | None = None, until: datetime | None = None
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(name, not_before=since, not_after=until).configure_cert(context)
    if protocols:
        context.set_alpn_protocols(protocols)
    return context


def self_signed(folder: Path) -> ssl.SSLContext:
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=home -addext subjectAltName=IP:127.0.0.1"
    )
    subprocess.run([*command.split(), "-keyout", folder / "key", "-out", folder / "self"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "self", folder / "key")
    return context


async def fetch(url: str) -> None:
    async with Client(f"{url}/session", BearerCredential("fmu1-sesame")) as c:
        assert (await c.call([ECHO_CALL], using=[CORE])).get(ECHO_CALL) == {"hello": True}


def prepared() -> Peer:
    peer = Peer()
    peer.offer_session()
    peer.on("/api", result(ECHO))
    return peer


@pytest.mark.usefixtures("either_client")
async def test_a_certificate_of_a_trusted_authority_is_taken(authority: trustme.CA) -> None:
    peer = await prepared().start(server_context(authority))
    await fetch(peer.url)
    assert peer.seen_at("/api")[0].headers["accept-encoding"] == "identity"
    await peer.stop()


@pytest.mark.parametrize(
    ("mistake", "said", "not_said"),
    [
        ("unknown authority", "could not be verified.*SSL_CERT_FILE", "clock"),
        ("other name", "another name.*Check the host name", "SSL_CERT_FILE"),
        ("expired", "has expired.*renew", "SSL_CERT_FILE"),
        ("not yet", "not valid yet.*clock", "SSL_CERT_FILE"),
        ("self-signed", "signed by itself.*SSL_CERT_FILE", "clock"),
    ],
)
@pytest.mark.usefixtures("either_client")
async def test_any_other_certificate_is_refused_before_the_secret_is_sent_with_advice_that_fits(
    authority: trustme.CA, tmp_path: Path, mistake: str, said: str, not_said: str
) -> None:
    contexts = {
        "unknown authority": lambda: server_context(trustme.CA()),
        "other name": lambda: server_context(authority, name="other.example"),
        "expired": lambda: server_context(authority, until=datetime(2020, 1, 1, tzinfo=UTC)),
        "not yet": lambda: server_context(authority, since=datetime(2999, 1, 1, tzinfo=UTC)),
        "self-signed": lambda: self_signed(tmp_path),
    }
    peer = await prepared().start(contexts[mistake]())
    async with Client(f"{peer.url}/session", BearerCredential("fmu1-sesame")) as c:
        with pytest.raises(UntrustedError, match=rf"certificate of 127\.0\.0\.1:\d+ .*{said}") as caught:
            await c.session()
        assert not_said not in str(caught.value)
        assert c.requests == 1
    assert not peer.seen
    await peer.stop()


@pytest.mark.usefixtures("either_client")
async def test_a_server_that_speaks_no_tls_is_named_as_such() -> None:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 The plain HTTP request was sent to HTTPS port\r\n\r\n")

    async with wild(talk) as host, Client(f"https://{host}/session", BearerCredential("fmu1-sesame")) as c:
        with pytest.raises(NetworkError, match=f"{host} does not speak TLS"):
            await c.session()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "FILE names .*No such file"),
        (b"", "FILE names .*no certificates"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "FILE names .*no certificates"),
        (b"\0" * 70_000, "FILE names .*no certificates"),
        (b"a file", "DIR names .*not a directory"),
        (None, "DIR names .*not a directory"),
    ],
)
@pytest.mark.usefixtures("either_client")
async def test_certificates_that_cannot_be_read_are_a_mistake_in_the_variable_that_names_them(
    peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "here").write_bytes(content)
    monkeypatch.setenv(f"SSL_CERT_{said[:4].strip()}", str(tmp_path / "here"))
    async with Client(f"https://{peer.host}/session", BearerCredential("fmu1-sesame")) as c:
        with pytest.raises(ConfigError, match=f"SSL_CERT_{said}"):
            await c.session()


@pytest.mark.usefixtures("either_client")
async def test_certificates_are_sought_in_every_directory_of_the_variable(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    authority.cert_pem.write_to_path(tmp_path / "second" / "ca.pem")
    subprocess.run(["openssl", "rehash", tmp_path / "second"], check=True)  # noqa: ASYNC221  # a moment
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv("SSL_CERT_DIR", f"{tmp_path}/first:{tmp_path}/second")
    peer = prepared()
    await peer.start(server_context(authority))
    await fetch(peer.url)
    await peer.stop()


@pytest.mark.usefixtures("either_client")
async def test_an_encrypted_server_cannot_redirect_to_an_unencrypted_one(authority: trustme.CA, peer: Peer) -> None:
    safe = await Peer().start(server_context(authority))
    safe.on("/session", redirect(f"{peer.url}/session"))
    async with Client(f"{safe.url}/session", BearerCredential("fmu1-sesame"), trusted_hosts=[peer.host]) as c:
        with pytest.raises(HostRefusedError, match="unencrypted"):
            await c.session()
    assert not peer.seen
    await safe.stop()


@pytest.mark.usefixtures("either_client")
async def test_http_2_is_spoken_where_it_is_offered_and_its_log_shows_no_secret(
    authority: trustme.CA, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        bodies = {b"/session": json.dumps(session_object()).encode(), b"/api": result(ECHO).body}
        paths: dict[int, bytes] = {}
        while data := await reader.read(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    paths[event.stream_id] = dict(event.headers or [])[b":path"]
                elif isinstance(event, h2.events.StreamEnded):
                    path = paths[event.stream_id]
                    asked.append(path.decode())
                    connection.send_headers(event.stream_id, [(":status", "200"), ("content-type", "application/json")])
                    connection.send_data(event.stream_id, bodies[path], end_stream=True)
            writer.write(connection.data_to_send())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_context(authority, "h2", "http/1.1"))
    await fetch(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    assert asked == ["/session", "/api"]
    assert "HTTP/2" in caplog.text
    assert "sesame" not in caplog.text
    server.close()
    await server.wait_closed()
