"""Which observation is which item: proven by content, paired one to one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from jmapsync.planner.identify import Candidate, match
from tests.planner.notation import homes

if TYPE_CHECKING:
    import random


def seen(ref: str, *digests: str, where: str = "A", hint: str = "", size: int = 0) -> Candidate:
    return Candidate(ref, None, frozenset(digests), size, frozenset({hint} if hint else ()), homes(where))


def known(ref: str, *digests: str, where: str = "A", hint: str = "", size: int = 0) -> Candidate:
    return Candidate(ref, 1, frozenset(digests), size, frozenset({hint} if hint else ()), homes(where))


def refs(unknown: list[Candidate], others: list[Candidate]) -> list[tuple[str, str]]:
    return [(one.ref, other.ref) for one, other in match(unknown, others)]


def test_an_equal_digest_in_any_form_is_proof() -> None:
    assert refs([seen("file", "lf", "crlf")], [known("M1", "crlf", "other")]) == [("file", "M1")]


def test_a_hint_alone_is_none() -> None:
    assert refs([seen("file", "x", hint="id@host")], [known("M1", "y", hint="id@host")]) == []


def test_nothing_is_known_of_what_was_not_read() -> None:
    assert refs([seen("file")], [known("M1")]) == []


def test_the_same_content_delivered_twice_pairs_one_to_one() -> None:
    twice = [known("M1", "x"), known("M2", "x")]
    assert refs([seen("b", "x"), seen("a", "x"), seen("c", "x")], twice) == [("a", "M1"), ("b", "M2")]


def test_equal_homes_come_before_an_equal_hint_and_that_before_the_order_of_names() -> None:
    others = [known("M1", "x", where="C"), known("M2", "x", where="B", hint="id"), known("M3", "x", where="AB")]
    assert refs([seen("file", "x", where="AB", hint="id")], others) == [("file", "M3")]
    assert refs([seen("file", "x", where="A", hint="id")], others) == [("file", "M3")]
    assert refs([seen("file", "x", where="D", hint="id")], others) == [("file", "M2")]
    assert refs([seen("file", "x", where="D")], others) == [("file", "M1")]


def test_a_better_pair_is_not_taken_away_by_an_earlier_name() -> None:
    assert refs([seen("a", "x", where="C"), seen("b", "x", where="B")], [known("M1", "x", where="B"), known("M2", "x")]) == [
        ("a", "M2"),
        ("b", "M1"),
    ]


def test_ten_thousand_copies_of_one_content_are_paired_quickly() -> None:
    many = range(10_000)
    pairs = match([seen(f"u{number:05}", "x") for number in many], [known(f"k{number:05}", "x", where="B") for number in many])
    assert [other.ref[1:] for _, other in pairs] == [one.ref[1:] for one, _ in pairs]
    assert len(pairs) == 10_000


digest_sets = st.frozensets(st.sampled_from("xyz"), max_size=2)
candidates = st.lists(st.tuples(digest_sets, st.sampled_from(["A", "B", "AB"]), st.sampled_from(["", "h", "i"])), max_size=6)


@given(candidates, candidates, st.randoms(use_true_random=False))
def test_any_order_gives_the_same_pairs_and_each_is_proven(
    left: list[tuple[frozenset[str], str, str]], right: list[tuple[frozenset[str], str, str]], dice: random.Random
) -> None:
    unknown = [seen(f"u{number}", *digests, where=where, hint=hint) for number, (digests, where, hint) in enumerate(left)]
    others = [known(f"k{number}", *digests, where=where, hint=hint) for number, (digests, where, hint) in enumerate(right)]
    pairs = match(unknown, others)
    assert match(dice.sample(unknown, len(unknown)), dice.sample(others, len(others))) == pairs
    assert all(one.digests & other.digests for one, other in pairs)
    assert len({one.ref for one, _ in pairs}) == len({other.ref for _, other in pairs}) == len(pairs)
    taken = {candidate.ref for pair in pairs for candidate in pair}
    for one in unknown:
        for other in others:
            assert {one.ref, other.ref} & taken or not one.digests & other.digests
