"""Send messages from a world through an outbox, die in the middle of it, and say whether each was sent once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from unittest import mock

from jmapsync.errors import JmapsyncError
from jmapsync.formats.envelope import Envelope
from jmapsync.send.deliver import PATIENCE, Sender
from jmapsync.storage.jmap.identities import SUBMISSION
from jmapsync.storage.jmap.submission import Post
from jmapsync.storage.outbox import Outbox, Stage
from tests.sim.fate import DiedError, Fate
from tests.sim.world import NOW

if TYPE_CHECKING:
    from jmapsync.jmap.client import Client
    from tests.sim.world import World

SENDER, RECIPIENT = "demo@example.com", "bob@example.com"
MOST_TRIES = 6
"""Tries after which everything that a server takes must have been sent."""


class Posting:
    """The outbox of a world, and whoever empties it."""

    def __init__(self, world: World) -> None:
        """Name the outbox; nothing is made yet."""
        self.world = world
        self.outbox = Outbox(world.state / "outbox")
        self.words: list[str] = []
        """What was given to it, each message by its word."""
        self._clock = 0.0

    def add(self, word: str) -> None:
        """Give a message to the outbox."""
        message_id = f"<{word}@example.com>"
        header = f"From: {SENDER}\r\nTo: {RECIPIENT}\r\nMessage-ID: {message_id}\r\nSubject: {word}\r\n\r\n"
        self.outbox.add(header.encode(), [f"Hello. [{word}]\r\n".encode()], Envelope(SENDER, (RECIPIENT,), message_id, word))
        self.words.append(word)

    def empty(self, step: int = 0) -> None:
        """Send what waits as a new process, and die at a step if there are that many; what waits then waits for the next one."""
        self._clock += 2 * PATIENCE
        fate = Fate(step)
        try:
            with mock.patch("time.time", return_value=NOW):  # the date of the draft does not depend on how fast the test runs
                self.world.with_client(self._send, fate if step else None)
        except DiedError:
            assert fate.dead
        except JmapsyncError:
            assert self.outbox.entries()

    async def _send(self, client: Client) -> None:
        account = (await client.session()).account_for(SUBMISSION, self.world.account_id)
        await Sender(self.outbox, Post(client, account), lambda: self._clock).send_all()

    def sent(self) -> Counter[str]:
        """Count how often each message left."""
        return Counter(word for word in self.words for one in self.world.account.sent if f"[{word}]".encode() in one.content)

    def assert_emptied(self, *, can_send: bool) -> None:
        """Send what is left, and fail unless each message left once, or waits for a person who knows why.

        That is one that may have been sent, or whose draft others took away; one that never became a draft must go.
        """
        for _ in range(MOST_TRIES):
            if all(one.held for one in self.outbox.entries()):
                break
            self.empty()
        sent = self.sent()
        assert max(sent.values(), default=1) == 1, f"sent twice: {[word for word, count in sent.items() if count > 1]}"
        waiting = {one.envelope.subject: one for one in self.outbox.entries()}
        undrafted = {Stage.QUEUED, Stage.IMPORTING}
        never = [
            one for one in waiting.values() if not one.held or (one.stage in undrafted and "overQuota" not in one.why)
        ]  # that the quota is used up is a question for people
        stuck = [f"{one.envelope.subject}, {one.why or 'untried'}" for one in never]
        assert not can_send or not stuck, f"still waiting to be sent: {'; '.join(stuck)}"
        assert set(self.words) <= sent.keys() | waiting.keys(), f"never sent: {set(self.words) - sent.keys() - waiting.keys()}"
