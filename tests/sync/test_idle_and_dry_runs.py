"""Runs that write nothing: after our own writes, after a jump of the clock, and dry runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kit.letters import fill
from tests.kit.mirror import Mirror, assert_mirrored

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.demo import DemoServer


def writes(server: DemoServer) -> int:
    return sum(server.requests.count(name) for name in ("Email/set", "Email/import", "Mailbox/set", "upload"))


def picture(folder: Path) -> list[tuple[str, int, int, int]]:
    """Return what a change of anything below a folder would change."""
    found = []
    for place in sorted(folder.rglob("*")):
        state = place.lstat()
        found.append((str(place), state.st_ino, state.st_size, state.st_mtime_ns))
    return found


def test_our_own_writes_come_back_as_nothing(server: DemoServer, mirror: Mirror) -> None:
    refs = fill(server, 20)
    mirror.sync()
    for file in mirror.files("INBOX")[:5]:
        mirror.flag(file, "FS")
    mirror.drop("Archive", b"Subject: new\n\nbody\n")
    for ref in refs[10:15]:
        server.account.set_keyword(ref, "todo")
    mirror.sync()
    before = picture(mirror.root)
    server.requests.clear()
    for _ in range(3):
        mirror.sync()
    assert writes(server) == 0
    assert picture(mirror.root) == before


@pytest.mark.parametrize("shift", [-86_400 * 400, 86_400 * 400])
def test_a_clock_that_jumps_between_runs_changes_nothing(
    server: DemoServer, mirror: Mirror, monkeypatch: pytest.MonkeyPatch, shift: float
) -> None:
    import time  # noqa: PLC0415 - patched for this test only

    fill(server)
    mirror.sync()
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + shift)
    server.requests.clear()
    assert mirror.sync().to_disk.total == 0
    mirror.drop("INBOX", b"Subject: new\n\nbody\n")
    mirror.sync()
    assert_mirrored(server.account, mirror)


def test_a_dry_run_says_what_a_run_does_and_writes_nothing(server: DemoServer, mirror: Mirror) -> None:
    refs = fill(server, 6)
    mirror.sync()
    server.account.set_keyword(refs[0], "$flagged")
    server.account.destroy(refs[1])
    fill(server, 7)
    mirror.flag(mirror.files("INBOX")[3], "R")
    mirror.drop("INBOX", b"Subject: new\n\nbody\n")
    before = (picture(mirror.root), picture(mirror.state), server.account.listing())
    server.requests.clear()
    reported = mirror.sync(dry=True).messages
    assert (picture(mirror.root), picture(mirror.state), server.account.listing()) == before
    assert writes(server) == 0
    assert all(": " in line for line in reported)
    done = mirror.sync()
    verbs = [(line.split()[0], line.partition(":")[0].endswith("on disk")) for line in reported]
    for counts, here in ((done.to_disk, True), (done.to_server, False)):
        assert verbs.count(("create", here)) == counts.created
        assert verbs.count(("delete", here)) == counts.deleted
        assert verbs.count(("update", here)) == counts.updated


def test_a_first_dry_run_leaves_no_trace(server: DemoServer, mirror: Mirror) -> None:
    fill(server)
    reported = mirror.sync(dry=True).messages
    assert len(reported) >= 4
    assert not mirror.root.exists()
