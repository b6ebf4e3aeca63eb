"""Read a vCard that our own reader refuses with vobject (khard's parser), and keep the lines that neither can read.

The card is written anew by vobject and then read as any other. A file that is cut short, or has several cards, stays refused: the
one may be half written, the other needs a decision.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from jmapsync.formats.contentline import BOM, unfold
from jmapsync.formats.vcard.lines import is_line, read_lines
from jmapsync.formats.vcard.reading import read_object

if TYPE_CHECKING:
    from jmapsync.formats.objects import MalformedError, Object

UNPARSED: Final = "x-jmapsync-unparsed"
"""The property that keeps a line which is not a content line."""
_LONGEST: Final = 300_000
"""Octets of a card that is tried: vobject takes a millisecond for a kilobyte."""


def read_with_vobject(data: bytes, refused: MalformedError) -> Object:
    """Return the Card of a file. Raise `refused`, the error of the first reader, if vobject does not read one card in it."""
    try:
        text = data.removeprefix(BOM).decode()
    except UnicodeDecodeError:
        raise refused from None  # its encoding would be a guess
    marks = [line.strip().upper() for line in text.splitlines()]
    if len(data) > _LONGEST or marks.count("BEGIN:VCARD") != 1 or marks.count("END:VCARD") != 1:
        raise refused
    try:
        card = read_object(read_lines(_rewritten(text)))
    except Exception:  # noqa: BLE001  # the library reads what is malformed; whatever it raises, the card stays refused
        raise refused from None
    for line in unfold(text.replace("\r\n", "\n").replace("\r", "\n").encode()).decode().split("\n"):
        if line.strip() and not is_line(line):
            card.setdefault("vCardProps", []).append([UNPARSED, {}, "text", line])
    return card


def _rewritten(text: str) -> bytes:
    """Return a card as vobject writes it."""
    import vobject  # noqa: PLC0415  # 60 ms, which most runs do not need

    logging.getLogger("vobject.base").setLevel(logging.CRITICAL + 1)  # it prints the lines that it skips
    return str(vobject.readOne(text, ignoreUnreadable=True).serialize(validate=False)).encode()
