"""Sieve scripts in worlds: their files and the server's, worlds of scripts alone, and somebody who acts on both sides."""

from __future__ import annotations

import itertools
import random
import re
from typing import TYPE_CHECKING

from jmapsync.demo import DemoServer
from tests.sim.account_world import AccountWorld
from tests.sim.script_tree import ScriptTree

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.app.account import Sides
    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Session
    from jmapsync.sync.report import KindReport
    from tests.sim.fate import Fate

MOST_RUNS = 8
"""Runs after which a world must be silent."""
WORD = re.compile(r"w[0-9]+w")
"""A comment in a script that was put there once; no two are the same."""
DIALECTS = ("rfc", "stalwart", "cyrus312", "cyrus36")


class ScriptWorld(ScriptTree, AccountWorld):
    """One account on an embedded server and one mirror of its scripts alone."""

    def __init__(self, base: Path, dialect: str) -> None:
        AccountWorld.__init__(self, base, DemoServer(dialect=dialect))
        ScriptTree.__init__(self, base, self.server.account, "", self.token)

    def all_sides(self, client: Client, session: Session, fate: Fate | None) -> list[Sides]:
        return [self.sides(client, session, fate)]

    def sync(self, fate: Fate | None = None, *, allow_deletes: bool = False, full: bool = False) -> KindReport:
        """Run once. Raises DiedError."""
        return self.run(fate, allow_deletes=allow_deletes, full=full).kinds["sieve"]

    def sync_until_quiet(self, *, allow_deletes: bool = False) -> None:
        """Run until a run writes nothing; fail if that takes too long or anything is quarantined."""
        reports: list[KindReport] = []
        for number in range(MOST_RUNS):
            report = self.sync(allow_deletes=allow_deletes, full=allow_deletes and number == 1)
            reports.append(report)
            written = report.to_disk.total + report.to_server.total
            if not written and report.state.value == "synced" and not report.problems:
                return
        raise AssertionError(f"not at rest: {reports[-2:]}")

    def picture(self) -> object:
        """Return what both sides hold."""
        return self.files, self.link, self.store.listing(), self.store.active_name, self.leftovers()


class Somebody:
    """Acts on both sides of a world at random; what was edited by one side only has to survive."""

    def __init__(self, world: ScriptTree, seed: int, *, exchanges: bool = False) -> None:
        """`exchanges`: scripts take over names from one another, too; it is not one of the acts of the other seeds."""
        self.world = world
        self.exchanges = exchanges
        self.chance = random.Random(seed)
        self.safe: set[str] = set()
        """Words that nobody took away."""
        self.acts: list[str] = []
        self._words = itertools.count(1)
        self._names = itertools.count(1)

    def text(self) -> str:
        word = f"w{next(self._words)}w"
        self.safe.add(word)
        return f"# {word}\r\n{self.chance.choice(['keep;', 'stop;', 'discard;'])}\r\n"

    def populate(self) -> None:
        for _ in range(self.chance.randrange(1, 4)):
            self.world.store.add(f"script {next(self._names)}", self.text())
        self.world.store.activate(self.chance.choice(list(self.world.store.listing())))

    def act(self) -> None:
        act = self.chance.choice([
            *(self._create, self._edit, self._edit, self._rename, self._delete, self._activate, self._activate, self._deactivate),
            *((self._exchange, self._exchange, self._take_over) if self.exchanges else ()),
        ])  # fmt: skip
        here = self.chance.random() < 0.5
        self.acts.append(f"{act.__name__} {'here' if here else 'there'}")
        act(here=here)

    def fix_link(self) -> None:
        """Let a link lead somewhere that somebody's acts left leading nowhere."""
        if self.world.link and self.world.link not in self.world.files:
            self._link(next(iter(self.world.files), ""))

    def fix_names(self) -> None:
        """Give another name to each file that has the name of another script of the server, and to one with a mark of ours."""
        there = self.world.store.listing()
        for name, data in self.world.files.items():
            marked = "%~" in name and name.partition("%~")[0] in self.world.files
            if marked or (name in there and there[name] != data):
                self._move_here(name, f"script {next(self._names)}")

    def _chosen(self, *, here: bool) -> str:
        """Return a script that a side has, but not the active one; nothing without one."""
        names = set(self.world.files) if here else set(self.world.store.listing())
        names -= {self.world.link, self.world.store.active_name}
        return self.chance.choice(sorted(names)) if names else ""

    def _any(self, *, here: bool) -> str:
        names = sorted(self.world.files if here else self.world.store.listing())
        return self.chance.choice(names) if names else ""

    def _file(self, name: str) -> Path:
        return self.world.root / f"{name}.sieve"

    def _write(self, name: str, text: str) -> None:
        new = self.world.root / "4913"
        new.parent.mkdir(exist_ok=True)  # the first run may not have made it yet
        new.write_bytes(text.replace("\r\n", "\n").encode())
        new.rename(self._file(name))

    def _create(self, *, here: bool) -> None:
        name = f"script {next(self._names)}"
        if len(self.world.files) + len(self.world.store.scripts) >= 5:
            return
        if here:
            self._write(name, self.text())
        else:
            self.world.store.add(name, self.text())

    def _edit(self, *, here: bool) -> None:
        if name := self._any(here=here):
            before = self.world.files[name] if here else self.world.store.listing()[name]
            self.safe -= set(WORD.findall(before.decode()))
            text = self.text()
            self._write(name, text) if here else self.world.store.edit(name, text)

    def _rename(self, *, here: bool) -> None:
        if name := self._any(here=here):
            new = f"script {next(self._names)}"
            if not here:
                self.world.store.rename(name, new)
            else:
                self._move_here(name, new, follows=0.5)

    def _move_here(self, name: str, new: str, *, follows: float = 1.0) -> None:
        leads = self.world.link == name
        self._file(name).rename(self._file(new))
        if leads and self.chance.random() < follows:
            self._link(new)

    def _exchange(self, *, here: bool) -> None:
        """Give each of some scripts the name of the next one."""
        names = sorted(self.world.files if here else self.world.store.listing())
        if len(names) > 1:
            chosen = self.chance.sample(names, self.chance.randint(2, min(3, len(names))))
            self._rename_all(dict(zip(chosen, [*chosen[1:], chosen[0]], strict=True)), here=here)

    def _take_over(self, *, here: bool) -> None:
        """Delete a script, and give another one its name."""
        names = sorted(self.world.files if here else self.world.store.listing())
        if len(names) > 1 and (name := self._chosen(here=here)):
            self._forget(name, here=here)
            self._rename_all({self.chance.choice([one for one in names if one != name]): name}, here=here)

    def _rename_all(self, names: dict[str, str], *, here: bool) -> None:
        """Give scripts other names at once; a link stays as it is, and leads to whatever has the name then, or follows."""
        follows = here and self.world.link in names and self.chance.random() < 0.5
        link = names.get(self.world.link, "")
        for name in names:
            self._file(name).rename(self.world.root / f"{name}.moving") if here else self.world.store.rename(name, f"{name} moving")
        for name, new in names.items():
            if here:
                (self.world.root / f"{name}.moving").rename(self._file(new))
            else:
                self.world.store.rename(f"{name} moving", new)
        if follows:
            self._link(link)

    def _delete(self, *, here: bool) -> None:
        if name := self._chosen(here=here):
            self._forget(name, here=here)

    def _forget(self, name: str, *, here: bool) -> None:
        data = self.world.files[name] if here else self.world.store.listing()[name]
        self.safe -= set(WORD.findall(data.decode()))
        self._file(name).unlink() if here else self.world.store.delete(name)

    def _activate(self, *, here: bool) -> None:
        if name := self._any(here=here):
            self._link(name) if here else self.world.store.activate(name)

    def _deactivate(self, *, here: bool) -> None:
        self._link("") if here else self.world.store.activate("")

    def _link(self, name: str) -> None:
        link = self.world.root / "active"
        link.unlink(missing_ok=True)
        if name:
            link.symlink_to(f"{name}.sieve")
