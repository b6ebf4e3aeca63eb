"""Search worlds for faults: a legal server, two clients, somebody at the disk, deaths; `python -m tests.sim.worlds --help`.

A world is a script of acts that follows from its seed. What must hold needs no model of the server: at rest both sides hold
the same messages, no body is lost or doubled, no run reports what is not so, and a run with nothing to do asks once. A script
that fails is made shorter act by act and choice by choice while it still fails, and printed.
"""

# ruff: noqa: T201  # it is a program: what it finds goes to standard output

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import sys
import time
import traceback
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jmapsync.demo.dialect import DIALECTS
from tests.sim.instant import seldom_collected
from tests.sim.legal import CATALOGUE, ITEM_RIGHTS, OBJECTS, RIGHTS, LegalServer, draw
from tests.sim.legal_player import FOLDERS, MAIL, MESSAGES, SELDOM, SWAPS, Act, LegalPlayer
from tests.sim.object_worlds import acts_of, play_objects
from tests.sim.reach import told, traced
from tests.sim.verdict import assert_rest, assert_true
from tests.sim.world import Ways, World, scratch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WAYS: dict[str, tuple[Any, ...]] = {
    "direction": ("pull",),
    "on_delete": ("keep", "destroy"),
    "layout": ("maildir++",),
    "include": (("INBOX", "Lists"), ("*ists*", "Archive", "Trash")),
    "exclude": (("Archive",), ("Lists/*",), ("Lists",), ("Sent", "Junk"), ("INBOX",)),
}
"""How a mirror may be configured otherwise than usual."""
OFTEN_WAYS = 0.06
"""How often each of them is."""
OFTEN_PROVED = 0.2


@dataclass(frozen=True)
class Script:
    """A server and what happens at it."""

    server: LegalServer
    acts: tuple[Act, ...]
    messages: int = MESSAGES
    objects: bool = False
    """Whether it is about contacts, calendars and tasks instead of mail."""
    ways: dict[str, Any] = field(default_factory=dict)
    """How the mirror is configured otherwise than usual."""
    proved: bool = False
    """Whether a verification has to agree at the end."""

    def text(self) -> str:
        """Return the script as JSON on one line, as `--script` takes it."""
        server = {"profile": self.server.profile, "choices": self.server.choices, "seed": self.server.seed}
        mirror = {"ways": self.ways, "proved": self.proved}
        return json.dumps({"server": server, "acts": self.acts, "messages": self.messages, "objects": self.objects, **mirror})

    @staticmethod
    def read(text: str) -> Script:
        """Return the script of such a line."""
        data = json.loads(text)
        acts = tuple((name, seed) for name, seed in data["acts"])
        ways = {key: tuple(value) if isinstance(value, list) else value for key, value in data.get("ways", {}).items()}
        proved = bool(data.get("proved"))
        return Script(LegalServer(**data["server"]), acts, data["messages"], data["objects"], ways, proved)


def script_of(seed: int, profile: str = "", *, objects: bool = False) -> Script:
    """Return the script of a seed."""
    chance = random.Random(f"script {seed}")
    if objects:
        return Script(draw(seed, profile, objects=True), tuple(acts_of(chance)), objects=True)
    acts: list[Act] = []
    ways = {name: chance.choice(values) for name, values in WAYS.items() if chance.random() < OFTEN_WAYS}
    known = (*MAIL, *FOLDERS, chance.choice(SWAPS)) if chance.random() < 0.4 and not ways else MAIL
    seldom = chance.choice((0.0, 0.0, 0.15))
    for _ in range(chance.choice((1, 2, 3))):
        acts += [
            (chance.choice(SELDOM if chance.random() < seldom else known), chance.randrange(1 << 30))
            for _ in range(chance.choice((1, 3, 6)))
        ]
        if chance.random() < 0.3:
            acts.append(("die", chance.randint(1, 150)))
        elif chance.random() < 0.7:
            acts.append(("run", 0))
    first: list[Act] = [("die", chance.randint(1, 150))] if chance.random() < 0.1 else []
    return Script(draw(seed, profile), (*first, ("run", 0), *acts), ways=ways, proved=chance.random() < OFTEN_PROVED)


def run_script(script: Script) -> None:
    """Play a script to its end. Raises AssertionError where something does not hold, and what a run raises."""
    if script.objects:
        play_objects(script.server, script.acts)
        return
    with scratch() as base:
        world = World(base, script.server.dialect(), freedoms=script.server.freedoms(), ways=Ways(**script.ways))
        limits = world.server.limits
        player = LegalPlayer(world, script.server.seed, single=limits.max_mailboxes_per_email == 1)
        player.populate(script.messages)
        for path, right in script.server.denied():
            world.account.set_rights(path, **{right: False})
        for act in script.acts:
            if act[0] == "run":
                assert_true(world, world.sync())
            elif act[0] == "die":
                world.die(act[1])
            else:
                player.play(act)
        if world.server.service.shape is not None:
            world.server.service.shape.quiet = True
        assert_rest(world, player, script.server, proved=script.proved)


def failure_of(script: Script) -> str:
    """Return what is wrong with a script's world in one line, or nothing."""
    try:
        run_script(script)
    except AssertionError as error:
        return f"AssertionError: {str(error).splitlines()[0] if str(error) else _place(error)}"
    except Exception as error:  # noqa: BLE001 # that nothing else comes out is what is tested
        return f"{type(error).__name__}: {error} {_place(error)}"
    return ""


def _place(error: BaseException) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"({os.path.basename(frame.filename)}:{frame.lineno})"


def _kind(failure: str) -> str:
    return failure[:25]


def shrink(script: Script, failure: str, most: int = 400) -> tuple[Script, str]:
    """Return a shorter script that fails in the same way, and how; after `most` tries whatever was reached."""
    tries = 0
    changed = True
    while changed and tries < most:
        changed = False
        for shorter in _shorter(script):
            tries += 1
            if tries >= most:
                break
            now = failure_of(shorter)
            if now and _kind(now) == _kind(failure):
                script, failure, changed = shorter, now, True
                break
    return script, failure


def _shorter(script: Script) -> Iterator[Script]:
    acts = script.acts
    for size in (len(acts) // 2, len(acts) // 4, 1):
        if size:
            for start in range(0, len(acts), size):
                yield replace(script, acts=acts[:start] + acts[start + size :])
    for name in script.server.choices:
        yield replace(script, server=script.server.without(name))
    for name in script.ways:
        yield replace(script, ways={key: value for key, value in script.ways.items() if key != name})
    if script.proved:
        yield replace(script, proved=False)
    if script.server.profile != "rfc":
        yield replace(script, server=replace(script.server, profile="rfc"))
    if script.messages > 1:
        yield replace(script, messages=script.messages - 1)
        yield replace(script, messages=1)


@dataclass
class Result:
    """What a stretch of seeds gave."""

    worlds: int = 0
    failures: list[tuple[int, str]] = field(default_factory=list)
    reached: Counter[str] = field(default_factory=Counter)
    lines: dict[str, set[int]] = field(default_factory=dict)
    """Lines of the product that ran, by file."""


def search(first: int, count: int, profile: str, *, objects: bool = False, coverage: bool = False) -> Result:
    """Play the worlds of some seeds."""
    result = Result()
    with seldom_collected(), traced(result.lines) if coverage else nullcontext():
        for seed in range(first, first + count):
            script = script_of(seed, profile, objects=objects)
            result.reached.update(f"{key}={value}" for key, value in script.server.choices.items())
            result.reached[f"profile={script.server.profile}"] += 1
            result.reached.update(f"{key}={value}" for key, value in script.ways.items())
            result.reached.update(f"act {name}" for name, _ in script.acts)
            if failure := failure_of(script):
                result.failures.append((seed, failure))
            result.worlds += 1
    return result


def _search(job: tuple[int, int, str, bool, bool]) -> Result:
    first, count, profile, objects, coverage = job
    return search(first, count, profile, objects=objects, coverage=coverage)


def unreached(reached: Counter[str], catalogue: Mapping[str, tuple[Any, ...]] = CATALOGUE) -> list[str]:
    """Return the values of freedoms that no world had."""
    return sorted(f"{key}={value}" for key, values in catalogue.items() for value in set(values) if not reached[f"{key}={value}"])


def _never(reached: Counter[str], *, objects: bool) -> list[str]:
    """Return what no world of this kind had: values of freedoms, ways of a mirror, acts."""
    others = RIGHTS if objects else {**OBJECTS, **ITEM_RIGHTS}
    catalogue = {key: values for key, values in CATALOGUE.items() if key not in others}
    if objects:
        return unreached(reached, catalogue)
    acts = (*MAIL, *FOLDERS, *SWAPS, *SELDOM, "die", "run")
    return unreached(reached, catalogue | WAYS) + [f"act {name}" for name in acts if not reached[f"act {name}"]]


def main() -> int:
    """Search, and report what was found; the exit code is 1 if anything was."""
    options = _options()
    if options.script:
        script = Script.read(Path(options.script).read_text() if os.path.exists(options.script) else options.script)
        run_script(script)
        print("holds")
        return 0
    if options.replay is not None:
        script = script_of(options.replay, options.profile, objects=options.objects)
        failure = failure_of(script)
        if failure:
            script, failure = shrink(script, failure)
        print(failure or "holds", script.text(), sep="\n")
        return int(bool(failure))
    return _search_all(options)


def _search_all(options: argparse.Namespace) -> int:
    begun, total, stretch = time.monotonic(), Result(), 25
    jobs = [
        (first, min(stretch, options.seed + options.worlds - first), options.profile, options.objects, options.coverage)
        for first in range(options.seed, options.seed + options.worlds, stretch)
    ]
    kinds: Counter[str] = Counter()
    with multiprocessing.get_context("fork").Pool(options.jobs) as pool:
        for found in pool.imap_unordered(_search, jobs):
            total.worlds += found.worlds
            total.reached += found.reached
            for name, lines in found.lines.items():
                total.lines.setdefault(name, set()).update(lines)
            for seed, failure in found.failures:
                kinds[_kind(failure)] += 1
                if kinds[_kind(failure)] <= options.shown:
                    print(f"\rseed {seed}: {failure}", flush=True)
                total.failures.append((seed, failure))
            seconds = time.monotonic() - begun
            print(
                f"\r{total.worlds} worlds, {total.worlds / seconds:.1f}/s, {len(total.failures)} failures", end="", file=sys.stderr
            )
    print(file=sys.stderr)
    print(f"{total.worlds} worlds in {time.monotonic() - begun:.0f} s from seed {options.seed}: {len(total.failures)} failures")
    for kind, count in kinds.most_common():
        print(f"  {count} x {kind}")
    print(f"reached: {len(total.reached)} values of freedoms, ways of a mirror and acts")
    print("never reached:", ", ".join(_never(total.reached, objects=options.objects)) or "nothing")
    if options.coverage:
        print(told(total.lines))
    return int(bool(total.failures))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.worlds", description=__doc__)
    parser.add_argument("--worlds", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="of the first world; the next run goes on at seed + worlds")
    parser.add_argument("--profile", choices=list(DIALECTS), default="", help="the server that others differ from; default: any")
    parser.add_argument("--objects", action="store_true", help="worlds of contacts, calendars and tasks instead of mail")
    parser.add_argument("--coverage", action="store_true", help="say how much of the engine, storage and planner ran; slow")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--shown", type=int, default=3, help="failures shown of each kind")
    parser.add_argument("--replay", type=int, help="play one seed and make it shorter if it fails")
    parser.add_argument("--script", default="", help="play a script, or the one in a file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
