"""Run the commands that want to know what a run did, or that a person is needed."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from jmapsync.app.state_paths import SUCCESS
from jmapsync.app.syncing import INSIDE
from jmapsync.errors import JmapsyncError
from jmapsync.jmap.commands import start
from jmapsync.text import one_line, shortened

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.config import HooksConfig
    from jmapsync.sync.report import AccountReport

GRACE = 5.0
"""Seconds that a command which took too long has to end by itself."""
_STDERR = 2
_SHOWN = 200
"""Characters of a command in a message."""


class HookError(JmapsyncError):
    """A hook failed; what was synchronized stays so."""


async def run_after_sync(hooks: HooksConfig, report: AccountReport) -> bool:
    """Run `after_sync` if the run of an account changed anything, and return whether it did; raise `HookError`.

    Its output goes to standard error.
    """
    if not hooks.after_sync or not report.changed or INSIDE in os.environ:
        return False
    about = {"JMAPSYNC_ACCOUNT": report.name, "JMAPSYNC_KINDS": " ".join(report.changed)}
    await _run(hooks.after_sync, about, hooks.timeout)
    return True


async def run_on_success(hooks: HooksConfig, report: AccountReport, state_dir: Path, interval: float) -> None:
    """Run `on_success` if the run of an account was complete and without fault; raise `HookError`.

    At most once in `interval` seconds, less a tenth: a timer that is due after the same interval is not always punctual.
    """
    if not hooks.on_success or not report.is_faultless or INSIDE in os.environ or not _is_due(state_dir / SUCCESS, interval * 0.9):
        return
    await _run(hooks.on_success, {"JMAPSYNC_ACCOUNT": report.name, "JMAPSYNC_KINDS": " ".join(report.kinds)}, hooks.timeout)


def _is_due(mark: Path, interval: float) -> bool:
    """Return whether a file was last touched that long ago, or at a time that is still to come, and touch it then."""
    with suppress(OSError):
        if 0 <= time.time() - mark.stat().st_mtime < interval:
            return False
    try:
        mark.touch(mode=0o600)
    except OSError as error:
        raise HookError(f"{mark} cannot be written ({error.strerror}), so the hook on_success was not run.") from error
    return True


async def run_on_trouble(hooks: HooksConfig, account: str, message: str) -> None:
    """Run `on_trouble` with a sentence for people. Raise `HookError`."""
    if hooks.on_trouble:
        await _run(hooks.on_trouble, {"JMAPSYNC_ACCOUNT": account, "JMAPSYNC_MESSAGE": one_line(message)}, hooks.timeout)


async def _run(command: str, about: dict[str, str], seconds: float) -> None:
    environment = os.environ | about | {INSIDE: "1"}
    try:
        process = await start("/bin/sh", "-c", command, stdin=asyncio.subprocess.DEVNULL, stdout=_STDERR, env=environment)
    except (OSError, ValueError) as error:  # too long, no shell, no memory, a NUL in the command
        why = (error.strerror if isinstance(error, OSError) else "") or str(error)
        raise HookError(
            f"The hook `{shortened(command, _SHOWN)}` could not be started ({why}); everything is synchronized nevertheless."
        ) from error
    try:
        async with asyncio.timeout(seconds):
            code = await process.wait()
    except TimeoutError:
        raise HookError(
            f"The hook `{shortened(command, _SHOWN)}` was ended after {seconds:g} seconds; everything is synchronized nevertheless."
        ) from None
    finally:
        await _end(process)
    if code:
        raise HookError(
            f"The hook `{shortened(command, _SHOWN)}` failed with status {code}; everything is synchronized nevertheless."
        )


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a command that still runs, with all that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                await process.wait()
