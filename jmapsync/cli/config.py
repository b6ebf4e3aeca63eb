"""`jmapsync config`: what concerns the configuration file itself."""

from __future__ import annotations

import click

from jmapsync.cli.settings import Settings, pass_settings


@click.group()
def config() -> None:
    """Describe the configuration file for editors."""


@config.command()
@pass_settings
def schema(settings: Settings) -> None:  # noqa: ARG001  # it needs no configuration
    """Print the JSON Schema of the configuration file, for editors."""
    from jmapsync.config.schema import printed  # noqa: PLC0415  # `--help` must be fast

    click.echo(printed(), nl=False)
