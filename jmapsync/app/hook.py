"""Run the command that wants to know when a run changed something."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from jmapsync.errors import JmapsyncError

if TYPE_CHECKING:
    from jmapsync.engine.report import AccountReport

_INSIDE = "JMAPSYNC_IN_HOOK"
"""Set for the hook, so that a hook which synchronises (notmuch's post-new often does) does not call itself for ever."""

_STDERR = 2


class HookError(JmapsyncError):
    """The hook failed; what was synchronised stays so."""


async def run_after_sync(command: str, report: AccountReport) -> None:
    """Run the hook by the shell if the run of an account changed anything; its output goes to standard error.

    Raise `HookError` if it fails.
    """
    changed = [name for name, kind in report.kinds.items() if kind.to_disk.total or kind.to_server.total or kind.folders.total]
    if not command or not changed or _INSIDE in os.environ:
        return
    environment = os.environ | {"JMAPSYNC_ACCOUNT": report.name, "JMAPSYNC_KINDS": " ".join(changed), _INSIDE: "1"}
    process = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", command, stdin=asyncio.subprocess.DEVNULL, stdout=_STDERR, env=environment
    )
    if code := await process.wait():
        raise HookError(f"The hook `{command}` failed with status {code}; everything is synchronised nevertheless.")
