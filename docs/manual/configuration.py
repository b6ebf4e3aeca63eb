"""Write jmapsync.toml(5), the manual page of the configuration, from the declarations of its keys."""

from __future__ import annotations

from jmapsync import __version__
from jmapsync.config.declared import ENVIRONMENT, Key, tables, unlinked
from manual import roff
from manual.roff import bold, entry, example, italic, paragraphs, prose, reference, section, subsection, title

NAME = "jmapsync.toml"
_DESCRIPTION = """
The configuration of jmapsync is one TOML file: `config.toml` in the directory `jmapsync` of `$XDG_CONFIG_HOME`, which is
`~/.config` where the variable is not set, or the file after the option `-c`.

All errors are reported together, with line numbers; unknown keys are errors. A duration is a number with a unit: `"30s"`, `"10m"`,
`"2h"`, `"7d"`. `NAME` stands for the name of an account, which you choose. `jmapsync config schema` prints a JSON Schema of the
file, by which an editor completes and checks it.
"""
_EXAMPLE = """\
[accounts.home]
address = "alice@example.com"
auth = "basic"
password_command = "pass show mail/alice"

[accounts.home.mail]
path = "~/Mail/home"

[accounts.home.contacts]
path = "~/.contacts/home"
"""


def page() -> str:
    """Return the page."""
    parts = [
        title(NAME, 5, __version__),
        section("name"),
        prose(f"{NAME} - configuration of jmapsync").replace(" - ", r" \- "),
        "\n",
        section("description"),
        paragraphs(_DESCRIPTION),
        section("example"),
        example(_EXAMPLE),
        section("keys"),
    ]
    for table in tables():
        parts += [subsection(table.header or "Top of the file"), paragraphs(unlinked(table.meaning))]
        parts += [entry(_term(key), unlinked(key.meaning)) for key in table.keys]
    parts += [section("environment"), *(entry(", ".join(map(bold, names)), text) for names, text in ENVIRONMENT)]
    return roff.page(*parts, section("see also"), reference("jmapsync"))


def _term(key: Key) -> str:
    """Return a key with what it accepts and its default."""
    accepted = italic(key.accepts.replace("`", ""))
    default = " (required)" if key.is_required else f" (default: {bold(key.shown_default)})" if key.shown_default else ""
    return f"{bold(key.name)} = {accepted}{default}"
