"""What a server's push sends that none should: events, messages, streams and handshakes with something wrong in them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from websockets.frames import Frame, Opcode

from tests.sim import mutation

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

    from tests.sim.altering import Mutation

End = Literal["close", "cut", "silence"]
Combination = tuple[str, tuple[str, ...], str]

ACCOUNT = "alice"
CHANGE = {
    "@type": "StateChange",
    "changed": {ACCOUNT: {"Email": "s1", "Mailbox": "m1", "CalendarEvent": "c1"}, "other": {"Email": "x1"}},
    "pushState": "p1",
}
MESSAGES: dict[str, dict[str, Any]] = {
    "StateChange": CHANGE,
    "Response": {"@type": "Response", "requestId": "R7", "methodResponses": [["Core/echo", {"a": 1}, "0"]], "sessionState": "1"},
    "RequestError": {
        "@type": "RequestError",
        "requestId": "R7",
        "type": "urn:ietf:params:jmap:error:limit",
        "limit": "maxSizeRequest",
        "status": 400,
        "detail": "no",
    },
}
MOST = (1 << 20) - 4096
"""Octets of an event or message after which a client may give up a connection."""
_PIECE = b"A" * 65536
_NESTED = {"nested list": b"[" * 1100 + b"]" * 1100, "nested object": b'{"changed":' * 1100 + b"1" + b"}" * 1100}
_SHAPES = (*mutation.OPERATIONS, *_NESTED)


@dataclass(frozen=True)
class Sent:
    """What one mutation makes a connection send."""

    data: bytes
    lasts: bool = True
    """Whether the client has to keep the connection, and to understand what follows."""
    endless: bytes = b""
    """What follows without end."""
    end: End | None = None
    """How the connection ends right after."""


def _event(data: bytes) -> bytes:
    return b"event: state\nid: 7\ndata: " + data + b"\n\n"


def _with(field: str, value: bytes) -> Callable[[bytes], bytes]:
    """Return what gives an event's field another value."""
    return lambda event: re.sub(rb"(?m)^" + field.encode() + rb":.*$", lambda _: field.encode() + b": " + value, event)


def _without(field: str) -> Callable[[bytes], bytes]:
    return lambda event: re.sub(rb"(?m)^" + field.encode() + rb":.*\n", b"", event)


LINES: dict[str, Callable[[bytes], bytes]] = {
    "sound": lambda event: event,
    "CR": lambda event: event.replace(b"\n", b"\r"),
    "CRLF": lambda event: event.replace(b"\n", b"\r\n"),
    "mixed": lambda event: event.replace(b"\n", b"\r\n", 1).replace(b"\ndata", b"\rdata"),
    "no space": lambda event: re.sub(rb"(?m)^([a-z]+): ", rb"\1:", event),
    "two spaces": lambda event: re.sub(rb"(?m)^([a-z]+): ", rb"\1:  ", event),
    "comment": lambda event: b": hello\n:\n::\n" + event,
    "comment inside": lambda event: event.replace(b"\ndata", b"\n: data: 7\ndata"),
    "long comment": lambda event: b":" + b"A" * 500_000 + b"\n" + event,
    "unknown fields": lambda event: b"foo: bar\ndata\x00: x\n: \nmeta\n" + event,
    "unknown event": _with("event", b"other"),
    "ping": lambda _: b'event: ping\ndata: {"interval": 30}\n\n',
    "ping null": lambda _: b"event: ping\ndata: null\n\n",
    "ping bare": lambda _: b"event: ping\n\n",
    "ping huge": lambda _: b'event: ping\ndata: {"interval": ' + b"9" * 5000 + b"}\n\n",
    "ping negative": lambda _: b'event: ping\ndata: {"interval": -1}\n\n',
    "retry zero": lambda event: b"retry: 0\n" + event,
    "retry huge": lambda event: b"retry: " + b"9" * 5000 + b"\n" + event,
    "retry odd": lambda event: "retry: ²\nretry: -1\nretry: ٣\nretry\n".encode() + event,
    "no colon": lambda event: b"data\nid\nevent\n" + event,
    "blank lines": lambda event: b"\n" * 5000 + event,
    "duplicate": lambda event: event * 2,
    "many": lambda event: event * 500,
    "BOM": lambda event: b"\xef\xbb\xbf" + event,
    "upper case": lambda event: re.sub(rb"(?m)^[a-z]+:", lambda found: found[0].upper(), event),
    "NUL": lambda event: event.replace(b"data: ", b"data: \0"),
    "zeros": lambda event: bytes(len(event)),
    "invalid": lambda event: b"\xff\xfe\xc3\n\x80: \xf5\n" + event,
    "half a character": lambda event: event.replace(b"\n\n", b"\xf0\x9f\n\n"),
    "separators": lambda event: event.replace(b"data: ", "data: \u2028\u2029\x85\x0b\x0c\x1c".encode()),
    "page": lambda _: b"<!DOCTYPE html>\n\n<html><body>Sign in</body></html>",
    "half": lambda event: event[: len(event) // 2],
    **{f"no {field}": _without(field) for field in ("event", "id", "data")},
    **{
        f"{field} {name}": _with(field, value)
        for field in ("event", "id", "data")
        for name, value in {
            "empty": b"",
            "NUL": b"a\0b",
            "huge": b"A" * 1_000_000,
            "long": b"A" * 20_000,
            "invalid": b"\xff\xc3(",
            "letters": "é\u0663\U0001f600".encode(),
            "control": b"a\x1b[31m\x7f\t",
            "spaces": b"  a  ",
            "digits": b"9" * 5000,
            "colons": b":: : data: event: ",
        }.items()
    },
    **{f"{field} twice": lambda event, f=field: f.encode() + b": x\n" + event for field in ("event", "id", "data")},  # type: ignore[misc]
}
"""What is done to an event; whatever it is, what follows is understood."""
ENDLESS = {
    "line": b"A",
    "data": b"data: A",
    "comment": b": A",
    "data lines": b"data: x\n" * 8000,
    "id lines": b"id: x\n" * 8000,
    "comments": b": x\n" * 16000,
    "blank": b"\n" * 65536,
    "CR": b"\r" * 65536,
    "pings": b"event: ping\ndata: {}\n\n" * 2000,
    "states": _event(json.dumps(CHANGE).encode()) * 500,
    "NULs": bytes(65536),
}
FRAMES: dict[str, Callable[[bytes], tuple[bytes, bool]]] = {
    "sound": lambda text: (_frame(text), True),
    "binary": lambda text: (_frame(text, Opcode.BINARY), True),
    "binary noise": lambda _: (_frame(bytes(range(256)) * 100, Opcode.BINARY), True),
    "empty": lambda _: (_frame(b""), True),
    "empty binary": lambda _: (_frame(b"", Opcode.BINARY), True),
    "fragments": lambda text: (
        _frame(text[:9], fin=False)
        + b"".join(_frame(text[at : at + 1], Opcode.CONT, fin=False) for at in range(9, len(text)))
        + _frame(b"", Opcode.CONT),
        True,
    ),
    "ping between": lambda text: (_frame(text[:9], fin=False) + _frame(b"p", Opcode.PING) + _frame(text[9:], Opcode.CONT), True),
    "ping": lambda _: (_frame(b"x" * 125, Opcode.PING), True),
    "pong": lambda _: (_frame(b"unasked", Opcode.PONG), True),
    "many": lambda text: (_frame(text) * 90, True),
    "flood": lambda text: (_frame(text) * 12_000, False),
    "invalid": lambda text: (_frame(b"\xff\xfe" + text), False),
    "half a character": lambda text: (_frame(b'"\xf0\x9f'), False),
    "huge": lambda _: (_frame(b'"' + b"A" * (3 << 20) + b'"'), False),
    "claimed": lambda _: (b"\x81\x7f\x3f" + b"\xff" * 7 + _PIECE, False),
    "most claimed": lambda _: (b"\x81\x7f" + b"\xff" * 8, False),
    "masked": lambda text: (Frame(Opcode.TEXT, text).serialize(mask=True), False),
    "reserved bits": lambda text: (bytes([_frame(text)[0] | 0x70]) + _frame(text)[1:], False),
    "reserved opcode": lambda text: (bytes([0x83]) + _frame(text)[1:], False),
    "lone continuation": lambda text: (_frame(text, Opcode.CONT), False),
    "text within text": lambda text: (_frame(text, fin=False) + _frame(text), False),
    "long ping": lambda _: (b"\x89\x7e\x01\x00" + bytes(256), False),
    "noise": lambda _: (bytes(range(255, 0, -1)) * 20, False),
    "HTTP": lambda _: (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", False),
    "bare close": lambda _: (_frame(b"", Opcode.CLOSE), False),
    "half close": lambda _: (_frame(b"\x03", Opcode.CLOSE), False),
    "odd close": lambda _: (_frame(b"\x00\x07\xff", Opcode.CLOSE), False),
    **{
        f"close {code}": lambda _, code=code: (_frame(code.to_bytes(2) + b"\x1b[2J", Opcode.CLOSE), False)  # type: ignore[misc]
        for code in (1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1011, 1012, 1013, 1015, 3000, 4999, 65535)
    },
}
"""What is done to a message as a whole, and whether the connection has to last."""
HANDSHAKES: dict[str, Callable[[bytes], bytes]] = {
    "no accept": lambda head: re.sub(rb"(?i)sec-websocket-accept:.*\r\n", b"", head),
    "wrong accept": lambda head: re.sub(rb"(?i)sec-websocket-accept: .*\r\n", b"Sec-WebSocket-Accept: \xffAAAA\r\n", head),
    "no protocol": lambda head: re.sub(rb"(?i)sec-websocket-protocol:.*\r\n", b"", head),
    "other protocol": lambda head: head.replace(b"jmap", b"xmpp"),
    "no upgrade": lambda head: re.sub(rb"(?i)upgrade: websocket\r\n", b"", head),
    "extension": lambda head: head.replace(b"\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n", 1),
    "noise": lambda _: bytes(range(256)) * 10 + b"\r\n\r\n",
    "empty": lambda _: b"",
    "half": lambda head: head[: len(head) // 2],
    "stream": lambda _: b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: x\n\n",
    "huge header": lambda head: head.replace(b"\r\n", b"\r\nX: " + b"A" * 300_000 + b"\r\n", 1),
    "many headers": lambda head: head.replace(b"\r\n", b"\r\n" + b"X: A\r\n" * 5000, 1),
    "odd version": lambda head: head.replace(b"HTTP/1.1", b"HTTP/9"),
    **{
        f"status {status}": lambda _, status=status: (  # type: ignore[misc]
            f"HTTP/1.1 {status} x\r\nRetry-After: 1e9\r\nLocation: http://evil/\r\nContent-Length: 4\r\n\r\nno\x1b[".encode()
        )
        for status in mutation.STATUSES
    },
}


def _frame(data: bytes, opcode: Opcode = Opcode.TEXT, *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=False)


def combinations() -> Iterator[Combination]:
    """Yield whatever can be done: to what, where, and the operation."""
    for name, message in MESSAGES.items():
        for pattern, path in mutation.sites(message):
            value = mutation.at(message, path)
            for operation in _SHAPES:
                if operation in _NESTED or mutation.applies(operation, value):
                    yield f"socket {name}", pattern, operation
                    if name == "StateChange":
                        yield f"stream {name}", pattern, operation
    for body in mutation.BODIES:
        yield "stream body", (), body
        yield "socket body", (), body
    yield from (("stream line", (), one) for one in LINES)
    yield from (("stream endless", (), one) for one in ENDLESS)
    yield from (("stream http", (), one) for one in mutation.http_operations())
    yield from (("stream cut", (), one) for one in ("close", "cut", "silence"))
    yield from (("socket frame", (), one) for one in FRAMES)
    yield from (("socket endless", (), one) for one in ("fragments", "states", "pings", "noise"))
    yield from (("socket handshake", (), one) for one in HANDSHAKES)
    yield from (("socket cut", (), one) for one in ("close", "cut", "silence"))


def sent(one: Mutation, chance: random.Random) -> Sent:  # noqa: PLR0911 # a table of one line each
    """Return what a mutation sends; that of a head, `http` and `handshake`, is not sent but done to the head."""
    way, _, what = one.method.partition(" ")
    stream = way == "stream"
    sound = json.dumps(CHANGE).encode()
    wrap = _event if stream else _frame
    match what:
        case "line":
            return Sent(LINES[one.operation](_event(sound)) + b"\n\n")
        case "frame":
            return Sent(*FRAMES[one.operation](sound))
        case "body":
            return _text(mutation.BODIES[one.operation](sound), way)
        case "endless" if stream:
            return Sent(_event(sound), lasts=False, endless=ENDLESS[one.operation] * max(1, 4096 // len(ENDLESS[one.operation])))
        case "endless":
            first = _frame(b'"', fin=False) if one.operation == "fragments" else b""
            more = {"fragments": _frame(_PIECE, Opcode.CONT, fin=False), "states": _frame(sound) * 100}
            more |= {"pings": _frame(b"x" * 50, Opcode.PING) * 1000, "noise": bytes(range(129, 256)) * 100}
            return Sent(first, lasts=False, endless=more[one.operation])
        case "cut":
            whole = wrap(sound) * 3
            end: End = one.operation  # type: ignore[assignment]
            return Sent(whole[: chance.randrange(len(whole))], lasts=False, end=end)
        case "http" | "handshake":
            return Sent(b"", lasts=False)
    return _text(_message(one, MESSAGES[what]), way, refuses=what == "RequestError")


def _message(one: Mutation, message: dict[str, Any]) -> bytes:
    found = [path for pattern, path in mutation.sites(message) if pattern == one.pattern]
    path = next((path for path in found if mutation.applies(one.operation, mutation.at(message, path))), found[0])
    if one.operation not in _NESTED:
        return mutation.encode(mutation.mutate(message, path, one.operation))
    marked = json.dumps(mutation.mutate(message, path, "text")) if path else '"other"'
    return marked.encode().replace(b'"other"', _NESTED[one.operation], 1 if not path else -1)


def _text(text: bytes, way: str, *, refuses: bool = False) -> Sent:
    if way == "stream":
        return Sent(_event(text), lasts=len(text) < MOST)
    try:
        text.decode()
    except UnicodeDecodeError:
        return Sent(_frame(text), lasts=False)
    return Sent(_frame(text), lasts=len(text) < MOST and not refuses)
