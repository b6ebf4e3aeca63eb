"""`jmapsync outbox`: list, retry or delete messages that wait to be sent."""

from __future__ import annotations

import click

from jmapsync.cli.output import say
from jmapsync.cli.parameters import OUTBOX_ID
from jmapsync.cli.settings import Settings, pass_settings


@click.group(invoke_without_command=True)
@click.pass_context
def outbox(context: click.Context) -> None:
    """List, retry or delete messages that `jmapsync sendmail` accepted and that are not sent yet."""
    if context.invoked_subcommand is None:
        context.invoke(list_)


@outbox.command("list")
@pass_settings
def list_(settings: Settings) -> None:
    """List waiting messages, one a line: ID, subject, recipients, reason."""
    from jmapsync.app.sending import outbox_of, waiting_in  # noqa: PLC0415  # `--help` must be fast

    for account in settings.app().logins():
        for waiting in waiting_in(outbox_of(account)):
            say(f"{account.name}: {waiting.item}: {waiting.why}")


@outbox.command()
@click.argument("identity", metavar="ID", type=OUTBOX_ID)
@pass_settings
def retry(settings: Settings, identity: str) -> None:
    """Send a stopped message with the next run; check first that its recipients do not have it."""
    from jmapsync.app.sending import find, retry  # noqa: PLC0415

    found, waiting = find(settings.app().logins(), identity)
    retry(found, waiting)
    settings.inform(f"{waiting.name} will be sent with the next run.")


@outbox.command()
@click.argument("identity", metavar="ID", type=OUTBOX_ID)
@pass_settings
def drop(settings: Settings, identity: str) -> None:
    """Delete a message instead of sending it; a draft of it on the server stays."""
    from jmapsync.app.sending import find  # noqa: PLC0415

    found, waiting = find(settings.app().logins(), identity)
    found.remove(waiting.id)
    settings.inform(f"{waiting.name} was deleted.")
