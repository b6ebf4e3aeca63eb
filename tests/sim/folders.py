"""Act at random on the folders of both sides too: make, rename, move, swap and remove them, with their mail."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from tests.sim.chance import Player, word_in
from tests.sim.world import maildirs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sim.world import World

STANDARD = frozenset({"INBOX", "Archive", "Drafts", "Sent", "Trash", "Junk", "Outbox", "Spam"})
PARTS = ("cur", "new", "tmp")


class Householder(Player):
    """Somebody who tidies up at either side. New names are never used twice: a name that both want is a question for people."""

    def __init__(self, world: World, seed: int) -> None:
        super().__init__(world, seed)
        self._names = 0
        self._swaps_here = self._chance.random() < 0.5
        """Folders are swapped on one side only: else both could want one name."""

    def act(self) -> None:
        """Do one thing; every other one to a folder."""
        if self._chance.random() < 0.5:
            super().act()
            return
        swap = self.swap if self._swaps_here else self.swap_there
        here = (self.make, self.rename, self.remove)
        there = (self.make_there, self.rename_there, self.remove_there)
        self._chance.choice((*here, *there, swap))()

    def _name(self) -> str:
        self._names += 1
        return f"F{self._names} ü"

    # here

    def _folders(self) -> list[str]:
        return sorted(self.world.path_of(folder) for folder in maildirs(str(self.world.root)))

    def _folder(self) -> str:
        return self._chance.choice(self._folders() or ["INBOX"])

    def _file(self) -> Path | None:
        files = [
            file for file in self.world.files() if self.world.path_of(str(file.parent.parent)) != "Trash"
        ]  # what is deleted there is destroyed
        return self._chance.choice(files) if files else None

    def _own(self) -> str | None:
        folders = [one for one in self._folders() if one not in STANDARD]
        return self._chance.choice(folders) if folders else None

    def edit(self) -> None:
        """Leave messages as they are: a copy of one edited before it was sent is a message of its own."""

    def make(self) -> None:
        """Make a folder somewhere, at times with a message in it."""
        parent = self._chance.choice(["", *(f"{one}/" for one in self._folders() if one not in STANDARD)])
        self.world.mkdir(f"{parent}{self._name()}")

    def rename(self) -> None:
        """Rename a folder, or move it under another one."""
        folder = self._own()
        if folder is None:
            return
        others = [one for one in self._folders() if one not in STANDARD and not f"{one}/".startswith(f"{folder}/")]
        parent = self._chance.choice(["", *(f"{one}/" for one in others)])
        (self.world.root / folder).rename(self.world.root / f"{parent}{self._name()}")

    def swap(self) -> None:
        """Give two folders each other's names."""
        own = [one for one in self._folders() if one not in STANDARD and "/" not in one]
        if len(own) > 1:
            one, other = self._chance.sample(own, 2)
            root = self.world.root
            (root / one).rename(root / "between")
            (root / other).rename(root / one)
            (root / "between").rename(root / other)

    def remove(self) -> None:
        """Remove a folder that holds nothing."""
        folder = self._own()
        if folder is None:
            return
        path = self.world.root / folder
        below = [one for one in path.iterdir() if one.is_dir() and one.name not in PARTS]
        if not below and not any(any((path / part).iterdir()) for part in PARTS):
            shutil.rmtree(path)

    # there

    def _boxes(self) -> list[str]:
        account = self.world.account
        own = (one for one in account.mailboxes.values() if one.role != "inbox" and account.path(one) not in STANDARD)
        return sorted(one.id for one in own)

    def _any_box(self) -> str:
        account = self.world.account
        return self._chance.choice(sorted(account.path(one) for one in account.mailboxes.values()))

    def move_there(self) -> None:
        if email := self._email():
            homes = sorted(self.world.account.emails[email].mailbox_ids)
            self.world.account.move(email, self._chance.choice(homes), self._any_box())

    def copy_there(self) -> None:
        if email := self._email():
            self.world.account.copy(email, self._any_box())

    def deliver(self) -> None:
        self._deliver([self._any_box()])

    def make_there(self) -> None:
        account = self.world.account
        parents = ["", *(f"{account.path(account.mailboxes[one])}/" for one in self._boxes())]
        account.create_mailbox(f"{self._chance.choice(parents)}{self._name()}")

    def rename_there(self) -> None:
        """Rename a mailbox, or move it under another one."""
        account, boxes = self.world.account, self._boxes()
        if not boxes:
            return
        box = self._chance.choice(boxes)
        path = account.path(account.mailboxes[box])
        paths = [account.path(account.mailboxes[one]) for one in boxes]
        parents = [one for one in paths if not f"{one}/".startswith(f"{path}/")]
        parent = self._chance.choice([None, *parents])
        account.rename_mailbox(path, self._name(), parent=parent)

    def swap_there(self) -> None:
        """Give two mailboxes each other's names."""
        account = self.world.account
        own = [path for one in self._boxes() if "/" not in (path := account.path(account.mailboxes[one]))]
        if len(own) > 1:
            one, other = self._chance.sample(own, 2)
            for old, new in ((one, "between"), (other, one), ("between", other)):
                account.rename_mailbox(old, new)

    def remove_there(self) -> None:
        """Remove a mailbox without children; mail that is nowhere else is gone with it."""
        account, boxes = self.world.account, self._boxes()
        childless = [one for one in boxes if all(other.parent_id != one for other in account.mailboxes.values())]
        if not childless:
            return
        box = self._chance.choice(childless)
        for email in list(account.emails.values()):
            if email.mailbox_ids == {box}:
                self._doom(word_in(account.raw(email.id)))
        account.destroy_mailbox(account.path(account.mailboxes[box]))
