"""Check the Sieve scripts of an account: which the server has, whether it accepts those here, and what they file into."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.formats.message import digest_of, measure, to_wire
from jmapsync.formats.script_lexer import filings
from jmapsync.formats.scripts import is_script, script_name
from jmapsync.jmap.blobs import upload
from jmapsync.opening import read_regular
from jmapsync.storage.jmap.scripts.listing import LARGEST, Scripts
from jmapsync.storage.jmap.scripts.validate import MEDIA_TYPE, validate
from jmapsync.text import shortened

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account

    Paths = Mapping[str, str]
    """The paths of mailboxes by their ids."""

MOST = 200
"""Files that are read."""
MOST_SHOWN = 20
"""Warnings of one script."""


async def listed(client: Client, theirs: Account) -> tuple[list[str], str]:
    """Return the names of the scripts of the server, the active one marked, and why some may be missing, or nothing."""
    scripts = Scripts(client, theirs)
    found = await scripts.all()
    return sorted(f"{one.label} (active)" if one.is_active else one.label for one in found.items), scripts.doubt


async def doubts(client: Client, theirs: Account, root: Path, boxes: Paths | None) -> list[str]:
    """Return what is wrong with the scripts here and on the server, one sentence each; nothing is changed there.

    `boxes` is None where the server offers no mail, or does not list all of it: then mailboxes are not judged.
    """
    scripts = Scripts(client, theirs)
    found = await scripts.all()
    failed = await scripts.read(found.items)
    texts = {one.label: await scripts.content(one) for one in found.items if one.id not in failed}
    warnings: list[str] = []
    mine = _files(root)
    accepted = {digest_of(data) for data in texts.values()}
    for name, data in mine.items():
        if digest_of(data) not in accepted and (why := await _refusal(scripts, data)):
            warnings.append(f"The server does not accept the script {name}: {why}.")
    if boxes is not None:
        for name, data in (texts | mine).items():
            warnings += unknown_mailboxes(name, data, boxes)
    return warnings


async def _refusal(scripts: Scripts, data: bytes) -> str:
    """Return why the server does not accept a script; nothing is kept there but a blob that it forgets."""
    if (most := scripts.limit("maxSizeScript")) and len(data) > most:
        return f"it has {len(data):,} octets, and the server takes scripts of at most {most:,}"
    blob = await upload(scripts.client, scripts.account.id, data, MEDIA_TYPE)
    return (await validate(scripts, blob.blob_id)).rstrip(".")


def _files(root: Path) -> dict[str, bytes]:
    """Return the scripts of a directory as they are on the wire, by name; those that can be read."""
    found: dict[str, bytes] = {}
    try:
        files = sorted(file for file in root.iterdir() if is_script(file.name))[:MOST]
    except OSError:
        return {}
    for file in files:
        try:
            data = read_regular(file, LARGEST, follow=False)
        except OSError:
            continue
        found[script_name(file.name)] = b"".join(to_wire([data], measure([data]).form))
    return found


def unknown_mailboxes(name: str, data: bytes, boxes: Paths) -> list[str]:
    """Return a warning for each mailbox that a script files into and that the server does not have."""
    paths = {_plain(path) for path in boxes.values()}
    lines: dict[str, int] = {}
    for filing in filings(data):
        if filing.mailbox_id not in boxes and not paths & {_plain(filing.mailbox), _plain(filing.mailbox.replace(".", "/"))}:
            lines.setdefault(filing.mailbox, filing.line)
    return [
        f'The script {name} files into "{shortened(mailbox, 100)}" (line {line}), a mailbox that does not exist.'
        for mailbox, line in list(lines.items())[:MOST_SHOWN]
    ]


def _plain(path: str) -> str:
    """Return a path without what servers write differently: INBOX in any case, and before those that lie beside it."""
    head, _, rest = path.partition("/")
    if head.casefold() != "inbox":
        return path
    return rest or "INBOX"
