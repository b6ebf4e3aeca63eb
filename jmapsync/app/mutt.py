"""Name the mirrored folders to mutt and NeoMutt in their configuration language."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jmapsync.config import AccountConfig

_PARTS = {"cur", "new", "tmp"}


def folder_lines(account: AccountConfig, *, named: bool, prefixed: bool) -> list[str]:
    """Return one line for each Maildir on disk, the inbox first.

    `named` writes NeoMutt's `named-mailboxes` with a label, which begins with the account's name if `prefixed`; mutt knows only
    `mailboxes`. A folder whose name no line can hold (a line break in it) is left out.
    """
    if account.mail is None:
        return []
    root = account.mail.path
    places = {folder: folder for folder in _maildirs(root)} if account.mail.layout == "nested" else _side_by_side(root)
    lines = []
    for folder in sorted(places, key=lambda path: (path != "INBOX", path.casefold())):
        path = os.fspath(root / places[folder])
        label = f"{account.name}/{folder}" if prefixed else folder
        if not (path.isprintable() and label.isprintable()):
            continue
        lines.append(f"named-mailboxes {quote(label)} {quote(path)}" if named else f"mailboxes {quote(path)}")
    return lines


def quote(text: str) -> str:
    """Quote for a muttrc: between single quotes nothing is special but the quote, not even `$`, `^` or a backtick."""
    return "'" + text.replace("'", r"'\''") + "'"


def _maildirs(root: Path, below: str = "") -> Iterator[str]:
    try:
        with os.scandir(root / below) as entries:
            names = {entry.name for entry in entries if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")}
    except OSError:
        return
    if below and names >= _PARTS:
        yield below
    for name in sorted(names - _PARTS if below else names):
        yield from _maildirs(root, f"{below}/{name}" if below else name)


def _side_by_side(root: Path) -> dict[str, str]:
    """Return where each folder of a Maildir++ root lies in it, by its path."""
    try:
        names = ["", *(name for name in os.listdir(root) if name[0] == ".")]
        maildirs = [name for name in names if not (name and os.path.islink(root / name)) and _is_maildir(root / name)]
    except OSError:
        return {}
    return {name[1:].replace(".", "/") or "INBOX": name for name in maildirs}


def _is_maildir(folder: Path) -> bool:
    return all(os.path.isdir(folder / part) and not os.path.islink(folder / part) for part in _PARTS)
