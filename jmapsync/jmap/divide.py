"""Split method calls over several requests when one may not hold them (RFC 8620, 2: `maxCallsInRequest`, `maxSizeRequest`).

A back-reference to a call of an earlier request is resolved here, as the server resolves those inside of one (RFC 8620, 3.7).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from jmapsync.errors import NetworkError, OutcomeUnknownError, ServerError
from jmapsync.jmap.failures import MethodError
from jmapsync.jmap.wire import Call, Ref, Response, batched

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

_INVALID = msgspec.Raw(msgspec.json.encode({"type": "invalidResultReference"}))


class _UnresolvedError(Exception):
    """A back-reference leads to nothing."""


async def send_divided(
    calls: Sequence[Call], most: int, send: Callable[[Sequence[Call]], Awaitable[Response]], *, repeatable: bool
) -> Response:
    """Send calls in order, at most `most` in one request, and return their responses as one. Raises what `send` raises.

    When a later request fails after calls that are not `repeatable` were carried out, raise OutcomeUnknownError.
    """
    whole = Response.joined([])
    for number, part in enumerate(batched(calls, most)):
        resolved, failed = [], []
        for call in part:
            try:
                resolved.append(_resolve(call, part, whole))
            except _UnresolvedError:
                failed.append(("error", _INVALID, call.id))
        try:
            answers = [await send(resolved)] if resolved else []
        except (NetworkError, ServerError) as error:
            if number and not repeatable:
                raise OutcomeUnknownError(error.message) from error
            raise
        whole = Response.joined([whole, *answers], failed)
    return whole


def _resolve(call: Call, part: Sequence[Call], earlier: Response) -> Call:
    """Return a call with its references to earlier requests replaced by what they refer to. Raises _UnresolvedError."""
    ids = {one.id for one in part}
    args = {
        name: _follow(value, earlier) if isinstance(value, Ref) and value.call_id not in ids else value
        for name, value in call.args.items()
    }
    return Call(call.name, args, call.id)


def _follow(ref: Ref, earlier: Response) -> object:
    """Resolve a reference in the results of earlier requests. Raises _UnresolvedError."""
    try:
        result = earlier.get(Call(ref.name, {}, ref.call_id))
    except (MethodError, ServerError) as error:
        raise _UnresolvedError from error
    steps = [step.replace("~1", "/").replace("~0", "~") for step in ref.path.split("/")[1:]]
    return _evaluate(result, steps)


def _evaluate(value: Any, steps: Sequence[str]) -> object:  # noqa: ANN401 # JSON
    """Follow a JSON Pointer (RFC 6901) in which `*` maps over an array and joins what are arrays. Raises _UnresolvedError."""
    for place, step in enumerate(steps):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step == "*":
            found = [_evaluate(one, steps[place + 1 :]) for one in value]
            return [inner for one in found for inner in (one if isinstance(one, list) else [one])]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            raise _UnresolvedError
    return value
