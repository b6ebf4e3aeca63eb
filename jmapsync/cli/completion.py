"""`jmapsync completion`: print the completion script of a shell."""

from __future__ import annotations

import click

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", metavar="bash|zsh|fish", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print a script that completes commands, options, accounts, kinds, ids and paths in a shell.

    A package installs these scripts. Otherwise save the script where the shell finds it: for bash as
    ~/.local/share/bash-completion/completions/jmapsync, for zsh as _jmapsync in a directory of $fpath, for fish as
    ~/.config/fish/completions/jmapsync.fish.
    """
    from jmapsync.cli.program import program  # noqa: PLC0415  # it imports this module by name
    from jmapsync.cli.shells import script  # noqa: PLC0415  # `--help` must be fast

    click.echo(script(shell, program), nl=False)
