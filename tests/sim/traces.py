"""Record what runs of seeded worlds ask the server and write on disk, and compare two records: `python -m tests.sim.traces --help`.

A change of structure must leave every request, every write and their order as they were. A world is one of `tests.sim.worlds`; a
death in it is counted in requests and changes on disk alone, so that calls of the ledger or of a side may come and go.
"""

# ruff: noqa: T201  # it is a program: what it finds goes to standard output

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import random
import re
import sys
import time
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import httpx

from jmapsync.ledger import Ledger
from jmapsync.ledger.items import _columns
from tests.sim import fate, objects, world
from tests.sim.instant import DirectTransport, seldom_collected
from tests.sim.worlds import failure_of, script_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EVERY = 3
"""Of so many worlds one is of contacts, calendars and tasks."""
WIDTH = 400
"""Characters of a line that are kept; a digest stands for the rest."""
_DRAWN = re.compile(r"(?<=probe-)\w+|\d{8}T\d{12}")
"""What of a name on the disk is drawn, or comes from the clock."""
_DATED = ("jmapsync.demo.", "jmapsync.storage.jmap.submission")
"""The modules whose dates are seen outside."""
_ITEMS = "SELECT key, kind, ref, name, digest, local, remote, base_local, base_remote, agreed FROM item ORDER BY key"

Trace = list[str]


class _Stopped:
    """The module `time`, by which it is always the time of the worlds."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(time, name)

    @staticmethod
    def time() -> float:
        return float(world.NOW)


class Recorder(fate.Fate):
    """Counts only what is seen outside of a run, and writes it down."""

    lines: Trace
    """Where; one list a world."""

    def step(self, name: str, *, quiet: bool = False) -> None:
        if not (quiet or self._slipping or self.dead):
            self.lines.append(_DRAWN.sub("...", name))
        super().step(name, quiet=quiet)

    def wrap(self, part: Any) -> Any:  # noqa: ANN401 # any part of a run
        return part

    def transport(self, app: Any) -> httpx.AsyncBaseTransport:  # noqa: ANN401
        return _Recorded(app, self)


class _Recorded(httpx.AsyncBaseTransport):
    """Writes down each request with what is in it."""

    def __init__(self, app: Any, recorder: Recorder) -> None:  # noqa: ANN401
        self._inner = DirectTransport(app)
        self._recorder = recorder

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._recorder.step(_shortened(f"{request.method} {request.url.raw_path.decode()} {_canonical(await request.aread())}"))
        response = await self._inner.handle_async_request(request)
        self._recorder.step("answer")
        return response


def _canonical(body: bytes) -> str:
    try:
        return json.dumps(json.loads(body), sort_keys=True)
    except ValueError:
        return hashlib.sha256(body).hexdigest()


def _shortened(line: str) -> str:
    return line if len(line) <= WIDTH else f"{line[:WIDTH]}... {hashlib.sha256(line.encode()).hexdigest()[:16]}"


@contextmanager
def recording(lines: Trace) -> Iterator[None]:
    """Write down what all worlds do, for the time being."""
    recorder = type("Recorder", (Recorder,), {"lines": lines})
    do, sync, rest = world.World._do, objects.ObjectWorld.sync, world.scratch

    def watched(one: world.World, what: Callable[[Any], Any], fate: Any = None) -> Any:  # noqa: ANN401
        try:
            return do(one, what, fate or recorder())
        finally:
            lines.append(f"run over, {one.requests} requests")

    def watched_objects(one: objects.ObjectWorld, fate: Any = None, **options: bool) -> Any:  # noqa: ANN401
        try:
            report = sync(one, fate or recorder(), **options)
            lines.append(_shortened(f"run over: {report.kinds}"))
        except BaseException as error:
            lines.append(f"run over: {type(error).__name__}")
            raise
        return report

    @contextmanager
    def examined() -> Iterator[Path]:
        with rest() as base:
            yield base
            lines.extend(_end_of(base))

    drawn = random.Random(0)
    with ExitStack() as stack:
        for title, loaded in list(sys.modules.items()):
            if title.startswith(_DATED) and getattr(loaded, "time", None) is time:
                stack.enter_context(mock.patch.object(loaded, "time", _Stopped()))
        stack.enter_context(mock.patch("secrets.token_hex", lambda octets: drawn.randbytes(octets).hex()))
        stack.enter_context(mock.patch.object(world.World, "_do", watched))
        stack.enter_context(mock.patch.object(objects.ObjectWorld, "sync", watched_objects))
        for module in ("world", "account_world", "posting"):
            stack.enter_context(mock.patch(f"tests.sim.{module}.Fate", recorder))
        for module in ("worlds", "object_worlds"):
            stack.enter_context(mock.patch(f"tests.sim.{module}.scratch", examined))
        yield


def _end_of(base: Path) -> Iterator[str]:
    """Yield what lies on the disk of a world at its end, and what its ledger holds."""
    for path in sorted(base.rglob("*")):
        if path.is_file() and "state" not in path.relative_to(base).parts:
            yield f"file {path.relative_to(base)} {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"
    ledger = base / "state" / "ledger.sqlite"
    if ledger.exists():
        with closing(Ledger.copy_of(ledger)) as opened:
            yield from (_shortened(f"item {_converted(row, opened)}") for row in opened._db.execute(_ITEMS).fetchall())


def _converted(row: tuple[Any, ...], ledger: Ledger) -> tuple[Any, ...]:
    """Return a row of an item as it would be if the server's own files had been converted at once."""
    before = ledger.records([row[0]])[row[0]]
    [after] = ledger.converted([before])
    return row if after is before else (*row[:5], *_columns(after)[-5:])


def trace_of(seed: int) -> Trace:
    """Play the world of a seed and return what it did, a line a step."""
    lines: Trace = []
    with recording(lines):
        failure = failure_of(script_of(seed, objects=seed % EVERY == 0))
    lines.append(_shortened(f"end {failure}"))
    return lines


def difference(before: Trace, after: Trace) -> str:
    """Return where two traces part, with the lines around it; nothing where they are the same."""
    if before == after:
        return ""
    pairs = zip(before, after, strict=False)
    number = next((index for index, (one, other) in enumerate(pairs) if one != other), min(len(before), len(after)))
    common = "".join(f"\n    {line}" for line in before[max(0, number - 2) : number])
    sides = [lines[number] if number < len(lines) else "(the end)" for lines in (before, after)]
    return f"line {number}{common}\n  - {sides[0]}\n  + {sides[1]}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.traces", description=__doc__.partition("\n")[0])
    parser.add_argument("--worlds", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1, help="of the first world")
    parser.add_argument("--out", type=Path, help="write the traces to this file")
    parser.add_argument("--compare", type=Path, help="name what differs from the traces in this file")
    options = parser.parse_args(arguments)
    known = json.loads(gzip.decompress(options.compare.read_bytes())) if options.compare else {}
    traces, differing = {}, []
    with seldom_collected():
        for seed in range(options.seed, options.seed + options.worlds):
            traces[str(seed)] = trace_of(seed)
            if options.compare and (found := difference(known.get(str(seed), []), traces[str(seed)])):
                differing.append(seed)
                print(f"world {seed} differs at {found}", flush=True)
    if options.out:
        options.out.write_bytes(gzip.compress(json.dumps(traces).encode(), 1))
    steps = sum(map(len, traces.values()))
    print(f"{len(traces)} worlds, {steps:,} lines" + (f", {len(differing)} differ: {differing}" if options.compare else ""))
    return bool(differing)


if __name__ == "__main__":
    sys.exit(main())
