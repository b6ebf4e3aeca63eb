"""Report what a run did: counts, problems and the state of each kind, as values and as the JSON of the contract."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from jmapsync.errors import ExitCode, Remedy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jmapsync.planner.model import Side, Verb


class State(enum.Enum):
    """How a kind came out of a run."""

    SYNCED = "synced"
    SUSPENDED = "suspended"
    FAILED = "failed"
    SKIPPED = "skipped"


class Counts(Struct):
    """Items written to one side."""

    created: int = 0
    updated: int = 0
    deleted: int = 0

    def add(self, verb: Verb) -> None:
        """Count one write."""
        if verb.name == "CREATE":  # `status` reads reports, and needs no planner for that
            self.created += 1
        elif verb.name == "DELETE":
            self.deleted += 1
        else:
            self.updated += 1

    def __add__(self, other: Counts) -> Counts:
        """Return the writes of both."""
        return Counts(self.created + other.created, self.updated + other.updated, self.deleted + other.deleted)

    @property
    def total(self) -> int:
        """Return all writes."""
        return self.created + self.updated + self.deleted

    def describe(self, where: str) -> str:
        """Return the counts in words; an empty string if nothing was written."""
        verbs = (("created", self.created), ("updated", self.updated), ("deleted", self.deleted))
        done = [f"{number:,} {verb}" for verb, number in verbs if number]
        return f"{', '.join(done)} {where}" if done else ""

    def to_json(self) -> dict[str, int]:
        """Return the object of `sync --json`."""
        return {"created": self.created, "updated": self.updated, "deleted": self.deleted}


class BothSides(Struct):
    """Items to be written to each side."""

    local: Counts = field(default_factory=Counts)
    remote: Counts = field(default_factory=Counts)

    def of(self, side: Side) -> Counts:
        """Return those of one side."""
        return self.local if side.name == "LOCAL" else self.remote


class Problem(Struct, frozen=True):
    """One quarantined item, by name, and why."""

    item: str
    why: str


class Planned(Struct, frozen=True):
    """One step that a dry run foresees."""

    message: str
    """What would be done to which item on which side, and why."""
    folder: str
    """The containers of the item, by name."""
    changes: list[str] = []
    """What the step changes of an item that is there: its containers, properties of a card or an event."""

    def to_json(self) -> dict[str, Any]:
        """Return the object of `sync --json`."""
        return {"sentence": self.message, "folder": self.folder, "changes": self.changes}


class KindReport(Struct):
    """What a run did for one kind of one account."""

    state: State = State.SYNCED
    to_disk: Counts = field(default_factory=Counts)
    to_server: Counts = field(default_factory=Counts)
    folders: Counts = field(default_factory=Counts)
    """Containers written, on either side; they are no items."""
    conflicts: int = 0
    """Conflict copies."""
    problems: list[Problem] = []
    messages: list[str] = []
    """What people should read: why it was suspended or failed and what to do; in a dry run, each step."""
    foretold: BothSides = field(default_factory=BothSides)
    """What a dry run would write to each side."""
    foretold_folders: BothSides = field(default_factory=BothSides)
    planned: list[Planned] = []
    """In a dry run, what would be done to items; each message is among `messages` too."""
    exit_code: ExitCode = ExitCode.IN_SYNC
    why: str = ""
    """Why it was not brought to its end."""
    partial: bool = False
    """Whether nothing but the disk was scanned, which showed no change: that says nothing of the server."""
    detached: list[str] = []
    """Paths of folders that are left out by now and stay as they are."""
    withdrawn: list[str] = []
    """Paths of folders that vanished from an account of somebody else, and stay as they are until they are back."""
    undone: dict[str, list[str]] = {}
    """The names of what was undone here because it may not be done on the server, by what it was."""
    withheld: bool = False
    """Whether folders changed during the scan, so that it is not known what is gone."""

    def add_undone(self, reason: str, name: str) -> None:
        """Note something undone here."""
        self.undone.setdefault(reason, []).append(name)

    def describe_undone(self) -> None:
        """Say what was undone here, in one message for each reason."""
        for reason, names in sorted(self.undone.items()):
            others = f" and {counted(len(names) - 1, 'other')}" if len(names) > 1 else ""
            self.messages.append(f"{names[0]}{others}: {reason}.")

    def fail(self, why: str, code: ExitCode, state: State = State.FAILED) -> None:
        """Note that the kind was not brought to its end."""
        self.state, self.exit_code, self.why = state, code, why

    @property
    def reason(self) -> str:
        """Return why the exit code is not 0, in words."""
        waiting = [
            f"no longer shared: {', '.join(self.withdrawn)}" if self.withdrawn else "",
            f"{counted(len(self.problems), 'item')} quarantined" if self.problems else "",
            f"{counted(self.conflicts, 'conflict copy', 'conflict copies')}" if self.conflicts else "",
        ]
        return self.why or ", ".join(one for one in waiting if one)

    @property
    def summary(self) -> str:
        """Return what was written, in words."""
        folders = f"{counted(self.folders.total, 'folder')} written" if self.folders.total else ""
        parts = [self.to_disk.describe("here"), self.to_server.describe("on the server"), folders]
        return ", ".join(part for part in parts if part) or "nothing to do"

    def followed_by(self, later: KindReport) -> KindReport:
        """Return the report of this run and another one right after it, which has the state of things."""
        written = (self.to_disk + later.to_disk, self.to_server + later.to_server, self.folders + later.folders)
        return replace(later, to_disk=written[0], to_server=written[1], folders=written[2])

    def to_json(self) -> dict[str, Any]:
        """Return the object of `sync --json`."""
        body: dict[str, Any] = {
            "state": self.state.value,
            "exit_code": int(self.exit_code),
            "reason": self.reason,
            "to_disk": self.to_disk.to_json(),
            "to_server": self.to_server.to_json(),
            "folders": self.folders.to_json(),
            "conflicts": self.conflicts,
            "problems": [{"item": one.item, "why": one.why} for one in self.problems],
            "sentences": self.messages,
            "detached": self.detached,
            "withdrawn": self.withdrawn,
        }
        if self.planned:
            body["plan"] = [step.to_json() for step in self.planned]
        return body


class AccountReport(Struct):
    """What a run did for one account."""

    name: str
    seconds: float = 0.0
    requests: int = 0
    bytes: int = 0
    """Bytes of HTTP bodies received and sent."""
    kinds: dict[str, KindReport] = {}
    error: str = ""
    """The message of a failure that stopped the whole account."""
    exit_code: ExitCode = ExitCode.IN_SYNC
    """The code of that failure; see `worst` for the code of the account."""
    remedy: Remedy = Remedy.NOW
    """Who can fix that failure."""
    wake_at: float | None = None
    """When the daemon is to run again, in seconds since 1970: the time of a message that waits for it."""

    @property
    def withheld(self) -> bool:
        """Return whether the scan found something that only another scan can decide."""
        return any(kind.withheld for kind in self.kinds.values())

    @property
    def changed(self) -> list[str]:
        """Return the kinds in which anything was written, on either side."""
        return [name for name, kind in self.kinds.items() if kind.to_disk.total or kind.to_server.total or kind.folders.total]

    @property
    def partial(self) -> bool:
        """Return whether nothing but the disk was scanned, which showed no change."""
        return bool(self.kinds) and all(kind.partial for kind in self.kinds.values())

    @property
    def is_faultless(self) -> bool:
        """Return whether every kind was synchronized with both sides observed, and nothing is left to report."""
        kinds = self.kinds.values()
        return not self.worst and bool(kinds) and all(kind.state is State.SYNCED and not kind.partial for kind in kinds)

    @property
    def reason(self) -> str:
        """Return why the exit code is not 0, in words."""
        return self.error or " ".join(dict.fromkeys(kind.reason for kind in self.kinds.values() if kind.exit_code and kind.reason))

    def messages_of(self, kind: str) -> list[str]:
        """Return the messages about one kind, without the error of the account, which is printed once for all of them."""
        return [message for message in self.kinds[kind].messages if message != self.error]

    def fail_unseen(self, kinds: Iterable[str]) -> None:
        """Note of the kinds without a report that they were not synchronized, for the reason of the account."""
        for kind in kinds:
            if self.error and kind not in self.kinds:
                self.kinds[kind] = KindReport()
                self.kinds[kind].fail(self.error, self.exit_code)

    @property
    def worst(self) -> ExitCode:
        """Return the exit code of the account."""
        return worst([self.exit_code, *(kind.exit_code for kind in self.kinds.values())])

    def new_problems(self, before: AccountReport | None) -> list[tuple[str, Problem]]:
        """Return by kind what is quarantined and was not after an earlier run, if there was one."""
        known = {name: set(kind.problems) for name, kind in before.kinds.items()} if before is not None else {}
        return [(name, one) for name, kind in self.kinds.items() for one in kind.problems if one not in known.get(name, set())]

    @property
    def worst_tried(self) -> ExitCode:
        """Return the exit code of what the server offers; of all where it offers nothing of it."""
        tried = [kind.exit_code for kind in self.kinds.values() if kind.state is not State.SKIPPED]
        return worst([self.exit_code, *tried]) if tried else self.worst

    def to_json(self) -> dict[str, Any]:
        """Return the object of `sync --json`."""
        body: dict[str, Any] = {
            "seconds": round(self.seconds, 3),
            "requests": self.requests,
            "bytes": self.bytes,
            "exit_code": int(self.worst),
            "reason": self.reason,
            "kinds": {name: kind.to_json() for name, kind in self.kinds.items()},
        }
        if self.error:
            body["error"] = self.error
        return body


class RunReport(Struct):
    """What a run did for every account it was asked for."""

    accounts: dict[str, AccountReport] = {}

    @property
    def exit_code(self) -> ExitCode:
        """Return the exit code of the run."""
        return worst([account.worst for account in self.accounts.values()])

    def to_json(self) -> dict[str, Any]:
        """Return the object of `sync --json`."""
        return {
            "ok": self.exit_code is ExitCode.IN_SYNC,
            "accounts": {name: account.to_json() for name, account in self.accounts.items()},
        }


def counted(count: int, noun: str, several: str = "") -> str:
    """Return a number with its noun, whose plural has an `s` unless it is given."""
    return f"{count:,} {noun if count == 1 else several or f'{noun}s'}"


_SEVERITY = (
    ExitCode.IN_SYNC,
    ExitCode.QUARANTINED,
    ExitCode.BUSY,
    ExitCode.FAILED,
    ExitCode.SIGN_IN,
    ExitCode.SUSPENDED,
    ExitCode.USAGE,
)
"""From best to worst; a suspended deletion outranks a failure because it waits for a person."""


def worst(codes: list[ExitCode]) -> ExitCode:
    """Return the code that most needs a person's eye."""
    return max(codes, key=_SEVERITY.index, default=ExitCode.IN_SYNC)


class Progress(Protocol):
    """Somebody who watches a run; every method returns at once."""

    def start(self, account: str, kind: str, what: str, total: int, total_bytes: int) -> None:
        """Begin a stretch of work: `total` items of `total_bytes` octets in all (0 where unknown)."""

    def advance(self, account: str, kind: str, items: int, size: int) -> None:
        """Report `items` more items of `size` octets as done."""

    def finish(self, account: str, kind: str) -> None:
        """End the stretch of work."""

    def say(self, account: str, message: str) -> None:
        """Pass on a message for people (a wait, a retry, a decision)."""


class Silent:
    """A progress that nobody watches."""

    def start(self, account: str, kind: str, what: str, total: int, total_bytes: int) -> None:
        """Do nothing."""

    def advance(self, account: str, kind: str, items: int, size: int) -> None:
        """Do nothing."""

    def finish(self, account: str, kind: str) -> None:
        """Do nothing."""

    def say(self, account: str, message: str) -> None:
        """Do nothing."""
