"""Mirror an account with mbsync, both ways and all folders, and time it: the program to compare with.

As a program: `python -m tests.bench.mbsync 3.12 10000` seeds a server, pulls everything, then runs with nothing to do.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.measure import Cost, measure
from tests.bench.seed import seed, verify
from tests.live.cyrus import FLAVOURS, Cyrus
from tests.live.imap import Imap
from tests.live.jmapraw import Jmap

if TYPE_CHECKING:
    from collections.abc import Iterator

# Without a PipelineDepth mbsync 1.4.4 stalls for good against Cyrus after some 8,500 messages.
# CopyArrivalDate, because jmapsync keeps that date too; durability (FSync) is on by default.
CONFIG = """\
IMAPAccount cyrus
Host 127.0.0.1
Port {port}
User {user}
Pass "{password}"
SSLType None
AuthMechs LOGIN
PipelineDepth 20

IMAPStore remote
Account cyrus

MaildirStore local
Path {root}/
Inbox {root}/INBOX
SubFolders Verbatim

Channel mirror
Far :remote:
Near :local:
Patterns *
Create Both
Expunge Both
Sync All
CopyArrivalDate yes
SyncState *
"""


class Mbsync:
    """A mirror of one account in `directory`, which is made; `port` is another one that leads to the server's."""

    def __init__(self, directory: Path, server: Cyrus, user: str, password: str, *, port: int = 0) -> None:
        self.root = directory / "mail"
        self._log = directory / "log"
        self._config = directory / "mbsyncrc"
        self.root.mkdir(parents=True)
        self._config.touch(mode=0o600)
        self._config.write_text(
            CONFIG.format(port=port or server.imap_port, user=user, password=password, root=self.root), encoding="utf-8"
        )

    def run(self) -> Cost:
        """Synchronise once."""
        return measure(["mbsync", "-c", str(self._config), "-a"], self._log)

    def messages(self) -> Iterator[Path]:
        """Yield the message files."""
        return (file for name in ("cur", "new") for file in self.root.glob(f"**/{name}/*"))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("flavour", choices=FLAVOURS)
    parser.add_argument("count", type=int)
    options = parser.parse_args()
    with Cyrus.start(options.flavour) as server, tempfile.TemporaryDirectory() as directory:
        server.create_user("alice", "secret")
        with Imap(server.imap_port, "alice", "secret") as imap:
            seed(imap, options.count)
        with Jmap(server.jmap_url, "alice", "secret") as jmap:
            verify(jmap, options.count)
        mirror = Mbsync(Path(directory) / "mbsync", server, "alice", "secret")
        _say(f"first pull:    {mirror.run()}, {sum(1 for _ in mirror.messages())} files")
        for _ in range(3):
            _say(f"nothing to do: {mirror.run()}")


if __name__ == "__main__":
    main()
