"""Take over a tree that real mbsync or offlineimap filled from the same server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.bench.adopt import adopt
from tests.bench.offlineimap import Offlineimap
from tests.bench.seed import seed
from tests.kit.mirror import Mirror
from tests.live.compare import assert_same
from tests.live.imap import Draft

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


@pytest.mark.parametrize("cyrus", ["3.12"], indirect=True)
@pytest.mark.parametrize("program", ["offlineimap", "offlineimap-utf7"])
def test_a_tree_of_offlineimap_is_adopted_and_offlineimap_goes_on_with_it(account: Account, program: str, tmp_path: Path) -> None:
    seed(account.imap, 60)
    uids = [message.uid for message in account.imap.messages("INBOX")]
    account.imap.copy("INBOX", uids[:3], "Archive")
    outcome = adopt(account.server, tmp_path, account.user, account.password, program=program)
    assert outcome.intact, outcome
    assert (outcome.provable, outcome.conflict_copies) == (1, 0)


REWRITTEN = [
    b"From someone Thu Jan  1 00:00:00 1970\r\nSubject: mbox\r\n\r\nbody\r\n",
    b"Subject: unclosed\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\none\r\n",
    b"Subject: alone\r\n",
]
"""Messages that offlineimap's way of writing them down changes."""


@pytest.mark.parametrize("cyrus", ["3.12"], indirect=True)
def test_what_offlineimap_wrote_otherwise_gets_the_servers_bytes_and_is_no_new_message(account: Account, tmp_path: Path) -> None:
    account.imap.append("INBOX", [Draft(one, ("\\Seen",)) for one in REWRITTEN])
    account.imap.append("Archive", [Draft(b"Message-ID: <1@x>\r\nSubject: edited\r\n\r\nbody\r\n")])
    offlineimap = Offlineimap(tmp_path / "offlineimap", account.server, account.user, account.password)
    offlineimap.run()
    mirror = Mirror(account.url, account.user, account.password, offlineimap.root, tmp_path / "state")
    names = {file.name.partition(":2,")[0] for file in mirror.files()}
    (edited,) = mirror.files("Archive")
    edited.write_bytes(edited.read_bytes().replace(b"body", b"cut"))
    report = mirror.sync()
    assert (report.to_server.total, report.to_disk.created, report.conflicts) == (0, 0, 1)
    assert_same(account, mirror)
    assert {file.name.partition(":2,")[0] for file in mirror.files()} == names
    assert (mirror.sync().to_server.total, account.jmap.one("Email/query", {"calculateTotal": True})["total"]) == (0, 4)
    offlineimap.run()
    assert account.jmap.one("Email/query", {"calculateTotal": True})["total"] == len(mirror.files()) == 4
    assert (mirror.sync().to_server.total, len(account.imap.messages("INBOX"))) == (0, 3)
