"""A walk through pages: whole whatever the server says of states and totals, and never whole where something may be missing."""

from __future__ import annotations

import asyncio
import itertools
import random

import msgspec
import pytest

from jmapsync.jmap.wire import Call, decode_response
from jmapsync.storage.jmap import paging
from jmapsync.storage.jmap.paging import (
    CHANGING,
    ENDLESS,
    NO_IDS,
    ONE_BY_ONE,
    STUCK,
    WRONG_IDS,
    Page,
    Walk,
    read_page,
    walk_through,
)


def page_of(answer: object) -> Page:
    body = msgspec.json.encode({"methodResponses": [["Email/query", answer, "q"]], "sessionState": "s"})
    return read_page(decode_response(body), Call("Email/query", {}, "q"))


@pytest.mark.parametrize("ids", [None, {}, "a", 3])
def test_no_list_of_ids_is_no_empty_list(ids: object) -> None:
    walk = Walk()
    walk.take(page_of({"ids": ids}))
    assert (walk.ended, walk.whole, walk.why) == (True, False, NO_IDS)


def test_ids_of_other_types_are_left_out_and_make_a_walk_not_whole() -> None:
    page = page_of({"ids": ["a", None, 5, "", "a", "b"], "position": "0", "total": 2.5})
    assert page == Page(["a", "b"], WRONG_IDS)


def listed(count: int, size: int) -> Walk:
    """Walk through a list that nobody changes, with pages of some size."""
    ids, walk = [f"e{number}" for number in range(count)], Walk()
    while not walk.ended:
        walk.take(Page(ids[walk.position : walk.position + size]))
    return walk


@pytest.mark.parametrize("size", [2, 3, 7, 100])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 6, 7, 8, 50, 101])
def test_every_id_of_a_list_at_rest_is_met(count: int, size: int) -> None:
    walk = listed(count, size)
    assert (walk.whole, len(walk.ids)) == (True, count)


def test_pages_of_one_id_do_not_overlap() -> None:
    walk = listed(5, 1)
    assert (walk.why, len(walk.ids)) == (ONE_BY_ONE, 5)


@pytest.mark.parametrize("seed", range(200))
def test_what_was_there_all_along_is_met_whatever_comes_and_goes(seed: int) -> None:
    chance = random.Random(seed)
    alive = [f"e{number}" for number in range(chance.randint(0, 60))]
    steady, walk, fresh = set(alive), Walk(), 0
    while not walk.ended:
        size = chance.choice((2, 3, 5, 20))
        walk.take(Page(alive[walk.position : walk.position + size]))
        for _ in range(chance.choice((0, 0, 1, 2, 9))):
            if alive and chance.random() < 0.5:
                gone = alive.pop(chance.randrange(len(alive)))
                steady.discard(gone)
            else:
                fresh += 1
                alive.insert(chance.randint(0, len(alive)), f"new{fresh}")
        if fresh > 400:  # it ends when the changes do
            break
    assert not walk.whole or steady <= walk.ids.keys() | walk.strays


def test_a_server_that_gives_the_first_page_always_is_not_listed_whole() -> None:
    walk = Walk()
    for _ in range(100):
        if not walk.ended:
            walk.take(Page(["a", "b", "c"]))
    assert (walk.ended, walk.why) == (True, STUCK)


def test_a_server_that_gives_other_ids_always_is_given_up() -> None:
    walk, number = Walk(), 0
    for _ in range(1000):
        if not walk.ended:
            number += 3
            walk.take(Page([f"e{number}", f"e{number + 1}", f"e{number + 2}"]))
    assert (walk.ended, walk.why) == (True, CHANGING)


def test_a_list_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "MOST_PAGES", 50)
    walk = Walk()
    while not walk.ended:
        walk.take(Page([f"e{number}" for number in range(walk.position, walk.position + 10)]))
    assert walk.why == ENDLESS


def test_a_position_that_is_clamped_to_the_last_page_ends() -> None:
    ids, walk = [f"e{number}" for number in range(30)], Walk()
    for _ in range(100):
        if not walk.ended:
            at = min(walk.position, 10)
            walk.take(Page(ids[at : at + 5], position=at))
    assert walk.ended
    assert not walk.whole


def test_a_limit_that_a_server_lowers_to_one_on_the_way_is_no_end() -> None:
    walk = paging.Walk()
    walk.take(paging.Page(["a", "b"], position=0, limit=2))
    walk.take(paging.Page(["b"], position=1, limit=1))
    assert not walk.whole


@pytest.mark.parametrize("limits", [(2, 2, 1), (5, 1), (3, 1, 4), (1, 3), (4, 1, 3, 1)], ids=str)
def test_a_list_whose_limit_moves_to_one_id_and_back_is_listed_whole(limits: tuple[int, ...]) -> None:
    ids, asked = [f"e{number}" for number in range(9)], itertools.count()

    async def ask(position: int) -> Page:
        limit = limits[min(next(asked), len(limits) - 1)]
        return Page(ids[position : position + limit], position=position, limit=limit)

    walk = asyncio.run(walk_through(ask))
    assert (walk.whole, list(walk.ids)) == (True, ids)
