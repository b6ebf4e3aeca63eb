"""`jmapsync sync`: one run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from jmapsync.cli.settings import Settings, pass_settings

if TYPE_CHECKING:
    from jmapsync.engine.report import AccountReport, Counts, KindReport, RunReport

KINDS = ("mail", "contacts", "calendars", "tasks", "sieve")


@click.command()
@click.argument("accounts", metavar="[ACCOUNT]...", nargs=-1)
@click.option("--kind", "kinds", type=click.Choice(KINDS), multiple=True, help="Only this kind; may be given several times.")
@click.option("--dry-run", is_flag=True, help="Print what a run would do, one sentence a line, and write nothing.")
@click.option("--full", is_flag=True, help="Look at everything instead of at what changed.")
@click.option("--allow-deletes", is_flag=True, help="Let the one mass deletion through that the last run suspended.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@pass_settings
def sync(
    settings: Settings,
    accounts: tuple[str, ...],
    kinds: tuple[str, ...],
    *,
    dry_run: bool,
    full: bool,
    allow_deletes: bool,
    as_json: bool,
) -> int:
    """Make accounts and their local files the same, once; all accounts if none is named."""
    import asyncio  # noqa: PLC0415  # `--help` must come at once

    app = settings.app()
    run = asyncio.run(
        app.sync(accounts, kinds, dry_run=dry_run, full=full, allow_deletes=allow_deletes, progress=settings.progress())
    )
    if as_json:
        import json  # noqa: PLC0415

        click.echo(json.dumps(run.to_json()))
    _print(settings, run, dry_run=dry_run, results=not as_json)
    return run.exit_code


def _print(settings: Settings, run: RunReport, *, dry_run: bool, results: bool) -> None:
    for name, account in run.accounts.items():
        told: list[str] = []
        for kind, report in account.kinds.items():
            here = f"{name} {kind}"
            if dry_run and not report.exit_code:
                for sentence in report.sentences if results else ():
                    click.echo(f"{here}: {sentence}")
                continue
            for sentence in report.sentences:
                told.append(sentence)
                click.echo(f"{here}: {sentence}", err=True)
            for problem in report.problems:
                click.echo(f"{here}: held back: {problem.item}: {problem.why}", err=True)
            if report.conflicts:
                click.echo(f"{here}: {_number(report.conflicts, 'version')} on the shelf; see: jmapsync conflicts", err=True)
            if results and not settings.quiet and report.state.value == "synced":
                click.echo(f"{here}: {_summary(report)} ({_costs(account)})")
        if account.error and account.error not in told:
            click.echo(f"{name}: {account.error}", err=True)


def _summary(report: KindReport) -> str:
    parts = [_writes(report.to_disk, "here"), _writes(report.to_server, "on the server")]
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
