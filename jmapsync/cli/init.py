"""`jmapsync init`: set up an account."""

from __future__ import annotations

import click

from jmapsync.cli.parameters import DIRECTORY, FILE, KIND_LIST
from jmapsync.cli.settings import Settings, pass_settings
from jmapsync.cli.setup.answers import Answers

_AUTH = ("oauth", "basic", "bearer")


@click.command(short_help="Set up an account.")
@click.argument("address", metavar="[ADDRESS]", required=False, default="")
@click.option("--url", default="", help="The server: the URL of its JMAP session, instead of a search.")
@click.option("--user", default="", help="User name for sign-in; default: the address.")
@click.option("--auth", type=click.Choice(_AUTH), help="How to sign in: OAuth, a password or an API token.")
@click.option("--device", is_flag=True, help="OAuth by a code typed on another device, where this machine has no browser.")
@click.option("--password-command", metavar="COMMAND", default="", help="A command that prints the password or the token.")
@click.option("--password-file", metavar="FILE", type=FILE, default="", help="A file with it that only you can read (mode 0600).")
@click.option("--account-id", metavar="ID", default="", help="Which account, where the server offers several.")
@click.option("--trust-host", "trusted", metavar="HOST", multiple=True, help="Approve another host to be sent the secret.")
@click.option("--name", default="", help="The account's name in the configuration.")
@click.option(
    "--kinds", metavar="KIND,...", type=KIND_LIST, default="", help="What to synchronize: mail, contacts, calendars, tasks."
)
@click.option(
    "--root", "roots", metavar="[KIND=]DIR", type=DIRECTORY, multiple=True, help="Where files go: for one kind, or for all of them."
)
@click.option("--include", metavar="PATTERN", multiple=True, help="Mailboxes to mirror; default: all.")
@click.option("--exclude", metavar="PATTERN", multiple=True, help="Mailboxes not to mirror.")
@click.option("--backup", is_flag=True, help="Backup only: never write to the server, keep what it deletes.")
@click.option("--yes", is_flag=True, help="Accept the default of every question but who may be sent the secret.")
@click.option("--sync/--no-sync", "syncs", default=None, help="Whether to synchronize at once.")
@click.option("--service/--no-service", "installs", default=None, help="Whether to install and start the systemd service.")
@pass_settings
def init(
    settings: Settings,
    address: str,
    *,
    url: str,
    user: str,
    auth: str | None,
    device: bool,
    password_command: str,
    password_file: str,
    account_id: str,
    trusted: tuple[str, ...],
    name: str,
    kinds: str,
    roots: tuple[str, ...],
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    backup: bool,
    yes: bool,
    syncs: bool | None,
    installs: bool | None,
) -> int:
    """Set up the account of ADDRESS: find its server, sign in, choose what to synchronize, write the configuration.

    Whatever no option answers is asked on a terminal. An existing configuration is extended; its accounts stay as they are.
    """
    if password_command and password_file:
        raise click.UsageError("--password-command and --password-file exclude each other.")
    if auth == "oauth" and (password_command or password_file):
        raise click.UsageError("--auth oauth needs neither --password-command nor --password-file.")
    answers = Answers(
        address="" if "://" in address else address,
        url=url or (address if "://" in address else ""),
        user=user,
        auth=auth or "",
        device=device,
        password_command=password_command,
        password_file=password_file,
        account_id=account_id,
        trusted=trusted,
        name=name,
        kinds=tuple(kind.strip() for kind in kinds.split(",") if kind.strip()),
        roots=roots,
        include=include,
        exclude=exclude,
        backup=backup,
        yes=yes,
        syncs=syncs,
        installs=installs,
    )
    from jmapsync.cli.setup.dialogue import Dialogue  # noqa: PLC0415  # `--help` must be fast

    with Dialogue(settings, answers) as dialogue:
        return dialogue.run()
