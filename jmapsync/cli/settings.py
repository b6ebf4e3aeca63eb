"""Keep the options of every command: configuration file and verbosity; create the app."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

import click

from jmapsync.cli.output import say

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.app import App
    from jmapsync.config import Config
    from jmapsync.sync.report import Progress


class Settings:
    """The options before the command."""

    def __init__(self, config: str | None, verbose: int, *, quiet: bool) -> None:
        """Keep the options."""
        self._config = config
        self.verbose = verbose
        self.quiet = quiet

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
        """Log to standard error; with -v -v a line per request. Other libraries are left out: they log headers with secrets."""
        if not self.verbose:
            return
        import logging  # noqa: PLC0415  # most runs log nothing

        from jmapsync.cli.log import SafeFormatter  # noqa: PLC0415

        handler = logging.StreamHandler()
        handler.setFormatter(SafeFormatter("%(asctime)s %(name)s: %(message)s", "%H:%M:%S"))
        ours = logging.getLogger("jmapsync")
        ours.addHandler(handler)
        ours.setLevel(logging.INFO)
        if self.verbose > 1:
            ours.setLevel(logging.DEBUG)
            requests = logging.getLogger("httpx")  # one line a request: method, URL and status
            requests.addHandler(handler)
            requests.setLevel(logging.INFO)

    def inform(self, message: str) -> None:
        """Print a message to standard error, unless `-q` is given."""
        if not self.quiet:
            say(message, err=True)

    def progress(self) -> Progress:
        """Return the display of progress: bars on a terminal, messages elsewhere and between the lines of a log."""
        from jmapsync.cli.progress import Bars, Messages  # noqa: PLC0415

        draws = is_drawable(sys.stderr) and not self.quiet and not self.verbose
        return Bars() if draws else Messages(self.inform)


def is_drawable(stream: TextIO) -> bool:
    """Return whether a stream is a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM", "") not in {"", "dumb", "unknown"}


pass_settings = click.make_pass_decorator(Settings)
