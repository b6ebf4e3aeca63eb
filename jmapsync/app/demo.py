"""Show everything on the embedded server: a sample account, a configuration for it, and a mirror of it."""

from __future__ import annotations

import email
import os
from email.header import decode_header, make_header
from pathlib import Path
from typing import TYPE_CHECKING, Self

from jmapsync.app.root import App
from jmapsync.config import load
from jmapsync.demo import DemoServer
from jmapsync.demo.sample import fill_sample
from jmapsync.directories import make_private
from jmapsync.errors import ConfigError, LocalError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from jmapsync.sync.report import Progress, RunReport

DEFAULT = "jmapsync-demo"
"""The folder, in the current one, where nothing else is said."""

_CONFIG = """\
# Written by jmapsync demo, for the embedded server of that run.
state_dir = "state"

[accounts.demo]
url = "{url}"
user = "demo"
auth = "basic"
password = "demo"    # taken because nobody else can read this file; a real account has a password_command

[accounts.demo.mail]
path = "Mail"

[accounts.demo.contacts]
path = "Contacts"

[accounts.demo.calendars]
path = "Calendars"

[accounts.demo.tasks]
path = "Tasks"
"""

Holdings = dict[str, tuple[frozenset[str], frozenset[str]]]
"""The mailbox paths and the keywords of every message of the server, by email id."""


class Tour:
    """The embedded server with its sample account, and a folder that mirrors it; use it as a context manager."""

    def __init__(self, folder: str | None) -> None:
        """Choose the folder: the one given, which must be new or empty, else a new one here. Raise `ConfigError`."""
        self.folder = _new_folder() if folder is None else Path(folder).absolute()
        try:
            is_free = not os.path.lexists(self.folder) or (os.path.isdir(self.folder) and not os.listdir(self.folder))
        except OSError as error:
            raise ConfigError([f"{folder} cannot be listed: {error.strerror}; name another one."]) from error
        if not is_free:
            raise ConfigError([f"{folder} is there already and not an empty folder; name another one."])
        self.config = self.folder / "config.toml"
        self.mail = self.folder / "Mail"
        self._server = DemoServer()
        self._account = self._server.account

    def __enter__(self) -> Self:
        """Start the server and write the configuration; raise `LocalError` if that cannot be written."""
        fill_sample(self._account)
        self._server.start()
        try:
            make_private(self.folder)
            self.config.touch(mode=0o600)
            self.config.write_text(_CONFIG.format(url=self._server.url), encoding="utf-8")
        except OSError as error:
            self._server.stop()
            raise LocalError(f"The folder {self.folder} cannot be written: {error.strerror}.") from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop the server; the files stay."""
        self._server.stop()

    async def sync(self, progress: Progress) -> RunReport:
        """Do what `jmapsync -c CONFIG sync` does."""
        return await App(load(self.config)).sync(progress=progress)

    def folders(self) -> dict[str, int]:
        """Return how many messages each mirrored folder holds."""
        maildirs = sorted(cur.parent for cur in self.mail.rglob("cur"))
        return {
            str(maildir.relative_to(self.mail)): sum(1 for part in ("new", "cur") for _ in (maildir / part).iterdir())
            for maildir in maildirs
        }

    def items(self) -> dict[str, int]:
        """Return how many cards, events and tasks each mirrored collection holds."""
        places = [self.folder / name for name in ("Contacts", "Calendars", "Tasks")]
        found = {book: len([*book.glob("*.vcf"), *book.glob("*.ics")]) for place in places for book in sorted(place.glob("*/"))}
        return {str(book.relative_to(self.folder)): count for book, count in found.items() if count}

    def mark_read_here(self, subject: str) -> None:
        """Mark a message of the inbox as read, as a mail program does: by renaming its file."""
        file, marked = self.marked_read(subject)
        file.rename(marked)

    def marked_read(self, subject: str) -> tuple[Path, Path]:
        """Return the file of a message of the inbox, and what to rename it to so that it is marked as read."""
        file = self.file_of(subject)
        return file, file.parent.parent / "cur" / f"{file.name.partition(':2,')[0]}:2,S"

    def star_on_server(self, subject: str) -> None:
        """Flag a message on the server, as a phone does."""
        self._account.set_keyword(self._id_of(subject), "$flagged")

    def file_of(self, subject: str) -> Path:
        """Return the file of a message of the inbox."""
        inbox = self.mail / "INBOX"
        files = (file for part in ("new", "cur") for file in (inbox / part).iterdir())
        return next(file for file in files if subject_of(file.read_bytes()) == subject)

    def keywords_of(self, subject: str) -> list[str]:
        """Return the keywords of a message as the server has them."""
        return sorted(self._account.emails[self._id_of(subject)].keywords)

    def watch(self, report: Callable[[str], None]) -> None:
        """Report every change of the server's account from now on, one message each."""
        known = self._account.listing()

        def compare() -> None:
            nonlocal known
            now = self._account.listing()
            for message in self._differences(known, now):
                report(message)
            known = now

        self._account.listeners.append(compare)

    def _differences(self, before: Holdings, now: Holdings) -> list[str]:
        changes = [f"message {id_} was destroyed" for id_ in sorted(before.keys() - now.keys())]
        for id_, (homes, keywords) in now.items():
            old_homes, old_keywords = before.get(id_, (frozenset[str](), frozenset[str]()))
            if (homes, keywords) == (old_homes, old_keywords):
                continue
            steps = [f"is in {home}" for home in sorted(homes - old_homes)]
            steps += [f"is no longer in {home}" for home in sorted(old_homes - homes)]
            steps += [f"has {keyword}" for keyword in sorted(keywords - old_keywords)]
            steps += [f"has no {keyword}" for keyword in sorted(old_keywords - keywords)]
            changes.append(f'"{subject_of(self._account.raw(id_))}" {", ".join(steps)}')
        return changes

    def _id_of(self, subject: str) -> str:
        return next(id_ for id_ in self._account.listing() if subject_of(self._account.raw(id_)) == subject)


def subject_of(message: bytes) -> str:
    """Return the subject of a message for people."""
    value = email.message_from_bytes(message)["Subject"] or ""
    return " ".join(str(make_header(decode_header(value))).split())


def _new_folder() -> Path:
    folder = Path.cwd() / DEFAULT
    number = 1
    while folder.exists():
        number += 1
        folder = folder.with_name(f"{DEFAULT}-{number}")
    return folder
