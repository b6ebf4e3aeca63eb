"""Bound what a server may send and how long it may take: octets before and after decoding, silence, and the least rate."""

from __future__ import annotations

from msgspec import Struct

from jmapsync.errors import ServerError

API_OCTETS = 64 << 20
"""Octets of an answer of the API, of a session, and of a download whose size nobody announced.

What is asked for in one request is chosen to be about 4 MB; see `storage.jmap`."""
SESSION_OCTETS = 16 << 20
ERROR_OCTETS = 1 << 16
"""Octets that are read of an answer whose status is a failure or a redirect; what follows is not read at all."""
ERROR_SECONDS = 10.0
VALUES = 3_000_000
"""Values (commas, brackets and braces) in one answer: decoded, each needs up to 80 octets of memory."""
CONNECT_SECONDS = 30.0
"""Timeout of a connection: name resolution, proxy, TCP and TLS together."""
SILENCE = 120.0
"""Seconds of silence; Cyrus is silent while it rebuilds a conversations database."""
LEAST_RATE = 100
"""Octets a second, on average over the seconds of silence: a tenth of what the slowest mobile network carries."""
URL_OCTETS = 8_000
"""RFC 9110, section 4.1, recommends that this much is supported."""


class Bounds(Struct, frozen=True):
    """Timeouts of one account's connections, in seconds, and their least rate."""

    silence: float = SILENCE
    """Seconds without progress after which an exchange ends."""
    connect: float = CONNECT_SECONDS
    least_rate: float = LEAST_RATE


class TooLargeError(ServerError):
    """An answer is larger than anything that was asked for; nothing of it is used."""
