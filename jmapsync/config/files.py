"""Read the files of a configuration: the one that is given, and those that its `include` names."""

from __future__ import annotations

import ast
import glob
import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from jmapsync.config.reader import Mistakes, Reader
from jmapsync.errors import ConfigError
from jmapsync.opening import open_given, open_regular
from jmapsync.text import command

if TYPE_CHECKING:
    from jmapsync.config.lines import Key

LONGEST = 1 << 24
"""Octets of one file that are read."""
MOST_FILES = 10_000
"""Files that may be included."""
LONGEST_IN_ALL = 1 << 27
"""Octets of all included files together."""
_SYNTAX = re.compile(r"(.*?) ?\(at (?:line ([0-9]+), column ([0-9]+)|end of document)\)", re.DOTALL)
_TWICE = re.compile(r"cannot declare (\(.*\)) twice", re.DOTALL)
"""How tomllib names a table that is there twice: by a tuple of Python."""
_WILDCARD = re.compile(r"[*?\[]")


class SourceFile(Struct, eq=False):
    """One file of the configuration, with the errors that were found in it."""

    path: Path
    text: str
    document: dict[str, Any]
    private: bool
    """Whether nobody but its owner can read it."""
    mistakes: Mistakes

    def top(self) -> Reader:
        """Return a reader of the whole file; relative paths in it start in its directory."""
        return Reader(self.document, (), self.mistakes, self.path.parent)

    def problems(self) -> list[str]:
        """Return the errors as `file:line: message`, in the order of their lines."""
        if not self.mistakes.found:
            return []
        from jmapsync.config.lines import find_lines  # noqa: PLC0415  # only an error needs them

        lines = find_lines(self.text)

        def line_of(key: Key) -> int:
            return next((lines[key[:depth]] for depth in range(len(key), 0, -1) if key[:depth] in lines), 1)

        placed = [(line_of(key), message) for key, message in dict.fromkeys(self.mistakes.found)]
        placed.sort(key=lambda one: one[0])
        return [f"{self.path}:{line}: {message}" for line, message in placed]


def read_given(path: Path) -> tuple[bytes, bool]:
    """Return the content of the configuration file, and whether nobody but its owner can read it. Raise `ConfigError`."""
    try:
        with open_given(path) as file:
            return file.read(LONGEST), _is_private(file.fileno())
    except OSError as error:
        is_missing = isinstance(error, FileNotFoundError)
        advice = f"; set up an account with `{command('init')}`, or name another file with -c" if is_missing else ""
        raise ConfigError([f"{path}: the configuration cannot be read: {error.strerror}{advice}"]) from error


def parsed(content: bytes, path: Path, *, private: bool) -> SourceFile:
    """Return a file with its TOML parsed. Raise `ConfigError`."""
    try:
        text = content.decode("utf-8-sig")
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError([_syntax_error(path, content, error)]) from error
    return SourceFile(path, text, document, private, Mistakes())


def included(main: SourceFile, patterns: tuple[str, ...]) -> list[SourceFile]:
    """Return the files that the patterns name, each once: pattern by pattern, sorted by name.

    A pattern without a match is fine, a name without wildcards must exist. Errors are recorded where `include` stands. Raise
    `ConfigError` for files that cannot be read or are not TOML, all of them together.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        found.update(dict.fromkeys(_matches(main, pattern)))
    if len(found) > MOST_FILES:
        main.mistakes.note(("include",), f"include names more than {MOST_FILES:,} files")
        return []
    sources: list[SourceFile] = []
    broken: list[str] = []
    octets = 0
    for name in found:
        try:
            content, private = _read_included(name)
            octets += len(content)
            if octets > LONGEST_IN_ALL:
                main.mistakes.note(("include",), f"the included files have more than {LONGEST_IN_ALL:,} octets together")
                break
            sources.append(parsed(content, Path(name), private=private))
        except ConfigError as error:
            broken += error.problems
    if broken:
        raise ConfigError([*main.problems(), *broken])
    return sources


def _matches(main: SourceFile, pattern: str) -> list[str]:
    """Return the absolute paths of the files that a pattern names, relative to the directory of the configuration."""
    folder = main.path.parent
    if "**" in pattern:
        main.mistakes.note(("include",), f"include does not descend into directories: {pattern!r}; name each one")
        return []
    expanded = os.path.normpath(os.path.join(glob.escape(str(folder)), os.path.expanduser(pattern)))
    if _WILDCARD.search(pattern):
        return [name for name in sorted(glob.glob(expanded)) if not os.path.isdir(name) and not _is_main(name, main)]
    name = os.path.normpath(folder / os.path.expanduser(pattern))
    if not os.path.lexists(name):
        main.mistakes.note(("include",), f"include names a file that does not exist: {name}")
        return []
    if _is_main(name, main):
        main.mistakes.note(("include",), "include names this file itself")
        return []
    return [name]


def _is_main(name: str, main: SourceFile) -> bool:
    return os.path.realpath(name) == os.path.realpath(main.path)


def _read_included(name: str) -> tuple[bytes, bool]:
    try:
        with open_regular(name, follow=True) as file:
            content, private = file.read(LONGEST + 1), _is_private(file.fileno())
    except OSError as error:
        raise ConfigError([f"{name}: the included file cannot be read: {error.strerror}"]) from error
    if len(content) > LONGEST:
        raise ConfigError([f"{name}: the included file has more than {LONGEST:,} octets"])
    return content, private


def _is_private(handle: int) -> bool:
    return not os.fstat(handle).st_mode & 0o077


def _syntax_error(path: Path, content: bytes, error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        line = content.count(b"\n", 0, error.start) + 1
        return f"{path}:{line}: not UTF-8, and so not TOML"
    match = _SYNTAX.fullmatch(str(error))
    if match is None:
        return f"{path}:1: this TOML cannot be read: a number is too long or tables are nested too deep"
    what = match[1][:1].lower() + match[1][1:]
    if declared := _TWICE.fullmatch(what):
        what = f"[{'.'.join(ast.literal_eval(declared[1]))}] is there already"
    elif what == "cannot overwrite a value":
        what = "this key or table is there already"
    line = int(match[2]) if match[2] else content.count(b"\n") + 1
    return f"{path}:{line}: not TOML: {what}{f', column {match[3]}' if match[3] else ' at the end of the file'}"
