"""The search of worlds: going on where one ended, what was reached and what never, which functions ran."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Self

import pytest

from tests.sim import search
from tests.sim.legal import CATALOGUE, ITEM_RIGHTS, RIGHTS, LegalServer
from tests.sim.reach import Arcs, measured, summary
from tests.sim.search import Result, Search
from tests.sim.sections import DEPARTURE, SECTIONS
from tests.sim.worlds import Script, failure_of

if TYPE_CHECKING:
    from pathlib import Path


def _run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["worlds", "--jobs", "1", *arguments])
    code = search.main()
    return code, capsys.readouterr().out


def test_a_search_goes_on_where_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    played: list[int] = []
    monkeypatch.setattr("tests.sim.search.multiprocessing.get_context", lambda _: _Here())

    def play(script: Script) -> str:
        played.append(script.server.seed)
        return ""

    monkeypatch.setattr("tests.sim.search.failure_of", play)
    state = tmp_path / "state.json"
    code, out = _run(monkeypatch, capsys, "--worlds", "30", "--resume", str(state))
    assert (code, played) == (0, list(range(30)))
    assert "30 worlds of mail" in out
    code, out = _run(monkeypatch, capsys, "--worlds", "60", "--resume", str(state))
    assert (code, played) == (0, list(range(60)))
    assert "60 worlds of mail" in out
    assert "never reached:" in out


def test_the_state_of_another_search_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = tmp_path / "state.json"
    state.write_text(Search(7, "", "mail").text())
    monkeypatch.setattr(sys, "argv", ["worlds", "--worlds", "1", "--seed", "8", "--resume", str(state)])
    with pytest.raises(SystemExit, match="another search: seed 7"):
        search.main()


def test_the_first_failure_of_a_kind_is_printed_as_a_shorter_script(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(script: Script) -> str:
        return "AssertionError: lost" if any(name == "flag" for name, _ in script.acts) else ""

    for place in ("tests.sim.search.failure_of", "tests.sim.worlds.failure_of"):
        monkeypatch.setattr(place, fails)
    monkeypatch.setattr("tests.sim.search.multiprocessing.get_context", lambda _: _Here())
    code, out = _run(monkeypatch, capsys, "--worlds", "40")
    assert code == 1
    script = json.loads(next(line for line in out.splitlines() if line.startswith("{")))
    assert [name for name, _ in script["acts"]] == ["flag"]


def test_a_search_survives_its_text() -> None:
    found = Search(3, "rfc", "objects")
    result = Result(3, 2, [(4, "lost")])
    result.reached["roles=False"] = 2
    result.arcs["x.py"] = {(-1, 3), (3, 4)}
    found.total.add(result)
    found.done[3] = 2
    assert Search.read(found.text()) == found
    assert list(found.stretches(30)) == [(5, 23), (28, 5)]


def test_every_choice_of_the_catalogue_names_the_section_that_grants_it() -> None:
    assert SECTIONS.keys() == CATALOGUE.keys() - RIGHTS.keys() - ITEM_RIGHTS.keys()
    assert all(re.match(rf"{DEPARTURE}|RFC [0-9]+|draft-", section) for section in SECTIONS.values())


def test_functions_that_no_world_runs_are_listed() -> None:
    pytest.importorskip("coverage")
    arcs: Arcs = {}
    with measured(arcs):
        assert failure_of(Script(LegalServer(), (("run", 0),))) == ""
    text = summary(arcs)
    assert "planner: " in text
    never = [line.strip() for line in text.splitlines() if line.startswith("  ")]
    assert any(line.startswith("storage/notmuch/") for line in never)
    assert not any(line.endswith("plan.py:plan") for line in never)


class _Pool:
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    imap_unordered = staticmethod(map)


class _Here:
    """Stands in for other processes: what they would do is done here."""

    def Pool(self, _jobs: int) -> _Pool:  # noqa: N802 # as multiprocessing has it
        return _Pool()
