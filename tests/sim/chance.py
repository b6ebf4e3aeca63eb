"""Act at random on both sides of a world, always the same way for a seed, and know which messages may never be lost."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

from tests.sim.world import NOW, World, letter, local_letter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FOLDERS = ("INBOX", "Archive", "Lists", "Lists/python", "Sent")
KEYWORDS = ("$seen", "$flagged", "$answered", "work", "later")
MESSAGES = 14


class Player:
    """Somebody at either side. Every message has a word of its own; `safe` are those that nobody ever destroyed."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.safe: set[str] = set()
        self.doomed: set[str] = set()
        """Words that may be gone: destroyed on the server, or of an older version of an edited message."""
        self.unseen: set[str] = set()
        """Words of messages that were edited in place: a copy may reach the server before the edit is seen, as another message."""
        self._chance = random.Random(seed)
        self._count = 0

    def populate(self) -> None:
        """Fill the account before the first pull."""
        for path in ("Lists", "Lists/python"):
            self.world.account.create_mailbox(path)
        for _ in range(MESSAGES):
            self.deliver()

    def act(self) -> None:
        """Do one thing on one side; on a side that has nothing to do it to, nothing."""
        here: tuple[Callable[[], None], ...] = (self.flag, self.move, self.copy, self.delete, self.write, self.edit)
        there = (self.flag_there, self.move_there, self.copy_there, self.destroy_there, self.deliver)
        self._chance.choice((*here, *there))()

    def _word(self) -> str:
        self._count += 1
        word = f"w{self._count}"
        self.safe.add(word)
        return word

    def _doom(self, word: str) -> None:
        self.safe.discard(word)
        self.doomed.add(word)

    # here

    def _file(self) -> Path | None:
        files = [file for folder in FOLDERS if (self.world.place(folder) / "cur").is_dir() for file in self.world.files(folder)]
        return self._chance.choice(files) if files else None

    def _folder(self) -> str:
        return self._chance.choice([folder for folder in FOLDERS if (self.world.place(folder) / "cur").is_dir()] or ["INBOX"])

    def flag(self) -> None:
        if file := self._file():
            letters = set(file.name.partition(":2,")[2]) ^ {self._chance.choice("SFR")}
            self.world.flag(file, "".join(sorted(letters)))

    def move(self) -> None:
        if file := self._file():
            target = self._folder()
            if target != self.world.path_of(str(file.parent.parent)) and not self._is_in(file, target):
                self.world.move(_standard(file), target)

    def copy(self) -> None:
        if file := self._file():
            target = self._folder()
            if not self._is_in(file, target):
                self.world.copy(_standard(file), target)

    def _is_in(self, file: Path, folder: str) -> bool:
        return file.read_bytes() in {other.read_bytes() for other in self.world.files(folder)}

    def delete(self) -> None:
        """Delete a file; one that no run has brought to the server yet is gone with its last copy."""
        if file := self._file():
            content = file.read_bytes()
            file.unlink()
            word = word_in(content)
            known = any(word_in(self.world.account.raw(email)) == word for email in self.world.account.emails)
            if not known and not any(content == other.read_bytes() for other in self.world.files()):
                self._doom(word)

    def write(self) -> None:
        folder = self._folder()
        if (self.world.place(folder) / "tmp").is_dir():
            self.world.drop(folder, local_letter(self._word()))

    def edit(self) -> None:
        """Edit a message that has one copy only: of several, the edited one is a message of its own."""
        file = self._file()
        if file is None or sum(file.read_bytes() == other.read_bytes() for other in self.world.files()) > 1:
            return
        old = word_in(file.read_bytes())
        self.world.edit(file, local_letter(self._word(), "Edited."))
        self._doom(old)

    def edit_in_place(self) -> None:
        """Edit a message that one file holds, in that file: one with several names would be edited in all folders."""
        file = self._file()
        if file is None or sum(file.read_bytes() == other.read_bytes() for other in self.world.files()) > 1:
            return
        old = word_in(file.read_bytes())
        word = self._word()
        self.world.edit_in_place(file, local_letter(word, "Edited."))
        self.unseen.add(word)
        self._doom(old)

    def backdate(self) -> None:
        """Put a message into a folder and give its directories the times that they had, as `cp -a` and rsync do."""
        folder = self.world.place(self._folder())
        parts = [folder / part for part in ("cur", "new", "tmp") if (folder / part).is_dir()]
        times = [part.stat() for part in parts]
        if len(parts) == len(("cur", "new", "tmp")):
            self.world.drop(self.world.path_of(str(folder)), local_letter(self._word()), sub="cur", info=":2,")
        for part, before in zip(parts, times, strict=True):
            os.utime(part, ns=(before.st_atime_ns, before.st_mtime_ns))

    # there

    def _email(self) -> str | None:
        emails = sorted(self.world.account.emails)
        return self._chance.choice(emails) if emails else None

    def flag_there(self) -> None:
        if email := self._email():
            word = self._chance.choice(KEYWORDS)
            self.world.account.set_keyword(email, word, present=word not in self.world.account.emails[email].keywords)

    def move_there(self) -> None:
        if email := self._email():
            homes = sorted(self.world.account.emails[email].mailbox_ids)
            self.world.account.move(email, self._chance.choice(homes), self._chance.choice(FOLDERS))

    def copy_there(self) -> None:
        if email := self._email():
            self.world.account.copy(email, self._chance.choice(FOLDERS))

    def destroy_there(self) -> None:
        if email := self._email():
            self._doom(word_in(self.world.account.raw(email)))
            self.world.account.destroy(email)

    def deliver(self) -> None:
        self._deliver(self._chance.sample(FOLDERS, self._chance.choice((1, 1, 1, 2))))

    def _deliver(self, homes: list[str]) -> None:
        words = self._chance.sample(KEYWORDS, self._chance.choice((0, 1, 2)))
        self.world.account.deliver(letter(self._word()), homes, words, NOW - 10_000 + self._count)


def word_in(content: bytes) -> str:
    """Return the word that a message alone has."""
    return content.rpartition(b"[")[2].partition(b"]")[0].decode()


def _standard(file: Path) -> Path:
    """Take the lower-case letters off a file before it goes elsewhere: there they would stand for other keywords."""
    name, colon, letters = file.name.partition(":2,")
    return file.rename(file.with_name(name + colon + "".join(letter for letter in letters if letter.isupper())))
