"""A message stays in all its mailboxes through every act on it, one by one and at random."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import DemoServer
from tests.kit.mirror import Mirror
from tests.live.jmapraw import Jmap
from tests.sim.memberships import embedded
from tests.sim.triple import ACTS, Act, Triple, play

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
def test_three_memberships_through_a_single_act(act: Act, tmp_path: Path) -> None:
    with DemoServer() as server, Jmap(server.url, "demo", "demo") as jmap:
        play(Triple(Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state"), jmap), act)


@pytest.mark.parametrize("seed", range(2))
def test_memberships_through_random_acts_on_both_sides(seed: int, tmp_path: Path) -> None:
    with embedded(tmp_path, seed) as game:
        game.prepare()
        game.play(160)


def test_a_membership_too_few_or_too_many_is_found(tmp_path: Path) -> None:
    with embedded(tmp_path, 3) as game:
        game.prepare()
        file = game.mirror.files()[0]
        content = file.read_bytes()
        file.unlink()
        with pytest.raises(AssertionError, match=r"here after 0 acts: missing \[\(.*\], too many \[\]"):
            game.check()
        file.write_bytes(content)
        game.check()
        file.with_name("1.more").write_bytes(content)
        with pytest.raises(AssertionError, match=r"here after 0 acts: missing \[\], too many \[\("):
            game.check()
