"""A message stays in all its mailboxes through every act on it, on real Cyrus, counted over IMAP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kit.mirror import Mirror
from tests.sim.memberships import on_cyrus
from tests.sim.triple import ACTS, Act, Triple, play

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live.conftest import Account


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
def test_three_memberships_through_a_single_act(act: Act, account: Account, tmp_path: Path) -> None:
    mirror = Mirror(account.url, account.user, account.password, tmp_path / "mail", tmp_path / "state")
    play(Triple(mirror, account.jmap), act)
    shown = {
        path
        for path in account.imap.folders()
        if any(b"three" in message.content and "\\Deleted" not in message.flags for message in account.imap.messages(path))
    }
    assert shown == ACTS[act]


def test_memberships_through_random_acts_on_both_sides(account: Account, tmp_path: Path) -> None:
    with on_cyrus(account.server, (account.user, account.password), tmp_path, 4) as game:
        game.prepare()
        game.play(80)
