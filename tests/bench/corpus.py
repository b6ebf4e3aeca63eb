"""Make mail that is like real mail in size, shape and spread over folders, the same for the same count and seed."""

from __future__ import annotations

import base64
import math
import random
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# 10,000 messages of seed 1 are 108.2 MB: half are below 4.3 kB, 559 above 40 kB, the largest has 610 kB.
_MEDIAN = 4_900
_SPREAD = 1.3
_LARGEST = 3_000_000
_SMALLEST = 700
_ATTACHMENT_FROM = 40_000  # what is larger than this is a short text with an attachment
_FOLDERS = {
    "INBOX": 30,
    "Archive": 30,
    "Lists/python": 12,
    "Lists/debian": 8,
    "Sent": 8,
    "Work/Projekt Ödland": 6,
    "Junk": 3,
    "Trash": 2,
    "Drafts": 1,
}
_FLAGS = {"\\Seen": 0.85, "\\Answered": 0.15, "\\Flagged": 0.03, "$Forwarded": 0.02, "project-x": 0.02}
_START = 1_420_070_400  # 2015-01-01; messages arrive every half to one and a half hours on average from then on
_TEXT = """
the of to and a in is it you that he was for on are with as his they be at one have this from or had by hot but some what there we
can out other were all your when up use word how said an each she which do their time if will way about many then them would write
like so these her long make thing see him two has look more day could go come did number sound no most people
"""
_PLAIN_WORDS = _TEXT.split()
_WORDS = [*_PLAIN_WORDS, "Grüße", "über", "naïve", "café", "Zürich", "façade", "señor", "smörgåsbord"]
_LINE = 45  # bytes in a line of 6 to 13 such words, on average


@dataclass(frozen=True)
class Mail:
    """One message of the corpus; `received` is in seconds since the epoch."""

    folder: str
    content: bytes
    flags: tuple[str, ...]
    received: int


def make_corpus(count: int, seed: int = 1) -> Iterator[Mail]:
    """Yield the messages in the order of their arrival. They keep CRLF, 7-bit headers and UTF-8 bodies."""
    rng = random.Random(seed)
    text = _make_text(rng)
    names, weights = list(_FOLDERS), list(_FOLDERS.values())
    recent: list[tuple[str, str]] = []
    received = _START
    for number in range(count):
        received += rng.randrange(1_800, 5_400)
        size = min(_LARGEST, max(_SMALLEST, int(rng.lognormvariate(math.log(_MEDIAN), _SPREAD))))
        message_id = f"<{number}.{rng.getrandbits(64):016x}@bench.example>"
        subject = " ".join(rng.choices(_PLAIN_WORDS, k=rng.randrange(2, 9)))
        parent = rng.choice(recent) if recent and rng.random() < 0.5 else None
        if parent:
            subject = parent[1]
            threading = [f"Subject: Re: {subject}", f"In-Reply-To: {parent[0]}", f"References: {parent[0]}"]
        else:
            threading = [f"Subject: {subject}"]
        headers = [*_make_envelope(rng, received), *threading, f"Message-ID: {message_id}", "MIME-Version: 1.0"]
        content = _compose(rng, text, headers, size)
        recent = [*recent[-49:], (message_id, subject)]
        flags = tuple(flag for flag, share in _FLAGS.items() if rng.random() < share)
        yield Mail(rng.choices(names, weights)[0], content, flags, received)


def _make_text(rng: random.Random) -> list[bytes]:
    """Return 20,000 lines of words to cut bodies from."""
    return [" ".join(rng.choices(_WORDS, k=rng.randrange(6, 14))).encode() + b"\r\n" for _ in range(20_000)]


def _make_envelope(rng: random.Random, received: int) -> list[str]:
    sender, reader = (f"person{rng.randrange(200)}@bench.example" for _ in range(2))
    return [
        f"Return-Path: <{sender}>",
        f"Received: from mx{rng.randrange(9)}.bench.example (mx.bench.example [192.0.2.{rng.randrange(256)}])",
        f"\tby imap.bench.example with ESMTPS id {rng.getrandbits(48):012X}; {formatdate(received)}",
        f"From: =?utf-8?q?P=C3=A9rson?= <{sender}>",
        f"To: {reader}",
        f"Date: {formatdate(received - 60)}",
    ]


def _compose(rng: random.Random, text: list[bytes], headers: list[str], size: int) -> bytes:
    """Write one message of about `size` bytes."""
    boundary = f"=_{rng.getrandbits(64):016x}"
    if size >= _ATTACHMENT_FROM:
        headers = [*headers, f'Content-Type: multipart/mixed; boundary="{boundary}"']
        attachment = base64.encodebytes(rng.randbytes((size - 3_000) * 3 // 4)).replace(b"\n", b"\r\n")
        parts = [
            (b"text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit", _cut(rng, text, 2_000)),
            (b'application/pdf; name="a.pdf"\r\nContent-Transfer-Encoding: base64', attachment),
        ]
        body = _join(boundary, parts)
    elif rng.random() < 0.4:
        headers = [*headers, f'Content-Type: multipart/alternative; boundary="{boundary}"']
        plain = _cut(rng, text, (size - 1_000) // 3)
        html = b"<html><body>\r\n<p>" + plain.replace(b"\r\n", b"<br>\r\n<p>") + b"</body></html>\r\n"
        body = _join(
            boundary,
            [
                (b"text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit", plain),
                (b"text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit", html),
            ],
        )
    else:
        headers = [*headers, "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit"]
        body = _cut(rng, text, size - 600)
    return "\r\n".join(headers).encode() + b"\r\n\r\n" + body


def _cut(rng: random.Random, text: list[bytes], size: int) -> bytes:
    """Return whole lines of about `size` bytes."""
    lines = max(1, size // _LINE)
    start = rng.randrange(max(1, len(text) - lines))
    return b"".join(text[start : start + lines])


def _join(boundary: str, parts: list[tuple[bytes, bytes]]) -> bytes:
    line = b"--" + boundary.encode()
    pieces = [line + b"\r\nContent-Type: " + kind + b"\r\n\r\n" + body + b"\r\n" for kind, body in parts]
    return b"".join(pieces) + line + b"--\r\n"
