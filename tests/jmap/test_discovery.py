"""Service records, asked of a real name server on a loopback port."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from jmapsync.errors import DiscoveryError
from jmapsync.jmap.discovery import UnansweredError, candidates, resolve_srv, srv_targets

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

NAME = "_jmap._tcp.example.com"


class NameServer(asyncio.DatagramProtocol):
    """Answer every question with the same SRV records, with NXDOMAIN if there are none, or with silence."""

    def __init__(self) -> None:
        self.records: list[str] | None = []
        self.asked = 0
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]  # it is one
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.asked += 1
        if self.records is None:
            return
        question = dns.message.from_wire(data)
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.RA
        if self.records:
            answer.answer = [dns.rrset.from_text(question.question[0].name, 60, "IN", "SRV", *self.records)]
        else:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        assert self._transport is not None
        self._transport.sendto(answer.to_wire(), addr)


@pytest.fixture
async def names(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[NameServer]:
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], transport.get_extra_info("sockname")[1]
    monkeypatch.setattr(dns.asyncresolver, "default_resolver", resolver)
    yield server
    transport.close()
    await asyncio.sleep(0.01)  # the loop closes the socket a little later


async def test_targets_come_by_priority_then_by_weight(names: NameServer) -> None:
    names.records = ["20 9 443 last.example.com.", "10 1 443 light.example.com.", "10 5 8443 heavy.example.com."]
    assert await resolve_srv(NAME) == [("heavy.example.com", 8443), ("light.example.com", 443), ("last.example.com", 443)]


async def test_the_address_is_asked_about_by_its_domain(names: NameServer) -> None:
    names.records = ["0 1 443 api.example.com."]
    assert await candidates("alice@example.com") == [
        "https://api.example.com/.well-known/jmap",
        "https://example.com/.well-known/jmap",
    ]


async def test_a_domain_without_the_record_has_no_targets(names: NameServer) -> None:
    assert await resolve_srv(NAME) == []


async def test_a_domain_that_says_it_has_no_such_service_is_believed(names: NameServer) -> None:
    names.records = ["0 0 0 ."]
    with pytest.raises(DiscoveryError, match=r"example\.com says that it offers no JMAP"):
        await candidates("alice@example.com")


async def test_a_name_server_that_is_silent_is_not_waited_for(names: NameServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jmapsync.jmap.discovery.SRV_SECONDS", 0.2)
    names.records = None
    assert await candidates("alice@example.com") == ["https://example.com/.well-known/jmap"]
    assert names.asked == 1  # the resolver asks every two seconds


async def test_no_answer_is_distinguished_from_no_record(names: NameServer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await srv_targets(NAME) == []
    monkeypatch.setattr("jmapsync.jmap.discovery.SRV_SECONDS", 0.2)
    names.records = None
    with pytest.raises(UnansweredError):
        await srv_targets(NAME)


async def test_a_machine_without_a_resolver_asks_the_domain_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = dns.asyncresolver.Resolver(configure=False)
    monkeypatch.setattr(dns.asyncresolver, "default_resolver", resolver)
    assert await resolve_srv(NAME) == []
