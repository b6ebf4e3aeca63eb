"""Convert contact cards between vCard files and JSContact (RFC 6350, 2426, 9553, 9554, 9555). Pure and deterministic.

vCard 2.1, 3.0 and 4.0 are read; 3.0 and 4.0 are written. Lines without a counterpart in JSContact go to vCardProps and vCardParams,
properties without one in vCard to JSPROP lines. Version 4.0 restores a card completely, up to defaults (see `residue`).

Version 3.0 loses the following when a file is read alone. An edited file is compared with the file before the edit, both read by
this module, and only the differences are sent to the server, which still has all of it.

- keys of maps (no PROP-ID: khard removes it), order and separators of components (no JSCOMPS: iOS garbles it);
- the kinds of components beyond the 5 fields of N and the 7 of ADR: second surnames become surnames, generations credentials, the
  parts of a street one `name`, those of a building one `apartment`; other kinds of names are dropped;
- phonetics of all but the first surname, given and second given name; phonetics of addresses;
- `sortAs` of all but the surname, and of organizations and units;
- `countryCode` of addresses; `coordinates` and `timeZone` of those that have components or `full`, except the first;
- `pref` from 2 to 100, contexts and features that have no TYPE; `tel:` before a number;
- contexts, `pref`, vCardParams and group of lines that khard rewrites without them: names, nicknames, organizations, titles,
  links, notes, birthdays, weddings; vCardParams other than `type` of telephones, mail and postal addresses and IMPP;
- `mediaType` of resources that are not inline, and other spellings of an inline one's data; `listAs`;
- author and creation of notes; the organization of a title; the place of a wedding, `calendarScale`;
- vendor-specific and unknown properties of map entries (those of the card and of its name are kept);
- whether a full name was given or is derived: FN is mandatory, and is read as `full`; whether IMPP or SOCIALPROFILE was used.

Lost in every version, as JSContact cannot express it: parameters of MEMBER, UID, KIND, LANGUAGE, PRODID, CREATED and REV, the marks
around Apple's own labels, lines without a value, LANGUAGE of alternatives with equal values, TYPE=INTERNET of an address, lines
marked as derived from N, folding, the case of names, and the difference between CR and LF in texts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from jmapsync.formats.contentline import Line
from jmapsync.formats.objects import MalformedError, as_object
from jmapsync.formats.pointer import parse
from jmapsync.formats.vcard.jsprop import apply_pending
from jmapsync.formats.vcard.lines import read_lines, write_lines
from jmapsync.formats.vcard.reading import read_object
from jmapsync.formats.vcard.writing import write_object

if TYPE_CHECKING:
    from jmapsync.formats.objects import Object

Version = Literal["3.0", "4.0"]
_BEGIN, _END = Line("BEGIN", "VCARD", {}), Line("END", "VCARD", {})

__all__ = ["CardCodec", "Version", "apply_pending", "read_card", "write_card"]


def read_card(data: bytes) -> Object:
    """Return the Card of a vCard file. Raise MalformedError for a file that is not exactly one vCard."""
    lines = read_lines(data)
    card = read_object(lines)
    patches = [line for line in lines if line.name == "JSPROP"]
    if patches and any(map(_points_to_name, patches)):
        return _with_edited_name(card, lines)
    return card


def _points_to_name(line: Line) -> bool:
    return parse(",".join(line.params.get("jsptr", ())))[:1] == ("name",)


def _with_edited_name(card: Object, lines: list[Line]) -> Object:
    """Return a card with the edits of FN and N applied to the name of a JSPROP line.

    Both lines are mandatory (RFC 2426, 3.1), so they are in the file although the JSPROP line has the whole name.
    """
    said = read_object([line for line in lines if line.name != "JSPROP"]).get("name", {})
    try:
        written = write_object(card, four=any(line.name == "VERSION" and line.value.strip() == "4.0" for line in lines))
    except MalformedError:
        return card
    expected = read_object([line for line in written if line.name != "JSPROP"]).get("name", {})
    edited = {key: value for key, value in said.items() if expected.get(key) != value}
    if not edited:
        return card
    name = card.get("name")
    return {**card, "name": {**as_object(name), **edited}}


def write_card(card: Object, version: Version = "3.0") -> bytes:
    """Return the vCard file of a Card. Raise MalformedError for an invalid Card."""
    return write_lines([_BEGIN, *write_object(card, four=version == "4.0"), _END])


class CardCodec:
    """Reads and writes vCard files; those that it writes are of one version."""

    suffix = ".vcf"

    def __init__(self, version: Version = "3.0") -> None:
        self._version: Version = version

    def read(self, data: bytes) -> Object:
        """Return the Card of a vCard file. Raises MalformedError."""
        return read_card(data)

    def write(self, item: Object) -> bytes:
        """Return the vCard file of a Card. Raises MalformedError."""
        return write_card(item, self._version)
