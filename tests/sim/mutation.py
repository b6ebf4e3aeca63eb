"""Change one value of a server's answer into what no server should send: another type, a huge number, an item twice."""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

Path = tuple[str | int, ...]
"""The keys and positions that lead to a value."""
Pattern = tuple[str, ...]
"""The same with `[]` for any position and `{}` for any id."""

MAPS = frozenset({
    *("mailboxIds", "keywords", "addressBookIds", "calendarIds", "accounts", "primaryAccounts", "capabilities", "created"),
    *("updated", "notCreated", "notUpdated", "notDestroyed", "accountCapabilities", "createdIds", "phones", "emails"),
    *("notes", "nicknames"),
    *("addresses", "organizations", "titles", "links", "media", "locations", "participants", "alerts", "recurrenceOverrides"),
    *("anniversaries", "onlineServices", "members", "virtualLocations", "categories", "personalInfo", "preferredLanguages"),
})  # fmt: skip
"""Properties whose keys are ids or free words."""
_RAW = "\ue000raw:{}\ue000"
_MARK = re.compile(rb'"\\ue000raw:([a-z0-9]+)\\ue000"')
_DEEP = 100_000
_RAWS = {
    "deeplist": b"[" * _DEEP + b"]" * _DEEP,
    "deepobject": b'{"a":' * _DEEP + b"1" + b"}" * _DEEP,
    "infinite": b"1e400",
    "tiny": b"-1e-400",
    "invalid": b'"\xff\xfe\xc3("',
    "surrogate": b'"\\ud800x"',
    "digits": b"9" * 5000,
    "halfescape": b'"\\u12"',
    "nan": b"NaN",
}
"""What JSON libraries do not write."""


def _raw(name: str) -> str:
    return _RAW.format(name)


VALUES: dict[str, Callable[[], Any]] = {
    "null": lambda: None,
    "true": lambda: True,
    "false": lambda: False,
    "zero": lambda: 0,
    "seven": lambda: 7,
    "minus": lambda: -1,
    "half": lambda: 1.5,
    "2^63": lambda: 2**63,
    "2^70": lambda: 2**70,
    "-2^70": lambda: -(2**70),
    "infinite": lambda: _raw("infinite"),
    "digits": lambda: _raw("digits"),
    "nan": lambda: _raw("nan"),
    "empty text": lambda: "",
    "text": lambda: "other",
    "huge text": lambda: "A" * 1_000_000,
    "NUL": lambda: "a\0b",
    "control": lambda: "a\x1b[31m\r\n\u202e\x9b",
    "surrogate": lambda: _raw("surrogate"),
    "invalid": lambda: _raw("invalid"),
    "halfescape": lambda: _raw("halfescape"),
    "path": lambda: "../../../../tmp/out",
    "slash": lambda: "/",
    "empty list": list,
    "list of null": lambda: [None],
    "list of 7": lambda: [7],
    "list of lists": lambda: [[[]]],
    "empty object": dict,
    "object of null": lambda: {"x": None},
    "object of lists": lambda: {"": [], "\0": {}, "x": 7},
    "deeplist": lambda: _raw("deeplist"),
    "deepobject": lambda: _raw("deepobject"),
}
"""What a value becomes."""
STRUCTURE = ("missing", "twice", "key twice", "odd key", "renamed", "reversed", "nested", "doubled", "first only", "huge list")
"""What else is done to a value, by its name."""
OPERATIONS = (*VALUES, *STRUCTURE)
NOT_JSON = frozenset({"halfescape", "nan"})
"""Operations after which the whole answer is no JSON."""


def sites(value: Any, pattern: Pattern = (), path: Path = ()) -> Iterator[tuple[Pattern, Path]]:  # noqa: ANN401 # any JSON value
    """Yield every value inside a JSON value by its pattern and its path, the whole first."""
    yield pattern, path
    if isinstance(value, dict):
        inside = bool(pattern) and pattern[-1] in MAPS
        for key, part in value.items():
            yield from sites(part, (*pattern, "{}" if inside else key), (*path, key))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from sites(part, (*pattern, "[]"), (*path, number))


def at(value: Any, path: Path) -> Any:  # noqa: ANN401 # any JSON value
    """Return what a path leads to."""
    for step in path:
        value = value[step]
    return value


def applies(operation: str, value: Any) -> bool:  # noqa: ANN401 # any JSON value
    """Return whether an operation makes something else of a value."""
    if operation in VALUES:
        new = VALUES[operation]()
        return type(new) is not type(value) or new != value
    match operation:
        case "reversed" | "first only":
            return isinstance(value, list) and len(value) > 1
        case "doubled":
            return isinstance(value, list) and bool(value)
        case "huge list":
            return isinstance(value, list)
        case "odd key" | "renamed":
            return isinstance(value, dict)
        case _:
            return True


def is_plausible(operation: str, value: Any) -> bool:  # noqa: ANN401 # any JSON value
    """Return whether the result may be a sound answer to something else, so that nobody can know it for false."""
    if operation in {"missing", "first only", "reversed", "renamed", "doubled", "null"}:
        return True
    if operation in VALUES:
        new = VALUES[operation]()
        if isinstance(new, str) and new.startswith("\ue000"):
            return False
        same = type(new) is type(value) or (isinstance(new, int | float) and isinstance(value, int | float))
        return same and operation not in {"surrogate", "invalid"} and not (isinstance(new, bool) is not isinstance(value, bool))
    return operation == "odd key"


def mutate(whole: Any, path: Path, operation: str) -> Any:  # noqa: ANN401 # any JSON value
    """Return a JSON value with the operation done to the value at a path."""
    if not path:
        return _replaced(whole, operation)
    whole = copy.deepcopy(whole)
    parent, key = at(whole, path[:-1]), path[-1]
    value = parent[key]
    if operation == "missing":
        del parent[key]
    elif operation == "twice" and isinstance(parent, list) and isinstance(key, int):
        parent.insert(key, copy.deepcopy(value))
    elif operation in {"twice", "key twice"} and isinstance(parent, dict):
        parent[f"\ue001{key}"] = VALUES["seven"]() if operation == "key twice" else copy.deepcopy(value)
    else:
        parent[key] = _replaced(value, operation)
    return whole


def _replaced(value: Any, operation: str) -> Any:  # noqa: ANN401, PLR0911 # any JSON value; a table of one line each
    if operation in VALUES:
        return VALUES[operation]()
    match operation:
        case "reversed":
            return value[::-1]
        case "first only":
            return value[:1]
        case "doubled":
            return [*value, *value]
        case "huge list":
            return [*value, *range(20_000)]
        case "odd key":
            return {"\0": 1, "": None, "../x": [], **value}
        case "renamed":
            return {f"{key}x": part for key, part in value.items()}
        case "nested" | "twice" | "key twice":
            return [value, value]
        case _:
            return None


def encode(value: Any) -> bytes:  # noqa: ANN401 # any JSON value
    """Return JSON with the values that no library writes."""
    data = json.dumps(value).encode().replace(b'"\\ue001', b'"')
    return _MARK.sub(lambda found: _RAWS[found[1].decode()], data)


STATUSES = (204, 206, 300, 302, 304, 400, 401, 403, 404, 405, 409, 410, 413, 415, 418, 421, 429, 500, 501, 502, 503, 504, 599, 999)
PROBLEMS = ("notJSON", "notRequest", "limit", "unknownCapability", "other")
ERRORS = (
    *("serverUnavailable", "serverFail", "serverPartialFail", "unknownMethod", "invalidArguments", "invalidResultReference"),
    *("forbidden", "accountNotFound", "accountReadOnly", "requestTooLarge", "stateMismatch", "cannotCalculateChanges"),
    *("anchorNotFound", "unsupportedFilter", "unsupportedSort", "tooManyChanges", "other", "", "\x1b[2J"),
)
HEADERS: tuple[tuple[str, str], ...] = (
    *(("retry-after", one) for one in ("²", "-1", "1e9", "99999999999999999999", "Thu, 99 Foo 2026", "0", "\u0663")),
    *(("content-type", one) for one in ("", "text/html", "application/json; charset=utf-16", "x" * 5000)),
    *(("content-encoding", one) for one in ("gzip", "deflate", "br", "gzip, gzip", "x")),
    *(("content-length", one) for one in ("0", "5", "99999999")),
    *(("location", one) for one in ("", "http://[::1/", "/jmap/session", "ftp://x/", "http://evil.example/", "\x00")),
)
BODIES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "page": lambda _: b"<!DOCTYPE html><html><body>Sign in</body></html>",
    "half": lambda data: data[: len(data) // 2],
    "less one": lambda data: data[:-1],
    "BOM": lambda data: b"\xef\xbb\xbf" + data,
    "UTF-16": lambda data: data.decode("utf-8", "replace").encode("utf-16"),
    "twice": lambda data: data + data,
    "padded": lambda data: b" \n" * 50_000 + data,
    "zeros": lambda data: bytes(len(data)),
    "flipped": lambda data: (
        data[: len(data) // 2] + bytes([(data[len(data) // 2] if data else 0) ^ 0x20]) + data[len(data) // 2 + 1 :]
    ),
    "null": lambda _: b"null",
    "list": lambda _: b"[]",
    "number": lambda _: b"7",
    "deep": lambda _: _RAWS["deeplist"],
}


def http_operations() -> list[str]:
    """Return what is done to an answer of HTTP, by its name."""
    return [
        *(f"status {one}" for one in STATUSES),
        *(f"problem {one}" for one in PROBLEMS),
        *(f"header {number}" for number in range(len(HEADERS))),
        *(f"body {one}" for one in BODIES),
    ]


def mutate_http(operation: str, status: int, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of an answer with the operation done to it."""
    what, _, which = operation.partition(" ")
    match what:
        case "status":
            status = int(which)
            headers = {**headers, **({"location": "/jmap/session"} if status in {300, 302} else {})}
            return status, headers, b"" if status in {204, 304} else b"<html>no</html>"
        case "problem":
            problem = {"type": f"urn:ietf:params:jmap:error:{which}", "status": 400, "detail": "\x1b[2J" + 5000 * "x", "limit": 7}
            return 400, {**headers, "content-type": "application/problem+json"}, json.dumps(problem).encode()
        case "header":
            name, value = HEADERS[int(which)]
            failing = {"retry-after": 503, "location": 302}
            return failing.get(name, status), {**headers, name: value}, body
        case _:
            return status, headers, BODIES[which](body)


def call_operations() -> list[str]:
    """Return what is done to one method's answer as a whole, by its name."""
    return [
        *(f"error {one}" for one in ERRORS),
        *(
            "untyped error",
            "other name",
            "other id",
            "no name",
            "no arguments",
            "dropped",
            "answered twice",
            "foreign first",
            "four parts",
        ),
    ]


def mutate_call(operation: str, answers: list[Any], number: int) -> list[Any]:
    """Return the method responses of an answer with the operation done to one of them."""
    name, arguments, call_id = answers[number]
    before, after = answers[:number], answers[number + 1 :]
    match operation:
        case "untyped error":
            new = [["error", {"type": 7, "description": []}, call_id]]
        case "other name":
            new = [["Other/get", arguments, call_id]]
        case "other id":
            new = [[name, arguments, f"{call_id}x"]]
        case "no name":
            new = [[None, arguments, call_id]]
        case "no arguments":
            new = [[name, None, call_id]]
        case "dropped":
            new = []
        case "answered twice":
            new = [[name, arguments, call_id]] * 2
        case "foreign first":
            new = [["Other/set", {}, call_id], [name, arguments, call_id]]
        case "four parts":
            new = [[name, arguments, call_id, None]]
        case _:
            new = [["error", {"type": operation.removeprefix("error "), "description": "\x1b[2J"}, call_id]]
    return [*before, *new, *after]


def choose(chance: random.Random, found: list[Path], *, every: bool) -> list[Path]:
    """Return all places of a value, from the last to the first, or one of them."""
    return found[::-1] if every else [chance.choice(found)]
