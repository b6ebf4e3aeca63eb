"""Play cases of altered push: the listener of an account, and a server that sends on its first connection what none should."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import time
import traceback
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partialmethod
from typing import TYPE_CHECKING, Any
from unittest import mock

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.frames import CloseCode, Frame, Opcode
from websockets.server import ServerProtocol

from jmapsync.daemon.push_listener import MAIL_TYPES, Listener
from jmapsync.jmap.auth import BearerCredential
from jmapsync.jmap.client import Client
from jmapsync.jmap.transport import Transport
from jmapsync.jmap.websocket import CAPABILITY
from tests.jmap.peer import CORE, MAIL, session_object
from tests.kit import virtual
from tests.sim import mutation, push_mutation, stand
from tests.sim.altering import Altering, Case, Mutation
from tests.sim.fuzzer import CaseResult
from tests.sim.push_mutation import ACCOUNT, End, Sent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HOST = "127.0.0.1"
GROWTH = 64 << 20
"""Octets that a case may take at the most, the server's own included."""
MOST_ASKED = 16384
"""Octets of a request's head, or of a message that asks for push, that the server bears, as common ones do."""
PATIENCE = 8 * 3600.0
"""Seconds after which changes have to arrive again, the longest pause that a server may ask for included."""
FIRST, LATER = "first é\u2028\U0001f600", "later"
"""The state reported after what is wrong, and on the connections that follow."""


def _state_change(state: str) -> bytes:
    return json.dumps({"@type": "StateChange", "changed": {ACCOUNT: {"Email": state}}}, ensure_ascii=False).encode()


@dataclass
class Script:
    """What the first connection sends."""

    case: Case
    chance: random.Random
    sent: list[Sent] = field(default_factory=list)
    end: End = "close"
    head: str = ""
    """What is done to the answer that opens the connection."""
    early: bool = False
    """Before the request that follows the wish for changes is answered."""

    @classmethod
    def of(cls, case: Case) -> Script:
        chance = random.Random(case.seed)
        made = cls(case, chance, end=chance.choice(("close", "cut", "silence")), early=not case.mutations[0].always)
        for one in case.mutations:
            made.sent.append(push_mutation.sent(one, chance))
            if one.method.endswith((" http", " handshake")):
                made.head = one.operation
        return made

    @property
    def is_stream(self) -> bool:
        return self.case.mutations[0].method.startswith("stream")

    @property
    def lasts(self) -> bool:
        """Whether the first connection has to bring the state that follows."""
        size = sum(len(one.data) for one in self.sent)
        return not self.head and all(one.lasts for one in self.sent) and size < (2 << 20) - 65536

    def pieces(self, data: bytes) -> list[bytes]:
        """Split octets anywhere, now and then at each."""
        if len(data) < 2000 and self.chance.random() < 0.3:
            return [data[at : at + 1] for at in range(len(data))]
        if self.chance.random() < 0.3:
            return [data]
        cuts = sorted(self.chance.randrange(len(data) + 1) for _ in range(self.chance.randrange(1, 9)))
        return [data[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True) if begin < end]


class _Server(httpx.AsyncBaseTransport):
    """A server of HTTP and of WebSockets in this process, whose first connection of push follows a script."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.opened = 0
        self.faults: list[str] = []
        self._talks: set[asyncio.Task[None]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host != HOST:
            self.faults.append(f"a request went to {request.url.host}")
        if request.url.path == "/session":
            offer = {"url": f"ws://{HOST}/ws", "supportsPush": True}
            stream = {"eventSourceUrl": "/events/"} if self.script.is_stream else {"eventSourceUrl": None}
            capabilities: dict[str, Any] = {CORE: {}, MAIL: {}} | ({} if self.script.is_stream else {CAPABILITY: offer})
            session = json.dumps(session_object(capabilities=capabilities, **stream)).encode()
            return httpx.Response(200, headers={"content-type": "application/json"}, stream=stand.Whole(session), request=request)
        if not request.url.path.startswith("/events/"):
            return httpx.Response(404, stream=stand.Whole(b""), request=request)
        if sum(len(name) + len(value) + 4 for name, value in request.headers.raw) > MOST_ASKED:
            return httpx.Response(431, stream=stand.Whole(b""), request=request)
        self.opened += 1
        status, headers, first = 200, {"content-type": "text/event-stream"}, b""
        if self.opened == 1 and self.script.head:
            first = b"event: state\ndata: " + json.dumps(push_mutation.CHANGE).encode() + b"\n\n"
            status, headers, first = mutation.mutate_http(self.script.head, status, headers, first)
        body = _Body(self._stream(first, scripted=self.opened == 1))
        octets = [(name.encode(), value.encode()) for name, value in headers.items()]
        return httpx.Response(status, headers=octets, stream=body, request=request)

    async def _stream(self, first: bytes, *, scripted: bool) -> AsyncIterator[bytes]:
        script = self.script
        yield first
        if not scripted:
            yield b"event: state\ndata: " + _state_change(LATER) + b"\n\n"
            await asyncio.Event().wait()
        for one in script.sent:
            for piece in script.pieces(one.data):
                yield piece
            while one.endless:
                yield one.endless
                await asyncio.sleep(0)
            if one.end is not None:
                script.end = one.end
                break
        else:
            for piece in script.pieces(
                b"event: state\n" + script.chance.choice((b"", b"id: 8\n")) + b"data: " + _state_change(FIRST) + b"\n\n"
            ):
                yield piece
        if script.end == "silence":
            await asyncio.Event().wait()
        if script.end == "cut":
            failures = (httpx.ReadError, httpx.RemoteProtocolError, httpx.ReadTimeout)
            raise script.chance.choice(failures)("cut")

    async def open_socket(self, opening: connect) -> ClientConnection:
        """Stand in for a connection of TCP: the other end of it is here."""
        here, there = socket.socketpair()
        there.setblocking(False)
        self.opened += 1
        talk = asyncio.create_task(self._talk(there, scripted=self.opened == 1))
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: opening.factory(opening.ws_uri), sock=here)
        return connection

    async def _talk(self, end: socket.socket, *, scripted: bool) -> None:
        with contextlib.closing(end), contextlib.suppress(ConnectionError):
            try:
                await _Talk(end, self.script, scripted=scripted).run()
            except (ValueError, LookupError, TypeError, AttributeError) as error:
                self.faults.append(f"the server of the test failed: {error!r}")

    async def leave(self) -> None:
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)


class _Body(httpx.AsyncByteStream):
    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._pieces:
            yield piece


class _Talk:
    """The server's side of one WebSocket."""

    def __init__(self, end: socket.socket, script: Script, *, scripted: bool) -> None:
        self._end = end
        self._script = script
        self._scripted = scripted
        self._protocol = ServerProtocol(subprotocols=["jmap"], max_size=None)  # type: ignore[list-item]
        self._loop = asyncio.get_running_loop()

    async def run(self) -> None:
        """Shake hands, follow the script once the client has asked for changes, then answer its pings."""
        asked = 0
        while octets := await self._loop.sock_recv(self._end, 65536):
            self._protocol.receive_data(octets)
            for event in self._protocol.events_received():
                if not isinstance(event, Frame):
                    response = self._protocol.accept(event)  # type: ignore[arg-type]
                    self._protocol.send_response(response)
                    head = b"".join(self._protocol.data_to_send())
                    if self._scripted and self._script.head:
                        await self._send(push_mutation.HANDSHAKES[self._script.head](head))
                        return
                    await self._send(head)
                elif event.opcode is Opcode.TEXT:
                    if len(event.data) > MOST_ASKED:
                        return
                    asked += 1
                    if asked == 2 and not await self._say():
                        return
            await self._send(b"".join(self._protocol.data_to_send()))

    async def _say(self) -> bool:
        """Send what is to be sent; return whether the connection stays open."""
        answer = _text(b'{"@type":"Response","requestId":"enabled","methodResponses":[]}')
        if not self._scripted:
            await self._send(answer + _text(_state_change(LATER)))
            return True
        script = self._script
        if not script.early:
            await self._send(answer)
        for one in script.sent:
            for piece in script.pieces(one.data):
                await self._send(piece)
                await asyncio.sleep(0)
            while one.endless:
                await self._send(one.endless)
                await asyncio.sleep(0)
            if one.end is not None:
                return await self._finish(one.end)
        await self._send((answer if script.early else b"") + _text(_state_change(FIRST)))
        return await self._finish(script.end)

    async def _finish(self, end: End) -> bool:
        if end == "silence":
            await asyncio.Event().wait()
        if end == "close":
            self._protocol.send_close(CloseCode.NORMAL_CLOSURE)
            await self._send(b"".join(self._protocol.data_to_send()))
        return end == "close"

    async def _send(self, octets: bytes) -> None:
        await self._loop.sock_sendall(self._end, octets)


def _text(octets: bytes) -> bytes:
    return Frame(Opcode.TEXT, octets).serialize(mask=False)


class PushFuzzer:
    """Makes and plays the cases of a seed."""

    def __init__(self) -> None:
        self.combinations = list(push_mutation.combinations())
        self._orders: dict[int, list[int]] = {}

    @property
    def fields(self) -> set[tuple[str, tuple[str, ...]]]:
        return {(method, pattern) for method, pattern, _ in self.combinations}

    def case(self, seed: int, number: int) -> Case:
        """Return one case: every combination once, in an order that the seed gives, then all again by other choices."""
        turn, index = divmod(number, len(self.combinations))
        if seed not in self._orders:
            self._orders[seed] = order = list(range(len(self.combinations)))
            random.Random(seed).shuffle(order)
        chance = random.Random(f"{seed}:{number}")
        first = self.combinations[self._orders[seed][index]]
        mutations = [Mutation(*first, always=chance.random() < 0.6)]
        while (turn and chance.random() < 0.4) or chance.random() < 0.15:
            other = chance.choice(self.combinations)
            if other[0].split()[0] == first[0].split()[0]:
                mutations.append(Mutation(*other))
        return Case("push", tuple(mutations), chance.randrange(1 << 30))

    def play(self, case: Case) -> CaseResult:
        """Play a case and return what is wrong."""
        script, altering = Script.of(case), Altering(case)
        altering.done |= {(one.method, one.pattern) for one in case.mutations}
        result = CaseResult(case, [], altering)
        begun = time.process_time()
        held = stand.forget_peak()
        with ExitStack() as stack:
            stack.enter_context(mock.patch("jmapsync.daemon.push_listener.random", random.Random(case.seed)))
            stack.enter_context(stand.limited())
            try:
                result.faults, result.trace = virtual.run(_listen(script))[0]
            except (stand.TooSlowError, virtual.StuckError, Exception) as error:  # noqa: BLE001  # this is what the test searches for
                result.faults = [f"listening crashed: {error!r}"[:300]]
                result.trace = "".join(traceback.format_exception(error))
        result.cpu, result.peak = time.process_time() - begun, stand.peak() - held
        if held and result.peak > GROWTH:  # of a peak that cannot be measured anew nothing follows
            result.faults.append(f"it took too much memory: {result.peak >> 20} MB more")
        if result.cpu > stand.CPU_SECONDS:
            result.faults.append(f"it took too long: {result.cpu:.1f} s")
        return result


async def _opened(opening: connect, server: _Server) -> ClientConnection:
    return await server.open_socket(opening)


async def _listen(script: Script) -> tuple[list[str], str]:
    """Listen until what a later connection reports has come; return what was wrong by then, and the trace of a crash."""
    server = _Server(script)
    heard: list[tuple[str, Any]] = []
    again = asyncio.Event()
    crashes: list[Exception] = []

    def hint(reason: str) -> None:
        state = listener.states.get("Email")
        heard.append((reason, state))
        if state == LATER:
            again.set()

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(Transport, "apart", lambda one: Transport(user_agent=one.user_agent, inner=server)))
        stack.enter_context(mock.patch.object(connect, "open_tcp_connection", partialmethod(_opened, server)))
        async with Client(f"http://{HOST}/session", BearerCredential("sesame"), transport=server, max_wait=0) as client:
            listener = Listener(client, ACCOUNT, hint, crashed=crashes.append)
            task = asyncio.create_task(listener.run())
            waiting = asyncio.create_task(again.wait())
            await asyncio.wait([task, waiting], timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
            faults = list(server.faults)
            ended = task.exception() if task.done() else None
            if ended is not None:
                faults.append(f"listening crashed: {ended!r}"[:300])
            faults += [f"listening crashed: {error!r}"[:300] for error in crashes]
            if not again.is_set():
                faults.append(f"no later change is heard of: {listener.state}, {server.opened} connections")
            if script.lasts and FIRST not in {state for _, state in heard}:
                faults.append(f"what follows on the same connection is not understood: {heard[:3]!r}"[:300])
            if "push is connected" not in {reason for reason, _ in heard}:
                faults.append("nobody asks for a run after a connection")
            if not all(name in MAIL_TYPES and isinstance(state, str) for name, state in listener.states.items()):
                faults.append(f"it takes for reported {listener.states!r}"[:300])
            task.cancel()
            waiting.cancel()
            await asyncio.gather(task, waiting, return_exceptions=True)
            await server.leave()
    causes = [error for error in (ended, *crashes) if error is not None]
    return faults, "".join(traceback.format_exception(causes[0])) if causes else ""
