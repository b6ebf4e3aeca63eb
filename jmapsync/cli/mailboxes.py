"""`jmapsync mailboxes`: print the mirrored folders as lines of a muttrc."""

from __future__ import annotations

import click

from jmapsync.cli.parameters import ACCOUNT
from jmapsync.cli.settings import Settings, pass_settings


@click.command()
@click.argument("accounts", metavar="[ACCOUNT]...", nargs=-1, type=ACCOUNT)
@click.option("--named", is_flag=True, help="Write named-mailboxes lines with a label, which only NeoMutt knows.")
@pass_settings
def mailboxes(settings: Settings, accounts: tuple[str, ...], *, named: bool) -> None:
    """Print mailboxes lines for mutt; in a muttrc: source "jmapsync mailboxes|"."""
    for line in settings.app().mailboxes(accounts, named=named):
        click.echo(line)
