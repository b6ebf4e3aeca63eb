"""`jmapsync run`: the daemon."""

from __future__ import annotations

import logging
import os
import sys

import click

from jmapsync.cli.log import SafeFormatter
from jmapsync.cli.output import say
from jmapsync.cli.parameters import ACCOUNT
from jmapsync.cli.settings import Settings, pass_settings
from jmapsync.errors import ConfigError, JmapsyncError


class _Journal(SafeFormatter):
    """Lines with the level in front, as the journal reads it (sd-daemon(3))."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of a record."""
        steps = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
        level = next((number for least, number in steps if record.levelno >= least), 7)
        return "\n".join(f"<{level}>{line}" for line in super().format(record).splitlines())


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

    set_up_log(verbose=settings.verbose, quiet=settings.quiet)
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


def set_up_log(*, verbose: int, quiet: bool) -> None:
    """Send the log to standard error: with levels for the journal, which has time stamps of its own; else with times."""
    handler = logging.StreamHandler()
    handler.setFormatter(
        _Journal("%(message)s") if _in_journal() else SafeFormatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S")
    )
    logging.getLogger().handlers = [handler]  # warnings of asyncio and of libraries, which would be printed as they are
    ours = logging.getLogger("jmapsync")
    ours.handlers = [handler]
    ours.propagate = False
    ours.setLevel(logging.WARNING if quiet else logging.DEBUG if verbose > 1 else logging.INFO)


def _in_journal() -> bool:
    """Return whether standard error goes to the journal (systemd.exec(5), JOURNAL_STREAM)."""
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        found = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return (device, inode) == (str(found.st_dev), str(found.st_ino))
