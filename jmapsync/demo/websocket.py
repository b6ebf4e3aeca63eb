"""Speak JMAP over a WebSocket: requests and push on one connection (RFC 8887)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.websockets import WebSocketDisconnect

from jmapsync.demo.problems import JsonObject, RequestProblem
from jmapsync.demo.push import Broadcast, known_states, state_id, watch_states
from jmapsync.demo.wire import decode_request, run_request

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

    from jmapsync.demo.service import Service


async def serve_socket(service: Service, broadcast: Broadcast, socket: WebSocket) -> None:
    """Serve one connection until either side closes it."""
    offered = socket.scope.get("subprotocols", [])
    await socket.accept(subprotocol="jmap" if "jmap" in offered else None)
    pushing: asyncio.Task[None] | None = None
    try:
        async for text in socket.iter_text():
            message = _object(text)
            match message.get("@type"):
                case "WebSocketPushEnable" | "WebSocketPushDisable" as kind:
                    if pushing is not None:
                        pushing.cancel()
                    enable = kind == "WebSocketPushEnable"
                    pushing = asyncio.create_task(_push(service, broadcast, socket, message)) if enable else None
                    await asyncio.sleep(0)  # so that it watches before anything else is answered
                case _:
                    await socket.send_text(_answer(service, message, text.encode()))
    finally:
        if pushing is not None:
            pushing.cancel()
            await asyncio.gather(pushing, return_exceptions=True)


async def _push(service: Service, broadcast: Broadcast, socket: WebSocket, enable: dict[str, Any]) -> None:
    """Send changes; what was missed since the client's pushState first (RFC 8887, section 4.3.5)."""
    types = frozenset(enable.get("dataTypes") or ())
    known = known_states(service, types=types, last_id=enable.get("pushState") or "")
    with contextlib.suppress(WebSocketDisconnect):
        async with contextlib.aclosing(watch_states(service, broadcast, types=types, known=known, every=0)) as news:
            async for changed in news:
                if changed is not None and not service.faults.silent_events.shows(("websocket",)):
                    event = {"@type": "StateChange", "changed": changed, "pushState": state_id(service)}
                    await socket.send_text(msgspec.json.encode(event).decode())
        await socket.close()


def _answer(service: Service, message: dict[str, Any], text: bytes) -> str:
    asked = {"requestId": message["id"]} if isinstance(message.get("id"), str) else {}
    try:
        response = _run(service, message, text)
        answer = {"@type": "Response", **asked, **response}
    except RequestProblem as problem:
        answer = {"@type": "RequestError", **asked, **problem.body}
    return msgspec.json.encode(answer).decode()


def _run(service: Service, message: dict[str, Any], text: bytes) -> JsonObject:
    if message.get("@type") != "Request":
        raise RequestProblem("notRequest", "There is no message of this type.")
    return run_request(service, decode_request(text))


def _object(text: str) -> dict[str, Any]:
    try:
        message = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return {}
    return message if isinstance(message, dict) else {}
