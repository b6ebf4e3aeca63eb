"""List the tables and keys of the configuration from their declarations in `values`.

`docs/configuration.md`, jmapsync.toml(5) and the JSON Schema are made of this list, so that a key is described in one place.
"""

from __future__ import annotations

import ast
import inspect
import re
import types
import typing
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from msgspec import NODEFAULT, Struct

from jmapsync.config import values

NAME = "NAME"
"""Stands for the name of an account in the path of a table."""
_OF_NETWORK = ("timeout", "limit_rate")
"""What [network] says of all accounts; each account is given it."""
_STATE_DIR = "Directory of the ledgers, locks and conflict copies of all accounts; without it, `$XDG_STATE_HOME/jmapsync`."
_INCLUDE = (
    'Further files with accounts, such as `["conf.d/*.toml"]`: paths and shell patterns, relative to the directory of this file. '
    "They are read in the order of the list, then by name, and may have `[accounts.NAME]` tables only. Relative paths in such a "
    "file start in its own directory, and a secret in it needs mode 0600 of that file."
)
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))

ENVIRONMENT = (
    (
        ("XDG_CONFIG_HOME", "XDG_STATE_HOME"),
        "where the configuration and the state are, if not in `~/.config` and `~/.local/state`",
    ),
    (
        ("HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
        "proxies, read as curl reads them; a value that cannot be used is a configuration error",
    ),
    (("SSL_CERT_FILE", "SSL_CERT_DIR"), "certificates to trust instead of the machine's own"),
)
"""Variables that every command reads, with their meanings."""

Shape = Literal["flag", "text", "texts", "choice", "path", "duration", "rate", "whole", "percent", "names"]


class Key(Struct, frozen=True):
    """One key of a table."""

    name: str
    shape: Shape
    default: object
    """NODEFAULT where the key is required."""
    meaning: str
    choices: tuple[str, ...] = ()

    @property
    def is_required(self) -> bool:
        """Return whether the table needs it."""
        return self.default is NODEFAULT

    @property
    def shown_default(self) -> str:
        """Return the default as TOML, or nothing where there is none to show."""
        return "" if self.is_required or self.default in ("", None) or self.shape == "rate" else toml(self.default)

    @property
    def accepts(self) -> str:
        """Return what the key accepts, in Markdown."""
        if self.shape == "choice":
            return ", ".join(f"`{toml(one)}`" for one in self.choices)
        return _IN_WORDS[self.shape]


class Table(Struct, frozen=True):
    """One table of the configuration."""

    path: tuple[str, ...]
    """NAME stands for the name of an account."""
    meaning: str
    keys: list[Key]

    @property
    def header(self) -> str:
        """Return the line that opens it; nothing for the top of the file."""
        return f"[{'.'.join(self.path)}]" if self.path else ""


_IN_WORDS: dict[Shape, str] = {
    "flag": "`true`, `false`",
    "text": "string",
    "texts": "list of strings",
    "path": "path",
    "duration": "duration",
    "rate": "octets a second",
    "whole": "whole number",
    "percent": "0 to 100",
    "names": "table of strings",
}


def tables() -> list[Table]:
    """Return every table, in the order in which they are described; those below a table follow it."""
    top = Table(
        (), "Keys before the first table.", [Key("state_dir", "path", "", _STATE_DIR), Key("include", "texts", (), _INCLUDE)]
    )
    found = [top, *_with_inner(("accounts", NAME), values.AccountConfig, {"name", "state_dir", "login_of", *_OF_NETWORK})]
    for name, hint in _hints(values.Config).items():
        if isinstance(hint, type) and issubclass(hint, Struct):
            found += _with_inner((name,), hint)
    network = _table(("network",), values.AccountConfig, set(values.AccountConfig.__struct_fields__) - set(_OF_NETWORK))
    return [*found, Table(network.path, "Connections of all accounts.", network.keys)]


def _with_inner(path: tuple[str, ...], declared: type[Struct], hidden: set[str] | None = None) -> list[Table]:
    """Return a table, and the tables that may stand below it."""
    found = [_table(path, declared, hidden or set())]
    for name, hint in _hints(declared).items():
        inner = _struct_in(hint)
        if inner is not None and name not in (hidden or ()):
            found += _with_inner((*path, name), inner)
    return found


def _table(path: tuple[str, ...], declared: type[Struct], hidden: set[str]) -> Table:
    hints, meanings = _hints(declared), _meanings(declared)
    keys = [
        _key(name, hints[name], default, meanings[name])
        for name, default in _defaults(declared).items()
        if name not in hidden and _struct_in(hints[name]) is None
    ]
    keys.sort(key=lambda key: key.name != "path")  # inherited keys come first
    return Table(path, inspect.getdoc(declared) or "", keys)


def _key(name: str, hint: object, default: object, meaning: str) -> Key:
    if get_origin(hint) is Literal:
        return Key(name, "choice", default, meaning, tuple(map(str, get_args(hint))))
    if get_origin(hint) in (typing.Union, types.UnionType):
        hint = next(one for one in get_args(hint) if one is not type(None))
    shapes: dict[object, Shape] = {bool: "flag", str: "text", Path: "path", float: "duration"}
    if hint is int:
        return Key(name, "percent" if "percent" in name else "rate" if "rate" in name else "whole", default, meaning)
    return Key(name, shapes.get(hint) or ("texts" if get_origin(hint) is tuple else "names"), default, meaning)


def _struct_in(hint: object) -> type[Struct] | None:
    """Return the table that a field holds, if it is one."""
    return next((one for one in (hint, *get_args(hint)) if isinstance(one, type) and issubclass(one, Struct)), None)


def _hints(declared: type[Struct]) -> dict[str, Any]:
    names = declared.__struct_fields__
    hints = get_type_hints(declared, localns={"Path": Path})
    return {name: hints[name] for name in names}


def _defaults(declared: type[Struct]) -> dict[str, object]:
    """Return each field's default, NODEFAULT where it is required."""
    names = declared.__struct_fields__
    required = names[: len(names) - len(declared.__struct_defaults__)]
    shown = declared(**dict.fromkeys(required, NODEFAULT))
    return {name: getattr(shown, name) for name in names}


def _meanings(declared: type) -> dict[str, str]:
    """Return the string after each field's declaration, base classes included."""
    found: dict[str, str] = {}
    for one in (one for one in reversed(declared.__mro__) if one.__module__ == values.__name__):
        body = next(node for node in ast.parse(inspect.getsource(one)).body if isinstance(node, ast.ClassDef)).body
        for node, following in pairwise(body):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and isinstance(following, ast.Expr):
                text = ast.literal_eval(following.value)
                found[node.target.id] = " ".join(str(text).split())
    return found


def unlinked(text: str) -> str:
    """Return a meaning with the texts of its links only: outside the documentation they lead nowhere."""
    return re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text)


def toml(value: object) -> str:
    """Return a value as TOML writes it; a float is a duration in seconds."""
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return next(f'"{value / size:g}{unit}"' for size, unit in _UNITS if value % size == 0 or size == 1)
        case str():
            return f"'{value}'" if '"' in value else f'"{value}"'
        case tuple() | list():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            return "{}"
    return str(value)
