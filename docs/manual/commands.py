"""Write the manual pages of section 1: one of the program, and one of each command with its subcommands."""

from __future__ import annotations

import re

import click

from jmapsync import __version__
from jmapsync.cli.program import COMMANDS, program
from jmapsync.config.declared import ENVIRONMENT
from manual.roff import bold, entry, italic, page, paragraphs, prose, reference, section, subsection, title, together

NAME = "jmapsync"
_DESCRIPTION = """
Mail is kept as Maildir, contacts as vCard, calendars and tasks as iCalendar.
Results go to standard output, messages and progress to standard error. Without a terminal no command asks a question.
"""
_SEVERAL = r"...\&"
"""Not the end of a sentence, after which groff puts two spaces."""
FILES = (
    ("$XDG_CONFIG_HOME/jmapsync/config.toml", "The configuration; without the variable in `~/.config`. See jmapsync.toml(5)."),
    ("$XDG_STATE_HOME/jmapsync/ACCOUNT/", "The state of an account; without the variable in `~/.local/state`."),
    (".jmapsync", "In the root of the files of each kind: marks it as such. Without it nothing is deleted."),
)


def pages() -> dict[str, str]:
    """Return every page by its file name."""
    context = click.Context(program, info_name=NAME, **program.context_settings)
    found = {f"{NAME}.1": _of_program(context)}
    for name in COMMANDS:
        command = program.get_command(context, name)
        if command is not None and not command.hidden:
            found[f"{NAME}-{name}.1"] = _of_command(click.Context(command, context, info_name=name))
    return found


def _of_program(context: click.Context) -> str:
    commands = [entry(reference(f"{NAME}-{name}"), text) for name, text in COMMANDS.items()]
    return page(
        title(NAME, 1, __version__),
        section("name"),
        f"{NAME} \\- {_summary(program.help or '')}\n",
        section("synopsis"),
        _synopsis(context, "COMMAND [ARGUMENT]..."),
        section("description"),
        paragraphs(program.help or ""),
        paragraphs(_DESCRIPTION),
        section("options"),
        _options(context),
        section("commands"),
        *commands,
        _exit_status(),
        section("environment"),
        *(entry(", ".join(map(bold, names)), text) for names, text in ENVIRONMENT),
        section("files"),
        *(entry(bold(path), text) for path, text in FILES),
        section("see also"),
        ",\n".join([*(reference(f"{NAME}-{name}") for name in COMMANDS), reference("jmapsync.toml", 5)]),
    )


def _of_command(context: click.Context) -> str:
    name = context.info_name or ""
    command = context.command
    inner = []
    if isinstance(command, click.Group):
        inner = [
            click.Context(found, context, info_name=one)
            for one in command.list_commands(context)
            if (found := command.get_command(context, one)) is not None and not found.hidden
        ]
    optional = isinstance(command, click.Group) and command.invoke_without_command
    usage = ("[COMMAND]" if optional else "COMMAND") + " [ARGUMENT]..." if inner else ""
    parts = [
        title(f"{NAME}-{name}", 1, __version__),
        section("name"),
        f"{NAME}\\-{name} \\- {_summary(COMMANDS[name])}\n",
        section("synopsis"),
        _synopsis(context, usage),
        section("description"),
        paragraphs(command.help or ""),
        section("options"),
        _options(context),
    ]
    if inner:
        parts.append(section("commands"))
        for one in inner:
            parts += [subsection(one.info_name or ""), _synopsis(one), paragraphs(one.command.help or ""), _options(one, own=True)]
    others = [other for other in COMMANDS if other != name and f"jmapsync {other}" in (command.help or "")]
    seen = [reference(NAME), *(reference(f"{NAME}-{other}") for other in others), reference("jmapsync.toml", 5)]
    return page(*parts, _exit_status(), section("see also"), ",\n".join(seen))


def _summary(text: str) -> str:
    first = text.strip().split("\n\n")[0].rstrip(".")
    return prose(first[:1].lower() + first[1:])


def _synopsis(context: click.Context, rest: str = "") -> str:
    """Return how a command is called."""
    pieces = [bold(context.command_path)]
    options = [one for one in context.command.get_params(context) if isinstance(one, click.Option) and not one.hidden]
    for one in options:
        if "--help" in one.opts:
            continue
        value = "" if one.is_flag or one.count else f" {italic(one.make_metavar(context))}"
        name = " | ".join(bold(each) for each in [_longest(one.opts), *one.secondary_opts[:1]])
        pieces.append(together(f"[{name}{value}]{_SEVERAL if one.multiple else ''}"))
    arguments = [one for one in context.command.params if isinstance(one, click.Argument)]
    pieces += [italic(one.make_metavar(context)).replace("...", _SEVERAL) for one in arguments]
    return ".PP\n" + "\n".join([*pieces, *([italic(rest).replace("...", _SEVERAL)] if rest else [])]) + "\n"


def _longest(names: list[str]) -> str:
    return next((name for name in names if name.startswith("--")), names[0])


def _options(context: click.Context, *, own: bool = False) -> str:
    """Return the options of a command; of a subcommand those that not every one has."""
    entries = []
    for one in context.command.get_params(context):
        if not isinstance(one, click.Option) or one.hidden or (own and "--help" in one.opts):
            continue
        names = ", ".join(bold(each) for each in [*one.opts, *one.secondary_opts])
        value = "" if one.is_flag or one.count else f" {italic(one.make_metavar(context))}"
        entries.append(entry(f"{names}{value}", one.help or ""))
    return "".join(entries)


def _exit_status() -> str:
    codes = re.findall(r"^ +(\d) +(.+)$", program.epilog or "", re.MULTILINE)
    return section("exit status") + "".join(entry(bold(code), f"{text[:1].upper()}{text[1:]}.") for code, text in codes)
