"""Measure the listener: `python -m tests.bench.listening` prints latency and what an idle and a flapping connection cost."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import multiprocessing
import resource
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

from jmapsync.daemon.push_listener import Listener, Timing
from jmapsync.demo import RFC, DemoServer
from jmapsync.jmap.auth import BasicCredential
from jmapsync.jmap.client import Client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from multiprocessing.connection import Connection

TRIALS = 1_000
IDLE_SECONDS = 60.0
PING = 1.0
FLAPS = 10_000


def say(line: str) -> None:
    """Print a result."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def resident() -> int:
    """Return this process's resident memory in KiB."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize() // 1024


def serve(orders: Connection, websocket: bool) -> None:
    """Serve in a process of its own; each order is answered with the time at which it was carried out."""
    with DemoServer(dialect=dataclasses.replace(RFC, websocket=websocket)) as server:
        email = server.account.deliver(b"Subject: one\r\n\r\none\r\n")
        orders.send(server.url)
        flagged = False
        while (order := orders.recv()) != "stop":
            if order == "flap":
                server.faults.ending_events.arm(0.0)
            began = time.monotonic()
            if order == "change":
                flagged = not flagged
                server.account.set_keyword(email, "$flagged", present=flagged)
            orders.send(began)


class TimedListener:
    """A listener and when it hinted last."""

    def __init__(self, client: Client, timing: Timing) -> None:
        """Start listening."""
        self.hints = 0
        self.at = 0.0
        self.reported = asyncio.Event()
        self.listener = Listener(client, "a1", self.note, timing=timing)
        self.task = asyncio.ensure_future(self.listener.run())

    def note(self, _reason: str) -> None:
        """Note a hint."""
        self.at = time.monotonic()
        self.hints += 1
        self.reported.set()

    async def reach(self, count: int) -> None:
        """Wait for so many hints in all."""
        while self.hints < count:
            self.reported.clear()
            await self.reported.wait()


@contextlib.asynccontextmanager
async def listening(url: str, timing: Timing) -> AsyncIterator[TimedListener]:
    """Listen; connected once this returns."""
    async with Client(url, BasicCredential("demo", "demo")) as client:
        await client.session()
        gc.collect()
        before = resident()
        ear = TimedListener(client, timing)
        await ear.reach(1)
        await asyncio.sleep(0.2)
        say(f"  {ear.listener.state.mode}: {resident() - before} KiB for the first connection, {resident()} KiB in all")
        try:
            yield ear
        finally:
            ear.task.cancel()
            await asyncio.gather(ear.task, return_exceptions=True)


async def measure(url: str, orders: Any) -> None:  # noqa: ANN401 - one end of a pipe
    """Measure one way of push."""
    async with listening(url, Timing(ping=PING)) as ear:
        waits = []
        for trial in range(TRIALS):
            orders.send("change")
            await ear.reach(trial + 2)
            waits.append((ear.at - orders.recv()) * 1000)
        waits.sort()
        say(f"  change to hint, {TRIALS} trials: median {statistics.median(waits):.2f} ms, 99 % {waits[TRIALS * 99 // 100]:.2f} ms")
        gc.collect()
        hints, memory, cpu = ear.hints, resident(), time.process_time()
        await asyncio.sleep(IDLE_SECONDS)
        spent = time.process_time() - cpu
        per_ping = spent / (IDLE_SECONDS / PING)
        say(f"  idle {IDLE_SECONDS:g} s with a ping a second: {spent * 1000:.1f} ms of CPU, {per_ping * 1000:.2f} ms a ping,")
        say(f"    so {per_ping / 30 * 100:.4f} % of a core at 30 s; {resident() - memory} KiB more, {ear.hints - hints} hints")
    orders.send("flap")
    orders.recv()
    async with listening(url, Timing(ping=PING, first_pause=0, longest_pause=0)) as ear:
        await ear.reach(FLAPS // 10)
        gc.collect()
        memory, cpu = resident(), time.process_time()
        await ear.reach(FLAPS + FLAPS // 10)
        gc.collect()
        spent = (time.process_time() - cpu) / FLAPS * 1000
        say(f"  {FLAPS} connections that end at once: {resident() - memory} KiB more, {spent:.2f} ms of CPU each")


def main() -> None:
    """Measure both ways, each with a server in a process of its own."""
    context = multiprocessing.get_context("spawn")
    for websocket in (False, True):
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs, websocket), daemon=True)
        process.start()
        asyncio.run(measure(ours.recv(), ours))
        ours.send("stop")
        process.join()


if __name__ == "__main__":
    main()
