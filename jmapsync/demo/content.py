"""Hold the bytes of messages: stored, or generated again from a seed whenever they are asked for."""

from __future__ import annotations

import functools
import hashlib
import random
import time
from dataclasses import dataclass
from typing import Protocol

_LINE = 74  # octets of one filler line, CRLF included
_WORDS = [
    *("amber", "birch", "cedar", "delta", "ember", "field", "grove", "harbour", "island", "juniper", "kestrel"),
    *("lantern", "meadow", "north", "orchard", "pebble", "quarry", "river", "silver", "timber", "upland"),
    *("valley", "willow", "yarrow", "zephyr", "acorn"),
]
_MASK = bytes(range(128)) + b"X" * 128
_EPOCH = 1_700_000_000


@dataclass(frozen=True, slots=True)
class SyntheticMessage:
    """A message that costs no memory: its bytes follow from the seed and are made anew at each reading."""

    seed: int
    size: int
    """Octets wanted; a message is never shorter than its header."""

    def render(self) -> bytes:
        """Return the message's bytes, CRLF line ends, the same ones at every call."""
        seed = self.seed
        header = (
            f"From: Writer {seed % 97} <writer{seed % 97}@example.org>\r\nTo: demo@example.com\r\n"
            f"Subject: {_WORDS[seed % 25]} {_WORDS[seed // 25 % 25]} {seed}\r\n"
            f"Date: {time.strftime('%a, %d %b %Y %H:%M:%S +0000', time.gmtime(self.received_at))}\r\n"
            f"Message-ID: <{seed}@synthetic.example.org>\r\nMIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=us-ascii\r\n\r\n"
        ).encode("ascii")
        wanted = self.size - len(header)
        if wanted < 2:  # noqa: PLR2004 - there is no room for a line end
            return header
        filler = _filler()
        start = seed * 7919 % (len(filler) // _LINE) * _LINE
        body = filler[start : start + wanted]
        if len(body) < wanted:
            body += filler * (wanted // len(filler) + 1)
        body = body[: wanted - 2]
        return header + (body[:-1] + b"." if body.endswith(b"\r") else body) + b"\r\n"

    @property
    def received_at(self) -> int:
        """When the message is said to have arrived, in seconds since 1970: one a minute."""
        return _EPOCH + 60 * self.seed


class Rendered(Protocol):
    """Bytes that are made anew at each reading."""

    def render(self) -> bytes:
        """Return the bytes, the same ones at every call."""


Content = bytes | Rendered
"""What a blob is made of."""


def read_content(content: Content) -> bytes:
    """Return the bytes of a blob."""
    return content if isinstance(content, bytes) else content.render()


def blob_id_of(data: bytes) -> str:
    """Return the blob id of these bytes: `G` and 40 hexadecimal digits of SHA-1, as Cyrus builds it."""
    return "G" + hashlib.sha1(data, usedforsecurity=False).hexdigest()


def mask_8bit_header(message: bytes) -> bytes:
    """Return a message with every octet over 127 in its header replaced by `X`, as Cyrus stores it."""
    header, separator, body = message.partition(b"\r\n\r\n")
    return header.translate(_MASK) + separator + body


def mail_like_size(seed: int, average: int) -> int:
    """Return a size in octets that varies with the seed as those of mail do: many small, few large."""
    spread = (seed * 2_654_435_761 & 0xFFFF_FFFF) / 0x1_0000_0000
    return max(400, int(average * (0.25 + 3 * spread**3)))


@functools.cache
def _filler() -> bytes:
    """Return 1 MiB or so of fixed lines, each of 72 octets and CRLF."""
    chance = random.Random(8620)  # noqa: S311 - nothing here is secret
    lines = []
    for _ in range((1 << 20) // _LINE):
        line = ""
        while len(line) < _LINE - 2:
            line += chance.choice(_WORDS) + " "
        lines.append(line[: _LINE - 3] + ".\r\n")
    return "".join(lines).encode("ascii")
