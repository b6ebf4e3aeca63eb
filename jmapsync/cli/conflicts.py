"""`jmapsync conflicts`: look at, put back or throw away the versions that lost a conflict."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from jmapsync.cli.output import say
from jmapsync.cli.settings import Settings, pass_settings

if TYPE_CHECKING:
    from jmapsync.app.conflicts import Shelf
    from jmapsync.ledger import Shelved


@click.group(invoke_without_command=True, short_help="See and settle what lost a conflict.")
@click.pass_context
def conflicts(context: click.Context) -> None:
    """List, show, put back or throw away the versions that lost a conflict."""
    if context.invoked_subcommand is None:
        context.invoke(list_)


@conflicts.command("list")
@pass_settings
def list_(settings: Settings) -> None:
    """List what is on the shelf, one version a line: ID, time, what, why."""
    for shelf in settings.app().shelves():
        for shelved in shelf.list():
            say(f"{shelf.account}/{shelved.id}  {_when(shelved)}  {shelved.kind}  {shelved.item}: {shelved.reason}")


@conflicts.command()
@click.argument("identity", metavar="ID")
@pass_settings
def show(settings: Settings, identity: str) -> None:
    """Print a shelved version as it is; on a terminal, with escapes for what the terminal would obey."""
    shelf, number = _find(settings, identity)
    shelved = shelf.find(number)
    settings.tell(f"{shelved.item} ({shelved.kind}, the {shelved.side} version), shelved {_when(shelved)}: {shelved.reason}")
    body = shelf.body(number)
    if sys.stdout.isatty():
        say(*body.decode("utf-8", "surrogateescape").removesuffix("\n").replace("\r\n", "\n").split("\n"))
    else:
        click.echo(body, nl=False)


@conflicts.command()
@click.argument("identity", metavar="ID")
@pass_settings
def restore(settings: Settings, identity: str) -> None:
    """Put a version back beside the one that won; the next run brings it to the server."""
    shelf, number = _find(settings, identity)
    say(f"Put back as {shelf.restore(number)}")


@conflicts.command()
@click.argument("identity", metavar="ID")
@pass_settings
def dismiss(settings: Settings, identity: str) -> None:
    """Throw a version away for good."""
    shelf, number = _find(settings, identity)
    shelf.dismiss(number)
    settings.tell(f"{shelf.account}/{number} was thrown away.")


def _find(settings: Settings, identity: str) -> tuple[Shelf, int]:
    """Return the shelf and the number of `ACCOUNT/NUMBER`; a number alone will do where there is one account."""
    name, _, number = identity.rpartition("/")
    shelves = settings.app().shelves([name] if name else [])
    if not number.isdecimal() or len(number) > 18:  # noqa: PLR2004  # more than the ledger can count
        raise click.UsageError(f"{identity!r} is no ID; jmapsync conflicts lists them.")
    if len(shelves) != 1:
        raise click.UsageError(f"There are several accounts: write ACCOUNT/{number}.")
    return shelves[0], int(number)


def _when(shelved: Shelved) -> str:
    return f"{datetime.fromtimestamp(shelved.at, UTC).astimezone():%Y-%m-%d %H:%M}"
