"""vdirsyncer and jmapsync mirror one account of real Cyrus, the one over DAV, the other over JMAP: they hold the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jmapsync.formats.codec import cards, schedules
from tests.bench.objects import fill
from tests.kit.pim import Dav, Pim, change
from tests.kit.vdirsyncer import Vdirsyncer
from tests.live.jmapraw import Jmap
from tests.live.test_pim import CARD, EVENT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.live.conftest import Account
    from tests.live.cyrus import Cyrus

CODECS = {"contacts": cards("3.0"), "calendars": schedules("Event")}
EACH = 30


@pytest.fixture
def cyrus(running_cyrus: Callable[[str], Cyrus]) -> Cyrus:
    return running_cyrus("3.12")


def held(root: Path, kind: str) -> dict[str, bytes]:
    """Return the files of a mirror by uid."""
    files = [file.read_bytes() for file in root.glob("*/*") if file.suffix in {".vcf", ".ics"}]
    return {str(CODECS[kind].read(file)["uid"]): file for file in files}


def assert_same(ours: Path, theirs: Path, kind: str, count: int) -> None:
    """Assert that two mirrors hold so many items each, which mean the same."""
    mine, other = held(ours, kind), held(theirs, kind)
    assert len(mine) == count
    senses = [{uid: CODECS[kind].sense(CODECS[kind].read(file)) for uid, file in some.items()} for some in (mine, other)]
    assert senses[0] == senses[1]


def test_both_hold_the_same_whoever_changed_it(account: Account, tmp_path: Path) -> None:
    with Dav(account.server.jmap_port, account.user, account.password) as dav:
        dav.put("contacts", "ada.vcf", CARD)
        dav.put("calendars", "weekly.ics", EVENT)
    with Jmap(account.url, account.user, account.password) as jmap:
        fill(jmap, EACH, EACH)
    pim = Pim(tmp_path, account.url, account.user, account.password, ("contacts", "calendars"))
    pim.sync_until_quiet()
    peer = Vdirsyncer(tmp_path / "vdirsyncer", account.server.jmap_port, account.user, account.password)
    peer.run()
    for kind in CODECS:
        assert_same(tmp_path / kind, peer.directory / kind, kind, EACH + 1)

    # edited, made and deleted here
    change(pim.file("contacts", "ada"), "NOTE:first", "NOTE:second")
    change(pim.file("calendars", "weekly"), "SUMMARY:Weekly\r\n", "SUMMARY:Every week\r\n")
    pim.file("calendars", "event5@example.com").unlink()
    pim.file("contacts", "ada").with_name("grace.vcf").write_bytes(
        CARD.replace("ada", "grace").replace("X-CUSTOM;X-P=1:kept\r\n", "").encode()  # Cyrus makes no card with lines unknown to it
    )
    report = pim.run()
    done = {kind: report.kinds[kind].to_server for kind in CODECS}
    assert {kind: (one.created, one.updated, one.deleted) for kind, one in done.items()} == {
        "contacts": (1, 1, 0),
        "calendars": (0, 1, 1),
    }
    pim.sync_until_quiet()
    peer.run()
    assert_same(tmp_path / "contacts", peer.directory / "contacts", "contacts", EACH + 2)
    assert_same(tmp_path / "calendars", peer.directory / "calendars", "calendars", EACH)

    # edited, made and deleted by the other
    [ada] = [file for file in (peer.directory / "contacts").glob("*/*.vcf") if b"UID:ada" in file.read_bytes()]
    ada.write_bytes(ada.read_bytes().replace(b"FN:Ada Lovelace", b"FN:Countess"))
    [weekly] = [file for file in (peer.directory / "calendars").glob("*/*.ics") if b"UID:weekly" in file.read_bytes()]
    weekly.with_name("monthly.ics").write_bytes(EVENT.replace("weekly", "monthly").encode())
    weekly.unlink()
    peer.run()
    pim.run()
    assert "FN:Countess" in pim.file("contacts", "ada").read_text()
    assert_same(tmp_path / "contacts", peer.directory / "contacts", "contacts", EACH + 2)
    assert_same(tmp_path / "calendars", peer.directory / "calendars", "calendars", EACH)
    pim.sync_until_quiet()


def test_on_a_first_run_every_file_is_the_servers_own(account: Account, tmp_path: Path) -> None:
    with Jmap(account.url, account.user, account.password) as jmap:
        fill(jmap, EACH, EACH)
    pim = Pim(tmp_path, account.url, account.user, account.password, ("contacts", "calendars"))
    pim.sync_until_quiet()
    peer = Vdirsyncer(tmp_path / "vdirsyncer", account.server.jmap_port, account.user, account.password)
    peer.run()
    for kind in CODECS:
        mine, other = held(tmp_path / kind, kind), held(peer.directory / kind, kind)
        assert {uid: file.replace(b"\r\n", b"\n") for uid, file in mine.items()} == {
            uid: file.replace(b"\r\n", b"\n") for uid, file in other.items()
        }
