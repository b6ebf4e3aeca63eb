"""Report what a first run would do with a tree that another program filled, before anything is changed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from jmapsync.storage.files.root import read_marker
from jmapsync.storage.maildir.file_names import SUBS
from jmapsync.sync.report import State, counted

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.config import MailConfig
    from jmapsync.sync.report import AccountReport


def unclaimed_files(config: MailConfig | None) -> int:
    """Count the messages in a folder that is to become a mirror; 0 where it is one already, or holds none."""
    if config is None or read_marker(config.path) is not None:
        return 0
    return sum(
        1
        for folder, _, files in os.walk(config.path)
        if os.path.basename(folder) in SUBS
        for file in files
        if not file.startswith(".")
    )


def foretell(path: Path, files: int, report: AccountReport) -> str:
    """Return the result of a dry run for a tree of so many files, in one line."""
    mail = report.kinds.get("mail")
    if mail is None or mail.state is not State.SYNCED:
        why = report.error or " ".join(mail.messages if mail else ())
        return f"what a first run would do with {counted(files, 'file')} in {path} is not known: {why}"
    here, there = mail.foretold.local, mail.foretold.remote
    boxes = counted(mail.foretold_folders.remote.created, "mailbox", "mailboxes")
    return (
        f"{counted(files, 'file')} in {path}: {boxes} and {counted(there.created, 'message')} to create on the server; "
        f"{counted(here.created, 'message')} to fetch; flags, dates or lines to fix in {here.updated:,} here and "
        f"{there.updated:,} on the server; the rest is equal"
    )
