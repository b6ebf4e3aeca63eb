"""`jmapsync report`: print a bug report without names, addresses, subjects or secrets."""

from __future__ import annotations

import click

from jmapsync.cli.layout import fitting
from jmapsync.cli.output import say
from jmapsync.cli.settings import Settings, pass_settings


@click.command()
@pass_settings
def report(settings: Settings) -> None:
    """Print a bug report: versions, settings, what the servers offered when last asked, and the last errors.

    Names, addresses, subjects, paths and secrets are left out: accounts are numbered, and messages are reduced to the words that
    stand in the program itself. No server is reached and nothing is written. Read it before you send it.
    """
    from jmapsync.app.bug_report import bug_report  # noqa: PLC0415  # `--help` must be fast
    from jmapsync.config import default_state_dir  # noqa: PLC0415
    from jmapsync.errors import ConfigError  # noqa: PLC0415

    config, problems = None, []
    try:
        config = settings.configuration()
    except ConfigError as error:
        problems = error.problems
    for line in bug_report(config, problems, default_state_dir()):
        say(*(fitting(line) or [""]))
