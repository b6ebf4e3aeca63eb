"""Count in which mailboxes each message is after very many random acts on both sides, in three ways that share nothing.

An oracle keeps the sets on paper; the disk is counted file by file; a server is asked over IMAP, the embedded one read directly.
As a program: `python -m tests.sim.memberships --acts 10000 --seed 1 [--server 3.12]`. Exits with 1 where the three differ.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jmapsync.demo import DemoServer
from tests.kit.mirror import Mirror
from tests.live.cyrus import FLAVOURS, Cyrus
from tests.live.imap import Imap
from tests.live.jmapraw import Jmap
from tests.sim.game import Game, word_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sim.oracle import Memberships


@contextmanager
def embedded(directory: Path, seed: int) -> Iterator[Game]:
    """Play on the embedded server."""
    with DemoServer() as server, Jmap(server.url, "demo", "demo") as jmap:

        def count() -> Memberships:
            listing = server.account.listing().items()
            return Counter((word_in(server.account.raw(ref)), path) for ref, (paths, _) in listing for path in paths)

        yield Game(Mirror(server.url, "demo", "demo", directory / "mail", directory / "state"), jmap, count, seed)


@contextmanager
def on_cyrus(server: Cyrus, login: tuple[str, str], directory: Path, seed: int) -> Iterator[Game]:
    """Play on a real server, whose mailboxes are counted over IMAP."""
    with Jmap(server.jmap_url, *login) as jmap, Imap(server.imap_port, *login) as imap:

        def count() -> Memberships:
            return Counter((word_in(message.content), path) for path in imap.folders() for message in imap.messages(path))

        yield Game(Mirror(server.jmap_url, *login, directory / "mail", directory / "state"), jmap, count, seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--acts", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--server", choices=("embedded", *FLAVOURS), default="embedded")
    options = parser.parse_args()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if options.server == "embedded":
            game = stack.enter_context(embedded(directory, options.seed))
        else:
            server = stack.enter_context(Cyrus.start(options.server))
            login = ("alice", "secret")
            server.create_user(*login)
            game = stack.enter_context(on_cyrus(server, login, directory, options.seed))
        started = time.monotonic()
        game.prepare()
        before = game.oracle.count().total()
        try:
            game.play(options.acts)
        except AssertionError as error:
            sys.exit(f"seed {options.seed}, after {game.acts.total()} acts: {error}")
        homes = Counter(len(boxes) for boxes in game.oracle.agreed.values())
        sys.stdout.write(
            f"{game.acts.total()} acts in {time.monotonic() - started:.0f} s: "
            f"{', '.join(f'{count} {name}' for name, count in sorted(game.acts.items()))}\n"
            f"memberships before: {before}; now by the acts: {game.oracle.count().total()}, "
            f"by the files: {game.count_here().total()}, by the server: {game.count_there().total()}; equal one by one\n"
            f"messages by the number of their mailboxes: {dict(sorted(homes.items()))}\n"
        )


if __name__ == "__main__":
    main()
