"""Let a server come and go under a running daemon, with edits on both sides all the while: `python -m tests.bench.flapping`.

A day of one outage a minute is 1,440 of them. At the end no edit may be lost or doubled, and nothing may have leaked.
"""

from __future__ import annotations

import argparse
import os
import random
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from jmapsync.demo import Answer, DemoServer
from tests.bench.daemon import daemon, say

if TYPE_CHECKING:
    from tests.bench.daemon import Running

STEPS = 10
RECOVERY = 150.0
"""Seconds that both sides may take to be equal after the last outage: the longest pause between two tries, and the try."""


def disturb(server: DemoServer, chance: random.Random) -> None:
    """Take the server away for a moment, in one way of many."""
    kind = chance.choice(["stopped", "unavailable", "portal", "refused", "push"])
    pause = chance.uniform(0.05, 0.5)
    if kind == "stopped":
        server.stop()
        time.sleep(pause)
        server.start()
        return
    answers = {"unavailable": Answer.unavailable(), "portal": Answer.html(), "refused": Answer(502), "push": Answer.unavailable()}
    only = ["events"] if kind == "push" else []
    server.faults.answer.arm(answers[kind], only=only)
    if kind == "push":
        server.faults.ending_events.arm(times=1)
    time.sleep(pause)
    server.faults.answer.disarm()


class Edits:
    """What was done on both sides, and what has to come of it."""

    def __init__(self, server: DemoServer, mail: Path, chance: random.Random) -> None:
        self._account = server.account
        self._mail = mail
        self._chance = chance
        self.words: set[bytes] = set()
        self.flagged: set[bytes] = set()

    def add(self, number: int) -> None:
        """Do one thing on either side."""
        act = self._chance.choice(["deliver", "drop", "flag here", "flag there"])
        word = b"number-%d" % number
        if act == "deliver":
            self._account.deliver(b"Subject: %s\r\n\r\n%s\r\n" % (word, word))
            self.words.add(word)
        elif act == "drop":
            temporary = self._mail / "INBOX/tmp" / f"{number}.flap.bench"
            temporary.write_bytes(b"Subject: %s\n\n%s\n" % (word, word))
            temporary.rename(self._mail / "INBOX/cur" / f"{number}.flap.bench:2,S")
            self.words.add(word)
        elif act == "flag there":
            email = self._chance.choice(list(self._account.listing()))
            self._account.set_keyword(email, "$flagged")
            self.flagged.add(subject(self._account.raw(email)))
        else:
            file = self._chance.choice([file for sub in ("cur", "new") for file in (self._mail / "INBOX" / sub).iterdir()])
            name, _, letters = file.name.partition(":2,")
            try:
                content = file.read_bytes()
                file.rename(self._mail / "INBOX/cur" / f"{name}:2,{''.join(sorted({*letters, 'F'}))}")
            except FileNotFoundError:  # the daemon renamed it in this very moment
                return
            self.flagged.add(subject(content))

    def faults(self) -> list[str]:
        """Return what is not as it has to be."""
        here = [(subject(file.read_bytes()), "F" in file.name.partition(":2,")[2]) for file in self._files()]
        emails = self._account.listing()
        there = [(subject(self._account.raw(email)), "$flagged" in keywords) for email, (_, keywords) in emails.items()]
        faults = []
        for side, found in (("here", here), ("on the server", there)):
            subjects = [one for one, _ in found]
            faults += [f"{len(subjects) - len(set(subjects))} doubled {side}"] if len(subjects) != len(set(subjects)) else []
            faults += [f"{word!r} is missing {side}" for word in sorted(self.words - set(subjects))]
            flagged = {one for one, is_flagged in found if is_flagged}
            faults += [f"{word!r} is not flagged {side}" for word in sorted(self.flagged - flagged)]
        return faults

    def _files(self) -> list[Path]:
        return [file for sub in ("cur", "new") for file in (self._mail / "INBOX" / sub).iterdir()]


def subject(content: bytes) -> bytes:
    """Return the first line's value."""
    return content.splitlines()[0].partition(b": ")[2]


def status(running: Running) -> str:
    """Return what a leak would show in."""
    handles = len(os.listdir(f"/proc/{running.process.pid}/fd"))
    threads = len(os.listdir(f"/proc/{running.process.pid}/task"))
    return f"{running.resident():.1f} MB, {handles} open files, {threads} threads, {running.cpu():.0f} s of processor time"


def main() -> None:
    """Flap, and exit with 1 when an edit was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flaps", type=int, default=1440)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    chance = random.Random(wanted.seed)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as home, DemoServer(port=port) as server:
        server.account.populate(20, size=500)
        with daemon(Path(home), server.url, 'settle = "200ms"') as running:
            edits = Edits(server, running.mail, chance)
            for number in range(wanted.flaps):
                if number % max(wanted.flaps // STEPS, 1) == 0:
                    say(f"after {number} outages: {status(running)}")
                edits.add(2 * number)
                disturb(server, chance)
                edits.add(2 * number + 1)
                time.sleep(chance.uniform(0, 0.4))
            ended = time.monotonic()
            while (faults := edits.faults()) and time.monotonic() - ended < RECOVERY:
                time.sleep(0.5)
            say(f"after {wanted.flaps} outages: {status(running)}")
            seconds = time.monotonic() - ended
            say(f"both sides equal {seconds:.1f} s after the last; {len(edits.words)} messages made, {len(faults)} faults")
            for fault in faults[:20]:
                say(fault)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
