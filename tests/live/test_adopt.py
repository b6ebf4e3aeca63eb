"""Take over a tree that real mbsync filled from the same server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.bench.adopt import adopt
from tests.bench.seed import seed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live.conftest import Account


@pytest.mark.parametrize("cyrus", ["3.12"], indirect=True)
def test_a_tree_of_mbsync_is_adopted_without_a_download_and_stays_readable_by_it(account: Account, tmp_path: Path) -> None:
    seed(account.imap, 200)
    uids = [message.uid for message in account.imap.messages("INBOX")]
    account.imap.copy("INBOX", uids[:3], "Archive")
    outcome = adopt(account.server, tmp_path, account.user, account.password)
    assert outcome.intact, outcome
    assert outcome.share < 4, outcome
