"""A limited rate is kept by both clients, both ways, and by all who share it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from jmapsync.jmap import blobs
from jmapsync.jmap.auth import BearerCredential
from jmapsync.jmap.bounds import Bounds
from jmapsync.jmap.client import Client
from jmapsync.jmap.traffic import RateLimit, Traffic, shared_limit
from tests.jmap.peer import CORE, Answer, Peer
from tests.jmap.test_blobs import stored

if TYPE_CHECKING:
    from pathlib import Path

RATE = 400_000
CONTENT = bytes(range(200)) * 1_000
"""Half a second's octets."""


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def client(peer: Peer, limit: RateLimit, **bounds: float) -> Client:
    return Client(f"{peer.url}/session", BearerCredential("fmu1-sesame"), rate=limit, bounds=Bounds(**bounds))


@pytest.mark.parametrize("piece", [1_000, 50_000])
@pytest.mark.parametrize("rate", [1_000, 64_000, 500_000])
def test_octets_go_at_the_rate_whatever_their_portions(rate: float, piece: int) -> None:
    clock = Clock()
    limit = RateLimit(rate, clock=clock)
    octets = 0
    while octets < 20 * rate:
        limit.take(piece)
        octets += piece
        clock.now += limit.left()
    assert octets / (clock.now - 100.0) == pytest.approx(rate, rel=0.03)


def test_what_was_not_used_is_not_saved_up() -> None:
    clock = Clock()
    limit = RateLimit(1_000, clock=clock)
    clock.now += 3_600
    limit.take(5_000)
    assert limit.left() == pytest.approx(5, abs=0.3)


def test_all_accounts_share_one_limit_and_none_means_none() -> None:
    assert shared_limit(5_000) is shared_limit(5_000)
    assert shared_limit(0) is None


@pytest.mark.anyio
async def test_without_a_limit_nothing_waits_and_all_is_counted() -> None:
    traffic = Traffic()
    traffic.receive(1 << 40)
    traffic.send(7)
    await traffic.turn()
    assert (traffic.received, traffic.sent) == (1 << 40, 7)


@pytest.mark.anyio
async def test_downloads_take_the_time_that_the_rate_asks_for(peer: Peer, many: bool) -> None:
    peer.on("/download/alice/G1/blob", Answer(body=CONTENT))
    async with client(peer, RateLimit(RATE)) as c:
        await c.session()
        began = time.monotonic()
        got = await asyncio.gather(*(blobs.download_whole(c, "alice", "G1", many=many) for _ in range(3)))
        assert time.monotonic() - began >= 0.9 * 3 * len(CONTENT) / RATE - 0.3
    assert got == [CONTENT] * 3


@pytest.mark.anyio
@pytest.mark.parametrize("as_file", [True, False])
async def test_uploads_take_the_time_that_the_rate_asks_for(peer: Peer, tmp_path: Path, as_file: bool, many: bool) -> None:
    peer.offer_session(capabilities={CORE: {}})
    peer.on("/upload/alice/", stored)
    (tmp_path / "mail").write_bytes(CONTENT)
    async with client(peer, RateLimit(RATE)) as c:
        await c.session()
        began = time.monotonic()
        for _ in range(2):
            await blobs.upload(c, "alice", tmp_path / "mail" if as_file else CONTENT, "x/y", many=many)
        assert time.monotonic() - began >= 0.9 * 2 * len(CONTENT) / RATE - 0.3
    assert [seen.body for seen in peer.seen_at("/upload/alice/")] == [CONTENT] * 2


@pytest.mark.anyio
async def test_a_pause_for_the_rate_is_no_silence_of_the_server(peer: Peer, many: bool) -> None:
    peer.on("/download/alice/G1/blob", Answer(body=CONTENT))
    limit, pieces = RateLimit(RATE), list[bytes]()

    def take(piece: bytes) -> None:
        if not pieces:
            limit.take(2 * RATE)  # as another account may
        pieces.append(piece)

    async with client(peer, limit, silence=1.5) as c:
        await blobs.download(c, "alice", "G1", take, many=many)
        assert c.requests == 2
    assert b"".join(pieces) == CONTENT
