"""Pair every property with the random input it is tried on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from jmapsync.planner.model import Base, Pair, Rules, Side, Version
from tests.planner import properties
from tests.planner.model_sides import CONTAINERS, ITEMS
from tests.planner.trees import CONTAINER_EDITS, ITEM_EDITS, TAGS, worlds

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.planner.rooms import Planner

seeds = st.integers(0, 2**16)
tag_sets = st.frozensets(st.sampled_from(TAGS))
sides = st.sampled_from(Side)
edits = st.tuples(st.sampled_from(ITEM_EDITS + CONTAINER_EDITS), st.integers(0, 7), st.integers(0, 7))
homes = st.frozensets(st.integers(1, 4), min_size=1)
pulls = worlds(writable=frozenset({Side.LOCAL}), lossy=True)
pushes = worlds(writable=frozenset({Side.REMOTE}), lossy=False)


@st.composite
def given_up(draw: st.DrawFn, *, edited: bool) -> tuple[Pair, Side, Rules]:
    """Return an item that one side gave up and the other edited, or only tagged."""
    rules, side = draw(st.sampled_from((ITEMS, CONTAINERS, replace(ITEMS, prefer=Side.LOCAL)))), draw(sides)
    where = draw(homes)
    agreed = Version("body", "sense", draw(tag_sets), where)
    version = replace(agreed, tags=draw(tag_sets))
    if edited:
        if draw(st.booleans()):
            version = replace(version, body="other", sense=draw(st.sampled_from(("", "other"))))
        else:
            version = replace(version, homes=draw(st.sampled_from((where | {5}, frozenset({5})))))
    marked = draw(st.booleans()) and not rules.homeless
    left = replace(agreed, leaving=where) if marked else None
    held = {side: version, side.other: left}
    return Pair(1, held[Side.LOCAL], held[Side.REMOTE], Base(agreed, agreed)), side, rules


@dataclass(frozen=True, slots=True)
class Case:
    """A property and what it is tried on."""

    check: Callable[..., None]
    inputs: tuple[st.SearchStrategy[Any], ...] = ()

    @property
    def name(self) -> str:
        """Return the name of the property."""
        return self.check.__name__

    def attempt(self, planner: Planner, effort: settings | None = None) -> None:
        """Try to falsify the property, by default as hard as the profile says; raise what falsifies it."""

        def run(drawn: tuple[Any, ...]) -> None:
            self.check(planner, *drawn)

        run.__name__ = run.__qualname__ = self.name
        trial = given(st.tuples(*self.inputs))(run)
        (effort(trial) if effort is not None else trial)()


def _edit_wins(planner: Planner, drawn: tuple[Pair, Side, Rules]) -> None:
    properties.p10_an_edit_beats_a_deletion(planner, *drawn)


def _tag_loses(planner: Planner, drawn: tuple[Pair, Side, Rules]) -> None:
    properties.p10_a_tag_change_does_not(planner, drawn[0], drawn[2])


_edit_wins.__name__ = properties.p10_an_edit_beats_a_deletion.__name__
_tag_loses.__name__ = properties.p10_a_tag_change_does_not.__name__

tangles = worlds(edits=("reparent",), baseless=False)
any_world = st.one_of(worlds(), worlds(), worlds(), tangles)
one_sided = sides.flatmap(
    lambda side: st.tuples(worlds(edits=ITEM_EDITS + CONTAINER_EDITS, sides=frozenset({side}), baseless=False), st.just(side))
)
counts = st.integers(1, 60)


def _one_sided(planner: Planner, drawn: tuple[Any, Side], seed: int) -> None:
    properties.p7_a_world_edited_on_one_side_is_written_on_the_other(planner, *drawn, seed)


_one_sided.__name__ = properties.p7_a_world_edited_on_one_side_is_written_on_the_other.__name__


CASES = (
    Case(properties.p1_ends_in_a_fixed_point, (st.one_of(any_world, any_world, pulls, pushes), seeds)),
    Case(properties.p2_the_three_trees_agree, (any_world, seeds)),
    Case(properties.p2_the_follower_mirrors_the_leader, (st.one_of(pulls, pushes), seeds)),
    Case(properties.p3_planning_again_yields_nothing, (st.one_of(any_world, any_world, pulls), seeds)),
    Case(properties.p4_the_same_input_gives_the_same_plan, (any_world, seeds)),
    Case(properties.p5_any_order_inside_a_stage_gives_the_same_end, (any_world, seeds)),
    Case(properties.p6_every_edited_body_survives, (st.one_of(any_world, any_world, pulls, pushes), seeds)),
    Case(
        properties.p7_the_side_that_changed_is_not_written,
        (worlds(edits=ITEM_EDITS + CONTAINER_EDITS, baseless=False), seeds),
    ),
    Case(_one_sided, (one_sided, seeds)),
    Case(properties.p8_swapping_sides_mirrors_the_plan, (st.one_of(any_world, any_world, pulls, pushes), seeds)),
    Case(properties.p9_set_replay_is_idempotent, (tag_sets, tag_sets, tag_sets)),
    Case(properties.p9_changes_of_different_elements_commute, (tag_sets, tag_sets, tag_sets)),
    Case(_edit_wins, (given_up(edited=True),)),
    Case(_tag_loses, (given_up(edited=False),)),
    Case(
        properties.p11_an_edit_after_a_clean_commit_is_no_conflict,
        (any_world, st.lists(st.tuples(sides, edits), max_size=5), seeds),
    ),
    Case(
        properties.p12_a_mass_delete_is_suspended,
        (
            counts.flatmap(lambda count: st.tuples(st.just(count), st.integers(0, count))),
            sides,
            st.tuples(st.integers(0, 30), st.integers(0, 100)),
            st.integers(1, 20),
        ),
    ),
    Case(properties.p12_a_move_is_no_loss, (counts,)),
    Case(properties.p12_a_vanished_directory_always_suspends, (st.booleans(),)),
    Case(properties.p13_no_clock_no_random_no_io),
    Case(properties.p14_containers_come_first_and_go_last, (any_world, seeds)),
)
