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
    """List waiting messages, one a line: ID, subject, recipients, reason; also those that the server is to send later.

    The id of one that another program submitted is ACCOUNT/ID.
    """
    import asyncio  # noqa: PLC0415  # `--help` must be fast

    from jmapsync.app.outbox import listing  # noqa: PLC0415

    for account in settings.app().logins():
        found = asyncio.run(listing(account))
        for line in found.lines:
            say(f"{account.name}: {line}")
        if found.unasked:
            settings.inform(f"{account.name}: what the server holds is not known: {found.unasked}")


@outbox.command()
@click.argument("identity", metavar="ID", type=OUTBOX_ID)
@pass_settings
def retry(settings: Settings, identity: str) -> None:
    """Send a stopped message with the next run; check first that its recipients do not have it."""
    from jmapsync.app.sending import find, outbox_of, retry  # noqa: PLC0415

    account, waiting = find(settings.app().logins(), identity)
    retry(outbox_of(account), waiting)
    settings.inform(f"{waiting.name} will be sent with the next run.")


@outbox.command()
@click.argument("identity", metavar="ID", type=OUTBOX_ID)
@pass_settings
def drop(settings: Settings, identity: str) -> int:
    """Take a message back that was not sent yet; a draft of it on the server stays.

    What the server was to send later is canceled there. Exit code 1 if that was too late.
    """
    import asyncio  # noqa: PLC0415

    from jmapsync.app.outbox import drop  # noqa: PLC0415

    outcome = asyncio.run(drop(settings.app().logins(), identity))
    if outcome.exit_code:
        say(outcome.message, err=True)
    else:
        settings.inform(outcome.message)
    return outcome.exit_code
