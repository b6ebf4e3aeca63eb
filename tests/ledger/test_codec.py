"""Versions as lines of text: what was written is read again, whatever it says."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from jmapsync.ledger.codec import decode, encode
from jmapsync.planner.model import Version

NAMES = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\t\\\nt="), max_size=12)
DIGESTS = st.text("abcXYZ019+/", min_size=1, max_size=8)
WORDS = st.frozensets(st.text("$abz~/:=", min_size=1, max_size=5), max_size=4)
HOMES = st.frozensets(st.integers(1, 2**40), max_size=4)


@st.composite
def versions(draw: st.DrawFn) -> Version:
    """A container's body and sense are its name, an item's are digests."""
    body = draw(NAMES | DIGESTS)
    homes = draw(HOMES)
    leaving = draw(st.frozensets(st.sampled_from(sorted(homes)), max_size=2)) if homes else frozenset()
    return Version(body, draw(st.just(body) | st.just("") | DIGESTS), draw(WORDS), homes, leaving, draw(st.booleans()))


@given(versions())
@example(Version("", "", frozenset(), frozenset(), frozenset(), untidy=False))
@example(Version("a\\tb\\\\t", "a\\tb\\\\t"))
@example(Version("=", "="))
def test_a_version_comes_back_as_it_was(version: Version) -> None:
    assert decode(encode(version)) == version


@given(versions(), versions())
def test_equal_lines_mean_equal_versions(one: Version, other: Version) -> None:
    assert (encode(one) == encode(other)) == (one == other)


@given(versions())
def test_a_line_has_its_six_fields_and_no_more(version: Version) -> None:
    assert encode(version).count("\t") == 5
