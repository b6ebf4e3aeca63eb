"""Who may be sent the credential: asserted where it would arrive."""

from __future__ import annotations

from typing import Any

import pytest

from jmapsync.errors import ConfigError, DiscoveryError, HostRefusedError, NetworkError, ServerError
from jmapsync.jmap import blobs
from jmapsync.jmap.auth import BearerCredential
from jmapsync.jmap.client import Client
from jmapsync.jmap.discovery import candidates, domain_of
from jmapsync.jmap.hosts import Approval, Origin
from jmapsync.jmap.session import Session
from jmapsync.jmap.wire import Call
from tests.jmap.peer import CORE, ECHO, Answer, Peer, redirect, result, session_object

ECHO_CALL = Call("Core/echo", {"hello": True}, "c0")


def client(url: str, **options: Any) -> Client:  # noqa: ANN401  # passed on
    return Client(url, BearerCredential("fmu1-sesame"), **options)


# Redirects


@pytest.mark.anyio
@pytest.mark.usefixtures("either_client")
async def test_a_redirect_within_the_origin_keeps_the_credential(peer: Peer) -> None:
    peer.on("/.well-known/jmap", redirect("/session", 301))
    async with client(peer.url) as c:
        session = await c.session()
    assert session.url == f"{peer.url}/session"
    assert [seen.headers["authorization"] for seen in peer.seen] == ["Bearer fmu1-sesame"] * 2


@pytest.mark.anyio
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.usefixtures("either_client")
async def test_a_redirect_elsewhere_is_not_followed(peer: Peer, other_host: Peer, status: int) -> None:
    peer.on("/session", redirect(f"{other_host.url}/session", status))
    async with client(f"{peer.url}/session") as c:
        with pytest.raises(HostRefusedError, match=f'{other_host.host}.*add "{other_host.host}" to trusted_hosts'):
            await c.session()
    assert not other_host.seen


@pytest.mark.anyio
@pytest.mark.usefixtures("either_client")
async def test_a_redirect_to_a_trusted_host_is_followed(peer: Peer, other_host: Peer) -> None:
    peer.on("/session", redirect(f"{other_host.url}/session"))
    async with client(f"{peer.url}/session", trusted_hosts=[other_host.host]) as c:
        assert (await c.session()).api_url == f"{other_host.url}/api"
        await c.call([ECHO_CALL], using=[CORE])
    assert other_host.seen_at("/api")


@pytest.mark.anyio
@pytest.mark.parametrize("status", [302, 307])
@pytest.mark.usefixtures("either_client")
async def test_requests_are_not_redirected_elsewhere(peer: Peer, other_host: Peer, status: int) -> None:
    peer.on("/api", redirect(f"{other_host.url}/api", status))
    async with client(f"{peer.url}/session") as c:
        with pytest.raises(HostRefusedError):
            await c.call([ECHO_CALL], using=[CORE])
    assert not other_host.seen


@pytest.mark.anyio
@pytest.mark.usefixtures("either_client")
async def test_a_request_is_sent_again_where_307_says(peer: Peer) -> None:
    peer.on("/api", redirect("/api2", 307))
    peer.on("/api2", result(ECHO))
    async with client(f"{peer.url}/session") as c:
        assert (await c.call([ECHO_CALL], using=[CORE], repeatable=False)).get(ECHO_CALL)
    assert peer.seen_at("/api2")[0].calls == peer.seen_at("/api")[0].calls


@pytest.mark.anyio
@pytest.mark.usefixtures("either_client")
async def test_a_request_is_never_turned_into_a_get(peer: Peer) -> None:
    peer.on("/api", redirect("/api2", 302))
    async with client(f"{peer.url}/session") as c:
        with pytest.raises(ServerError, match="redirects requests"):
            await c.call([ECHO_CALL], using=[CORE])
    assert not peer.seen_at("/api2")


@pytest.mark.anyio
@pytest.mark.usefixtures("either_client")
async def test_redirects_in_circles_end(peer: Peer) -> None:
    peer.on("/session", redirect("/session"))
    async with client(f"{peer.url}/session") as c:
        with pytest.raises(DiscoveryError, match="redirects more than"):
            await c.session()
    assert len(peer.seen) < 12


# URLs of the session


@pytest.mark.anyio
@pytest.mark.usefixtures("either_client")
async def test_an_api_at_another_host_is_refused_by_name(peer: Peer, other_host: Peer) -> None:
    """Stalwart names its configured public host, whichever one was asked."""
    peer.offer_session(apiUrl=f"{other_host.url}/api")
    async with client(f"{peer.url}/session") as c:
        with pytest.raises(HostRefusedError, match=f'sends requests to {other_host.host}.*add "{other_host.host}"'):
            await c.call([ECHO_CALL], using=[CORE])
    assert not other_host.seen


@pytest.mark.anyio
@pytest.mark.usefixtures("either_client")
async def test_downloads_and_uploads_at_another_host_are_refused(peer: Peer, other_host: Peer) -> None:
    peer.offer_session(downloadUrl=f"{other_host.url}/d/{{blobId}}", uploadUrl=f"{other_host.url}/u/")
    async with client(f"{peer.url}/session") as c:
        with pytest.raises(HostRefusedError, match="downloads"):
            await blobs.download_whole(c, "alice", "G1")
        with pytest.raises(HostRefusedError, match="uploads"):
            await blobs.upload(c, "alice", b"x", "text/plain")
    assert not other_host.seen


@pytest.mark.anyio
@pytest.mark.usefixtures("either_client")
async def test_downloads_at_a_trusted_host_get_the_credential(peer: Peer, other_host: Peer) -> None:
    """Fastmail's downloads are at www.fastmailusercontent.com and need the same token."""
    peer.offer_session(downloadUrl=f"{other_host.url}/d/{{blobId}}")
    other_host.on("/d/G1", Answer(body=b"mail"))
    async with client(f"{peer.url}/session", trusted_hosts=[other_host.host]) as c:
        assert await blobs.download_whole(c, "alice", "G1") == b"mail"
    assert other_host.seen[0].headers["authorization"] == "Bearer fmu1-sesame"


@pytest.mark.anyio
async def test_a_kept_session_of_a_host_that_is_no_longer_trusted_is_not_used(peer: Peer, other_host: Peer) -> None:
    kept = Session.parse(Answer.json(session_object()).body, f"{other_host.url}/session")
    async with client(f"{peer.url}/session", session=kept) as c:
        await c.call([ECHO_CALL], using=[CORE])
    assert not other_host.seen
    assert len(peer.seen) == 2


# Proxies


@pytest.mark.anyio
@pytest.mark.usefixtures("either_client")
async def test_what_goes_to_this_machine_goes_through_no_proxy(
    peer: Peer, other_host: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, other_host.url)
    async with client(f"{peer.url}/session") as c:
        await c.session()
    assert peer.seen
    assert not other_host.seen


def test_a_proxy_that_cannot_be_used_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "gopher://127.0.0.1:1")
    with pytest.raises(ConfigError, match="proxy"):
        client("https://mail.example.com/")


# Addresses


@pytest.mark.parametrize("url", ["http://mail.example.com/", "http://192.0.2.1/", "ftp://localhost/", "//x", "https://"])
def test_an_unencrypted_or_senseless_address_is_refused(url: str) -> None:
    with pytest.raises(HostRefusedError):
        Origin.of(url)


@pytest.mark.parametrize("url", ["http://localhost:8080/", "http://127.0.0.1/", "http://[::1]:1/", "https://mail.example.com/"])
def test_https_and_this_machine_are_allowed(url: str) -> None:
    assert Origin.of(url).host


def test_a_user_name_in_a_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(HostRefusedError) as caught:
        Origin.of("https://alice:sesame@example.com/")
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "approved"),
    [
        ("https://home.example/x", True),
        ("https://HOME.example:443/x", True),
        ("https://home.example:8443/x", False),
        ("https://sub.home.example/x", False),
        ("https://home.example.evil.example/x", False),
        ("https://cdn.example/x", True),
        ("https://cdn.example:444/x", False),
        ("https://api.example:8443/x", True),
        ("https://api.example/x", False),
    ],
)
def test_approval_is_by_whole_origin(url: str, approved: bool) -> None:
    approval = Approval(["CDN.example", "api.example:8443"])
    approval.set_home("https://home.example/session")
    assert approval.approves(url) is approved


# Discovery


async def fastmail(name: str) -> list[tuple[str, int]]:
    assert name == "_jmap._tcp.fastmail.com"
    return [("api.fastmail.com", 443), ("api2.fastmail.com", 8443)]


async def no_records(name: str) -> list[tuple[str, int]]:
    return []


@pytest.mark.anyio
async def test_service_records_go_before_the_domain_itself() -> None:
    assert await candidates("alice@fastmail.com", fastmail) == [
        "https://api.fastmail.com/.well-known/jmap",
        "https://api2.fastmail.com:8443/.well-known/jmap",
        "https://fastmail.com/.well-known/jmap",
    ]


@pytest.mark.anyio
async def test_a_url_is_taken_as_it_is() -> None:
    assert await candidates("https://mail.example.com/jmap/session", fastmail) == ["https://mail.example.com/jmap/session"]


@pytest.mark.anyio
@pytest.mark.parametrize("url", ["https://mail.example.com", "https://mail.example.com/"])
async def test_a_url_without_a_path_means_its_well_known_one(url: str) -> None:
    assert await candidates(url, fastmail) == ["https://mail.example.com/.well-known/jmap"]


@pytest.mark.anyio
async def test_a_host_with_a_port_needs_no_service_record() -> None:
    assert await candidates("mail.example.com:8443", fastmail) == ["https://mail.example.com:8443/.well-known/jmap"]


def test_an_international_domain_is_searched_in_its_ascii_form() -> None:
    assert domain_of("jürgen@Bücher.example") == "xn--bcher-kva.example"


@pytest.mark.parametrize("address", ["", "alice@", "alice@exa mple", "alice@example.com/path", "a@b:port"])
def test_what_is_no_address_is_reported(address: str) -> None:
    with pytest.raises(DiscoveryError):
        domain_of(address)


@pytest.mark.anyio
async def test_a_service_record_that_leads_out_of_the_domain_needs_approval() -> None:
    """The domain name system is seldom signed, so anybody may have written the record."""

    async def elsewhere(name: str) -> list[tuple[str, int]]:
        return [("jmap.evil.example", 443)]

    async with client("alice@example.com", resolver=elsewhere) as c:
        with pytest.raises(
            HostRefusedError, match=r'domain name system.*jmap\.evil\.example.*add "jmap\.evil\.example" to trusted_hosts'
        ):
            await c.session()
        assert c.requests == 0


@pytest.mark.anyio
async def test_a_domain_that_cannot_be_reached_is_the_network_s_fault() -> None:
    async with client("alice@localhost:9", resolver=no_records) as c:
        with pytest.raises(NetworkError, match="could not be reached"):
            await c.session()
