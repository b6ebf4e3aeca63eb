"""A fixed set of worlds of legal servers; `python -m tests.sim.worlds` searches further ones."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.sim.legal import CATALOGUE, LegalServer, draw
from tests.sim.legal_player import MAIL, SELDOM
from tests.sim.search import unreached
from tests.sim.worlds import WAYS, Script, failure_of, script_of, shrink

STRETCH = 10


@pytest.mark.parametrize("first", range(0, 140, STRETCH))
def test_worlds_of_mail_hold(first: int) -> None:
    assert [(seed, failure) for seed in range(first, first + STRETCH) if (failure := failure_of(script_of(seed)))] == []


@pytest.mark.parametrize("seed", range(16))
def test_worlds_of_objects_hold(seed: int) -> None:
    assert failure_of(script_of(seed, objects=True)) == ""


@pytest.mark.parametrize("seed", [*range(6), 47, 140, 225, 292])
def test_worlds_of_scripts_beside_mail_hold(seed: int) -> None:
    assert failure_of(script_of(seed, scripts=True)) == ""


def test_a_world_with_scripts_has_the_acts_on_mail_that_it_has_without() -> None:
    script, plain = script_of(11, scripts=True), script_of(11)
    others = iter(script.acts)
    assert all(act in others for act in plain.acts)
    assert Script.read(script.text()) == script


def test_every_choice_of_the_catalogue_is_drawn() -> None:
    reached: Counter[str] = Counter()
    for seed in range(4000):
        reached.update(f"{key}={value}" for key, value in draw(seed, objects=seed % 2 == 0).choices.items())
    assert unreached(reached) == []
    assert len(CATALOGUE) > 60


def test_a_script_survives_its_text() -> None:
    for objects in (False, True):
        script = script_of(7, objects=objects)
        assert Script.read(script.text()) == script


def test_a_script_that_fails_is_made_shorter(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(script: Script) -> str:
        return "AssertionError: lost" if ("flag", 1) in script.acts and "roles" in script.server.choices else ""

    monkeypatch.setattr("tests.sim.worlds.failure_of", fails)
    script = next(one for one in map(script_of, range(1000)) if len(one.server.choices) > 20 and "roles" in one.server.choices)
    script = Script(script.server, (*script.acts, ("flag", 1), ("run", 0)))
    shorter, failure = shrink(script, fails(script))
    assert (shorter.acts, list(shorter.server.choices), failure) == ((("flag", 1),), ["roles"], "AssertionError: lost")


DIFFERING = (
    [["make_collection_there", 833660689], ["run", 0], ["copy", 1003380735], ["write_more", 43768298], ["write_more", 267226308]],
    [
        *(["delete_there", 680495292], ["take_out_there", 702617205], ["run", 0], ["write_more", 768136202]),
        *(["twin", 752615930], ["edit", 778278172], ["copy", 657319519]),
    ],
)


@pytest.mark.parametrize(("seed", "acts"), [(88, DIFFERING[0]), (16, DIFFERING[1])])
def test_copies_edited_in_different_ways_wait_until_somebody_makes_them_alike(seed: int, acts: list[tuple[str, int]]) -> None:
    assert failure_of(Script(LegalServer("rfc", {}, seed), tuple((name, own) for name, own in acts), objects=True)) == ""


@pytest.mark.parametrize("way", [(name, value) for name, values in WAYS.items() for value in values], ids=str)
def test_a_mirror_that_is_configured_otherwise_holds(way: tuple[str, Any]) -> None:
    acts = [("run", 0), *((name, number) for number, name in enumerate(MAIL)), ("run", 0), ("delete", 3), ("destroy_there", 4)]
    assert failure_of(Script(LegalServer(), tuple(acts), ways=dict([way]), proved=True)) == ""


@pytest.mark.parametrize("act", SELDOM)
def test_what_happens_seldom_holds(act: str) -> None:
    acts = [("run", 0), ("write", 1), ("flag_there", 2), (act, 3), ("destroy_there", 4), (act, 5), ("run", 0)]
    assert failure_of(Script(LegalServer(), tuple(acts), proved=True)) == ""


@pytest.mark.parametrize("profile", ["cyrus36", "cyrus312", "rfc"])
def test_a_name_that_two_mailboxes_want_is_named_as_such_whatever_the_server_says_of_it(profile: str) -> None:
    acts = [
        ("run", 0),
        ("rename", 113663891),
        ("run", 0),
        ("edit", 823282637),
        ("swap_there", 177262611),
        ("remove_there", 565083050),
    ]
    assert failure_of(Script(LegalServer(profile, {}, 3564), tuple(acts))) == ""


def test_long_states_may_take_a_second_request_where_one_has_no_room_for_them() -> None:
    server = LegalServer("rfc", {"max_size_request": 4000, "state_form": "long"}, 2908)
    assert failure_of(Script(server, (), messages=1, objects=True)) == ""


FOUND: dict[str, tuple[LegalServer, list[tuple[str, int]], int, dict[str, Any]]] = {
    "a mailbox that goes with its mail without a word, and a run that dies before it asked for the mail": (
        LegalServer("james", {}, 816),
        [("run", 0), ("remove_there", 484749553), ("make", 8548342), ("rename", 254187567), ("die", 14)],
        4,
        {},
    ),
    "a message that was filed in a mailbox more and then destroyed there, of which James lists nothing": (
        LegalServer("james", {}, 500348),
        [("run", 0), ("copy", 324598114), ("run", 0), ("destroy_there", 754521148), ("destroy_there", 844310185)],
        6,
        {},
    ),
    "an edited message that was moved and copied": (
        LegalServer("james", {"version": ""}, 414),
        [("run", 0), ("edit", 950221043), ("move", 901064401), ("copy", 965994252)],
        6,
        {},
    ),
    "a message that both sides moved, one of them out of sight": (
        LegalServer("stalwart", {}, 101331),
        [("run", 0), ("delete", 194229669), ("move_there", 1016164117), ("move", 552368065)],
        6,
        {"include": ("INBOX", "Lists")},
    ),
    "two swaps of folders around two deaths, after which two mailboxes want one name": (
        LegalServer("stalwart", {}, 5550),
        [
            *(("run", 0), ("swap", 121192215), ("make", 654726052), ("make_there", 941945340)),
            *(("die", 47), ("swap", 425500739), ("die", 42)),
        ],
        6,
        {},
    ),
    "two folders that want each other's names where the server changes one mailbox at a time": (
        LegalServer("rfc", {"max_objects_in_set": 1, "object_limits": "request"}, 100066),
        [("make", 602172362), ("full", 407411477), ("swap", 1026062956)],
        1,
        {},
    ),
    **{
        f"an edit that is undone by a run that dies at step {step}": (
            LegalServer("rfc", {}, 204),
            [("run", 0), ("edit", 620468261), ("die", step)],
            6,
            {"direction": "pull"},
        )
        for step in range(35, 43)
    },
    **{
        f"an edit whose file is still there when a run that undoes it dies at step {step}": (
            LegalServer("rfc", {}, 129),
            [("run", 0), ("edit", 260434899), ("copy", 409853927), ("die", step)],
            6,
            {"direction": "pull"},
        )
        for step in (38, 39, 40)
    },
    "copies filed into mailboxes that may be filled and not read": (
        LegalServer("fastmail", {"mayReadItems Archive": False, "mayReadItems Lists/python": False}, 1001630),
        [
            ("run", 0),
            ("copy", 577486094),
            ("write", 518276188),
            ("write", 19005046),
            ("run", 0),
            ("copy_there", 988827013),
            ("slip", 100388367),
        ],
        6,
        {},
    ),
    "a draft that its reader deletes after a sending that died": (
        LegalServer("stalwart", {}, 1001559),
        [("send", 709966124), ("run", 0), ("delete", 719405895), ("die", 147)],
        1,
        {},
    ),
    "a draft that another program moves after a sending that died": (
        LegalServer("stalwart", {}, 500339),
        [("send", 345709960), ("destroy_there", 91031738), ("move_there", 332130271)],
        6,
        {},
    ),
    "a folder that cannot go yet because a message in it was refused for now": (
        LegalServer("cyrus312", {"total": "never", "unavailable": 0.05, "empty_pages": 0.2}, 1000367),
        [
            ("run", 0),
            ("remove_there", 146801198),
            ("deliver", 279294943),
            ("copy", 159364949),
            ("write_twice", 355443589),
            ("die", 143),
        ],
        3,
        {},
    ),
    "a new folder with mail in the folder of a mailbox that was renamed to what is left out, and every run lists everything": (
        LegalServer("rfc", {"cannot_calculate": 1.0}, 5240485),
        [
            *(("run", 0), ("remove_there", 244748040), ("run", 0), ("make", 408428408)),
            *(("flag", 811536916), ("rename_there", 164818566), ("move", 260942325)),
        ],
        6,
        {"include": ("INBOX", "Lists")},
    ),
}
"""Scripts of what the search once found: the server, the acts, the messages, the ways of the mirror."""


@pytest.mark.parametrize("name", FOUND)
def test_what_the_search_found_holds(name: str) -> None:
    server, acts, messages, ways = FOUND[name]
    assert failure_of(Script(server, tuple(acts), messages, ways=ways)) == ""


JAMES: dict[str, tuple[dict[str, Any], int, int, list[tuple[str, int]]]] = {
    "a server that wants its version named in Accept": ({}, 1, 1, []),
    "deletions where every page has a query state of its own": (
        {"max_query_limit": 2},
        1,
        6,
        [("run", 0), ("destroy_there", 774310752), ("full", 668365807)],
    ),
    "a batch that is refused for one message without keywords": ({}, 1, 1, [("run", 0), ("write", 373416238)]),
    "a new message in two folders": ({}, 1, 1, [("run", 0), ("write_twice", 910434794)]),
    "a draft that has to say when it was received": ({}, 1, 1, [("send", 829468109)]),
    "a mailbox that is removed with its mail": ({}, 7, 2, [("run", 0), ("remove_there", 335406409)]),
    "a restore where blobs have another name in an email": ({}, 280, 1, [("run", 0), ("restore", 508436123)]),
    "the keyword of an import stays on no message though two runs died": (
        {},
        209,
        6,
        [
            *[("run", 0), ("write", 671753521), ("make_there", 348466351), ("flag", 406736465), ("die", 59)],
            *[("deliver", 571524306), ("write", 17250084), ("flag_there", 316710613), ("edit", 853881961), ("die", 125)],
        ],
    ),
}
"""Scripts of what once failed on James, found by the generator: what it chooses besides, seed, messages, acts."""


@pytest.mark.parametrize("name", JAMES)
def test_what_failed_on_james_holds(name: str) -> None:
    choices, seed, messages, acts = JAMES[name]
    assert failure_of(Script(LegalServer("james", choices, seed), tuple(acts), messages)) == ""
