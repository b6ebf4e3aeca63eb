"""Alter the answers of a server on their way to the client, and take note of every value that they have."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from tests.sim import mutation

if TYPE_CHECKING:
    import httpx


_CONTAINERS = frozenset({"Mailbox/get", "AddressBook/get", "Calendar/get"})


@dataclass(frozen=True)
class Mutation:
    """What is done to which value."""

    method: str
    """The method whose answer it is in; `session`, `upload`; for HTTP, `http api` and so on; for a whole result, `call Foo/get`."""
    pattern: tuple[str, ...]
    operation: str
    always: bool = True
    """In every answer that has the value, not only in the first."""
    every: bool = False
    """Every such value of an answer, not only one."""


@dataclass(frozen=True)
class Case:
    """One run with altered answers."""

    scenario: str
    mutations: tuple[Mutation, ...]
    seed: int = 0
    """Of the choice among several values."""

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Case:
        found = json.loads(text)
        mutations = tuple(Mutation(**{**one, "pattern": tuple(one["pattern"])}) for one in found.pop("mutations"))
        return cls(mutations=mutations, **found)


@dataclass
class Altering:
    """Alters answers as a case wants it, and takes note of what it met."""

    case: Case
    seen: set[tuple[str, tuple[str, ...]]] = field(default_factory=set)
    done: set[tuple[str, tuple[str, ...]]] = field(default_factory=set)
    items: set[str] = field(default_factory=set)
    """Ids of the objects in a `/get` that were altered."""
    beyond: bool = False
    """Whether more was altered than single objects in a `/get`."""
    plausible: bool = False
    """Whether an altered answer may be sound, and means something else."""
    samples: dict[tuple[str, tuple[str, ...]], Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.case.seed)
        self._spent: set[int] = set()

    def __call__(
        self, request: httpx.Request, status: int, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        endpoint = _endpoint(request)
        try:
            whole = json.loads(body) if endpoint != "download" else None
        except ValueError:
            whole = None
        if isinstance(whole, dict):
            altered = self._json(endpoint, whole)
            if altered is not None:
                body = mutation.encode(altered)
                headers = {name: value for name, value in headers.items() if name != "content-length"}
        self._see(f"http {endpoint}", (), None)
        for number, one in enumerate(self.case.mutations):
            if one.method == f"http {endpoint}" and self._takes(number, one):
                self._note(one, None)
                self.beyond = True
                if one.operation.startswith(("body", "header", "status")):
                    headers = {name: value for name, value in headers.items() if name != "content-length"}
                status, headers, body = mutation.mutate_http(one.operation, status, headers, body)
        return status, headers, body

    def _takes(self, number: int, one: Mutation) -> bool:
        if number in self._spent and not one.always:
            return False
        self._spent.add(number)
        return True

    def _see(self, method: str, pattern: tuple[str, ...], value: Any) -> None:  # noqa: ANN401
        self.seen.add((method, pattern))
        self.samples.setdefault((method, pattern), value)

    def _note(self, one: Mutation, value: Any) -> None:  # noqa: ANN401
        self.done.add((one.method, one.pattern))
        self.plausible = self.plausible or (bool(one.pattern) and mutation.is_plausible(one.operation, value))
        self.beyond = self.beyond or one.operation in mutation.NOT_JSON

    def _json(self, endpoint: str, whole: Any) -> Any:  # noqa: ANN401
        """Return an altered JSON value, or None."""
        changed = False
        if endpoint != "api" or not isinstance(whole.get("methodResponses"), list):
            for number, one in enumerate(self.case.mutations):
                found, hit = self._value(number, one, endpoint, whole)
                whole, changed = found, changed or hit
                self.beyond = self.beyond or hit
            self._record(endpoint, whole)
            return whole if changed else None
        answers: list[Any] = whole["methodResponses"]
        if any(not isinstance(answer, list) or len(answer) != 3 for answer in answers):
            return None
        for name, arguments, _ in answers:
            self._record(name, arguments)
            self._see(f"call {name}", (), None)
        self._record("envelope", {**whole, "methodResponses": [[name, {}, call_id] for name, _, call_id in answers]})
        for number, one in enumerate(self.case.mutations):
            if one.method == "envelope":
                whole, hit = self._value(number, one, "envelope", whole)
                self.beyond = self.beyond or hit
            else:
                answers, hit = self._results(number, one, answers)
                whole = {**whole, "methodResponses": answers} if hit else whole
            changed = changed or hit
        return whole if changed else None

    def _results(self, number: int, one: Mutation, answers: list[Any]) -> tuple[list[Any], bool]:
        """Return the results of a response's methods with one mutation done to them, and whether it was."""
        changed = False
        for at, (name, arguments, call_id) in enumerate(answers):
            if one.method == f"call {name}" and self._takes(number, one):
                self._note(one, None)
                self.beyond = True
                return mutation.mutate_call(one.operation, answers, at), True
            found, hit = self._value(number, one, name, arguments)
            if hit:
                answers = [*answers[:at], [name, found, call_id], *answers[at + 1 :]]
                changed = True
        return answers, changed

    def _record(self, method: str, value: Any) -> None:  # noqa: ANN401
        for pattern, path in mutation.sites(value):
            if pattern:
                self._see(method, pattern, mutation.at(value, path))

    def _value(self, number: int, one: Mutation, method: str, value: Any) -> tuple[Any, bool]:  # noqa: ANN401
        if one.method != method or one.method.startswith(("call ", "http ")):
            return value, False
        found = [path for pattern, path in mutation.sites(value) if pattern == one.pattern and path]
        found = [path for path in found if mutation.applies(one.operation, mutation.at(value, path))]
        if not found or not self._takes(number, one):
            return value, False
        for path in mutation.choose(self._chance, found, every=one.every):
            old = mutation.at(value, path)
            self._note(one, old)
            self.beyond = self.beyond or (one.every and method in _CONTAINERS)
            self._locate(method, value, path, one.operation)
            value = mutation.mutate(value, path, one.operation)
        return value, True

    def _locate(self, method: str, value: Any, path: tuple[str | int, ...], operation: str) -> None:  # noqa: ANN401
        if method.endswith("/get") and path[0] == "list" and len(path) > 1 and not method.startswith(("Blob", "Identity", "Part")):
            item = mutation.at(value, path[:2])
            if isinstance(item, dict) and isinstance(item.get("id"), str):
                self.items.add(item["id"])
                self.plausible = self.plausible and (len(path) > 2 or operation == "odd key")
                return
        self.beyond = True


def _endpoint(request: httpx.Request) -> str:
    path = request.url.path
    for name in ("upload", "download", "events"):
        if f"/{name}/" in path:
            return name
    return "api" if request.method == "POST" else "session"
