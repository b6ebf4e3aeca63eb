"""`jmapsync outbox`: look at the messages that wait to be sent, have one tried again, or throw it away."""

from __future__ import annotations

import click

from jmapsync.cli.output import say
from jmapsync.cli.settings import Settings, pass_settings


@click.group(invoke_without_command=True, short_help="See what waits to be sent.")
@click.pass_context
def outbox(context: click.Context) -> None:
    """List, try again or throw away messages that `jmapsync sendmail` took and that are not sent yet."""
    if context.invoked_subcommand is None:
        context.invoke(list_)


@outbox.command("list")
@pass_settings
def list_(settings: Settings) -> None:
    """List what waits, one message a line: ID, subject, recipients, why."""
    from jmapsync.app.sending import outbox_of, waiting_in  # noqa: PLC0415  # `--help` must come at once

    for account in settings.app().select():
        for waiting in waiting_in(outbox_of(account)):
            say(f"{account.name}: {waiting.item}: {waiting.why}")


@outbox.command()
@click.argument("identity", metavar="ID")
@pass_settings
def retry(settings: Settings, identity: str) -> None:
    """Send a message that is held with the next run: look first whether it was not sent after all."""
    from jmapsync.app.sending import find, retry  # noqa: PLC0415

    found, waiting = find(settings.app().select(), identity)
    retry(found, waiting)
    settings.tell(f"{waiting.name} will be sent with the next run: jmapsync sync")


@outbox.command()
@click.argument("identity", metavar="ID")
@pass_settings
def drop(settings: Settings, identity: str) -> None:
    """Throw a message away instead of sending it; a draft of it on the server stays."""
    from jmapsync.app.sending import find  # noqa: PLC0415

    found, waiting = find(settings.app().select(), identity)
    found.remove(waiting.id)
    settings.tell(f"{waiting.name} was thrown away.")
