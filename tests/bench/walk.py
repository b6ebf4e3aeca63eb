"""Count the functions and files of the product that one run touches: `python -m tests.bench.walk [--list]`.

Each run is one of a small world on the embedded server: nothing to do, a flag set on the server, a card edited here, a new message.
The embedded server itself is left out.
"""

# ruff: noqa: T201  # it is a program: what it finds goes to standard output

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any

import jmapsync
from tests.sim.objects import ObjectWorld
from tests.sim.world import World, letter, scratch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = os.path.dirname(jmapsync.__file__)
MESSAGES = 6
LONG_AGO = 1_750_000_000

Walk = dict[tuple[str, str], int]
"""How often each function was called, by file and name, in the order of the first call."""


def walked(run: Callable[[], object]) -> Walk:
    """Return the functions of the product that a run calls; comprehensions and lambdas are part of the function around them."""
    found: Walk = {}

    def called(frame: Any, event: str, _: object) -> None:  # noqa: ANN401
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(ROOT) and not code.co_name.startswith("<"):
            file = os.path.relpath(code.co_filename, ROOT)
            if not file.startswith("demo"):
                place = (file, code.co_qualname if sys.version_info >= (3, 11) else code.co_name)
                found[place] = found.get(place, 0) + 1

    sys.setprofile(called)
    try:
        run()
    finally:
        sys.setprofile(None)
    return found


def walks() -> Iterator[tuple[str, Walk]]:
    """Yield what each kind of run calls."""
    from jmapsync.demo.dialect import RFC  # noqa: PLC0415

    with scratch() as base:
        world = World(base, RFC)
        for number in range(MESSAGES):
            world.account.deliver(letter(f"w{number}w"), ["INBOX"], [], LONG_AGO + number)
        world.sync()
        world.sync()
        yield "nothing to do", walked(world.sync)
        world.account.set_keyword(min(world.account.emails), "$flagged")
        yield "a flag set on the server", walked(world.sync)
        world.sync()
        world.account.deliver(letter("w99w"), ["INBOX"], [], LONG_AGO)
        yield "a new message", walked(world.sync)
    with scratch() as base:
        objects = ObjectWorld(base)
        store = objects.store("contacts")
        card = {"uid": "u1", "name": {"full": "w1w"}, "notes": {"n": {"note": "w2w"}}}
        store.add(card, (min(store.collections),))
        objects.sync()
        objects.sync()
        [file] = objects.files("contacts")
        file.write_bytes(file.read_bytes().replace(b"w2w", b"w3w"))
        yield "a card edited here", walked(objects.sync)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.walk", description=__doc__.partition("\n")[0])
    parser.add_argument("--list", action="store_true", help="name each function in the order of its first call")
    options = parser.parse_args()
    for name, walk in walks():
        calls = sum(walk.values())
        print(f"{name}: {len(walk)} functions in {len({file for file, _ in walk})} files, {calls:,} calls")
        for file, function in walk if options.list else ():
            print(f"  {file}: {function}")


if __name__ == "__main__":
    main()
