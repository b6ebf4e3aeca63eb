"""Determine whom a waiting message is from, and give it the Reply-To and Bcc of its identity where it has none.

RFC 8621, section 6: these are what a client sets in a new message. A message that is resent (RFC 5322, 3.6.6) is not new.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from jmapsync.formats.addresses import addresses_in
from jmapsync.formats.labels import shown
from jmapsync.formats.outgoing import Header, OutgoingError, address_key, phrase, pieces_of, take_header

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.formats.envelope import Envelope
    from jmapsync.storage.jmap.identities import Identity, Named
    from jmapsync.storage.outbox import Outbox, Waiting

_LONGEST_NAME = 200
_RESENT = "resent-"


def header_of(path: Path) -> Header:
    """Return the header of a waiting message; an empty one where it cannot be read: then its envelope alone counts."""
    try:
        with path.open("rb") as file:
            return take_header(pieces_of(file.readline, dot_ends=False))[0]
    except (OSError, OutgoingError):
        return Header(())


def senders_of(envelope: Envelope, header: Header) -> list[str]:
    """Return the addresses that a message is from, those first that the server checks first.

    Stalwart compares the sender of the envelope with the identity, so that comes before the From of the header.
    """
    names = ("resent-from", "resent-sender") if _is_resent(header) else ("from", "sender")
    found = [one.address for value in header.values(*names) for one in addresses_in(value) if one.address]
    return list(dict.fromkeys([envelope.sender, *found]))


def names_in(header: Header) -> frozenset[str]:
    """Return the names that a message gives those whom it is from."""
    import email.utils  # noqa: PLC0415  # only what is sent needs it

    return frozenset(name for name, _ in email.utils.getaddresses([shown(value) for value in header.values("from")]) if name)


def add_defaults(outbox: Outbox, waiting: Waiting, header: Header, identity: Identity) -> Waiting:
    """Add what the identity has and the message lacks, durably; a run that is killed amid it is made up for by the next.

    Raises LocalError.
    """
    if _is_resent(header):
        return waiting
    if identity.reply_to and "reply-to" not in header.names:
        values = b",\r\n ".join(_mailbox(one).encode() for one in identity.reply_to)
        outbox.put_first(waiting.id, b"Reply-To: " + values + b"\r\n")
    envelope = waiting.envelope
    there = set(map(address_key, envelope.recipients))
    more = [] if envelope.has_bcc else [one.address for one in identity.bcc if address_key(one.address) not in there]
    if not more:
        return waiting
    return outbox.note(replace(waiting, envelope=replace(envelope, recipients=(*envelope.recipients, *dict.fromkeys(more)))))


def _mailbox(one: Named) -> str:
    return f"{phrase(one.name[:_LONGEST_NAME])}<{one.address}>" if one.name else one.address


def _is_resent(header: Header) -> bool:
    return any(name.startswith(_RESENT) for name in header.names)
