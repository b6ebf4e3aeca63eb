"""Die at steps of a run over contacts and events, live on, and end as without the death: nothing missing, doubled or altered."""

from __future__ import annotations

import json
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from jmapsync.demo import RFC, DemoServer
from tests.kit.object_mirror import ObjectMirror, change, writes
from tests.sim.fate import DiedError, Fate
from tests.sync.objects.samples import ADA, FRIDAY, MONDAY, TUESDAY, WEEKLY, card, component, drop, event

if TYPE_CHECKING:
    from collections.abc import Callable

STRIDE = 1 if os.environ.get("JMAPSYNC_SIM") == "night" else 11
"""By day every eleventh step, by night every one."""
MOST_RUNS = 4
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[0-9:]+Z")
"""When something was written, as the server notes it; no event of these has a start in UTC."""
ZONE = re.compile(r"^BEGIN:VTIMEZONE\n.*?^END:VTIMEZONE\n", re.DOTALL | re.MULTILINE)
"""What a file has in it that was written here, and may lack that a program wrote: instances are made, edited and destroyed in two
requests, and who dies between them puts the two edits together later."""


async def _in_this_thread(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 # as asyncio.to_thread
    return call(*arguments, **options)


class DyingRuns:
    """An account of contacts and events, mirrored, and acts on both sides that wait to be synchronised."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.server = DemoServer(dialect=RFC)
        self.cards, self.events = self.server.account.contacts, self.server.account.calendars
        self._app = self.server.endpoints.application()
        for uid in ("ada", "there", "both", "gone-here", "gone-there", "moved"):
            self.cards.add({**ADA, "uid": uid})
        for uid in ("weekly", "event-there", "event-gone"):
            self.events.add({**WEEKLY, "uid": uid})
        self.cards.create_collection("Family")
        self.desk().sync_until_quiet()
        drop(self.desk(), component(MONDAY, "One"), component(TUESDAY, "Two"))
        self.desk().sync_until_quiet(echo=5)
        self._act()

    def _act(self) -> None:
        desk = self.desk()
        change(desk.file("contacts", "ada"), "NOTE:first", "NOTE:here")
        self.cards.edit(self.cards.by_uid("there")["id"], {"notes/n1/note": "there"})
        change(desk.file("contacts", "both"), "+44 2", "+44 3")
        self.cards.edit(self.cards.by_uid("both")["id"], {"notes/n1/note": "there"})
        desk.file("contacts", "gone-here").unlink()
        self.cards.delete(self.cards.by_uid("gone-there")["id"])
        moved = desk.file("contacts", "moved")
        moved.rename(desk.base / "contacts" / "Family" / moved.name)
        moved.with_name("new.vcf").write_bytes(card("new"))
        change(desk.file("calendars", "weekly"), "SUMMARY:Weekly\r", "SUMMARY:Here\r")
        self.events.edit(self.events.by_uid("event-there")["id"], {"title": "There"})
        weekly = desk.file("calendars", "weekly")
        desk.file("calendars", "event-gone").unlink()
        drop(desk, component(MONDAY, "Un"), component(FRIDAY, "Three"))
        drop(desk, component(MONDAY, "New"), component(TUESDAY, "New"), uid="new-instances")
        weekly.with_name("new.ics").write_bytes(event("new-event"))
        (desk.base / "contacts" / "made").mkdir()
        (desk.base / "contacts" / "made" / "within.vcf").write_bytes(card("within"))

    def desk(self, fate: Fate | None = None) -> ObjectMirror:
        """Return the mirror as a new process would make it: all it knows is on disk."""
        fate = fate or Fate()
        url = f"http://127.0.0.1:1{self.server.service.dialect.session_path}"
        return ObjectMirror(url, self.base, ("contacts", "calendars"), transport=fate.transport(self._app), wrap=fate.wrap)

    def die(self, step: int) -> Fate:
        """Run and die at a step, or live to the end where there are fewer."""
        fate = Fate(step)
        try:
            with fate.over(self.base), mock.patch("asyncio.to_thread", _in_this_thread):
                self.desk(fate).sync()
        except DiedError:
            assert fate.dead
        else:
            assert not fate.dead, f"survived its own death at {fate.trace[-1]}"
        return fate

    def live_on(self) -> None:
        """Run until nothing is written; fail if anything is quarantined or does not come to rest."""
        for _ in range(MOST_RUNS):
            found = self.desk().sync()
            ObjectMirror.assert_well(found)
            if not writes(found):
                return
        raise AssertionError("still writing")

    def picture(self) -> tuple[list[tuple[str, str]], list[str], list[tuple[str, str]]]:
        """Return the files with their lines in order, the collections, and the items of the server without its own properties."""
        desk = self.desk()
        files = [
            (f"{file.parent.name}/{file.name}", "\n".join(sorted(MOMENT.sub("moment", ZONE.sub("", file.read_text())).split("\n"))))
            for kind in desk.kinds
            for file in desk.files(kind)
        ]
        names = {id_: one["name"] for store in (self.cards, self.events) for id_, one in store.collections.items()}
        items = [
            (
                ",".join(names[home] for home in item[store.model.homes]),
                MOMENT.sub(
                    "moment", json.dumps({k: v for k, v in item.items() if k not in {"id", store.model.homes}}, sort_keys=True)
                ),
            )
            for store in (self.cards, self.events)
            for item in store.items.values()
        ]
        return sorted(files), sorted(names.values()), sorted(items)


def without_stamps(picture: Any) -> str:  # noqa: ANN401 # any picture
    """Return a picture without the lines that have the moment of a write."""
    lines = json.dumps(picture, indent=1).replace("\\n", "\n").split("\n")
    return "\n".join(line for line in lines if not line.startswith(("REV", "DTSTAMP", "LAST-MODIFIED", "CREATED", "SEQUENCE")))


@pytest.fixture(scope="module")
def whole() -> tuple[int, str]:
    """Return how many steps the run takes, and how it ends without a death."""
    with tempfile.TemporaryDirectory() as base:
        scene = DyingRuns(Path(base))
        fate = scene.die(0)
        scene.live_on()
        assert scene.desk().conflict_copies() == []
        return fate.steps, without_stamps(scene.picture())


def test_the_run_ends_with_both_sides_the_same(whole: tuple[int, str]) -> None:
    steps, end = whole
    assert steps > 50
    for once in ("NOTE:here", "UID:within", "SUMMARY:Here", "UID:new-event"):
        assert end.count(once) == 1, once


@pytest.mark.parametrize("part", range(4))
def test_a_death_at_any_step_changes_no_end(whole: tuple[int, str], part: int) -> None:
    steps, end = whole
    for step in range(1 + part * STRIDE, steps + 1, 4 * STRIDE):
        with tempfile.TemporaryDirectory() as base:
            scene = DyingRuns(Path(base))
            fate = scene.die(step)
            scene.live_on()
            assert without_stamps(scene.picture()) == end, f"another end after dying at step {step}, {fate.trace[-1]}"
            assert scene.events.sent == []
