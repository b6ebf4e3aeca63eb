"""Print what a run did, or would do, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.cli.layout import indented, message, width
from jmapsync.cli.output import say
from jmapsync.sync.report import counted
from jmapsync.text import command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.cli.settings import Settings
    from jmapsync.sync.report import AccountReport, Planned, RunReport


def print_run(settings: Settings, run: RunReport, *, dry_run: bool = False, results: bool = True) -> None:
    """Print results to standard output, unless `results` is off, and problems to standard error."""
    for name, account in run.accounts.items():
        for kind, report in account.kinds.items():
            here = f"{name} {kind}"
            synced = report.state.value == "synced"
            planned = {step.message for step in report.planned}
            for text in account.messages_of(kind):
                if text not in planned and (results or not synced):
                    say(f"{here}: {text}", err=not synced, level="error")
            if results and report.planned:
                say(*plan_lines(here, report.planned))
            for problem in report.problems:
                say(f"{here}: quarantined: {problem.item}: {problem.why}", err=True, level="warning")
            if report.conflicts:
                say(
                    f"{here}: {counted(report.conflicts, 'version')} lost a conflict; see: {command('conflicts')}",
                    err=True,
                    level="warning",
                )
            if synced and results and not dry_run and not settings.quiet:
                say(f"{here}: {report.summary} ({_costs(account)})")
        if account.error:
            say(f"{name}: {account.error}", err=True, level="error")


def plan_lines(here: str, planned: Sequence[Planned]) -> list[str]:
    """Return what a dry run foresees, by folder: on a terminal below headings, elsewhere one line a step."""
    by_folder: dict[str, list[Planned]] = {}
    for step in planned:
        by_folder.setdefault(step.folder, []).append(step)
    found = []
    for folder in sorted(by_folder):
        steps = by_folder[folder]
        if not width():
            found += [": ".join(filter(None, (here, folder, "; ".join([step.message, *step.changes])))) for step in steps]
            continue
        found += message(f"{here}: {folder or 'in no folder'} ({len(steps):,})")
        for step in steps:
            found += indented(step.message, 2)
            found += [line for change in step.changes for line in indented(change, 6)]
    return found


def _costs(account: AccountReport) -> str:
    size = f", {account.bytes / 1_000_000:.1f} MB" if account.bytes >= 100_000 else ""  # noqa: PLR2004
    return f"{account.seconds:.1f} s, {counted(account.requests, 'request')}{size}"
