"""Run the converters on corrupted inputs, and count failures, time and memory."""

# ruff: noqa: T201  # a report for people

from __future__ import annotations

import gc
import hashlib
import json
import os
import random
import re
import resource
import signal
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jmapsync.formats.objects import INSTANCES, MalformedError, gathered, instances
from tests.formats.fuzz.mutations import spoil, spoil_object
from tests.formats.fuzz.properties import check_file, check_object, read_any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jmapsync.formats.objects import Object
    from tests.formats.fuzz.seeds import Seeds

LONGEST = 5.0
"""Seconds of processor time that one input may take."""
GROWTH = 32
"""MiB that the process may have more at the end than after a quarter of the time: caches of time zones and patterns fill up."""
_EMPTY = {"card": b"BEGIN:VCARD\r\nVERSION:4.0\r\nUID:u\r\nFN:x\r\nEND:VCARD\r\n"}
_EVENT = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:u\r\nDTSTAMP:20260101T000000Z\r\n"
_EMPTY["schedule"] = _EVENT + b"DTSTART;TZID=Europe/Berlin:20260105T100000\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
Item = dict[str, Any]


class HangError(BaseException):
    """An input took too long; no Exception, so that nobody on the way catches it."""


class Run:
    """A run: seeds and the number of an input determine the input."""

    def __init__(self, seeds: Seeds, seed: int, faults: str) -> None:
        self.seeds, self.seed, self.place = seeds, seed, Path(faults)
        self.faults: Counter[str] = Counter()
        self.converted = self.inputs = 0
        self.seconds = 0.0
        self.slowest = 0.0, ""
        self.resident: list[float] = []
        self._items = {family: _readable(files, family) for family, files in seeds.files.items()}

    def go(self, seconds: float, *, least: int = 0) -> None:
        """Make inputs for so many seconds of the clock, and until `least` were converted."""
        before = signal.signal(signal.SIGPROF, _hang)
        begin = time.monotonic()
        while (past := time.monotonic() - begin) < seconds or self.converted < least:
            if not self.resident and past >= seconds / 4:
                self.resident.append(_resident())
            self._one(random.Random(f"{self.seed}:{self.inputs}"))
            self.inputs += 1
        signal.signal(signal.SIGPROF, before)
        self.seconds = time.monotonic() - begin
        self.resident.append(_resident())

    def has_grown(self) -> bool:
        """Return whether there is more memory in use than after the first quarter, by more than caches take."""
        return self.resident[-1] - self.resident[0] > GROWTH

    def report(self) -> str:
        """Return the figures of the run."""
        seconds, which = self.slowest
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return (
            f"seed {self.seed}: {self.inputs} inputs, {self.converted} converted, {self.seconds:.0f} s\n"
            f"slowest: {seconds:.2f} s ({which})\n"
            f"resident: {self.resident[0]:.1f} MiB at a quarter, {self.resident[-1]:.1f} MiB at the end, peak {peak:.1f} MiB\n"
            + "\n".join([f"{count} times {mark}" for mark, count in self.faults.most_common()] or ["no fault"])
        )

    def _one(self, rng: random.Random) -> None:
        family = rng.choice(("card", "schedule"))
        before = rng.choice(self._items[family])
        if rng.random() < 0.6:
            lines = self.seeds.lines[family]
            files = self.seeds.files[family] if rng.random() < 0.6 else []
            data = spoil(rng, rng.choice(files) if files else _composed(rng, family, lines), lines)
            self._check(f"{family} file", data, lambda: check_file(data, family, before))
        else:
            pool = [*self.seeds.objects[family], *self._items[family]]
            item = _as_given(spoil_object(rng, rng.choice(list(instances(before).values()) or [before]), pool))
            held = rng.choice((before, rng.choice(self._items[family])))
            self._check(f"{family} object", _pair(item, held), lambda: check_object(item, held))

    def _check(self, kind: str, data: bytes, check: Callable[[], bool]) -> None:
        start = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, LONGEST)
        try:
            self.converted += check()
        except (Exception, HangError) as error:  # noqa: BLE001  # every error is a finding
            signal.setitimer(signal.ITIMER_PROF, 0)
            self._note(kind, data, error)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            seconds = time.process_time() - start
            if seconds > self.slowest[0]:
                self.slowest = seconds, f"{kind} {self.inputs}"
                self._leave(f"slowest.{kind}", data)

    def _note(self, kind: str, data: bytes, error: BaseException) -> None:
        """Print a fault of a kind that is new, and leave its input."""
        mark = _signature(kind, error)
        self.faults[mark] += 1
        if self.faults[mark] == 1:
            name = self._leave(f"{hashlib.sha256(mark.encode()).hexdigest()[:8]}.{kind}", data)
            text = "".join(traceback.format_exception(error, limit=-6))
            print(f"FAULT {mark}\nseed {self.seed}, input {self.inputs}: {name}\n{data[:3000]!r}\n{text}", flush=True)

    def _leave(self, name: str, data: bytes) -> Path:
        """Write an input to a file."""
        self.place.mkdir(parents=True, exist_ok=True)
        path = self.place / name.replace(" ", ".")
        path.write_bytes(data)
        return path


def _as_given(item: Object) -> Object:
    """Return the normal form of an object of a server, an instance without its series as the item that it is part of."""
    found = {name: value for name, value in item.items() if name != INSTANCES}
    return found if found.get("recurrenceId") is None else gathered([found])


def replay(names: Sequence[str]) -> int:
    """Run inputs that a run has left; return 1 where one is still a fault."""
    signal.signal(signal.SIGPROF, _hang)
    failed = 0
    for name in names:
        data, (family, form) = Path(name).read_bytes(), name.rsplit(".", 2)[1:]
        signal.setitimer(signal.ITIMER_PROF, LONGEST)
        try:
            if form == "file":
                check_file(data, family, read_any(_EMPTY[family], family)[1])
            else:
                check_object(*json.loads(data))
        except (Exception, HangError):  # noqa: BLE001  # as above
            failed = 1
            print(f"{name}:\n{traceback.format_exc(limit=-6)}")
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
    return failed


def _composed(rng: random.Random, family: str, lines: list[bytes]) -> bytes:
    """Return a file made of lines of the tests."""
    head, end, tail = _EMPTY[family].rpartition(b"END:VEVENT" if family == "schedule" else b"END:VCARD")
    if family == "schedule" and rng.random() < 0.3:
        head, end = head.replace(b"VEVENT", b"VTODO"), b"END:VTODO"
    if family == "card" and rng.random() < 0.5:
        head = head.replace(b"4.0", rng.choice((b"3.0", b"2.1")))
    return head + b"".join(line + b"\r\n" for line in rng.choices(lines, k=rng.randint(1, 12))) + end + tail


def _readable(files: list[bytes], family: str) -> list[Item]:
    found = [read_any(_EMPTY[family], family)[1]]
    for data in files:
        try:
            found.append(read_any(data, family)[1])
        except MalformedError:
            continue
    return found


def _pair(item: Item, held: Item) -> bytes:
    return json.dumps([item, held]).encode()


def _signature(kind: str, error: BaseException) -> str:
    """Return the kind of a fault: the error, and where in our code it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    inner = [frame for frame in frames if f"{os.sep}jmapsync{os.sep}formats" in frame.filename] or frames
    text = re.sub(r"\d+", "N", str(error))[:160] if isinstance(error, AssertionError) else ""
    where = [frame for frame in frames if f"{os.sep}fuzz{os.sep}properties" in frame.filename] if text else inner
    return f"{kind}: {type(error).__name__} {text} in {where[-1].name} ({Path(where[-1].filename).name}:{where[-1].lineno})"


def _hang(_signal: int, _frame: object) -> None:
    raise HangError(f"more than {LONGEST} s")


def _resident() -> float:
    """Return the MiB of memory in use."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
