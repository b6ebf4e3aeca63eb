"""Search worlds in all processors, go on where a search ended, and sum up what was reached: `python -m tests.sim.worlds`."""

# ruff: noqa: T201  # it is a program: what it finds goes to standard output

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jmapsync.demo.dialect import DIALECTS
from tests.sim import worlds
from tests.sim.instant import seldom_collected
from tests.sim.legal import CATALOGUE, FURTHER, ITEM_RIGHTS, OBJECT_PROFILES, OBJECTS, PROFILES, PUSH, REFUSALS, RIGHTS
from tests.sim.legal_player import FOLDERS, MAIL, SCRIPTS, SELDOM, SWAPS
from tests.sim.reach import Arcs, measured, summary
from tests.sim.worlds import SCRIPT_PROFILES, WAYS, Script, failure_of, run_script, script_of, shrink

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WORLDS: dict[str, dict[str, bool]] = {"mail": {}, "objects": {"objects": True}, "scripts": {"scripts": True}}
"""What worlds may be of, with the arguments of `script_of`."""
STRETCH = 25
"""Worlds that one process plays before it reports."""
SECONDS_BETWEEN_SAVES = 10.0


@dataclass
class Result:
    """What some seeds gave."""

    first: int = 0
    worlds: int = 0
    failures: list[tuple[int, str]] = field(default_factory=list)
    reached: Counter[str] = field(default_factory=Counter)
    arcs: Arcs = field(default_factory=dict)
    """What ran of the product, by file."""

    def add(self, other: Result) -> None:
        """Add what other seeds gave."""
        self.worlds += other.worlds
        self.reached += other.reached
        self.failures += other.failures
        for name, arcs in other.arcs.items():
            self.arcs.setdefault(name, set()).update(arcs)


@dataclass
class Search:
    """A search under way; what it knows can be kept in a file, and the search goes on from there."""

    seed: int
    profile: str
    what: str
    """What the worlds are of: a name of `WORLDS`."""
    total: Result = field(default_factory=Result)
    done: dict[int, int] = field(default_factory=dict)
    """How many worlds of each stretch were played, by its first seed."""
    seconds: float = 0.0

    def stretches(self, count: int) -> Iterator[tuple[int, int]]:
        """Yield the first seed and the length of each stretch of `count` worlds that was not played yet."""
        for first in range(self.seed, self.seed + count, STRETCH):
            begun = first + self.done.get(first, 0)
            end = min(first + STRETCH, self.seed + count)
            if begun < end:
                yield begun, end - begun

    def text(self) -> str:
        """Return all of it as JSON."""
        total = self.total
        return json.dumps(
            {
                "seed": self.seed,
                "profile": self.profile,
                "what": self.what,
                "worlds": total.worlds,
                "seconds": round(self.seconds, 1),
                "done": sorted(self.done.items()),
                "failures": total.failures,
                "reached": total.reached,
                "arcs": {name: sorted(arcs) for name, arcs in total.arcs.items()},
            }
        )

    @staticmethod
    def read(text: str) -> Search:
        """Return the search that such text stands for."""
        data = json.loads(text)
        total = Result(0, data["worlds"], [(seed, why) for seed, why in data["failures"]], Counter(data["reached"]))
        total.arcs = {name: {(one, other) for one, other in arcs} for name, arcs in data["arcs"].items()}
        return Search(data["seed"], data["profile"], data["what"], total, dict(data["done"]), data["seconds"])


def search(first: int, count: int, profile: str, what: str = "mail", *, coverage: bool = False) -> Result:
    """Play the worlds of some seeds."""
    result = Result(first)
    with seldom_collected(), measured(result.arcs) if coverage else nullcontext():
        for seed in range(first, first + count):
            script = script_of(seed, profile, **WORLDS[what])
            result.reached.update(reached_by(script))
            if failure := failure_of(script):
                result.failures.append((seed, failure))
            result.worlds += 1
    return result


def reached_by(script: Script) -> Iterator[str]:
    """Yield the names of what a script is made of: the choices of its server, the ways of its mirror, its acts."""
    server = script.server
    yield f"profile={server.profile}"
    yield from (f"{key}={value}" for key, value in server.choices.items())
    yield from (f"{key}={value}" for key, value in script.ways.items())
    yield from (f"act {name}" for name, _ in script.acts)


def _search(job: tuple[int, int, str, str, bool]) -> Result:
    first, count, profile, what, coverage = job
    return search(first, count, profile, what, coverage=coverage)


def _shrunk(job: tuple[int, str, str, str]) -> tuple[int, str, str]:
    seed, profile, what, failure = job
    script, failure = shrink(script_of(seed, profile, **WORLDS[what]), failure)
    return seed, failure, script.text()


def unreached(reached: Counter[str], catalogue: Mapping[str, tuple[Any, ...]] = CATALOGUE) -> list[str]:
    """Return the values of freedoms that no world had."""
    return sorted(f"{key}={value}" for key, values in catalogue.items() for value in set(values) if not reached[f"{key}={value}"])


def never(reached: Counter[str], what: str) -> list[str]:
    """Return what no world of this kind had: values of freedoms, ways of a mirror, profiles, acts."""
    others = {**RIGHTS, **FURTHER, **PUSH, **REFUSALS} if what == "objects" else {**OBJECTS, **ITEM_RIGHTS}
    catalogue = {key: values for key, values in CATALOGUE.items() if key not in others}
    if what == "objects":
        return unreached(reached, catalogue)
    more, profiles = (sorted(set(SCRIPTS)), SCRIPT_PROFILES) if what == "scripts" else ([], PROFILES)
    acts = [f"act {name}" for name in (*MAIL, *FOLDERS, *SWAPS, *SELDOM, *more, "die", "run")]
    names = [*acts, *(f"profile={name}" for name in profiles)]
    return unreached(reached, catalogue | WAYS) + [name for name in names if not reached[name]]


def main() -> int:
    """Search, and report what was found; the exit code is 1 if anything was."""
    options = _options()
    if options.script:
        script = Script.read(Path(options.script).read_text() if os.path.exists(options.script) else options.script)
        run_script(script)
        print("holds")
        return 0
    if options.replay is not None:
        script = script_of(options.replay, options.profile, **WORLDS[options.what])
        failure = failure_of(script)
        if failure:
            script, failure = shrink(script, failure)
        print(failure or "holds", script.text(), sep="\n")
        return int(bool(failure))
    return _search_all(options)


def _search_all(options: argparse.Namespace) -> int:
    state = Path(options.resume) if options.resume else None
    found = Search(options.seed, options.profile, options.what)
    if state is not None and state.exists():
        found = Search.read(state.read_text())
        asked = (options.seed, options.profile, options.what)
        if asked != (found.seed, found.profile, found.what):
            sys.exit(f"{state} is of another search: seed {found.seed}, profile {found.profile or 'any'}, {found.what}")
    jobs = [(*one, options.profile, options.what, options.coverage) for one in found.stretches(options.worlds)]
    kinds = Counter(worlds.kind_of(failure) for _, failure in found.total.failures)
    with multiprocessing.get_context("fork").Pool(options.jobs) as pool:
        try:
            _play(pool.imap_unordered(_search, jobs), found, kinds, options, state)
        except KeyboardInterrupt:
            print("\nstopped", file=sys.stderr)
            return 130
        finally:
            _save(found, state)
        firsts = {worlds.kind_of(failure): (seed, failure) for seed, failure in sorted(found.total.failures, reverse=True)}
        shrinking = [(seed, options.profile, options.what, failure) for seed, failure in firsts.values()]
        _print_summary(found, kinds, options)
        for seed, failure, text in pool.imap_unordered(_shrunk, shrinking[: options.shrunk]):
            print(f"seed {seed}, made shorter: {failure}\n{text}", flush=True)
    return int(bool(found.total.failures))


def _play(results: Iterator[Result], found: Search, kinds: Counter[str], options: argparse.Namespace, state: Path | None) -> None:
    """Add up results as they come, with a line of progress."""
    begun, before, played, saved = time.monotonic(), found.seconds, 0, time.monotonic()
    for result in results:
        for seed, failure in result.failures:
            kind = worlds.kind_of(failure)
            kinds[kind] += 1
            if kinds[kind] <= options.shown:
                print(f"\rseed {seed}: {failure}", flush=True)
        found.total.add(result)
        stretch = result.first - (result.first - found.seed) % STRETCH
        found.done[stretch] = found.done.get(stretch, 0) + result.worlds
        played += result.worlds
        now = time.monotonic()
        found.seconds = before + now - begun
        if now - saved > SECONDS_BETWEEN_SAVES:
            _save(found, state)
            saved = now
        rate = played / max(0.001, now - begun)
        left = max(0, options.worlds - found.total.worlds) / rate
        failures = f"{len(found.total.failures)} failures of {len(kinds)} kinds"
        share = f"{found.total.worlds} of {options.worlds} worlds"
        print(f"\r{share}, {rate:.1f}/s, {failures}, {left / 60:.0f} min left ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


def _save(found: Search, state: Path | None) -> None:
    """Write the state of a search anew as a whole, or not at all."""
    if state is not None:
        fresh = state.with_name(f"{state.name}.new")
        fresh.write_text(found.text())
        fresh.replace(state)


def _print_summary(found: Search, kinds: Counter[str], options: argparse.Namespace) -> None:
    total, what = found.total, options.what
    rate = f"{total.worlds / max(0.001, found.seconds):.1f}/s"
    failures = f"{len(total.failures)} failures"
    print(f"{total.worlds} worlds of {what} in {found.seconds:.0f} s ({rate}) from seed {found.seed}: {failures}")
    for kind, count in kinds.most_common():
        print(f"  {count} x {kind}")
    print(f"reached: {len(total.reached)} values of freedoms, profiles, ways of a mirror and acts")
    print("never reached:", ", ".join(never(total.reached, what)) or "nothing")
    if total.arcs:
        print(f"run by worlds of {what}, of the lines and branches inside functions:", summary(total.arcs), sep="\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.worlds", description=worlds.__doc__)
    parser.add_argument("--worlds", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="of the first world; the next run goes on at seed + worlds")
    parser.add_argument("--profile", choices=list(DIALECTS), default="", help="the server that others differ from; default: any")
    named = parser.add_mutually_exclusive_group()
    named.add_argument(
        "--objects",
        action="store_const",
        dest="what",
        const="objects",
        help="worlds of contacts, calendars and tasks instead of mail",
    )
    named.add_argument(
        "--scripts", action="store_const", dest="what", const="scripts", help="worlds with Sieve scripts beside the mail"
    )
    parser.add_argument("--resume", metavar="FILE", default="", help="keep what is found in a file; go on from there if it exists")
    parser.add_argument(
        "--coverage", action="store_true", help="report which functions and branches of the product ran; needs coverage.py, slower"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--shown", type=int, default=3, help="failures shown of each kind")
    parser.add_argument("--shrunk", type=int, default=5, help="kinds of failures whose first one is made shorter at the end")
    parser.add_argument("--replay", type=int, help="play one seed and make it shorter if it fails")
    parser.add_argument("--script", default="", help="play a script, or the one in a file")
    options = parser.parse_args()
    options.what = options.what or "mail"
    offering = {"objects": OBJECT_PROFILES, "scripts": SCRIPT_PROFILES}.get(options.what, PROFILES)
    if options.profile not in ("", *offering):
        parser.error(f"the profile {options.profile} offers no {options.what}")
    return options
