"""Print what a run did, or would do, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.cli.output import say
from jmapsync.sync.report import counted

if TYPE_CHECKING:
    from jmapsync.cli.settings import Settings
    from jmapsync.sync.report import AccountReport, RunReport


def print_run(settings: Settings, run: RunReport, *, dry_run: bool = False, results: bool = True) -> None:
    """Print results to standard output, unless `results` is off, and problems to standard error."""
    for name, account in run.accounts.items():
        printed: list[str] = []
        for kind, report in account.kinds.items():
            here = f"{name} {kind}"
            synced = report.state.value == "synced"
            for message in report.messages:
                printed.append(message)
                if results or not synced:
                    say(f"{here}: {message}", err=not synced)
            for problem in report.problems:
                say(f"{here}: quarantined: {problem.item}: {problem.why}", err=True)
            if report.conflicts:
                say(f"{here}: {counted(report.conflicts, 'version')} lost a conflict; see: jmapsync conflicts", err=True)
            if synced and results and not dry_run and not settings.quiet:
                say(f"{here}: {report.summary} ({_costs(account)})")
        if account.error and account.error not in printed:
            say(f"{name}: {account.error}", err=True)


def _costs(account: AccountReport) -> str:
    size = f", {account.bytes / 1_000_000:.1f} MB" if account.bytes >= 100_000 else ""  # noqa: PLR2004
    return f"{account.seconds:.1f} s, {counted(account.requests, 'request')}{size}"
