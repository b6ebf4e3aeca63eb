"""A disk that refuses: full, read-only, unreadable. A clear message, nothing lost, the rest synchronised."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from jmapsync.errors import ExitCode
from jmapsync.jmap import curl, lean_httpx
from jmapsync.ledger import Ledger
from jmapsync.sync import batches
from tests.kit.mirror import Mirror, assert_converges

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jmapsync.demo import DemoServer

NOBODY = 65534
IMPORTED_LATE = (curl, lean_httpx)
"""What a run imports when it needs it: from a place that only root may read, if Python itself lies there."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(server: DemoServer, count: int, size: int = 20) -> list[str]:
    return [server.account.deliver(b"Subject: %d\r\n\r\n" % number + b"x" * size + b"\r\n") for number in range(count)]


def as_nobody(mirror: Mirror, folder: Path) -> ExitCode:
    """Synchronise in a child process without root's rights, which ignore permissions; return its exit code."""
    for place, _, files in os.walk(folder):
        os.chown(place, NOBODY, NOBODY)
        for name in files:
            os.chown(os.path.join(place, name), NOBODY, NOBODY)
    for above in folder.parents:
        if above.stat().st_uid == 0 and above != above.parent and "pytest" in str(above):
            above.chmod(0o755)
    child = os.fork()
    if child == 0:
        code = 99
        try:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            code = int(mirror.sync().exit_code)
        finally:
            os._exit(code)
    return ExitCode(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def problems(mirror: Mirror) -> list[tuple[str, str]]:
    """Return what is quarantined, by name, and why."""
    ledger = Ledger.open_readonly(mirror.state / "ledger.sqlite")
    assert ledger is not None
    with closing(ledger):
        return [(one.item, one.why) for one in ledger.problems()]


def test_on_a_full_disk_what_fits_comes_the_rest_is_named_and_the_next_run_goes_on(
    server: DemoServer, mirror: Mirror, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "FIRST_SHARE", 1.0)  # a whole batch of which nothing fits ends the run
    refs = fill(server, 40, 100_000)
    mirror.root = small_disk / "mail"
    report = mirror.sync()
    assert report.exit_code == ExitCode.QUARANTINED
    assert 0 < report.to_disk.created < 40
    assert len(report.problems) == 40 - report.to_disk.created
    assert all("No space left" in why for _, why in problems(mirror))
    assert set(server.account.emails) == set(refs)
    assert not [left for temporary in mirror.root.rglob("tmp") for left in temporary.iterdir()]
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    assert_converges(server.account, mirror)


def test_what_a_full_disk_kept_out_before_it_ended_the_run_is_known_by_subject(
    server: DemoServer, mirror: Mirror, small_disk: Path
) -> None:
    fill(server, 40, 100_000)
    mirror.root = small_disk / "mail"
    assert mirror.sync().exit_code == ExitCode.FAILED
    assert problems(mirror)
    assert not [item for item, _ in problems(mirror) if item.startswith("email ")]


def test_a_full_disk_does_not_keep_local_changes_from_the_server(server: DemoServer, mirror: Mirror, small_disk: Path) -> None:
    [ref] = fill(server, 1)
    mirror.root = small_disk / "mail"
    mirror.sync()
    (small_disk / "filler").write_bytes(b"x" * 1_900_000)
    mirror.flag(mirror.files("INBOX")[0], "F")
    mirror.sync()
    assert set(server.account.listing()[ref][1]) == {"$flagged"}


def test_a_disk_that_turned_read_only_deletes_nothing(server: DemoServer, mirror: Mirror, small_disk: Path) -> None:
    refs = fill(server, 3)
    mirror.root = small_disk / "mail"
    mirror.sync()
    server.account.set_keyword(refs[0], "$flagged")
    fill(server, 5)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    report = mirror.sync()
    assert report.exit_code == ExitCode.FAILED
    assert "Read-only" in report.messages[0]
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert_converges(server.account, mirror)


def test_a_folder_that_may_not_be_written_quarantines_its_messages_only(server: DemoServer, mirror: Mirror, tmp_path: Path) -> None:
    fill(server, 2)
    mirror.sync()
    server.account.deliver(b"Subject: here\r\n\r\nbody\r\n", ["Archive"])
    server.account.deliver(b"Subject: there\r\n\r\nbody\r\n", ["Sent"])
    for sub in ("new", "cur", "tmp"):
        (mirror.root / "Archive" / sub).chmod(0o500)
    code = as_nobody(mirror, tmp_path)
    assert code == ExitCode.QUARANTINED
    assert len(mirror.files("Sent")) == 1
    assert mirror.files("Archive") == []
    for sub in ("new", "cur", "tmp"):
        (mirror.root / "Archive" / sub).chmod(0o700)
    assert_converges(server.account, mirror)


@pytest.mark.parametrize(
    ("closed", "mode"), [(["INBOX/cur", "INBOX/new"], 0o000), (["INBOX"], 0o000), (["INBOX"], 0o600), (["INBOX"], 0o300)]
)
def test_a_folder_that_may_not_be_listed_is_named_and_not_taken_for_empty(
    server: DemoServer, mirror: Mirror, tmp_path: Path, closed: list[str], mode: int
) -> None:
    server.account.create_mailbox("INBOX/below")
    refs = [*fill(server, 5), server.account.deliver(b"Subject: below\r\n\r\n", ["INBOX/below"])]
    mirror.sync()
    before = server.account.listing()
    new = server.account.deliver(b"Subject: new\r\n\r\n", ["Archive"])
    for path in closed:
        (mirror.root / path).chmod(mode)
    assert as_nobody(mirror, tmp_path) == ExitCode.QUARANTINED
    assert problems(mirror)[0][0] == "INBOX"
    assert {ref: server.account.listing()[ref] for ref in refs} == before
    assert len(mirror.files("Archive")) == 1
    for path in closed:
        (mirror.root / path).chmod(0o700)
    assert_converges(server.account, mirror)
    assert set(server.account.emails) == {*refs, new}


def test_a_foreign_folder_that_may_not_be_listed_is_named_and_the_rest_goes_on(
    server: DemoServer, mirror: Mirror, tmp_path: Path
) -> None:
    mirror.sync()
    (mirror.root / "private").mkdir(mode=0o000)
    fill(server, 2)
    assert as_nobody(mirror, tmp_path) == ExitCode.QUARANTINED
    assert problems(mirror) == [("private", "the folder cannot be listed: Permission denied")]
    assert len(mirror.files("INBOX")) == 2
    assert "private" not in {box.name for box in server.account.mailboxes.values()}


def test_lost_and_found_of_a_disk_of_its_own_is_no_mail(server: DemoServer, mirror: Mirror, tmp_path: Path) -> None:
    mirror.root.mkdir(parents=True)
    (mirror.root / "lost+found").mkdir(mode=0o000)
    (mirror.root / ".notmuch").mkdir(mode=0o000)
    fill(server, 2)
    assert as_nobody(mirror, tmp_path) == ExitCode.IN_SYNC
    assert len(mirror.files("INBOX")) == 2
    mirror.sync()
    assert "lost+found" not in {box.name for box in server.account.mailboxes.values()}


def test_a_mailbox_of_that_name_is_mail(server: DemoServer, mirror: Mirror) -> None:
    server.account.create_mailbox("lost+found")
    mirror.sync()
    ref = server.account.deliver(b"Subject: found\r\n\r\n", ["lost+found"])
    mirror.sync()
    assert len(mirror.files("%6Cost+found")) == 1
    assert (mirror.sync().problems, mirror.requests) == ([], 1)
    assert server.account.listing()[ref][0] == {"lost+found"}


def test_a_folder_of_that_name_that_an_older_version_made_stays_mail(server: DemoServer, mirror: Mirror) -> None:
    server.account.create_mailbox("later found")
    mirror.sync()
    (mirror.root / "later found").rename(mirror.root / "lost+found")
    with sqlite3.connect(mirror.state / "ledger.sqlite") as ledger:
        ledger.execute("UPDATE folder SET path = 'lost+found' WHERE path = 'later found'")
    ledger.close()
    ref = server.account.deliver(b"Subject: found\r\n\r\n", ["later found"])
    mirror.sync()
    assert len(mirror.files("lost+found")) == 1
    assert ref in server.account.emails


def test_an_unreadable_new_file_is_quarantined_by_name_and_the_rest_goes_on(
    server: DemoServer, mirror: Mirror, tmp_path: Path
) -> None:
    mirror.sync()
    mirror.drop("INBOX", b"Subject: good\n\nbody\n")
    mirror.drop("INBOX", b"Subject: bad\n\nbody\n").chmod(0o000)
    assert as_nobody(mirror, tmp_path) == ExitCode.QUARANTINED
    assert len(server.account.emails) == 1
    assert len(mirror.files("INBOX")) == 2


def test_files_and_folders_are_for_their_owner_only(server: DemoServer, mirror: Mirror) -> None:
    fill(server, 2)
    server.account.deliver(b"Subject: words\r\n\r\nbody\r\n", keywords=["todo"])
    mirror.sync()
    for place in [mirror.root, *mirror.root.rglob("*"), mirror.state, *mirror.state.rglob("*")]:
        assert place.stat().st_mode & 0o077 == 0, place
