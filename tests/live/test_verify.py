"""`verify` against real Cyrus servers: clean where IMAP agrees that it is, and it finds a flipped byte by the server's digests."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from jmapsync.app import App
from jmapsync.config import load
from tests.app.test_verify_objects import FILES, TITLE
from tests.kit.pim import Dav, Kind, Pim, change
from tests.live.imap import Draft

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.backup.verify import Proof
    from tests.live.conftest import Account

CARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:ada\r\nN:Lovelace;Ada;;;\r\nFN:Ada Lovelace\r\nX-CUSTOM:kept\r\nEND:VCARD\r\n"


def verified(pim: Pim) -> dict[str, Proof]:
    report, proofs = asyncio.run(App(load(pim.config)).verify())["home"]
    assert (report.error, report.worst) == ("", 0)
    return proofs


def test_a_mirror_of_cyrus_is_proved_by_its_digests(account: Account, tmp_path: Path) -> None:
    drafts = [
        Draft(f"Subject: {n}\r\n\r\n{'x' * n}\r\n".encode(), ["\\Seen", "work"][: n % 3], 1_700_000_000 + n) for n in range(60)
    ]
    account.imap.append("INBOX", [*drafts, Draft(b"Subject: odd\r\n\r\n\xff\rbare\r\n", received=1_700_000_100)])
    account.imap.create_folder("Lists/python")
    account.imap.copy("INBOX", [message.uid for message in account.imap.messages("INBOX")][:20], "Lists/python")
    with Dav(account.server.jmap_port, account.user, account.password) as dav:
        dav.put("contacts", "ada.vcf", CARD)
    pim = Pim(tmp_path, account.url, account.user, account.password, ("contacts",))
    pim.sync_until_quiet()
    proofs = verified(pim)
    assert [proof.differences for proof in proofs.values()] == [[], []]
    digests = 61 if account.server.flavour == "3.12" else 0  # Cyrus 3.6 computes SHA-1 only: there bodies are fetched again
    assert (proofs["mail"].items, proofs["mail"].files, proofs["mail"].digests) == (61, 81, digests)
    assert proofs["mail"].containers["Lists/python"] == (20, 20)

    file = next(iter((tmp_path / "mail" / "Lists" / "python").glob("[cn][ue][rw]/*")))
    content, state = file.read_bytes(), file.stat()
    with file.open("r+b") as opened:
        opened.write(content.replace(b"Subject", b"Sabject"))
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    [one, other] = verified(pim)["mail"].differences  # hard links: the byte is flipped in both folders
    assert {one.why, other.why} == {"its bytes are not the server's"}


@pytest.mark.parametrize(("cyrus", "kind"), [("3.6", "contacts"), ("3.12", "contacts"), ("3.12", "calendars")], indirect=["cyrus"])
def test_objects_made_and_edited_here_are_no_difference(account: Account, tmp_path: Path, kind: Kind) -> None:
    """Cyrus adds, leaves out and renames parts of what it is sent; a sync has nothing to do all the same."""
    pim = Pim(tmp_path, account.url, account.user, account.password, (kind,))
    with Dav(account.server.jmap_port, account.user, account.password) as dav:
        pim.run()
        folder = next(path for path in (tmp_path / kind).iterdir() if path.is_dir() and path.name[0] != ".")
        (folder / f"rich{'.vcf' if kind == 'contacts' else '.ics'}").write_bytes(
            b"\r\n".join(line for line in FILES[kind].split(b"\r\n") if not line.startswith(b"ORGANIZER"))  # who is somebody else
        )
        pim.run()
        change(pim.file(kind, "rich"), *TITLE[kind])
        pim.run()
        pim.sync_until_quiet()
        proof = verified(pim)[kind]
        assert proof.differences == []
        assert len(proof.not_kept) == 1

        [name] = dav.names(kind)
        value = TITLE[kind][1].partition(":")[2].strip()
        dav.put(kind, name, dav.get(kind, name).replace(f":{value}", ":there"))
        [one] = verified(pim)[kind].differences
        assert one.why.startswith("it was changed on the server")
        pim.run()
        change(pim.file(kind, "rich"), ":there", ":here")
        [one] = verified(pim)[kind].differences
        assert one.why.startswith("it was changed here")
        pim.run()
        pim.sync_until_quiet()
        assert verified(pim)[kind].differences == []
