"""Mirror into Maildir++ on real Cyrus servers; every end is compared over IMAP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.kit.mirror import Mirror
from tests.live.imap import Draft
from tests.live.test_mail import letter, synced

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live.conftest import Account


def test_folders_and_mail_both_ways(account: Account, tmp_path: Path) -> None:
    flat = Mirror(account.url, account.user, account.password, tmp_path / "mail", tmp_path / "state", layout="maildir++")
    for number, folder in enumerate(["INBOX", "Lists", "Lists/python", "Work"]):
        if folder != "INBOX":
            account.imap.create_folder(folder)
        account.imap.append(folder, [Draft(letter(number), received=1_700_000_000 + number)])
    synced(account, flat)
    assert (flat.root / ".Lists.python" / "cur").is_dir()

    flat.folder("New/below").mkdir()
    synced(account, flat)
    flat.drop("New/below", letter(8).replace(b"\r\n", b"\n"))
    flat.folder("Work").rename(flat.folder("Lists/job"))
    [inbox] = flat.files("INBOX")
    flat.flag(inbox, "FS")
    synced(account, flat)
    assert {"New", "New/below", "Lists/job"} <= set(account.imap.folders())

    account.imap.rename_folder("Lists", "Old")
    account.imap.append("Old/python", [Draft(letter(9), received=1_700_000_009)])
    synced(account, flat)
    assert len(flat.files("Old/python")) == 2
    assert not flat.folder("Lists").exists()
