"""`jmapsync status`: what the ledgers know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from jmapsync.cli.settings import Settings, pass_settings

if TYPE_CHECKING:
    from jmapsync.app.health import AccountHealth, KindHealth


@click.command(short_help="Tell how the accounts stand.")
@click.argument("accounts", metavar="[ACCOUNT]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@pass_settings
def status(settings: Settings, accounts: tuple[str, ...], *, as_json: bool) -> int:
    """Tell the last run, counts, conflicts and problems; works during a run, and without network.

    The exit code is that of the worst account, as after a run.
    """
    from jmapsync.engine.report import worst  # noqa: PLC0415  # `--help` must come at once

    found = settings.app().status(accounts)
    code = worst([one.exit_code for one in found])
    if as_json:
        import json  # noqa: PLC0415

        click.echo(json.dumps({"ok": not code, "accounts": {one.name: one.to_json() for one in found}}))
        return code
    for one in found:
        _print(one)
    return code


def _print(health: AccountHealth) -> None:
    click.echo(f"{health.name}{' (a run is under way)' if health.running else ''}")
    for kind, standing in health.kinds.items():
        click.echo(f"  {kind}: {standing.unavailable or _last_run(standing)}")
        if standing.last_run:
            waiting = f", {standing.waiting:,} waiting" if standing.waiting else ""
            click.echo(f"    {standing.here:,} here, {standing.on_server:,} on the server{waiting}")
        if standing.suspended:
            click.echo(f"    suspended: {standing.suspended}")
        if standing.conflicts:
            click.echo(f"    {standing.conflicts:,} on the shelf; see: jmapsync conflicts")
        for problem in standing.problems:
            click.echo(f"    held back: {problem.item}: {problem.why}")
    if health.error:
        click.echo(f"{health.name}: {health.error}", err=True)


def _last_run(standing: KindHealth) -> str:
    if standing.last_run is None:
        return "never synchronised"
    return f"{standing.last_state or 'ran'} {standing.last_run.astimezone():%Y-%m-%d %H:%M:%S}"
