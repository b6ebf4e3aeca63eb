"""Names that scripts take over from one another, on either side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jmapsync.storage.sieve.side import ScriptFiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.demo.scripts import ScriptStore
    from jmapsync.storage.known import Known
    from jmapsync.storage.port import Job, Written
    from tests.kit.script_mirror import ScriptMirror

TEXTS = {name: f"# {name}\nkeep;\n" for name in ("a", "b", "c")}
RENAMES = {
    "an exchange": {"a": "b", "b": "a"},
    "a cycle of three": {"a": "b", "b": "c", "c": "a"},
    "a chain": {"a": "b", "b": "c", "c": "d"},
    "a name of a deleted one": {"a": "b", "b": ""},
    "a chain onto a deleted one": {"a": "b", "b": "c", "c": ""},
    "another case": {"a": "A", "b": "B"},
    "an exchange in another case": {"a": "B", "b": "A"},
}


def wire(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


@pytest.fixture(params=["a", "b", "c", ""])
def active(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def three(store: ScriptStore, mirror: ScriptMirror, active: str) -> ScriptMirror:
    """Three scripts on both sides, of which one is active, or none."""
    for name, text in TEXTS.items():
        store.add(name, wire(text), active=name == active)
    mirror.sync_until_quiet()
    return mirror


def after(renames: dict[str, str]) -> dict[str, str]:
    """Return the texts by their names after renames."""
    return {renames.get(name, name): text for name, text in TEXTS.items() if renames.get(name, name)}


@pytest.mark.parametrize("what", RENAMES)
def test_names_that_are_taken_over_here(three: ScriptMirror, store: ScriptStore, what: str, active: str) -> None:
    renames = RENAMES[what]
    for name in renames:
        (three.root / f"{name}.sieve").rename(three.root / f"{name}.moving")
    for name, new in renames.items():
        moving = three.root / f"{name}.moving"
        moving.rename(three.root / f"{new}.sieve") if new else moving.unlink()
    now = renames.get(active, active) or next(iter(after(renames)))
    three.link(now if active else "")
    ids = {one.content: one.id for one in store.scripts.values()}
    three.sync_until_quiet()
    assert store.listing() == {name: wire(text) for name, text in after(renames).items()}
    assert store.active_name == (now if active else "")
    assert {one.content: one.id for one in store.scripts.values()}.items() <= ids.items()
    assert three.files == after(renames)


@pytest.mark.parametrize("what", RENAMES)
def test_names_that_are_taken_over_on_the_server(three: ScriptMirror, store: ScriptStore, what: str, active: str) -> None:
    renames = RENAMES[what]
    now = renames.get(active, active)
    if active and not now:
        now = next(iter(after(renames)))
        store.activate(next(name for name in TEXTS if renames.get(name, name) == now))
    for name, new in renames.items():
        store.rename(name, f"{name} moving") if new else store.delete(name)
    for name, new in renames.items():
        if new:
            store.rename(f"{name} moving", new)
    three.sync_until_quiet()
    assert store.listing() == {name: wire(text) for name, text in after(renames).items()}
    assert (three.files, three.active) == (after(renames), now)


@pytest.fixture
def pair(store: ScriptStore, mirror: ScriptMirror) -> ScriptMirror:
    """Two scripts on both sides, of which `a` is active."""
    for name in ("a", "b"):
        store.add(name, wire(TEXTS[name]), active=name == "a")
    mirror.sync_until_quiet()
    return mirror


def test_a_file_that_is_renamed_while_another_takes_its_name_is_found_again(pair: ScriptMirror, store: ScriptStore) -> None:
    class Slipping(ScriptFiles):
        def write(self, jobs: Sequence[Job], known: Known) -> Written:
            if not (self.root / "mine.sieve").exists():
                (self.root / "b.sieve").rename(self.root / "mine.sieve")
            return super().write(jobs, known)

    def slip(part: object) -> object:
        if isinstance(part, ScriptFiles):
            part.__class__ = Slipping
        return part

    store.rename("b", "c")
    store.rename("a", "b")
    pair.wrap = slip
    pair.sync()
    pair.wrap = lambda part: part
    pair.sync_until_quiet()
    assert pair.files == {"b": TEXTS["a"], "c": TEXTS["b"]}
    assert store.listing() == {"b": wire(TEXTS["a"]), "c": wire(TEXTS["b"])}


def test_a_script_that_waits_for_a_name_which_another_keeps_takes_the_name_that_its_file_gets(
    pair: ScriptMirror, store: ScriptStore
) -> None:
    store.rename("b", "wanted (being renamed by jmapsync)")
    store.add("wanted", "stop;\r\n")
    pair.sync()
    waiting = next(file for file, text in pair.files.items() if text == TEXTS["b"])
    (pair.root / f"{waiting}.sieve").rename(pair.root / "mine.sieve")
    pair.sync_until_quiet(requests=0)
    assert store.listing() == {"a": wire(TEXTS["a"]), "wanted": b"stop;\r\n", "mine": wire(TEXTS["b"])}
    assert set(pair.files) == {"a", "wanted", "mine"}


def test_a_name_near_the_limit_is_exchanged_for_a_short_one(store: ScriptStore, mirror: ScriptMirror) -> None:
    long = "n" * 500  # the limit is 512, and a name that waits is longer
    store.add(long, wire(TEXTS["a"]))
    store.add("b", wire(TEXTS["b"]))
    mirror.sync_until_quiet()
    file, other = next(mirror.root.glob("n*.sieve")), mirror.root / "b.sieve"
    file.rename(mirror.root / "moving")
    other.rename(file)
    (mirror.root / "moving").rename(other)
    mirror.sync_until_quiet(requests=0)
    assert sorted(store.listing().values()) == sorted([wire(TEXTS["a"]), wire(TEXTS["b"])])
    assert store.listing()["b"] == wire(TEXTS["a"])
