"""Print what a run did, or would do, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from jmapsync.cli.settings import Settings
    from jmapsync.engine.report import AccountReport, Counts, KindReport, RunReport


def print_run(settings: Settings, run: RunReport, *, dry_run: bool = False, results: bool = True) -> None:
    """Print what was done, or would be, to standard output unless `results` is off; what is amiss to standard error."""
    for name, account in run.accounts.items():
        told: list[str] = []
        for kind, report in account.kinds.items():
            here = f"{name} {kind}"
            synced = report.state.value == "synced"
            for sentence in report.sentences:
                told.append(sentence)
                if results or not synced:
                    click.echo(f"{here}: {sentence}", err=not synced)
            for problem in report.problems:
                click.echo(f"{here}: held back: {problem.item}: {problem.why}", err=True)
            if report.conflicts:
                click.echo(f"{here}: {_number(report.conflicts, 'version')} on the shelf; see: jmapsync conflicts", err=True)
            if synced and results and not dry_run and not settings.quiet:
                click.echo(f"{here}: {_summary(report)} ({_costs(account)})")
        if account.error and account.error not in told:
            click.echo(f"{name}: {account.error}", err=True)


def _summary(report: KindReport) -> str:
    folders = f"{_number(report.folders.total, 'folder')} written" if report.folders.total else ""
    parts = [_writes(report.to_disk, "here"), _writes(report.to_server, "on the server"), folders]
    return ", ".join(part for part in parts if part) or "nothing to do"


def _writes(counts: Counts, where: str) -> str:
    verbs = (("created", counts.created), ("updated", counts.updated), ("deleted", counts.deleted))
    done = [f"{number} {verb}" for verb, number in verbs if number]
    return f"{', '.join(done)} {where}" if done else ""


def _costs(account: AccountReport) -> str:
    size = f", {account.bytes / 1_000_000:.1f} MB" if account.bytes >= 100_000 else ""  # noqa: PLR2004
    return f"{account.seconds:.1f} s, {_number(account.requests, 'request')}{size}"


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
