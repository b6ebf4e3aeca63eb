"""The program: its global options, its commands, and how it ends."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

import click

from jmapsync import __version__
from jmapsync.cli.encoding import use_utf8
from jmapsync.cli.output import say
from jmapsync.cli.parameters import FILE
from jmapsync.cli.settings import Settings
from jmapsync.errors import ConfigError, ExitCode, JmapsyncError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS = {
    "accounts": "List the accounts of the configuration.",
    "check": "Reach the server and list what it offers.",
    "completion": "Print the completion script of a shell.",
    "config": "Print the schema of the configuration.",
    "conflicts": "List and resolve conflict copies.",
    "convert": "Convert contacts and calendars between formats.",
    "demo": "Take a tour on an embedded server.",
    "init": "Set up an account.",
    "login": "Sign an account in.",
    "logout": "Sign an account out.",
    "mailboxes": "Print mailboxes lines for mutt.",
    "outbox": "List messages that wait to be sent.",
    "report": "Print a bug report without names or secrets.",
    "restore": "Put mirrored items back on the server.",
    "run": "Keep accounts in sync continuously.",
    "sendmail": "Send a message from standard input.",
    "status": "Show the state of the accounts.",
    "sync": "Synchronize once.",
    "vacation": "Show or change the vacation reply.",
    "verify": "Prove that the mirror is complete.",
}
"""What each command is for, in a line. Each is the function of its name, mostly in the module of that name."""
_MODULES = {"logout": "login"}
"""The modules of the others."""
_NAME = "jmapsync"
_COMPLETION = "_JMAPSYNC_COMPLETE"
"""Set by the completion script of a shell; see `shells`."""
_EXIT_CODES = """\b
Exit codes:
  0  in sync
  1  failed
  2  usage or configuration
  3  done, but items are quarantined or in conflict
  4  suspended: nothing of what is named was written
  5  sign-in needed or refused
  6  another run of the account is active
"""
_LEAST, _NARROW = 20, 60
"""Columns of a narrow terminal; with fewer, text is not readable anyhow."""
_INTERRUPTED = 130
_BROKEN_PIPE = 141
"""What a shell reports of a program that SIGINT or SIGPIPE ended."""


class _Lazy(click.Group):
    """Commands whose modules are imported when they are run; neither `--help` nor completion imports any of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Return the names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's signature
        """Return a command, if there is one of that name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"jmapsync.cli.{_MODULES.get(cmd_name, cmd_name)}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's signature
        """Write the list of commands of `--help`."""
        with formatter.section("Commands"):
            formatter.write_dl(COMMANDS.items())

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands and options that an incomplete word may become."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415  # only completion needs it

        commands = [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return commands + click.Command.shell_complete(self, ctx, incomplete)


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}, epilog=_EXIT_CODES)
@click.option(
    "-c",
    "--config",
    "config",
    metavar="FILE",
    type=FILE,
    help="Configuration file; default: $XDG_CONFIG_HOME/jmapsync/config.toml.",
)
@click.option("-v", "--verbose", count=True, help="Log each step to standard error; twice: each request too.")
@click.option("-q", "--quiet", is_flag=True, help="Print only errors and results.")
@click.option(
    "--log-format",
    type=click.Choice(("text", "json")),
    default="text",
    help="How messages and the log are written to standard error; json: one object a line.",
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def program(context: click.Context, config: str | None, verbose: int, log_format: str, *, quiet: bool) -> None:
    """Keep JMAP accounts and local files in sync, both ways."""
    if verbose and quiet:
        raise click.UsageError("-v and -q exclude each other.")
    context.obj = Settings(config, verbose, quiet=quiet, json_log=log_format == "json")
    context.obj.set_up_log()


def run_program() -> None:
    """Run the program. Results go to standard output; a failure is a message on standard error and an exit code."""
    use_utf8()
    if _COMPLETION in os.environ:
        from jmapsync.cli.shells import register  # noqa: PLC0415  # only completion needs it

        register()
        program.main(prog_name=_NAME)
    try:
        code = _invoke()
    except BrokenPipeError:
        code = _BROKEN_PIPE
    except OSError as error:  # of the output: no message can be printed, or there is no room for results
        code = ExitCode.FAILED
        with suppress(OSError):
            _complain(f"the output cannot be written: {error.strerror}")
    sys.exit(_flush(int(code or 0)))


def _invoke() -> int | None:
    """Run the command; print why it failed. Raises OSError where the output cannot be written."""
    try:
        # Not click's own `main`, which prints an empty line when interrupted and treats a broken pipe as a failure.
        with program.make_context(_NAME, sys.argv[1:], terminal_width=_fit_help()) as context:
            code: int | None = program.invoke(context)
    except click.exceptions.Exit as done:
        code = done.exit_code
    except click.ClickException as error:
        _show_usage(error)
        code = ExitCode.USAGE
    except ConfigError as error:
        _complain(*error.problems)
        code = error.exit_code
    except JmapsyncError as error:
        _complain(str(error))
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        _complain("interrupted.")
        code = _INTERRUPTED
    except Exception as error:  # the last handler: users get no traceback
        if isinstance(error, BrokenPipeError) or (isinstance(error, OSError) and _is_of_output(error)):
            raise
        code = _report(error)
    return code


def _is_of_output(error: OSError) -> bool:
    """Return whether an error was met while text was printed."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return place is not None and place.tb_frame.f_globals.get("__name__") == click.utils.__name__


def _fit_help() -> int | None:
    """Return the columns of a narrow terminal, for which help has to be written in another way; None for any other."""
    try:
        columns = int(os.environ.get("COLUMNS", "") or os.get_terminal_size(sys.stdout.fileno()).columns)
    except (OSError, ValueError):
        return None
    if not _LEAST <= columns < _NARROW:
        return None
    from jmapsync.cli.narrow_help import NarrowHelpFormatter  # noqa: PLC0415  # rarely needed

    click.Context.formatter_class = NarrowHelpFormatter
    return columns


def _show_usage(error: click.ClickException) -> None:
    """Print a usage error as click does, with control characters in the arguments escaped."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):  # its message is the help
        say(*error.format_message().split("\n"), err=True)
        return
    if isinstance(error, click.UsageError) and error.ctx is not None:
        say(*error.ctx.get_usage().split("\n"), f"Try '{error.ctx.command_path} --help' for help.", "", err=True)
    say(f"Error: {error.format_message()}", err=True, level="error")


def _complain(*lines: str) -> None:
    for line in lines:
        say(f"jmapsync: {line}", err=True, level="error")


def _report(error: Exception) -> ExitCode:
    from jmapsync.app.crash import report_crash  # noqa: PLC0415  # rarely needed
    from jmapsync.config import default_state_dir  # noqa: PLC0415

    crash = report_crash(error, default_state_dir())
    _complain(str(crash))
    return crash.exit_code


def _flush(code: int) -> int:
    """Flush the output, so that a reader that closed its end, or a full disk, causes no message of Python at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            code = _BROKEN_PIPE
        except OSError:
            code = code or ExitCode.FAILED
        if code == _BROKEN_PIPE:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return int(code)
