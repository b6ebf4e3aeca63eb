"""A mail server beyond the tested one, which keeps what it is given."""

from __future__ import annotations

import random
import threading
import time
from contextlib import contextmanager
from email import message_from_bytes
from typing import TYPE_CHECKING

from aiosmtpd.controller import Controller

from tests.live.cyrus import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiosmtpd.smtp import SMTP, Envelope, Session


class Relay:
    """The mail server beyond: takes everything and remembers it; `slow` is the most seconds it thinks about a message."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, list[str], bytes]] = []
        self.slow = 0.0
        self.refusal = ""
        self.chance = random.Random(64)
        self.is_asked = threading.Event()

    async def handle_RCPT(  # noqa: N802  # the name is aiosmtpd's
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.refusal:
            return self.refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.is_asked.set()
        time.sleep(self.chance.uniform(0, self.slow))  # noqa: ASYNC251  # one message at a time
        assert isinstance(envelope.content, bytes)
        self.taken.append((envelope.mail_from or "", envelope.rcpt_tos, envelope.content))
        return "250 OK"

    def subjects(self) -> list[str]:
        return [str(message_from_bytes(content)["Subject"]) for _, _, content in self.taken]


@contextmanager
def listening(relay: Relay, controller: type[Controller] = Controller) -> Iterator[int]:
    """Let a relay take mail; yield its port."""
    [port] = free_ports(1)
    running = controller(relay, hostname="127.0.0.1", port=port, ready_timeout=90)
    running.start()
    try:
        yield port
    finally:
        running.stop()
