"""Bytes and dates of messages, unchanged in both directions; bodies that do not arrive."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import msgspec
import pytest

from jmapsync.demo import RFC, Answer, DemoServer
from jmapsync.errors import ExitCode
from tests.kit.letters import fill, letter, wire
from tests.kit.mirror import Mirror, assert_converges, assert_mirrored, places_of

if TYPE_CHECKING:
    from pathlib import Path


class TestContent:
    @pytest.mark.parametrize("size", [0, 100_000, 9_000_000])
    def test_bytes_come_and_go_unchanged_whatever_they_are(self, server: DemoServer, mirror: Mirror, size: int) -> None:
        odd = [
            b"Subject: bare lf\nand crlf\r\n\r\nbody\n",
            b"Subject: bare cr\r\n\r\na\rb\r\n",
            b"Subject: cr cr lf\r\n\r\na\r\r\nb\r\n",
            b"Subject: nul\r\n\r\n\0\0\r\n",
            b"Subject: no end\r\n\r\nlast",
            b"From x\r\nSubject: mbox\r\n\r\nFrom y\r\n",
            b"\xff\xfe not a header\r\n",
        ]
        wires = [one + b"x" * size + b"\r\n" * bool(size) for one in odd]
        refs = {server.account.deliver(one): one for one in wires}
        mirror.sync()
        assert_mirrored(server.account, mirror)
        for file in mirror.files("INBOX"):
            (mirror.root / "Archive" / "cur" / f"{file.name}:2,").write_bytes(file.read_bytes())
            file.unlink()
        mirror.limits = msgspec.structs.replace(mirror.limits, max_deletes=100)
        mirror.sync()
        assert {ref: server.account.raw(ref) for ref in server.account.emails} == refs
        assert all(paths == {"Archive"} for paths, _ in server.account.listing().values())

    def test_a_file_with_lf_goes_out_with_crlf_and_stays_as_it_is(self, server: DemoServer, mirror: Mirror) -> None:
        mirror.sync()
        file = mirror.drop("INBOX", letter(1))
        mirror.sync()
        [ref] = server.account.emails
        assert server.account.raw(ref) == wire(letter(1))
        assert file.read_bytes() == letter(1)

    def test_crlf_is_kept_where_the_configuration_wants_it(self, server: DemoServer, mirror: Mirror) -> None:
        fill(server)
        mirror.keep_crlf = True
        mirror.sync()
        assert sorted(file.read_bytes() for file in mirror.files()) == [wire(letter(number)) for number in range(4)]

    @pytest.mark.parametrize("stamp", [0, 1, 4_102_444_800])
    def test_odd_dates_are_kept_and_never_looped_over(self, server: DemoServer, mirror: Mirror, stamp: int) -> None:
        server.account.deliver(wire(letter(1)), received_at=stamp)
        assert_converges(server.account, mirror)

    def test_a_date_that_no_file_system_holds_is_not_looped_over(self, server: DemoServer, mirror: Mirror) -> None:
        server.account.deliver(wire(letter(1)), received_at=253_402_300_799)
        assert mirror.sync().to_disk.created == 1
        assert (mirror.sync().to_disk.total, mirror.requests) == (0, 1)
        mirror.files("INBOX")[0].rename(mirror.root / "Archive" / "cur" / "moved:2,")
        mirror.sync()
        assert (mirror.sync().to_disk.total, mirror.requests) == (0, 1)


@pytest.mark.parametrize("batched", [True, False])
def test_a_body_that_does_not_come_is_quarantined_by_name_and_fetched_later(tmp_path: Path, batched: bool) -> None:
    dialect = RFC if batched else dataclasses.replace(RFC, blob_capability=None)
    with DemoServer(dialect=dialect) as server:
        refs = fill(server, 5)
        mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state", max_wait=0.5)
        mirror.sync()
        late = server.account.deliver(b"Subject: late\r\n\r\nbody\r\n")
        server.account.set_keyword(refs[0], "$flagged")
        server.faults.missing_blob.arm()
        report = mirror.sync()
        assert report.exit_code == ExitCode.QUARANTINED
        assert places_of(report.problems) == [f"email {late}"]
        assert [file.name.rpartition(":2,")[2] for file in mirror.files("INBOX")].count("F") == 1
        server.faults.clear()
        assert_converges(server.account, mirror)


def test_a_page_of_a_captive_portal_is_never_stored_as_mail(tmp_path: Path) -> None:
    with DemoServer(dialect=dataclasses.replace(RFC, blob_capability=None)) as server:
        fill(server, 3)
        mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state", max_wait=0.5)
        server.faults.answer.arm(Answer.html(), only={"download"})
        mirror.run()
        assert not [file for file in mirror.files() if b"html" in file.read_bytes().lower()]
        server.faults.clear()
        assert_converges(server.account, mirror)
