"""`jmapsync demo`: a tour on the embedded server."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import click

from jmapsync.cli.outcome import print_run
from jmapsync.cli.output import say
from jmapsync.cli.parameters import DIRECTORY
from jmapsync.cli.settings import Settings, pass_settings
from jmapsync.errors import ConfigError

if TYPE_CHECKING:
    from jmapsync.app.demo import Tour

_SERVER_PACKAGES = {"starlette", "uvicorn"}
"""Packages of the embedded server, which the extra `demo` installs."""
_READ_HERE = "Welcome"
_STARRED_THERE = "Moth found in relay"


@click.command()
@click.argument("folder", metavar="[DIR]", required=False, type=DIRECTORY)
@pass_settings
def demo(settings: Settings, folder: str | None) -> int:
    """Start an embedded server, mirror its sample account into DIR, and print what to try.

    DIR must be new or empty; default: ./jmapsync-demo. On a terminal the server runs until Ctrl-C; elsewhere one change is
    made on each side, synchronized and shown.
    """
    import asyncio  # noqa: PLC0415  # `--help` must be fast

    try:
        from jmapsync.app.demo import Tour  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name not in _SERVER_PACKAGES:
            raise
        raise ConfigError([f"the demo needs {error.name}, which is not installed; run: pip install 'jmapsync[demo]'"]) from error
    with Tour(folder) as tour:
        run = asyncio.run(tour.sync(settings.progress()))
        print_run(settings, run)
        if run.exit_code:
            return run.exit_code
        say(f"The sample account is mirrored in {tour.mail}:")
        for name, count in tour.folders().items():
            say(f"  {name:<20} {count:>3}")
        say(f"Its contacts, events and tasks are beside it, in {tour.folder}:")
        for name, count in tour.items().items():
            say(f"  {name:<20} {count:>3}")
        if sys.stdin.isatty() and sys.stdout.isatty():
            _wait(tour)
            return 0
        return _show_round(settings, tour)


def _show_round(settings: Settings, tour: Tour) -> int:
    """Change one message on each side, synchronize, and show both sides."""
    import asyncio  # noqa: PLC0415

    tour.mark_read_here(_READ_HERE)
    tour.star_on_server(_STARRED_THERE)
    say("", f'"{_READ_HERE}" was marked read here, "{_STARRED_THERE}" was flagged on the server. After a second run:')
    run = asyncio.run(tour.sync(settings.progress()))
    print_run(settings, run)
    for subject in (_READ_HERE, _STARRED_THERE):
        file = tour.file_of(subject)
        letters = file.name.partition(":2,")[2] or "no flags"
        say(f'  "{subject}": {letters} here, {", ".join(tour.keywords_of(subject)) or "no keywords"} on the server')
    say("", f"The server ends with this command; the files stay in {tour.folder}.")
    return run.exit_code


def _wait(tour: Tour) -> None:
    """Print what to try, and each change on the server, until Ctrl-C."""
    import threading  # noqa: PLC0415

    sync = f"jmapsync -c {shlex.quote(str(tour.config))}"
    mark_read = " ".join(shlex.quote(str(path)) for path in tour.marked_read(_READ_HERE))
    text = f"""
The server runs until Ctrl-C. In another terminal, try:
  mutt -f {shlex.quote(str(tour.mail / "INBOX"))}   # read, flag, delete; or, without mutt:
  mv {mark_read}
  {sync} sync --dry-run   # what would be done, and why
  {sync} sync
  {sync} check
  {sync} status
Changes on the server:"""
    say(*text.split("\n"))
    tour.watch(lambda message: say(f"  server: {message}"))
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        say("", f"The server has ended; the files stay in {tour.folder}.")
