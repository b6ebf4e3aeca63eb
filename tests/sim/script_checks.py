"""Play scripts beside other kinds in a world of a legal server, and say at its rest whether they are as they must be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sim.scripts import WORD, Somebody

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

    from jmapsync.sync.report import KindReport
    from tests.sim.script_tree import ScriptTree

MOST_RUNS = 12
"""Runs after which the scripts must be at rest."""
READ_ONLY = ("the server offers this account for reading only", "which the server does not allow")


class ScriptPlayer:
    """Somebody who acts on scripts by choices of each act, and who notes what the mirror activates."""

    def __init__(self, tree: ScriptTree, seed: int) -> None:
        self.tree = tree
        self.somebody = Somebody(tree, seed, exchanges=True)
        self.agreed: str | None = None
        """The id of the script that was active on the server when the last run ended well; None after any other run."""
        self.faults: list[str] = []
        self._acting = False
        self._watch()

    def populate(self) -> None:
        """Give the server scripts of which one is active."""
        self._act(self.somebody.populate)

    def play(self, chance: random.Random) -> None:
        """Do a few things on either side."""
        self.somebody.chance = chance
        for _ in range(chance.choice((1, 2, 4))):
            self._act(self.somebody.act)

    def fix(self) -> None:
        """Put right what only a person can: a link that leads nowhere, and files that want the names of others."""
        self._act(self.somebody.fix_names)
        self._act(self.somebody.fix_link)

    def note(self, report: KindReport | None) -> None:
        """Note that a run came to its end, or died: nobody knows then how far both sides agreed."""
        is_sure = report is not None and report.state.value == "synced" and not report.problems
        self.agreed = self.tree.store.active if is_sure else None

    def _act(self, act: Callable[[], None]) -> None:
        self._acting = True
        act()
        self._acting = False

    def _watch(self) -> None:
        """Note every script that the mirror activates though the disk does not have it so, or the server's changed as well."""
        store, switch = self.tree.store, self.tree.store.switch

        def noted(script_id: str) -> list[str]:
            if not self._acting and script_id != store.active:
                if script_id and not self.tree.link:
                    self.faults.append(f"activated {store.scripts[script_id].name} though no link leads to a script")
                if not script_id and self.tree.link:
                    self.faults.append(f"deactivated {store.active_name} though a link leads to {self.tree.link}")
                if self.agreed not in {None, store.active}:
                    self.faults.append("the active script was changed here though it was changed on the server too")
                self.agreed = None if self.agreed is None else script_id
            return switch(script_id)

        store.switch = noted  # type: ignore[method-assign]


def assert_scripts_rest(player: ScriptPlayer, sync: Callable[[bool], KindReport], state: Path, *, read_only: bool) -> None:
    """Run until nothing is left to do for scripts, and fail unless nothing is lost and both sides hold the same.

    `sync` runs once, with losses meant or not; `state` is where the conflict copies are.
    """
    tree = player.tree
    sync(False)
    for number in range(MOST_RUNS):
        if number % 4 == 0:
            player.fix()
        player.agreed = None  # that losses are meant
        report = sync(True)
        refused = [one for one in report.problems if not (read_only and any(words in one.why for words in READ_ONLY))]
        if not (report.to_disk.total + report.to_server.total + len(refused)) and report.state.value == "synced":
            break
    else:
        raise AssertionError(f"scripts not at rest after {MOST_RUNS} runs: {report.state} {report.problems} {report.messages}")
    assert not player.faults, f"{player.faults} {player.somebody.acts}"
    if not read_only:
        tree.assert_same()
    assert tree.leftovers() == []
    held = [*tree.files.values(), *tree.store.listing().values(), *(file.read_bytes() for file in (state / "shelf").glob("*"))]
    kept = {word for data in held for word in WORD.findall(data.decode("utf-8", "replace"))}
    lost = player.somebody.safe - kept
    assert not lost, f"scripts lost: {sorted(lost)} {player.somebody.acts}"
