"""Start programs in a session of their own, so that they have no terminal to ask on and end as a whole."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import Any


async def start(*program: str, **options: Any) -> asyncio.subprocess.Process:  # noqa: ANN401  # those of subprocess.Popen
    """Start a program; a cancellation meanwhile ends it and all that it started. Raises OSError.

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


async def kill(process: asyncio.subprocess.Process) -> None:
    """End a program that still runs, and all that it started, at once."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
