"""Run programs in their own session (setsid(2)), without a terminal, so that they can be killed with their children."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import Any, Self

_READ_AT_ONCE = 1 << 16


async def start(*program: str, **options: Any) -> asyncio.subprocess.Process:  # noqa: ANN401  # those of subprocess.Popen
    """Start a program; a cancellation during the start kills it and its children. Raises OSError.

    Up to Python 3.13, cancelling asyncio's own function waits until the last of them has ended by itself.
    """
    starting = asyncio.ensure_future(asyncio.create_subprocess_exec(*program, start_new_session=True, **options))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        await asyncio.wait([starting])
        if starting.exception() is None:
            await kill(starting.result())
        raise


class TooMuchOutputError(Exception):
    """A program printed more than is allowed."""


async def output_of(*program: str, most: int, content: bytes = b"") -> tuple[bytes, bytes, int]:
    """Run a program until it exits; return its standard output, its standard error and its exit status.

    Its standard input is `content`. Background processes that it leaves may go on, and keep its pipes open. It is killed by a
    cancellation, and for more than `most` octets of output: that raises `TooMuchOutputError`. Raises OSError, and ValueError for a
    NUL in an argument.
    """
    flooded = asyncio.get_running_loop().create_future()
    given = asyncio.subprocess.PIPE if content else asyncio.subprocess.DEVNULL
    with _Pipe(most, flooded) as out, _Pipe(most, flooded) as err:
        process = await start(*program, stdin=given, stdout=out.writer, stderr=err.writer)
        if process.stdin is not None:
            process.stdin.write(content)
            process.stdin.close()
        ending = asyncio.ensure_future(process.wait())
        try:
            await asyncio.wait([ending, flooded], return_when=asyncio.FIRST_COMPLETED)
            out.read_rest()
            err.read_rest()
        finally:
            await kill(process)
            await ending
        if flooded.done():
            raise TooMuchOutputError
        return bytes(out.content), bytes(err.content), process.returncode or 0


class _Pipe:
    """A pipe that is read as it is written, up to a number of octets."""

    def __init__(self, most: int, flooded: asyncio.Future[None]) -> None:
        self._most = most
        self._flooded = flooded
        self._loop = asyncio.get_running_loop()
        self.content = bytearray()

    def __enter__(self) -> Self:
        self._reader, self.writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._reader, False)
        self._loop.add_reader(self._reader, self._read)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._loop.remove_reader(self._reader)
        os.close(self._reader)
        os.close(self.writer)

    def _read(self) -> bool:
        """Read once; return whether there may be more at once."""
        try:
            octets = os.read(self._reader, _READ_AT_ONCE)
        except BlockingIOError:
            return False
        self.content += octets
        if len(self.content) > self._most:
            self._loop.remove_reader(self._reader)
            if not self._flooded.done():
                self._flooded.set_result(None)
            return False
        return bool(octets)

    def read_rest(self) -> None:
        """Read what the pipe contains."""
        while not self._flooded.done() and self._read():
            pass


async def kill(process: asyncio.subprocess.Process) -> None:
    """Kill a program that still runs, with its children."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):  # it has just exited
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
