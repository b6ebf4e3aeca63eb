"""`jmapsync sendmail`: read a message from a program, as every sendmail does, and send it with the account."""

from __future__ import annotations

import math
import sys

import click

from jmapsync.cli.parameters import ACCOUNT
from jmapsync.cli.settings import Settings, pass_settings
from jmapsync.text import command


@click.command(context_settings={"help_option_names": ["--help"]})  # to sendmail, -h is a number
@click.argument("recipients", metavar="[ADDRESS]...", nargs=-1)
@click.option("-t", "from_header", is_flag=True, help="Send to the addresses of To, Cc and Bcc too.")
@click.option("-i", "ignore_dots", is_flag=True, help="A line with a single dot is not the end of the message.")
@click.option("-f", "-r", "sender", metavar="ADDRESS", help="Sender; default: the From of the header.")
@click.option("-F", "full_name", metavar="NAME", default="", help="The sender's name, where the header has no From.")
@click.option(
    "--at", "when", metavar="WHEN", help='When to send it, such as "18:30", "tomorrow 8:00", "2026-12-24 18:30" or "+2h".'
)
@click.option(
    "--account", metavar="NAME", type=ACCOUNT, help="The account to send from; default: the one with the sender's address."
)
@click.option("-o", "options", metavar="OPTION", multiple=True, help="-oi is -i; others are ignored.")
@click.option("-b", "mode", metavar="m", default="m", help="Only -bm, which is the default.")
@click.option("-N", "notify", metavar="WHEN", default="", help="Delivery reports: never, or success, failure, delay with commas.")
@click.option("-R", "returned", metavar="PART", default="", help="What failure reports return of the message: full or hdrs.")
@click.option("-V", "envid", metavar="ID", default="", help="An id that delivery reports name.")
@click.option(
    *("-A", "-B", "-C", "-L", "-O", "-X", "-d", "-e", "-h"),
    "ignored",
    metavar="VALUE",
    multiple=True,
    help="Ignored, as by Postfix.",
)
@click.option("-v", "-m", "-n", "-U", "-G", "quiet_ignored", is_flag=True, hidden=True, expose_value=False)
@pass_settings
def sendmail(
    settings: Settings,
    recipients: tuple[str, ...],
    *,
    from_header: bool,
    ignore_dots: bool,
    sender: str | None,
    full_name: str,
    when: str | None,
    account: str | None,
    options: tuple[str, ...],
    mode: str,
    notify: str,
    returned: str,
    envid: str,
    ignored: tuple[str, ...],
) -> int:
    """Send a message from standard input by the account's server, which files it among sent mail.

    Without a network it is kept and sent once as soon as there is one, by the daemon or the next `jmapsync sync`. Exit code 0
    means that it is safe; with any other it was not accepted.

    With --at it is never sent before that time: by the server if it holds mail, else from here by the first run after it.
    """
    if mode != "m":
        raise click.UsageError(f"-b{mode} is not supported; waiting messages are listed by: {command('outbox')}")
    import asyncio  # noqa: PLC0415  # `--help` must be fast
    from datetime import datetime  # noqa: PLC0415
    from itertools import chain  # noqa: PLC0415

    from jmapsync.app.sending import account_for, own_address, send  # noqa: PLC0415
    from jmapsync.formats import outgoing  # noqa: PLC0415
    from jmapsync.formats.when import read_when  # noqa: PLC0415

    for argument in (sender or "", full_name, account or "", *recipients, *options, *ignored, notify, returned, envid):
        outgoing.check_argument(argument)
    reports = outgoing.reports_of(notify, returned, envid)
    now = datetime.now().astimezone()
    try:
        at = math.ceil(read_when(when, now).timestamp()) if when is not None else 0
    except ValueError as error:
        raise click.UsageError(f"--at: {error}; nothing was sent.") from error
    config = settings.configuration()
    pieces = outgoing.pieces_of(sys.stdin.buffer.readline, dot_ends=not ignore_dots and "i" not in options)
    header, read = outgoing.take_header(pieces)
    theirs = outgoing.bare(sender or "") or outgoing.sender_of(header)
    chosen = account_for(config, theirs, account)
    named = outgoing.recipients_of(header) if from_header else []
    text, envelope = outgoing.complete(
        header,
        sender=theirs or own_address(chosen),
        recipients=[*recipients, *named],
        now=now,
        full_name=full_name,
        reports=reports,
    )
    accepted = asyncio.run(send(chosen, text, chain(read, pieces), envelope, at))
    if accepted.notice:
        settings.inform(accepted.notice)
    if accepted.is_scheduled:
        settings.inform(f"To be sent later: {accepted.why}. To take it back: {command('outbox drop', accepted.waiting.id)}")
    elif not accepted.is_sent:
        settings.inform(f"Kept, to be sent later: {accepted.why} It is listed by: {command('outbox')}")
    return 0
