"""Compare two mirrors of one account after random acts and kills: `python -m tests.sim.mirrors --seeds 50 --rounds 100`.

Each seed is a world of mail and one of contacts, calendars and tasks. At its end both disks and the server hold the same, nothing
is lost, and each mirror asks once and writes nothing.
"""

# ruff: noqa: T201  # it is a program: its figures go to standard output

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jmapsync.demo.dialect import DIALECTS
from tests.sim.objects import FLAVOURS
from tests.sim.pair import MailPair, ObjectPair
from tests.sim.world import scratch

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sim.objects import Flavour


@dataclass
class Tally:
    """What a seed came to, or many."""

    seeds: int = 0
    runs: int = 0
    kills: int = 0
    faults: list[str] = field(default_factory=list)

    def merge(self, other: Tally) -> None:
        self.seeds, self.runs, self.kills = self.seeds + other.seeds, self.runs + other.runs, self.kills + other.kills
        self.faults += other.faults


def worlds() -> dict[str, Callable[[int, int], Tally]]:
    """Return how a seed is played, by the name of each world."""
    mail = {f"mail-{name}": _mail(name) for name in DIALECTS}
    return mail | {f"objects-{flavour.name}": _objects(flavour) for flavour in FLAVOURS}


def _mail(dialect: str) -> Callable[[int, int], Tally]:
    def play(seed: int, rounds: int) -> Tally:
        with scratch() as base:
            return _play(MailPair(base, DIALECTS[dialect], seed), rounds)

    return play


def _objects(flavour: Flavour) -> Callable[[int, int], Tally]:
    def play(seed: int, rounds: int) -> Tally:
        with scratch() as base:
            return _play(ObjectPair(base, flavour, seed), rounds)

    return play


def _play(pair: MailPair | ObjectPair, rounds: int) -> Tally:
    pair.play(rounds)
    pair.rest()
    pair.check()
    return Tally(1, pair.runs, pair.kills)


def play(name: str, seed: int, rounds: int) -> Tally:
    """Play one seed of one world; what goes wrong is a fault of the tally."""
    try:
        return worlds()[name](seed, rounds)
    except Exception as error:  # noqa: BLE001  # whatever it is, the next seed is played
        trace = "".join(traceback.format_exception(error)[-3:])
        return Tally(1, faults=[f"{name} seed {seed}, {rounds} rounds: {error!s:.1500}\n{trace[-1500:]}"])


def main() -> None:
    """Play seeds in worlds of every dialect and print what they came to; exit 1 when any failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim.mirrors", description=main.__doc__)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--world", action="append", choices=sorted(worlds()), help="only these; may be given several times")
    parser.add_argument("--dialect", help="only worlds of this dialect")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=0, help="begin no other seed after so many minutes")
    options = parser.parse_args()
    names = options.world or [name for name in worlds() if options.dialect in {None, name.partition("-")[2]}]
    begun = time.monotonic()
    tallies = {name: Tally() for name in names}
    with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
        for seed in range(options.first, options.first + options.seeds):
            if options.minutes and time.monotonic() - begun > options.minutes * 60:
                break
            for name, tally in pool.starmap(_named, [(name, seed, options.rounds) for name in names], chunksize=1):
                tallies[name].merge(tally)
                for fault in tally.faults:
                    print(fault, flush=True)
            print(f"seed {seed} done, {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    for name, tally in tallies.items():
        print(f"{name}: {tally.seeds} seeds, {tally.runs} runs, {tally.kills} kills, {len(tally.faults)} faults")
    sys.exit(1 if any(tally.faults for tally in tallies.values()) else 0)


def _named(name: str, seed: int, rounds: int) -> tuple[str, Tally]:
    return name, play(name, seed, rounds)


if __name__ == "__main__":
    main()
