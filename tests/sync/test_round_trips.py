"""How many round trips a run waits for, one after the other: on a slow line they are its duration."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import CYRUS_312, RFC, DemoServer
from tests.contract.peer import message
from tests.kit.round_trips import counted_mirror

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.demo import Dialect
    from tests.kit.mirror import Mirror
    from tests.kit.round_trips import Counter

MESSAGES = 1200
DIALECTS = pytest.mark.parametrize("dialect", ["rfc", "cyrus312", "stalwart"])


class Line:
    """A server with messages, its mirror, and the round trips between the two."""

    def __init__(self, base: Path, dialect: str | Dialect, messages: int = MESSAGES) -> None:
        self.server = DemoServer(dialect=dialect)
        self.server.account.populate(messages, size=400)
        self.mirror: Mirror
        self.counter: Counter
        self.mirror, self.counter = counted_mirror(self.server, base)

    def sync(self) -> tuple[int, int]:
        """Run; return how many round trips followed one another, and how many requests there were."""
        report = self.mirror.sync()
        assert (report.state.value, report.problems) == ("synced", [])
        return self.counter.sequential, self.mirror.requests


@DIALECTS
def test_no_run_waits_for_more_round_trips_than_it_needs(tmp_path: Path, dialect: str) -> None:
    line = Line(tmp_path, dialect)
    account, mirror = line.server.account, line.mirror
    objects = line.server.limits.max_objects_in_get
    pages = -(-MESSAGES // objects)
    # The session, the pages of the listing (the proof of its end comes with the changes since), three rounds of growing batches.
    assert line.sync()[0] <= 1 + pages + 1 + 3
    assert line.sync() == (1, 1)

    for email in list(account.emails)[:100]:
        account.set_keyword(email, "$flagged")
    assert line.sync() == (1, 1)

    for _ in range(100):
        account.deliver(message())
    assert line.sync() == (2, 2)  # the changes with what they name, the bodies

    flagged = 0
    for file in mirror.files():
        letters = file.name.partition(":2,")[2]
        if flagged < 1000 and "F" not in letters:
            mirror.flag(file, "".join(sorted(letters + "F")))
            flagged += 1
    calls = -(-flagged // line.server.limits.max_objects_in_set)
    assert line.sync() == (1 + calls, 1 + calls)
    line.sync()  # the changes that were pushed come back

    for _ in range(100):
        mirror.drop("INBOX", message().replace(b"\r\n", b"\n"))
    if dialect == "cyrus312":  # of what it takes together, no later request may use anything
        assert line.sync() == (1 + 100 // line.server.limits.max_concurrent_upload + 1, 102)
    else:
        assert line.sync() == (3, 3)  # the observation with the quotas, the uploads together, the import
    assert line.sync() == (1, 1)


def test_pages_of_changes_are_as_large_as_the_server_allows(tmp_path: Path) -> None:
    limits = dataclasses.replace(CYRUS_312.limits, max_objects_in_get=100)
    line = Line(tmp_path, dataclasses.replace(CYRUS_312, limits=limits), messages=250)
    line.sync()
    for email in list(line.server.account.emails):
        line.server.account.set_keyword(email, "$answered")
    assert line.sync() == (3, 3)


def test_without_blob_methods_each_body_is_a_request_of_its_own_and_sixteen_share_a_round_trip(tmp_path: Path) -> None:
    line = Line(tmp_path, dataclasses.replace(RFC, blob_capability=None), messages=10)
    line.sync()
    for _ in range(100):
        line.server.account.deliver(message())
    assert line.sync() == (1 + -(-100 // 16), 101)


def test_small_messages_are_uploaded_singly_where_the_server_keeps_none_of_them_together(tmp_path: Path) -> None:
    line = Line(tmp_path, dataclasses.replace(RFC, blob_details={**RFC.blob_details, "maxSizeBlobSet": 10}), messages=10)
    line.sync()
    for _ in range(8):
        line.mirror.drop("INBOX", message().replace(b"\r\n", b"\n"))
    assert line.sync() == (1 + 8 // line.server.limits.max_concurrent_upload + 1, 10)
