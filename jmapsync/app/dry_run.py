"""Say in a dry run what the disk would refuse in a real one: a state folder or a mirror's folder that cannot be written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.errors import LocalError
from jmapsync.storage.files.access import trouble_with

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jmapsync.config import KindConfig
    from jmapsync.sync.report import AccountReport


def check_state(folder: Path) -> None:
    """Raise LocalError where a state folder can neither be made nor written."""
    if why := trouble_with(folder):
        raise LocalError(f"The state folder {folder} cannot be written: {why}.")


def check_roots(kinds: Sequence[KindConfig], report: AccountReport) -> None:
    """Fail the kinds of a report for which something would be written below a folder that cannot be written."""
    for config in kinds:
        kind = report.kinds.get(config.kind)
        if kind is None or not kind.foretold.local.total + kind.foretold_folders.local.total:
            continue
        if why := trouble_with(config.path):
            error = LocalError(f"The folder {config.path} cannot be written: {why}.")
            kind.fail(str(error), error.exit_code)
            kind.messages.append(str(error))
