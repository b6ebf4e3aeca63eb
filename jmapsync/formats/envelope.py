"""Say who sends a message to whom."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who sends a message to whom."""

    sender: str
    recipients: tuple[str, ...]
    message_id: str
    """With its angle brackets; it is how the message is found again on the server."""
    subject: str = ""
