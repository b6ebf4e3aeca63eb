"""Know the files of offlineimap, which parses every message with Python's email package and writes down what it understood.

Most messages come out of that as they went in. The rest can be told by what the server holds: sent the same way, its bytes become
the file's.
"""

from __future__ import annotations

import re

_NAME = re.compile(r",U=[1-9][0-9]*,FMD5=[0-9a-f]{32}")
_FIELD = re.compile(rb"^(message-id|date|from|subject):((?:[^\n]*)(?:\n[ \t][^\n]*)*)", re.IGNORECASE | re.MULTILINE)


def is_offlineimap(name: str) -> bool:
    """Tell whether offlineimap gave a file its name, with the UID that the message has on the server: it came from there."""
    return _NAME.search(name) is not None


def retell(message: bytes) -> bytes | None:
    """Return a message of the wire as offlineimap 8 writes it to a file; None where the package gives up.

    As `savemessage` and `_fetch_from_imap` of offlineimap3 do it: parsed and written with 8-bit content and unfolded headers.
    """
    from email import policy  # noqa: PLC0415 - 60 ms that only trees of offlineimap need
    from email.parser import BytesParser  # noqa: PLC0415

    read = policy.default.clone(cte_type="8bit", utf8=True, refold_source="none", linesep="\r\n")
    try:
        return BytesParser(policy=read).parsebytes(message).as_bytes(policy=read.clone(linesep="\n"))
    except Exception:  # noqa: BLE001 - the package raises nearly anything at a damaged header
        return None


def likeness(message: bytes) -> tuple[bytes, ...]:
    """Return what a message is likely to be known by however it is written down: its Message-ID, else date, author and subject.

    A hint, no proof. Nothing where it has neither.
    """
    text = message.replace(b"\r\n", b"\n")
    found = {name.lower(): b" ".join(value.split()) for name, value in _FIELD.findall(text.partition(b"\n\n")[0])}
    if b"message-id" in found:
        return (found[b"message-id"],)
    return tuple(found.get(name, b"") for name in (b"date", b"from", b"subject")) if found else ()
