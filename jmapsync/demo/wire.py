"""Carry out a JMAP request: decode it, resolve its references, call the methods in order (RFC 8620, section 3)."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from jmapsync.demo.problems import JsonObject, MethodError, RequestProblem

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.demo.account import Account
    from jmapsync.demo.service import Service


class Request(msgspec.Struct, rename="camel"):
    """The Request object (RFC 8620, section 3.3)."""

    using: list[str]
    method_calls: list[tuple[str, dict[str, Any], str]]
    created_ids: dict[str, str] | None = None


class ResultReference(msgspec.Struct, rename="camel"):
    """A reference to an earlier result (RFC 8620, section 3.7)."""

    result_of: str
    name: str
    path: str


class Arguments(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """What every method but `Core/echo` takes; unknown arguments are refused, as on Cyrus."""

    account_id: str


@dataclass
class Context:
    """What a method sees beside its arguments."""

    service: Service
    using: frozenset[str]
    created_ids: dict[str, str] = field(default_factory=dict)
    """Creation ids of this request and the ids they were given (RFC 8620, section 5.3)."""
    implied: list[tuple[str, JsonObject]] = field(default_factory=list)
    """Calls that the present one brings with it, to be carried out right after it."""

    def account(self, account_id: str) -> Account:
        """Return an account by id; raise MethodError where it is not to be had."""
        account = self.service.accounts.get(account_id)
        if account is None or self.service.is_vanished(account_id):
            raise MethodError("accountNotFound")
        return account

    def writable_account(self, account_id: str) -> Account:
        """Return an account that may be written to; raise MethodError where it is not to be had."""
        account = self.account(account_id)
        if account.is_read_only:
            raise MethodError("accountReadOnly")
        return account

    def resolve_id(self, name: str) -> str | None:
        """Return the id a creation id (`#k`) stands for, other ids as they are, None for an unknown creation id."""
        return self.created_ids.get(name[1:]) if name.startswith("#") else name


@dataclass(frozen=True)
class Method:
    """A method of the server: the capability it needs in `using`, the type of its arguments, what it does."""

    capability: str
    arguments: type[msgspec.Struct] | None
    """None: the arguments are passed on as they came."""
    run: Callable[[Context, Any], JsonObject]


class _BadReferenceError(Exception):
    """A result reference points nowhere."""


class _CallNames(msgspec.Struct, rename="camel"):
    """As much of a request as is needed to know which methods it calls."""

    method_calls: list[tuple[str, msgspec.Raw, str]]


_DECODER = msgspec.json.Decoder(Request)
_NAMES_DECODER = msgspec.json.Decoder(_CallNames)


def decode_request(body: bytes) -> Request:
    """Decode a request; raise RequestProblem `notJSON` or `notRequest`."""
    try:
        return _DECODER.decode(body)
    except msgspec.ValidationError as error:
        raise RequestProblem("notRequest", str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RequestProblem("notJSON", str(error)) from None


def name_methods(body: bytes) -> set[str]:
    """Return the method names in a request's body and their data types; none if it is unsound."""
    try:
        names = {name for name, _arguments, _call_id in _NAMES_DECODER.decode(body).method_calls}
    except (msgspec.DecodeError, UnicodeDecodeError):
        return set()
    return names | {name.partition("/")[0] for name in names}


def run_request(service: Service, request: Request) -> JsonObject:
    """Carry out every call of a request in order and return the Response object."""
    known = service.capabilities()
    for capability in request.using:
        if capability not in known:
            raise RequestProblem("unknownCapability", f"The server does not know {capability!r}.")
    limit = service.limits.max_calls_in_request
    if len(request.method_calls) > limit and service.dialect.limits_requests:
        raise RequestProblem("limit", f"A request has at most {limit} calls.", limit="maxCallsInRequest")
    context = Context(service, frozenset(request.using), dict(request.created_ids or {}))
    responses: list[tuple[str, JsonObject, str]] = []
    for name, arguments, call_id in request.method_calls:
        try:
            try:
                resolved = resolve_references(arguments, responses, lenient=service.dialect.lenient_references)
            except _BadReferenceError as error:
                raise MethodError(service.dialect.result_reference_error, str(error)) from None
            service.journal.note_call(name, resolved)
            responses.append((name, _call(context, name, resolved), call_id))
            while context.implied:
                name, implied = context.implied.pop(0)  # noqa: PLW2901  # an error is this method's then
                responses.append((name, _call(context, name, implied), call_id))
        except MethodError as error:
            responses.append(("error", error.body, call_id))
    response: JsonObject = {"methodResponses": responses, "sessionState": service.session_state()}
    if request.created_ids is not None and service.dialect.returns_created_ids:
        response["createdIds"] = context.created_ids
    return response


def _call(context: Context, name: str, arguments: JsonObject) -> JsonObject:
    """Carry out one method, with the faults that concern any method."""
    method = context.service.methods.get(name)
    if method is None or method.capability not in context.using:
        raise MethodError("unknownMethod")
    faults = context.service.faults
    scopes = (name, name.partition("/")[0])
    if (before := faults.before_call.take(scopes)) is not None:
        before()
    if (error := faults.method_error.take(scopes)) is not None:
        raise error.with_traceback(None)
    shape = context.service.shape
    own = arguments if shape is None else shape.read_arguments(name, arguments)
    try:
        if method.arguments is not None and context.service.dialect.account_defaults:
            own = {"accountId": next(iter(context.service.accounts)), **own}
        if method.arguments is not None and not context.service.dialect.known_arguments:
            fields = {field.encode_name for field in msgspec.structs.fields(method.arguments)}
            own = {key: value for key, value in own.items() if key in fields}
        decoded = own if method.arguments is None else msgspec.convert(own, method.arguments)
    except msgspec.ValidationError as error:
        raise MethodError("invalidArguments", str(error)) from None
    theirs = context.service.accounts.get(str(own.get("accountId", "")))
    if theirs is not None and not context.service.is_offered_in(theirs, method.capability):
        raise MethodError("accountNotSupportedByMethod")
    with nullcontext() if shape is None else shape.failing_partly(name, faults.partial_fail):
        result = method.run(context, decoded)
    if (after := faults.after_call.take(scopes)) is not None:
        after()
    if (rewrite := faults.rewrite_result.take(scopes)) is not None:
        result = rewrite(result)
    return result if shape is None else shape.write_result(name, arguments, result)


def resolve_references(arguments: JsonObject, responses: list[tuple[str, JsonObject, str]], *, lenient: bool = False) -> JsonObject:
    """Return the arguments with each `#name` replaced by the earlier result it points to; `lenient` takes a path without slash."""
    if not any(name.startswith("#") for name in arguments):
        return arguments
    resolved: JsonObject = {}
    for name, value in arguments.items():
        if not name.startswith("#"):
            resolved[name] = value
            continue
        if name[1:] in arguments:
            raise MethodError("invalidArguments", f"{name[1:]!r} is given both plainly and by reference.")
        try:
            reference = msgspec.convert(value, ResultReference)
        except msgspec.ValidationError as error:
            raise _BadReferenceError(str(error)) from None
        resolved[name[1:]] = _look_up(reference, responses, lenient=lenient)
    return resolved


def _look_up(reference: ResultReference, responses: list[tuple[str, JsonObject, str]], *, lenient: bool) -> object:
    for name, result, call_id in responses:
        if call_id == reference.result_of:
            if name != reference.name:
                raise _BadReferenceError(f"The result of {call_id!r} is {name}.")
            path = f"/{reference.path.removeprefix('/')}" if lenient else reference.path
            if path and not path.startswith("/"):
                raise _BadReferenceError("A path begins with a slash.")
            tokens = [token.replace("~1", "/").replace("~0", "~") for token in path.split("/")[1:]]
            return _evaluate(result, tokens)
    raise _BadReferenceError(f"There is no result of {reference.result_of!r}.")


def _evaluate(value: object, tokens: list[str]) -> object:
    """Follow a JSON Pointer (RFC 6901) with the `*` that maps over an array and flattens arrays one level."""
    for depth, step in enumerate(tokens):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list | tuple) and step == "*":
            found: list[object] = []
            for item in value:
                result = _evaluate(item, tokens[depth + 1 :])
                if isinstance(result, list | tuple):
                    found.extend(result)
                else:
                    found.append(result)
            return found
        elif isinstance(value, list | tuple) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            raise _BadReferenceError(f"There is nothing at {step!r}.")
    return value
