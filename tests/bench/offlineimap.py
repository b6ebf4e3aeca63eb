"""Mirror an account with offlineimap, all folders, as its users do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench.measure import Cost, measure

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live.cyrus import Cyrus

# Its files carry UIDs and folder names in their names; its own state lies beside the mail, in `metadata`.
CONFIG = """\
[general]
accounts = home
metadata = {directory}/metadata

[Account home]
localrepository = local
remoterepository = remote
utf8foldernames = {utf8}

[Repository local]
type = Maildir
localfolders = {root}
sep = /

[Repository remote]
type = IMAP
remotehost = 127.0.0.1
remoteport = {port}
remoteuser = {user}
remotepass = {password}
ssl = no
starttls = no
auth_mechanisms = PLAIN
"""


class Offlineimap:
    """A mirror of one account in `directory`, which is made. With `utf8`, folders are named as people read them."""

    def __init__(self, directory: Path, server: Cyrus, user: str, password: str, *, utf8: bool = True) -> None:
        self.root = directory / "mail"
        self._log = directory / "log"
        self._config = directory / "offlineimaprc"
        directory.mkdir(parents=True)
        self._config.touch(mode=0o600)
        self._config.write_text(
            CONFIG.format(
                directory=directory,
                root=self.root,
                port=server.imap_port,
                user=user,
                password=password,
                utf8="yes" if utf8 else "no",
            ),
            encoding="utf-8",
        )

    def run(self) -> Cost:
        """Synchronise once."""
        return measure(["offlineimap", "-c", str(self._config), "-o", "-u", "quiet"], self._log)
