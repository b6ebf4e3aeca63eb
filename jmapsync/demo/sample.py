"""Fill an account with a small, pleasant sample: what `jmapsync demo` mirrors."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from typing import TYPE_CHECKING

from jmapsync.demo.sample_objects import fill_objects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.demo.account import Account

_START = calendar.timegm((2026, 11, 2, 8, 30, 0))
_HOUR = 3600


@dataclass(frozen=True)
class _Letter:
    """One sample message, so many hours after the first."""

    hours: int
    sender: str
    subject: str
    text: str
    mailboxes: Sequence[str] = ("INBOX",)
    keywords: Sequence[str] = ("$seen",)


_LETTERS = (
    _Letter(
        0,
        "jmapsync <demo@example.com>",
        "Welcome",
        "This account lives in the memory of one process, and speaks JMAP as real servers do.\n\n"
        "Mark this message, move it, delete it: then run `jmapsync sync` and see the other side.\n",
        keywords=(),
    ),
    _Letter(
        3,
        "Ada Lovelace <ada@example.org>",
        "Notes on the engine",
        "The draft of note G is in your Archive as well, and under Projects: one message, three mailboxes.\n",
        mailboxes=("INBOX", "Archive", "Projects/Engine"),
        keywords=("$seen", "$flagged"),
    ),
    _Letter(5, "Charles Babbage <charles@example.org>", "Re: Notes on the engine", "Splendid. Shall we print it?\n"),
    _Letter(26, "Grace Hopper <grace@example.org>", "Moth found in relay", "Taped into the logbook.\n", keywords=()),
    _Letter(
        30,
        "python-list <python-list@example.org>",
        "[python-list] Release candidate",
        "Please test it and report what breaks.\n",
        mailboxes=("Lists/python",),
        keywords=(),
    ),
    _Letter(
        31,
        "Barbara <barbara@example.org>",
        "[python-list] Re: Release candidate",
        "Works here on three machines.\n",
        mailboxes=("Lists/python",),
        keywords=("$seen", "$answered"),
    ),
    _Letter(50, "Demo <demo@example.com>", "Re: Moth found in relay", "Keep it for the museum!\n", mailboxes=("Sent",)),
    _Letter(55, "Demo <demo@example.com>", "Minutes (unfinished)", "1. Opening\n2.\n", mailboxes=("Drafts",), keywords=("$draft",)),
    _Letter(
        71,
        "Bank <noreply@bank.example>",
        "Your statement for October",
        "Nothing surprising this time.\n",
        mailboxes=("Archive",),
        keywords=("$seen", "receipts"),
    ),
    _Letter(90, "Prince <prince@spam.example>", "Your fortune awaits", "Send money.\n", ("Junk",), ("$junk",)),
)


def fill_sample(account: Account) -> None:
    """Put a dozen messages into the account's mailboxes and four more of its own, and contacts, events and tasks."""
    with account.transaction():
        for path in ("Lists", "Lists/python", "Projects", "Projects/Engine"):
            account.create_mailbox(path)
        for number, letter in enumerate(_LETTERS):
            moment = _START + letter.hours * _HOUR
            account.deliver(_write(letter, number, moment).as_bytes(), letter.mailboxes, letter.keywords, moment)
        moment = _START + 100 * _HOUR
        picture = _write(_Letter(100, "Ada <ada@example.org>", "A sketch", "See the attachment.\n"), 10, moment)
        picture.add_attachment(bytes(range(256)) * 8, maintype="application", subtype="octet-stream", filename="sketch.bin")
        picture.set_boundary("=-sample-boundary-=")
        account.deliver(picture.as_bytes(), ("INBOX",), (), moment)
        account.deliver(_EIGHT_BIT, ("INBOX",), ("$forwarded",), moment + _HOUR)
        fill_objects(account)


_EIGHT_BIT = (
    "From: José <jose@example.org>\r\nTo: demo@example.com\r\n"
    "Subject: Grüße aus dem Süden\r\nDate: Fri, 06 Nov 2026 13:30:00 +0000\r\n"
    "Message-ID: <sample-11@example.org>\r\nMIME-Version: 1.0\r\n"
    "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    "The header of this message holds raw 8-bit octets. They stay as they are.\r\n"
).encode("latin-1")


def _write(letter: _Letter, number: int, moment: int) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"] = letter.sender
    message["To"] = "Demo <demo@example.com>"
    message["Subject"] = letter.subject
    message["Date"] = formatdate(moment)
    message["Message-ID"] = f"<sample-{number}@example.org>"
    message.set_content(letter.text)
    return message
