"""Encode and decode JMAP requests and responses without any input or output (RFC 8620, section 3).

The arguments of a response are decoded only when they are asked for: a response that carries megabytes of bodies can so be
decoded straight into typed values (`Response.get_as`) without passing through dictionaries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import Struct

from jmapsync.errors import ServerError
from jmapsync.jmap.bounds import VALUES
from jmapsync.jmap.decoding import DecodeError, TooManyValuesError, check_json, decode_json, decode_unchecked
from jmapsync.jmap.failures import AnswerError, MethodError, RequestError, SetError, set_errors
from jmapsync.jmap.repair_json import readable
from jmapsync.jmap.shapes import arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

__all__ = [
    "CORE",
    "Call",
    "MethodError",
    "Ref",
    "RequestError",
    "Response",
    "SetError",
    "batched",
    "decode_response",
    "encode_request",
    "prefixed",
    "set_errors",
    "split",
]

CORE = "urn:ietf:params:jmap:core"
_REFERENCE_ERRORS = frozenset({"invalidResultReference", "resultReference"})
"""Error types of an unresolvable back-reference (RFC 8620, 3.7; Cyrus 3.6 has its own name)."""

T = TypeVar("T")


class Call(Struct, frozen=True):
    """One method call; an argument that is a `Ref` is sent as the back-reference `#argument`."""

    name: str
    args: dict[str, Any]
    id: str

    def ref(self, path: str) -> Ref:
        """Refer a later call's argument to this call's result at the JSON pointer `path` (RFC 8620, section 3.7)."""
        return Ref(self, self.name, path)


class Ref(Struct, frozen=True):
    """A back-reference to the result of an earlier call of the same request (RFC 8620, section 3.7)."""

    result_of: Call | str
    name: str
    path: str

    @property
    def call_id(self) -> str:
        """Return the id of the call that is referred to."""
        return self.result_of if isinstance(self.result_of, str) else self.result_of.id

    def to_wire(self) -> dict[str, str]:
        """Return the ResultReference object."""
        return {"resultOf": self.call_id, "name": self.name, "path": self.path}


def prefixed(calls: Sequence[Call], prefix: str) -> list[Call]:
    """Return calls with other ids, in their back-references too, so that they can share a request with others."""
    return [
        Call(call.name, {name: _prefixed(value, prefix) for name, value in call.args.items()}, prefix + call.id) for call in calls
    ]


def _prefixed(value: object, prefix: str) -> object:
    return Ref(prefix + value.call_id, value.name, value.path) if isinstance(value, Ref) else value


class _Request(msgspec.Struct, omit_defaults=True, rename="camel"):
    using: list[str]
    method_calls: list[tuple[str, dict[str, Any], str]]
    created_ids: dict[str, str] | None = None


class _Envelope(msgspec.Struct, rename="camel"):
    method_responses: list[tuple[str, msgspec.Raw, str]]
    session_state: str = ""
    created_ids: dict[str, str] | None = None


_encoder = msgspec.json.Encoder()
_LARGE = 8 << 20
"""Octets of a response up to which its values fit into memory, however small they are: it is asked for about 4 MB."""


def encode_request(calls: Sequence[Call], using: Sequence[str], created_ids: Mapping[str, str] | None = None) -> bytes:
    """Encode a Request object as UTF-8 JSON (RFC 8620, section 3.3)."""
    method_calls = [(call.name, _put_refs(call.args), call.id) for call in calls]
    return _encoder.encode(_Request(list(using), method_calls, None if created_ids is None else dict(created_ids)))


def _put_refs(args: dict[str, Any]) -> dict[str, Any]:
    return {
        f"#{name}" if isinstance(value, Ref) else name: value.to_wire() if isinstance(value, Ref) else value
        for name, value in args.items()
    }


class Response:
    """A decoded Response object (RFC 8620, section 3.4); the results are decoded when they are asked for."""

    def __init__(self, envelope: _Envelope) -> None:
        self._results = envelope.method_responses
        self.session_state = envelope.session_state
        self.created_ids = envelope.created_ids or {}

    @staticmethod
    def joined(parts: Sequence[Response], more: Sequence[tuple[str, msgspec.Raw, str]] = ()) -> Response:
        """Return the results of several responses as one, and further ones; the session's state is the last one's."""
        results = [result for part in parts for result in part._results]  # noqa: SLF001 # of its own class
        return Response(_Envelope([*results, *more], parts[-1].session_state if parts else ""))

    def get(self, call: Call) -> dict[str, Any]:
        """Return the arguments of the first result of this call that bears its name, without what is not of its type.

        Raise `MethodError` for an error, and what `shapes.arguments` raises.
        """
        return arguments(self._find(call), call.name)

    def get_as(self, call: Call, type_: type[T]) -> T:
        """Return the same, decoded into a msgspec type; raise `MethodError`, or `AnswerError` if it is of another shape."""
        return _decode(self._find(call), type_, call.name)

    def part(self, prefix: str) -> Response:
        """Return the results of the calls whose ids begin so, under the ids that they had before `prefixed`."""
        mine = [(name, raw, id_.removeprefix(prefix)) for name, raw, id_ in self._results if id_.startswith(prefix)]
        return Response(_Envelope(mine, self.session_state, self.created_ids))

    def all(self, call: Call) -> list[tuple[str, dict[str, Any]]]:
        """Return the name and arguments of every result of this call; side effects give extra ones (RFC 8620, 5.4)."""
        return [(name, _decode(raw, dict[str, Any], name)) for name, raw, id_ in self._results if id_ == call.id]

    def has_error(self, type_name: str) -> bool:
        """Return whether any call failed with a type of error."""
        failed = (raw for name, raw, _ in self._results if name == "error")
        return any(MethodError.parse(arguments(raw, "error"), "").type == type_name for raw in failed)

    def _find(self, call: Call) -> msgspec.Raw:
        for name, raw, id_ in self._results:
            if id_ != call.id:
                continue
            if name == call.name:
                return raw
            if name == "error":
                raise self._cause(call, MethodError.parse(arguments(raw, "error"), call.name))
        # A server that leaves a call unanswered may have done a part of it.
        raise MethodError("serverPartialFail", "The server left the call unanswered.", call.name)

    def _cause(self, call: Call, error: MethodError) -> MethodError:
        """Return the error of the call that a refused one refers to, where the reference failed with it; else its own."""
        if error.type in _REFERENCE_ERRORS:
            for ref in call.args.values():
                if isinstance(ref, Ref) and isinstance(ref.result_of, Call):
                    try:
                        self._find(ref.result_of)
                    except MethodError as cause:
                        return cause
        return error


def decode_response(body: bytes) -> Response:
    """Decode a Response object, ignoring unknown members; raise `ServerError` if it is not one (HTML, truncated).

    An undecodable value affects only the object that it is in (`repair_json`).
    """
    try:
        return Response(_decode_envelope(body))
    except DecodeError as error:
        too_much = isinstance(error, TooManyValuesError) or body.count(b"\\") > VALUES
        repaired = body if too_much else readable(body)
    try:
        return Response(decode_json(repaired, _Envelope))
    except DecodeError as error:
        what = f"it holds more than {VALUES:,} values" if isinstance(error, TooManyValuesError) else describe(body)
        raise ServerError(f"The server answered with something that is not a JMAP response ({what}).") from error


def _decode_envelope(body: bytes) -> _Envelope:
    """Decode a Response object; the results of Blob/get are decoded into known types only, so their depth is not checked.

    They are the largest, and the check reads all of their text.
    """
    if len(body) > _LARGE:
        return decode_json(body, _Envelope)
    envelope: _Envelope = decode_unchecked(body, _Envelope)
    for name, raw, _ in envelope.method_responses:
        if name != "Blob/get":
            check_json(bytes(raw))
    return envelope


def describe(body: bytes) -> str:
    """Describe a body that is not JSON, without quoting it."""
    start = body[:512].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if not start:
        return "it is empty"
    if start.startswith((b"<!doctype html", b"<html")):
        return "it is an HTML page"
    return "it is truncated or of another shape" if start.startswith(b"{") else "it is not JSON"


def _decode(raw: msgspec.Raw, type_: type[T], name: str) -> T:
    try:
        return msgspec.json.decode(raw, type=type_)
    except (DecodeError, RecursionError) as error:
        raise AnswerError(f"The server's answer to {name} has a shape that the protocol does not allow.") from error


def batched(items: Sequence[T], count: int) -> Iterator[list[T]]:
    """Split items, in order, into batches of at most `count`, such as the ids of one `/get`."""
    for start in range(0, len(items), count):
        yield list(items[start : start + count])


def split(items: Iterable[T], max_count: int, max_bytes: int, size_of: Callable[[T], int]) -> Iterator[list[T]]:
    """Split items, in order, into batches of at most `max_count` items and `max_bytes` octets.

    An item that is by itself larger than `max_bytes` comes in a batch of its own.
    """
    batch: list[T] = []
    size = 0
    for item in items:
        item_size = size_of(item)
        if batch and (len(batch) >= max_count or size + item_size > max_bytes):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += item_size
    if batch:
        yield batch
