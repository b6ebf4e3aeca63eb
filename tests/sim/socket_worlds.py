"""Play worlds of mail over real sockets, by the product's own transports; `python -m tests.sim.socket_worlds --help`.

Most requests then go by libcurl, which the worlds of `tests.sim.worlds` replace. The server answers in a thread of its own, so that
requests under way at the same time may be answered in any order: a seed that fails may hold when it is played again. The gate plays
none of these.
"""

# ruff: noqa: T201  # it is a program: what it finds goes to standard output

from __future__ import annotations

import argparse
import asyncio
import sys
import traceback
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from jmapsync.jmap.exchange import Exchange
from jmapsync.jmap.libcurl import pycurl
from tests.sim.instant import replaced, seldom_collected
from tests.sim.world import World
from tests.sim.worlds import Script, run_script, script_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kit.mirror import Mirror
    from tests.sim.fate import Fate

SECONDS = 300
"""How long a run may take: a transport that hangs is a failure too."""
LEFT_OUT = ("throttled", "unavailable", "retry_after")
"""What the server may not choose: each would have to be waited for."""


class SocketWorld(World):
    """A world whose server listens and whose mirror connects to it."""

    def __init__(self, *args: Any, stack: ExitStack, **named: Any) -> None:  # noqa: ANN401  # as `World` takes them
        """Make a world and have its server listen until the stack is closed."""
        super().__init__(*args, **named)
        self._url = stack.enter_context(self.server).url
        self._other_hosts = tuple(f"127.0.0.{number}:{self.server.port}" for number in (2, 3, 4))
        self._runner = lambda main: asyncio.run(asyncio.wait_for(main, SECONDS))

    def _transport(self, fate: Fate | None) -> None:
        """Return nothing: the product connects by itself."""

    def _do(self, what: Callable[[Mirror], Any], fate: Fate | None = None) -> Any:  # noqa: ANN401  # whatever is done
        with fate.over_requests() if fate else nullcontext():
            return super()._do(what, fate)


def socket_script(seed: int, profile: str) -> Script:
    """Return the script of a seed without what would have to be waited for."""
    script = script_of(seed, profile)
    server = script.server
    for name in LEFT_OUT:
        server = server.without(name)
    return replace(script, server=server, acts=tuple(act for act in script.acts if act[0] != "listen"))


def failure_of(script: Script) -> str:
    """Return what is wrong with a script's world, or nothing."""
    try:
        with ExitStack() as stack:
            run_script(script, partial(SocketWorld, stack=stack))
    except Exception as error:  # noqa: BLE001  # that nothing else comes out is what is tested
        return f"{type(error).__name__}: {error} {traceback.extract_tb(error.__traceback__)[-1]}"
    return ""


def main() -> int:
    """Play worlds, and report what was found; the exit code is 1 if anything was."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim.socket_worlds", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of the first world")
    parser.add_argument("--worlds", type=int, default=100)
    parser.add_argument("--profile", default="", help="the server that others differ from; default: any")
    options = parser.parse_args()
    print(pycurl.version)
    carried: dict[bool, int] = {True: 0, False: 0}
    fetch = Exchange._fetch

    async def counted(exchange: Exchange, *args: Any, many: bool, **named: Any) -> Any:  # noqa: ANN401  # passed on
        carried[many] += 1
        return await fetch(exchange, *args, many=many, **named)

    failures = 0
    with seldom_collected(), replaced(Exchange, "_fetch", counted):
        for seed in range(options.seed, options.seed + options.worlds):
            if failure := failure_of(socket_script(seed, options.profile)):
                failures += 1
                print(f"seed {seed}: {failure}", flush=True)
    print(f"{options.worlds} worlds from seed {options.seed}: {failures} failures; {carried[True]:,} requests by libcurl,", end=" ")
    print(f"{carried[False]:,} by httpx")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
