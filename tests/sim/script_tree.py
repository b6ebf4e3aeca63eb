"""Offer the Sieve scripts of an account for a world's runs, and read what the server and the directory of the scripts hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.app.account import Sides
from jmapsync.kinds import SIEVE
from jmapsync.storage.files.root import MARKER
from jmapsync.storage.jmap.scripts.side import ScriptSide
from jmapsync.storage.port import MailPair
from jmapsync.storage.sieve.side import ScriptFiles

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jmapsync.demo.account import Account
    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Session
    from tests.sim.fate import Fate


class ScriptTree:
    """The scripts of an account on the server, and the directory that they are mirrored to."""

    def __init__(self, base: Path, account: Account, account_id: str, token: Callable[[], str]) -> None:
        """Prepare; `account_id` is the account that the configuration names."""
        self.root = base / "sieve"
        self.store = account.scripts
        self._mirrored = account_id
        self._token = token

    def sides(self, client: Client, session: Session, fate: Fate | None) -> Sides:
        """Return both sides for a run."""
        theirs = session.account_for(next(name for name in SIEVE.capabilities if name in session.capabilities), self._mirrored)
        local = ScriptFiles(self.root, clock=lambda: 4e9, token=self._token)
        remote = ScriptSide(client, theirs, local)
        pair = MailPair(local, remote, by_content=False)
        if fate is not None:
            pair = MailPair(fate.wrap(local), fate.wrap(remote), by_content=False)
        return Sides(SIEVE, theirs.id, pair)

    def watch_active(self) -> list[str]:
        """Return a list to which the ids of scripts are added that are activated on the server from now on; nothing: none is."""
        switched: list[str] = []
        switch = self.store.switch

        def note(script_id: str) -> list[str]:
            switched.append(script_id)
            return switch(script_id)

        self.store.switch = note  # type: ignore[method-assign]
        return switched

    @property
    def files(self) -> dict[str, bytes]:
        """Return the files by name, without the suffix, with the line ends of the wire."""
        found = {file.name.removesuffix(".sieve"): file.read_bytes() for file in sorted(self.root.glob("[!.]*.sieve"))}
        return {name: data if b"\r" in data else data.replace(b"\n", b"\r\n") for name, data in found.items()}

    @property
    def link(self) -> str:
        """Return the name of the file that the link leads to, without the suffix; nothing without a link."""
        link = self.root / "active"
        return link.readlink().name.removesuffix(".sieve") if link.is_symlink() else ""

    def leftovers(self) -> list[str]:
        """Return hidden files that only a run under way may have."""
        return sorted(file.name for file in self.root.iterdir() if file.name[0] == "." and file.name != MARKER)

    def assert_same(self) -> None:
        """Fail unless both sides hold the same scripts, and the same one is active."""
        assert self.files == self.store.listing()
        assert self.link == self.store.active_name
