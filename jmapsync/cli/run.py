"""`jmapsync run`: the daemon."""

from __future__ import annotations

import logging

import click

from jmapsync.cli.log import set_up_service_log
from jmapsync.cli.output import say
from jmapsync.cli.parameters import ACCOUNT
from jmapsync.cli.settings import Settings, pass_settings
from jmapsync.errors import ConfigError, JmapsyncError


@click.command()
@click.argument("accounts", metavar="[ACCOUNT]...", nargs=-1, type=ACCOUNT)
@click.option("--install", "installs", is_flag=True, help="Write systemd units that run this, and say what to do next.")
@click.option("--uninstall", "uninstalls", is_flag=True, help="Remove those units.")
@pass_settings
def run(settings: Settings, accounts: tuple[str, ...], *, installs: bool, uninstalls: bool) -> int:
    """Keep accounts and their local files in sync, as a daemon; all accounts if none is named.

    The server's push, local changes and polling trigger it. SIGHUP reads the configuration again, SIGTERM ends it.
    """
    if installs and uninstalls:
        raise click.UsageError("--install and --uninstall exclude each other.")
    if installs or uninstalls:
        return _install(settings, undo=uninstalls)
    import asyncio  # noqa: PLC0415  # `--help` must be fast

    from jmapsync.app.service import Service  # noqa: PLC0415

    set_up_service_log(verbose=settings.verbose, quiet=settings.quiet, json_lines=settings.json_log)
    service = Service(settings.configuration, accounts)
    try:
        return asyncio.run(service.run())
    except JmapsyncError as error:  # logged with its level, which the journal keeps
        for line in error.problems if isinstance(error, ConfigError) else [str(error)]:
            logging.getLogger("jmapsync").error("%s", line)  # noqa: TRY400  # users get no traceback
        return error.exit_code
    finally:
        service.deadline.cancel()


def _install(settings: Settings, *, undo: bool) -> int:
    from jmapsync.app.install import default_unit_dir, find_program, install, uninstall  # noqa: PLC0415  # the daemon needs none of it

    if undo:
        done, verb = uninstall(default_unit_dir()), "Removed"
    else:
        settings.configuration()  # a service that cannot start is of no use
        done, verb = install(default_unit_dir(), program=find_program(), config=settings.config_given), "Written"
    for file in done.files:
        settings.inform(f"{verb}: {file}")
    settings.inform("Now run:" if done.files else "There was nothing to remove.")
    for command in done.commands if done.files else ():
        say(command)
    return 0
