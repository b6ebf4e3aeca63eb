"""Define the envelope of a message (RFC 5321, 2.3.1). A module of its own: the outbox needs no parser of headers."""

from __future__ import annotations

from msgspec import Struct


class Reports(Struct, frozen=True, omit_defaults=True):
    """The delivery status notifications that a sender asks for (RFC 3461); an empty string leaves the choice to the servers."""

    notify: str = ""
    """NOTIFY of every recipient: `NEVER`, or some of `SUCCESS`, `FAILURE` and `DELAY` with commas."""
    ret: str = ""
    """RET: `FULL` or `HDRS`."""
    envid: str = ""
    """ENVID, not encoded: the server encodes it as xtext (RFC 8621, 7)."""


class Envelope(Struct, frozen=True, omit_defaults=True):
    """Sender and recipients of a message (RFC 5321); their domains are ASCII, their local parts need not be."""

    sender: str
    recipients: tuple[str, ...]
    message_id: str
    """With its angle brackets; the message is found on the server by it."""
    subject: str = ""
    has_bcc: bool = False
    """Whether the message named recipients in Bcc, which is not sent on."""
    reports: Reports = Reports()
    is_utf8: bool = False
    """Whether the header has characters beyond ASCII (RFC 6532)."""

    @property
    def needs_utf8(self) -> bool:
        """Return whether an address is not ASCII: every server on the way then has to offer SMTPUTF8 (RFC 6531)."""
        return not (self.sender.isascii() and all(map(str.isascii, self.recipients)))
