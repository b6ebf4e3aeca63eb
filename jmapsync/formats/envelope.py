"""Define the envelope of a message (RFC 5321, 2.3.1). A module of its own: the outbox needs no parser of headers."""

from __future__ import annotations

from msgspec import Struct


class Envelope(Struct, frozen=True, omit_defaults=True):
    """Sender and recipients of a message (RFC 5321)."""

    sender: str
    recipients: tuple[str, ...]
    message_id: str
    """With its angle brackets; the message is found on the server by it."""
    subject: str = ""
    has_bcc: bool = False
    """Whether the message named recipients in Bcc, which is not sent on."""
