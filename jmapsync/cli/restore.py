"""`jmapsync restore`: put mirrored items back on the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from jmapsync.cli.output import say
from jmapsync.cli.parameters import ACCOUNT, ACCOUNT_OR_PATH, FILE, KINDS
from jmapsync.cli.settings import Settings, pass_settings

if TYPE_CHECKING:
    from jmapsync.backup.restore import Restored
    from jmapsync.sync.report import AccountReport


@click.command()
@click.argument("account", metavar="[ACCOUNT]", required=False, type=ACCOUNT_OR_PATH)
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=FILE)
@click.option("--kind", "kind", type=click.Choice(KINDS), help="Only this kind.")
@click.option("--into", metavar="NAME", type=ACCOUNT, help="Account to put them into; default: the one they belong to.")
@click.option("--dry-run", is_flag=True, help="Print what would be sent, one line per item, and send nothing.")
@pass_settings
def restore(
    settings: Settings, account: str | None, paths: tuple[str, ...], *, kind: str | None, into: str | None, dry_run: bool
) -> int:
    """Put files, folders or everything that is mirrored back on the server, byte for byte and without duplicates.

    Nothing is ever taken away from the server. A PATH is a message, a card or an entry, or a folder with all below it: in a root of
    the account, below its DELETED, or in a copy of a root. A message is put back with all the mailboxes that it is in locally.
    """
    import asyncio  # noqa: PLC0415  # `--help` must be fast

    app = settings.app()
    found = asyncio.run(app.restore(account, paths, kind=kind, into=into, dry_run=dry_run, progress=settings.progress()))
    for name, report, restored in found.results:
        _print(f"{found.into} {name}", report, restored, results=not settings.quiet, dry=dry_run)
    return found.exit_code


def _print(here: str, report: AccountReport, restored: Restored | None, *, results: bool, dry: bool) -> None:
    for name, kind in report.kinds.items():
        for message in report.messages_of(name):
            say(f"{here}: {message}", err=restored is None)
        for problem in kind.problems:
            say(f"{here}: quarantined: {problem.item}: {problem.why}", err=True)
    if report.error:
        say(f"{here}: {report.error}", err=True)
    elif restored is not None and results and dry:
        say(f"{here}: {restored.there:,} of {restored.items:,} are there already")
    elif restored is not None and results:
        size = f"{report.requests:,} requests, {report.bytes / 1e6:.1f} MB"
        say(f"{here}: {restored.summary} ({report.seconds:.1f} s, {size})")
