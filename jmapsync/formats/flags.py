"""Convert between the flags of Maildir file names and JMAP keywords (maildir(5); RFC 8621, 4.1.1).

Letters: S $seen, R $answered, F $flagged, D $draft, P $forwarded; T marks a copy to be deleted and is not a keyword. Lower-case
letters stand for other keywords by a table of the folder (file `dovecot-keywords`: lines of `NUMBER KEYWORD`, 0 is a). A keyword
beyond the 26 places of the table has no letter: it is in the ledger only, and its absence from a name means nothing.

Flags begin with `:2,`. On file systems without colons other programs write `;2,` (NeoMutt's maildir_field_delimiter, mbsync's
InfoDelimiter) or `!2,` (offlineimap, mu); some add an extension after the flags (`:2,S,ext`). A name keeps its form.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable

STANDARD = {"S": "$seen", "R": "$answered", "F": "$flagged", "D": "$draft", "P": "$forwarded"}
_LETTER_OF = {keyword: letter for letter, keyword in STANDARD.items()}
TRASHED = "T"
PLACES = 26
SEPARATOR = ":"
"""The separator of unique name and info (maildir(5)), unless the file system does not allow colons."""
_INFO = re.compile(r"(?P<name>.*?)(?P<info>:2[A-Za-z]*|:2,[^,:]*(?:,[^:]*)?|[!;]2,[A-Za-z]*(?:,[^:!;]*)?)\Z", re.DOTALL)
"""An exclamation mark or a semicolon may be part of a unique name too: only letters after it are flags."""
_PARTS = re.compile(r"(?P<separator>[:!;])2,?(?P<letters>[^,]*)(?P<extension>,.*)?\Z", re.DOTALL)
_KEYWORD = re.compile(r"[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]{1,255}\Z")


class FileName(NamedTuple):
    """A Maildir file name in its two parts."""

    name: str
    """The unique part."""
    info: str
    """The flags with separator and extension (`:2,FS`), or empty. Incomplete ones (`:2`) are kept."""


def parse_name(text: str) -> FileName:
    """Split a file name into its unique part and its info."""
    match = _INFO.match(text)
    return FileName(match["name"], match["info"]) if match else FileName(text, "")


def letters(info: str) -> str:
    """Return the letters of an info, known or not."""
    parts = _PARTS.match(info)
    return parts["letters"] if parts else ""


def with_letters(info: str, shown: Iterable[str], separator: str = SEPARATOR) -> str:
    """Return an info of the same form with these letters; a new one gets `separator`."""
    wanted = "".join(sorted(set(shown)))
    if info and letters(info) == wanted:
        return info
    parts = _PARTS.match(info)
    between, extension = (parts["separator"], parts["extension"] or "") if parts else (separator, "")
    return f"{between}2,{wanted}{extension}"


def valid_keyword(text: str) -> bool:
    """Return whether a string is a valid JMAP keyword (RFC 8621, 4.1.1)."""
    return _KEYWORD.match(text) is not None


class KeywordTable(Struct, frozen=True):
    """The keywords of the lower-case letters of one folder."""

    keywords: tuple[str, ...] = ()
    """By position; an empty string is a gap."""

    @classmethod
    def parse(cls, text: str) -> KeywordTable:
        """Parse a `dovecot-keywords` file; invalid lines are ignored."""
        found: dict[int, str] = {}
        for line in text.splitlines():
            number, _, keyword = line.partition(" ")
            if number.isdecimal() and len(number) < PLACES and int(number) < PLACES and valid_keyword(keyword.strip()):
                found[int(number)] = keyword.strip().lower()
        return cls(tuple(found.get(place, "") for place in range(max(found, default=-1) + 1)))

    def render(self) -> str:
        """Write the `dovecot-keywords` file."""
        return "".join(f"{place} {keyword}\n" for place, keyword in enumerate(self.keywords) if keyword)

    def added_to(self, text: str) -> str:
        """Return the content of a `dovecot-keywords` file with missing places added and its own lines unchanged.

        A file without any keyword, or with another keyword at a place of this table, is rewritten.
        """
        there = dict(enumerate(KeywordTable.parse(text).keywords))
        mine = dict(enumerate(self.keywords))
        if not there or any(word and word != mine.get(place) for place, word in there.items()):
            return self.render()
        added = "".join(f"{place} {word}\n" for place, word in mine.items() if word and not there.get(place))
        return text + ("\n" if text and not text.endswith("\n") else "") + added

    def extended(self, tags: frozenset[str]) -> KeywordTable:
        """Return the table with the keywords that have no letter yet added, up to 26."""
        missing = sorted(tags - set(self.keywords) - set(_LETTER_OF))
        if not missing or len(self.keywords) >= PLACES:
            return self
        return KeywordTable((*self.keywords, *missing)[:PLACES])

    @property
    def shown(self) -> frozenset[str]:
        """Return the keywords that file names of the folder can show."""
        return frozenset(keyword for keyword in self.keywords if keyword) | _LETTER_OF.keys()

    def read(self, info: str) -> frozenset[str]:
        """Return the keywords that an info shows."""
        tags = set()
        for letter in letters(info):
            if letter in STANDARD:
                tags.add(STANDARD[letter])
            elif "a" <= letter <= "z" and (place := ord(letter) - ord("a")) < len(self.keywords):
                tags.add(self.keywords[place])
        tags.discard("")
        return frozenset(tags)

    def write(self, tags: frozenset[str], info: str, separator: str = SEPARATOR) -> str:
        """Return the info for keywords; empty if there are none and the name had no info.

        Unknown letters and the form of the old info are kept; a new one gets `separator`.
        """
        known = set()
        for tag in tags:
            if tag in _LETTER_OF:
                known.add(_LETTER_OF[tag])
            elif tag in self.keywords:
                known.add(chr(ord("a") + self.keywords.index(tag)))
        kept = {letter for letter in letters(info) if letter != TRASHED and not self._knows(letter)}
        return with_letters(info, known | kept, separator) if info or known else ""

    def _knows(self, letter: str) -> bool:
        if letter in STANDARD:
            return True
        place = ord(letter) - ord("a")
        return 0 <= place < len(self.keywords) and bool(self.keywords[place])
