"""Search worlds for faults: a legal server, two clients, somebody at the disk, deaths; `python -m tests.sim.worlds --help`.

A world is a script of acts that follows from its seed. What must hold needs no model of the server: at rest both sides hold
the same messages, no body is lost or doubled, no run reports what is not so, and a run with nothing to do asks once. A script
that fails is made shorter act by act and choice by choice while it still fails, and printed.
"""

# it is a program: what it finds goes to standard output

from __future__ import annotations

import json
import os
import random
import re
import sys
import traceback
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from jmapsync.demo.dialect import DIALECTS
from tests.sim.legal import LegalServer, draw
from tests.sim.legal_player import FOLDERS, MAIL, MESSAGES, SCRIPTS, SELDOM, SWAPS, Act, LegalPlayer
from tests.sim.object_worlds import acts_of, play_objects
from tests.sim.world import Ways, World, scratch
from tests.sim.world_checks import assert_rest, assert_true

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WAYS: dict[str, tuple[Any, ...]] = {
    "direction": ("pull",),
    "on_delete": ("keep", "destroy"),
    "layout": ("maildir++",),
    "include": (("INBOX", "Lists"), ("*ists*", "Archive", "Trash"), ("INBOX", "F*", "Trash")),
    "exclude": (("Archive",), ("Lists/*",), ("Lists",), ("Sent", "Junk"), ("INBOX",), ("Archive", "F*"), ("*ü",)),
}
"""How a mirror may be configured otherwise than usual. New folders and mailboxes have names such as `F1 ü`."""
OFTEN_WAYS = 0.06
"""How often each of them is."""
OFTEN_FOLDERS = 0.4
OFTEN_PROVED = 0.2
OFTEN_SCRIPTS = 0.6
"""How often an act on scripts comes after another one, where they are mirrored too."""
SCRIPT_PROFILES = tuple(name for name, one in DIALECTS.items() if one.scripts)


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
    scripts: bool = False
    """Whether Sieve scripts are mirrored beside the mail."""

    def text(self) -> str:
        """Return the script as JSON on one line, as `--script` takes it."""
        server = {"profile": self.server.profile, "choices": self.server.choices, "seed": self.server.seed}
        mirror = {"ways": self.ways, "proved": self.proved, "scripts": self.scripts}
        return json.dumps({"server": server, "acts": self.acts, "messages": self.messages, "objects": self.objects, **mirror})

    @staticmethod
    def read(text: str) -> Script:
        """Return the script of such a line."""
        data = json.loads(text)
        acts = tuple((name, seed) for name, seed in data["acts"])
        ways = {key: tuple(value) if isinstance(value, list) else value for key, value in data.get("ways", {}).items()}
        more = bool(data.get("proved")), bool(data.get("scripts"))
        return Script(LegalServer(**data["server"]), acts, data["messages"], data["objects"], ways, *more)


def script_of(seed: int, profile: str = "", *, objects: bool = False, scripts: bool = False) -> Script:
    """Return the script of a seed; one with Sieve scripts beside the mail has the same acts on mail, and others between them."""
    if scripts:
        return _with_scripts(script_of(seed, profile), seed)
    chance = random.Random(f"script {seed}")
    if objects:
        return Script(draw(seed, profile, objects=True), tuple(acts_of(chance)), objects=True)
    acts: list[Act] = []
    ways = {name: chance.choice(values) for name, values in WAYS.items() if chance.random() < OFTEN_WAYS}
    has_folders = chance.random() < OFTEN_FOLDERS
    known: tuple[str, ...] = (*MAIL, *FOLDERS, chance.choice(SWAPS)) if has_folders and not ways else MAIL
    if ways.keys() & {"include", "exclude"} and ways.keys().isdisjoint({"direction", "layout"}) and has_folders:
        known = (*MAIL, *FOLDERS)
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


def _with_scripts(script: Script, seed: int) -> Script:
    """Return a script with acts on Sieve scripts between those that it has; one whose server has none, with Stalwart's server."""
    chance = random.Random(f"sieve {seed}")
    server = script.server if script.server.dialect().scripts else replace(script.server, profile=chance.choice(SCRIPT_PROFILES))
    acts: list[Act] = []
    for act in script.acts:
        acts.append(act)
        if chance.random() < OFTEN_SCRIPTS:
            acts.append((chance.choice(SCRIPTS), chance.randrange(1 << 30)))
        if chance.random() < OFTEN_SCRIPTS / 3:
            acts.append(("die", chance.randint(1, 250)))
    ways = {key: value for key, value in script.ways.items() if key != "direction"}
    return replace(script, server=server, acts=tuple(acts), ways=ways, scripts=True)


def run_script(script: Script, world_of: Callable[..., World] = World) -> None:
    """Play a script to its end. Raises AssertionError where something does not hold, and what a run raises.

    `world_of` makes the world of a script about mail, as the class `World` does.
    """
    if script.objects:
        play_objects(script.server, script.acts)
        return
    with scratch() as base:
        server = script.server
        world = world_of(
            base,
            server.dialect(),
            freedoms=server.freedoms(),
            ways=Ways(**script.ways),
            holder=server.holder,
            scripts=script.scripts,
        )
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


def kind_of(failure: str) -> str:
    """Return what a failure has in common with others of its kind: no names and numbers; whether a list is empty, and no more."""
    reasons = sorted({one or other for one, other in re.findall(r"""why=(?:"([^"]*)"|'([^']*)')""", failure)})
    text = " | ".join(reasons) or failure
    for _ in range(3):  # lists in lists
        text = re.sub(r"\[[^\[\]]+\]", "<..>", text)
    return re.sub(r"\(/[^)]*\)|[A-Za-z]?[0-9]+", "N", text)[:110]


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
            if now and kind_of(now) == kind_of(failure):
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


if __name__ == "__main__":
    from tests.sim.search import main

    sys.exit(main())
