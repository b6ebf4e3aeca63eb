"""Keep the options of every command: configuration file and verbosity; create the app."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

import click

from jmapsync.cli.output import print_messages_as_json, say
from jmapsync.text import name_commands_with

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.app import App
    from jmapsync.config import Config
    from jmapsync.sync.report import Progress


class Settings:
    """The options before the command."""

    def __init__(self, config: str | None, verbose: int, *, quiet: bool, json_log: bool = False) -> None:
        """Keep the options."""
        self._config = config
        name_commands_with(*(() if config is None else ("-c", os.path.abspath(config))))
        self.verbose = verbose
        self.quiet = quiet
        self.json_log = json_log

    @property
    def config_given(self) -> Path | None:
        """Return the configuration of `-c`, if given."""
        from pathlib import Path  # noqa: PLC0415  # `--help` must be fast

        return Path(self._config) if self._config is not None else None

    def app(self) -> App:
        """Read the configuration and return the app; raise `ConfigError`."""
        from jmapsync.app import App  # noqa: PLC0415  # `--help` must be fast

        return App(self.configuration())

    def configuration(self) -> Config:
        """Read the configuration; raise `ConfigError`."""
        from jmapsync.config import default_path, load  # noqa: PLC0415  # `--help` must be fast

        return load(self.config_given or default_path())

    def set_up_log(self) -> None:
        """Log to standard error: with -v each step, with -v -v each request; messages as JSON too, if wanted."""
        print_messages_as_json(wanted=self.json_log)
        if not self.verbose:
            return
        from jmapsync.cli.log import set_up_log  # noqa: PLC0415  # most runs log nothing

        set_up_log(self.verbose, json_lines=self.json_log)

    def inform(self, message: str) -> None:
        """Print a message to standard error, unless `-q` is given."""
        if not self.quiet:
            say(message, err=True)

    def progress(self) -> Progress:
        """Return the display of progress: bars on a terminal, messages elsewhere and between the lines of a log."""
        from jmapsync.cli.progress import Bars, Messages  # noqa: PLC0415

        draws = is_drawable(sys.stderr) and not self.quiet and not self.verbose and not self.json_log
        return Bars() if draws else Messages(self.inform)


def is_drawable(stream: TextIO) -> bool:
    """Return whether a stream is a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM", "") not in {"", "dumb", "unknown"}


pass_settings = click.make_pass_decorator(Settings)
