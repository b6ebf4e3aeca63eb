"""Fuzz a mirror with altered answers of its server: `python -m tests.sim.answers --cases 100000 --seed 1`.

Every field of every answer is given another type, null, a huge number or text, is left out, doubled or nested; so are the names and
ids of methods, errors, and the status, headers and body of HTTP. After each altered run a sound one follows. A case that fails
prints what was altered and how it is played again. With `--scenario push`, what push sends
is altered: event streams and WebSockets.
"""

# ruff: noqa: T201  # it is a program: its figures go to standard output

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.sim.altering import Case
from tests.sim.fuzzer import Fuzzer
from tests.sim.objects import FLAVOURS
from tests.sim.push_fuzzer import PushFuzzer
from tests.sim.world import scratch

if TYPE_CHECKING:
    from tests.sim.fuzzer import CaseResult


@dataclass
class Tally:
    """What many cases came to."""

    cases: int = 0
    failed: int = 0
    idle: int = 0
    """Cases whose value no answer had."""
    kinds: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    peak: int = 0
    cpu: float = 0.0
    seen: set[tuple[str, tuple[str, ...]]] = field(default_factory=set)
    done: set[tuple[str, tuple[str, ...]]] = field(default_factory=set)

    def add(self, result: CaseResult) -> None:
        self.cases += 1
        self.peak, self.cpu = max(self.peak, result.peak), max(self.cpu, result.cpu)
        self.seen |= result.altering.seen
        self.done |= result.altering.done
        self.idle += not result.altering.done
        self.failed += bool(result.faults)
        for fault in result.faults:
            kind = _kind(fault, result.trace)
            self.kinds[kind] += 1
            self.examples.setdefault(kind, result.case.to_json())

    def merge(self, other: Tally) -> None:
        self.cases, self.failed, self.idle = self.cases + other.cases, self.failed + other.failed, self.idle + other.idle
        self.kinds += other.kinds
        self.examples = {**other.examples, **self.examples}
        self.peak, self.cpu = max(self.peak, other.peak), max(self.cpu, other.cpu)
        self.seen |= other.seen
        self.done |= other.done


def _kind(fault: str, trace: str) -> str:
    """Return a fault without what differs from case to case; of a crash, the place in the project where it arose."""
    if "crashed" in fault:
        places = [line.strip() for line in trace.splitlines() if "/jmapsync/" in line and line.strip().startswith("File ")]
        return f"{fault} @ {places[-1].rpartition('/jmapsync/')[2] if places else '?'}"[:300]
    return fault.partition(":")[0]


def _work(options: argparse.Namespace, first: int, step: int) -> Tally:
    tally = Tally()
    flavour = next(one for one in FLAVOURS if one.name == options.dialect)
    ends = time.monotonic() + options.minutes * 60 if options.minutes else None
    shown = time.monotonic()
    with scratch() as base:
        fuzzer = PushFuzzer() if options.scenario == "push" else Fuzzer(base, flavour)
        for number in range(options.first + first, options.first + options.cases, step):
            result = fuzzer.play(fuzzer.case(options.seed, number))
            tally.add(result)
            if result.faults and tally.kinds[_kind(result.faults[0], result.trace)] <= options.show:
                _print_failure(options, number, result)
            if time.monotonic() - shown > 30:
                shown = time.monotonic()
                print(f"case {number}, {tally.cases} played, {tally.failed} failed", file=sys.stderr, flush=True)
            if ends is not None and time.monotonic() > ends:
                break
        tally.seen |= fuzzer.fields
    return tally


def _print_failure(options: argparse.Namespace, number: int, result: CaseResult) -> None:
    print(f"case {number} of seed {options.seed} ({options.dialect}):")
    for fault in result.faults:
        print(f"  {fault}")
    if result.trace and options.traces:
        print("    " + "\n    ".join(result.trace.splitlines()[-14:]))
    print(f"  again: python -m tests.sim.answers --dialect {options.dialect} --replay '{result.case.to_json()}'", flush=True)


def main() -> None:
    """Play cases and print what they came to; exit 1 when any failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim.answers", description=main.__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0, help="the number of the first case, to go on where a run ended")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=0, help="stop after so many minutes")
    parser.add_argument("--dialect", choices=[one.name for one in FLAVOURS], default="rfc")
    parser.add_argument("--scenario", choices=["runs", "push"], default="runs", help="answers to runs, or what push sends")
    parser.add_argument("--show", type=int, default=2, help="failures of one kind that are printed")
    parser.add_argument("--traces", action="store_true", help="print where crashes arose")
    parser.add_argument("--replay", default="", help="play one case, as a failure prints it")
    parser.add_argument("--json", default="", help="write the figures to a file")
    options = parser.parse_args()
    if options.replay:
        options.traces = True
        with scratch() as base:
            flavour = next(one for one in FLAVOURS if one.name == options.dialect)
            case = Case.from_json(options.replay)
            result = (PushFuzzer() if case.scenario == "push" else Fuzzer(base, flavour)).play(case)
        _print_failure(options, 0, result)
        sys.exit(1 if result.faults else 0)
    begun = time.monotonic()
    tally = Tally()
    if options.jobs > 1:
        with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
            for one in pool.starmap(_work, [(options, first, options.jobs) for first in range(options.jobs)]):
                tally.merge(one)
    else:
        tally = _work(options, 0, 1)
    print_figures(tally, time.monotonic() - begun, options)
    sys.exit(1 if tally.failed else 0)


def print_figures(tally: Tally, seconds: float, options: argparse.Namespace) -> None:
    """Print what the cases came to, for people, and write it to a file where that is wanted."""
    untouched = sorted(f"{method} {'.'.join(pattern)}".strip() for method, pattern in tally.seen - tally.done)
    figures = {
        "seed": options.seed,
        "dialect": options.dialect,
        "cases": tally.cases,
        "failed": tally.failed,
        "altered nothing": tally.idle,
        "seconds": round(seconds, 1),
        "most memory in MB": tally.peak >> 20,
        "most seconds of a run": round(tally.cpu, 2),
        "fields altered": len(tally.done),
        "fields never altered": untouched,
        "faults": dict(tally.kinds.most_common()),
        "examples": tally.examples,
    }
    for name, value in figures.items():
        if name == "faults":
            for kind, count in tally.kinds.most_common():
                print(f"{count:6} {kind}")
        elif name != "examples":
            print(f"{name}: {value if not isinstance(value, list) else f'{len(value)} {value[:40]}'}")
    if options.json:
        with open(options.json, "w") as file:
            json.dump(figures, file, indent=1)


if __name__ == "__main__":
    main()
