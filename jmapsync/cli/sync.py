"""`jmapsync sync`: one run."""

from __future__ import annotations

import click

from jmapsync.cli.outcome import print_run
from jmapsync.cli.output import say_json
from jmapsync.cli.parameters import ACCOUNT, KINDS
from jmapsync.cli.settings import Settings, pass_settings


@click.command()
@click.argument("accounts", metavar="[ACCOUNT]...", nargs=-1, type=ACCOUNT)
@click.option("--kind", "kinds", type=click.Choice(KINDS), multiple=True, help="Only this kind; may be given several times.")
@click.option("--dry-run", is_flag=True, help="Print what a run would do, one line per action, and write nothing.")
@click.option("--full", is_flag=True, help="Compare everything instead of what changed.")
@click.option("--allow-deletes", is_flag=True, help="Allow the mass deletion that suspended the last run, once.")
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
    """Synchronize accounts and their local files once; all accounts if none is named."""
    run = settings.app().sync_or_hand_over(
        accounts, kinds, dry_run=dry_run, full=full, allow_deletes=allow_deletes, progress=settings.progress()
    )
    if as_json:
        say_json(run.to_json())
    print_run(settings, run, dry_run=dry_run, results=not as_json)
    return run.exit_code
