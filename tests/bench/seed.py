"""Fill an account of a Cyrus server with the corpus over IMAP, and prove it holds exactly that.

As a program: `python -m tests.bench.seed 3.12 10000` starts a server, fills it, and keeps it until Enter or the end of input.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time

from tests.bench.corpus import Mail, make_corpus
from tests.live.cyrus import FLAVOURS, Cyrus
from tests.live.imap import Draft, Imap
from tests.live.jmapraw import Jmap

_BATCH_BYTES = 2_000_000
_BATCH_MESSAGES = 200


def seed(imap: Imap, count: int, seed_number: int = 1) -> int:
    """Append the corpus and return its size in bytes; missing folders are created."""
    there = imap.folders()
    waiting: dict[str, list[Mail]] = {}
    total = 0
    for mail in make_corpus(count, seed_number):
        if mail.folder not in there:
            imap.create_folder(mail.folder)
            there = imap.folders()
        total += len(mail.content)
        batch = waiting.setdefault(mail.folder, [])
        batch.append(mail)
        if len(batch) >= _BATCH_MESSAGES or sum(len(one.content) for one in batch) >= _BATCH_BYTES:
            _append(imap, waiting.pop(mail.folder))
    for batch in waiting.values():
        _append(imap, batch)
    return total


def verify(jmap: Jmap, count: int, seed_number: int = 1) -> None:
    """Raise AssertionError unless the account holds the corpus and nothing else, byte for byte.

    A Cyrus blob id is `G` and the SHA-1 of the content, so no body need be fetched.
    """
    wanted = {"G" + hashlib.sha1(mail.content).hexdigest() for mail in make_corpus(count, seed_number)}
    found = {email["blobId"] for email in jmap.emails(["id", "blobId"]).values()}
    if found != wanted:
        raise AssertionError(f"Of {count} messages {len(wanted - found)} are missing and {len(found - wanted)} are foreign.")


def _append(imap: Imap, batch: list[Mail]) -> None:
    imap.append(batch[0].folder, [Draft(mail.content, mail.flags, mail.received) for mail in batch])


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("flavour", choices=FLAVOURS)
    parser.add_argument("count", type=int)
    options = parser.parse_args()
    with Cyrus.start(options.flavour) as server:
        server.create_user("alice", "secret")
        started = time.monotonic()
        with Imap(server.imap_port, "alice", "secret") as imap:
            size = seed(imap, options.count)
        seeded = time.monotonic()
        with Jmap(server.jmap_url, "alice", "secret") as jmap:
            verify(jmap, options.count)
        _say(f"{options.count} messages, {size / 1e6:.1f} MB, seeded in {seeded - started:.1f} s")
        _say(f"checked in {time.monotonic() - seeded:.1f} s")
        _say(f"JMAP {server.jmap_url}  IMAP 127.0.0.1:{server.imap_port}  user alice, password secret")
        sys.stdin.readline()


if __name__ == "__main__":
    main()
