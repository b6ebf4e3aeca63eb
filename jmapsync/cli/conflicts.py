"""`jmapsync conflicts`: list, show, put back or delete conflict copies."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from jmapsync.cli.output import say
from jmapsync.cli.parameters import CONFLICT_ID
from jmapsync.cli.settings import Settings, pass_settings
from jmapsync.text import command

if TYPE_CHECKING:
    from jmapsync.app.conflicts import ConflictCopies
    from jmapsync.ledger import ConflictCopy


@click.group(invoke_without_command=True)
@click.pass_context
def conflicts(context: click.Context) -> None:
    """List, show, put back or delete conflict copies: the versions that lost a conflict."""
    if context.invoked_subcommand is None:
        context.invoke(list_)


@conflicts.command("list")
@pass_settings
def list_(settings: Settings) -> None:
    """List conflict copies, one a line: ID, time, kind, item, reason."""
    for copies in settings.app().conflict_copies():
        for copy in copies.list():
            say(f"{copies.account}/{copy.id}  {_when(copy)}  {copy.kind}  {copy.item}: {copy.reason}")


@conflicts.command()
@click.argument("identity", metavar="ID", type=CONFLICT_ID)
@click.option("--diff/--whole", "as_diff", default=None, help="Show both versions as a diff, or the conflict copy alone.")
@pass_settings
def show(settings: Settings, identity: str, *, as_diff: bool | None) -> None:
    """Show how a conflict copy differs from the version that won; elsewhere than on a terminal, print the copy byte for byte.

    In the diff, lines with - are those of the version that won, lines with + those of the conflict copy. On a terminal, control
    characters are escaped.
    """
    copies, number = _find(settings, identity)
    copy = copies.find(number)
    settings.inform(f"{copy.item} ({copy.kind}, the {copy.side} version), kept {_when(copy)}: {copy.reason}")
    is_terminal = sys.stdout.isatty()
    if is_terminal if as_diff is None else as_diff:
        from jmapsync.app.conflict_diff import difference  # noqa: PLC0415  # the list needs none of it

        say(*difference(copies, number))
        return
    body = copies.body(number)
    if is_terminal:
        say(*body.decode("utf-8", "surrogateescape").replace("\r\n", "\n").removesuffix("\n").split("\n"))
    else:
        click.echo(body, nl=False)


@conflicts.command()
@click.argument("identity", metavar="ID", type=CONFLICT_ID)
@pass_settings
def restore(settings: Settings, identity: str) -> None:
    """Put a conflict copy back beside the version that won; the next run sends it to the server."""
    copies, number = _find(settings, identity)
    say(f"Put back as {copies.restore(number)}")


@conflicts.command()
@click.argument("identity", metavar="ID", type=CONFLICT_ID)
@pass_settings
def dismiss(settings: Settings, identity: str) -> None:
    """Delete a conflict copy."""
    copies, number = _find(settings, identity)
    copies.dismiss(number)
    settings.inform(f"{copies.account}/{number} was deleted.")


def _find(settings: Settings, identity: str) -> tuple[ConflictCopies, int]:
    """Return the conflict copies and the number of `ACCOUNT/NUMBER`; a number alone is enough if there is one account."""
    name, _, number = identity.rpartition("/")
    found = settings.app().conflict_copies([name] if name else [])
    if not number.isdecimal() or len(number) > 18:  # noqa: PLR2004  # more than the ledger can count
        raise click.UsageError(f"{identity!r} is not an ID; `{command('conflicts')}` lists them.")
    if len(found) != 1:
        raise click.UsageError(f"There are several accounts: write ACCOUNT/{number}.")
    return found[0], int(number)


def _when(copy: ConflictCopy) -> str:
    return f"{datetime.fromtimestamp(copy.at, UTC).astimezone():%Y-%m-%d %H:%M}"
