"""Write man(7) markup that groff and mandoc show alike, in columns of any width."""

from __future__ import annotations

import os
import re
import textwrap
import time

_SPECIAL = {"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti", '"': r"\(dq"}
_WIDE = 16
"""Characters of a word that may be broken, behind a slash or a comma."""
_LONGEST = 79
"""Octets of a line of the source."""
_BREAKS = re.compile(r"([/,|=])(?=.)")
_MARKED = re.compile(r"`([^`]+)`")
_LITERAL = re.compile(r"(?<![\w`])(--?[A-Za-z][\w-]*|[~$.]?[\w.]*/[\w$./~-]+|\$[A-Z_]+[\w/.]*|[A-Z]+_[A-Z_]+)")
"""Options, paths and variables in a text: their hyphens are typed, and long ones are broken."""


def title(name: str, section: int, version: str) -> str:
    """Return the first lines of a page. Its date is that of SOURCE_DATE_EPOCH, so that a build can be repeated, or today."""
    date = time.strftime("%Y-%m-%d", time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", "") or time.time())))
    # Ragged lines without hyphens: on a narrow terminal, adjusted ones have holes.
    return f'.TH "{literal(name.upper())}" "{section}" "{date}" "jmapsync {version}" "jmapsync"\n.nh\n.ad l\n'


def page(*parts: str) -> str:
    """Return a page of its parts: without a paragraph right below a heading, and with each sentence on a line of its own."""
    lines: list[str] = []
    filled = True
    for line in "".join(parts).splitlines():
        if line == ".PP" and lines and lines[-1].startswith((".SH", ".SS")):
            continue
        filled = line != ".nf" if line in {".nf", ".fi"} else filled
        is_term = bool(lines) and lines[-1] == ".TP"
        lines += _wrapped(line) if filled and not is_term and not line.startswith(".") else [line]
    return "\n".join(lines) + "\n"


def _wrapped(line: str) -> list[str]:
    found = []
    for part in re.split(r"(?<=[.!?]) (?=[^a-z])", line):
        found += textwrap.wrap(part, _LONGEST, break_long_words=False, break_on_hyphens=False)
    return [_guarded(one) for one in found]


def section(name: str) -> str:
    """Return the heading of a section."""
    return f'.SH "{_escaped(name.upper())}"\n'


def subsection(name: str) -> str:
    """Return the heading of a part of a section."""
    return f'.SS "{literal(name)}"\n'


def paragraphs(text: str) -> str:
    """Return a text whose paragraphs empty lines separate; those that begin with a backspace keep their lines, as in click."""
    return "".join(_paragraph(one) for one in re.split(r"\n\s*\n", text.strip("\n")) if one.strip("\b \n"))


def _paragraph(one: str) -> str:
    if not one.startswith("\b"):
        return f".PP\n{prose(' '.join(one.split()))}\n"
    lines = one.removeprefix("\b").strip("\n").split("\n")
    return ".PP\n.nf\n" + "".join(f"{_guarded(prose(line.rstrip()))}\n" for line in lines) + ".fi\n"


def entry(name: str, text: str) -> str:
    """Return a term, which is markup already, with its text below it."""
    return f".TP\n{_guarded(name)}\n{prose(text)}\n"


def example(text: str) -> str:
    """Return lines as they are."""
    lines = "".join(f"{_guarded(_escaped(line))}\n" for line in text.rstrip("\n").split("\n"))
    return f".PP\n.RS 2\n.nf\n{lines}.fi\n.RE\n"


def prose(text: str) -> str:
    """Return a text, in which backquotes mark what is bold."""
    parts = _MARKED.split(" ".join(text.split()) if "\n" in text else text)
    return _guarded("".join(bold(part) if number % 2 else _plain(part) for number, part in enumerate(parts)))


def bold(text: str) -> str:
    """Return a text that is typed as it stands."""
    return rf"\fB{literal(text)}\fP"


def italic(text: str) -> str:
    """Return a text that stands for another one."""
    return rf"\fI{literal(text)}\fP"


def literal(text: str) -> str:
    """Return a text with its characters as they are; a long one may be broken."""
    return " ".join(_breakable(word) for word in text.split(" "))


def reference(name: str, number: int = 1) -> str:
    """Return a reference to another page."""
    return rf"\fB{literal(name)}\fP({number})"


def together(text: str) -> str:
    """Return markup that stays on one line where it fits on one."""
    return text.replace(" ", r"\ ")


def _plain(text: str) -> str:
    pieces = _LITERAL.split(text)
    return "".join(literal(piece) if number % 2 else _escaped(piece, typed=False) for number, piece in enumerate(pieces))


def _breakable(word: str) -> str:
    parts = _BREAKS.sub("\\1\n", word).split("\n") if len(word) > _WIDE else [word]
    return r"\:".join(map(_escaped, parts))


def _escaped(text: str, *, typed: bool = True) -> str:
    escaped = (_SPECIAL.get(one, one) if typed or one != "-" else one for one in text)
    return "".join(one if one.isascii() else "".join(rf"\[u{ord(each):04X}]" for each in one) for one in escaped)


def _guarded(line: str) -> str:
    """Return a line that is no request, whatever it begins with."""
    return rf"\&{line}" if line.startswith((".", "'", r"\(aq")) else line
