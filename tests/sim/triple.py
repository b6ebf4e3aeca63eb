"""A message in three mailboxes, and every act that is possible on it on either side."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kit.mirror import Mirror
    from tests.live.jmapraw import Jmap, Json

MESSAGE = b"Message-ID: <three@x>\r\nSubject: three\r\n\r\nbody\r\n"
HOMES = frozenset({"INBOX", "Archive", "Lists"})


@dataclass
class Triple:
    """The account, its mirror, and the message."""

    mirror: Mirror
    jmap: Jmap
    ref: str = ""

    def prepare(self) -> None:
        """Put the message into its mailboxes, among others, and mirror it."""
        for name in ("Lists", "Work"):
            self.jmap.one("Mailbox/set", {"create": {"m": {"name": name}}})
        for body, homes in ((MESSAGE, HOMES), (MESSAGE.replace(b"three", b"other"), {"Lists", "Work"})):
            wish = {"blobId": self.jmap.upload(body), "mailboxIds": {self.box(home): True for home in homes}}
            made = self.jmap.one("Email/import", {"emails": {"e": {**wish, "keywords": {"todo": True}}}})["created"]["e"]["id"]
            self.ref = self.ref or made
        self.sync_until_quiet()

    def sync_until_quiet(self) -> None:
        """Synchronise, and once more to see that nothing is left to do."""
        report = self.mirror.sync()
        assert (report.exit_code, report.problems, report.conflicts) == (0, [], 0), report.messages
        again = self.mirror.sync()
        assert (again.to_disk.total, again.to_server.total) == (0, 0), again.messages

    def box(self, path: str) -> str:
        """Return the id of a mailbox."""
        return next(str(box["id"]) for name, box in self.jmap.mailboxes().items() if name.upper() == path.upper())

    def file(self, folder: str) -> Path:
        """Return the message's file in a folder."""
        return next(file for file in self.mirror.files(folder) if b"three" in file.read_bytes())

    def on_disk(self) -> dict[str, int]:
        """Count the message's files by folder."""
        found: dict[str, int] = {}
        for file in self.mirror.files():
            if b"three" in file.read_bytes():
                folder = self.mirror.path_of(file.parent.parent)
                found[folder] = found.get(folder, 0) + 1
        return found

    def on_server(self) -> frozenset[str]:
        """Return the mailboxes of the message; it must still be the one email, beside the other one."""
        emails = self.jmap.emails(["id", "mailboxIds"])
        assert len(emails) == 2
        paths = {str(box["id"]): "INBOX" if name == "Inbox" else name for name, box in self.jmap.mailboxes().items()}
        return frozenset(paths[box] for box in emails[self.ref]["mailboxIds"])

    def patch(self, patch: Json) -> None:
        """Change the message on the server."""
        assert "updated" in self.jmap.one("Email/set", {"update": {self.ref: patch}})

    def change_box(self, path: str, patch: Json) -> None:
        """Change a mailbox on the server."""
        assert self.jmap.one("Mailbox/set", {"update": {self.box(path): patch}}).get("updated")

    def move(self, source: str, target: str) -> None:
        """Move one file as a mail program does."""
        file = self.file(source)
        file.rename(self.mirror.folder(target) / "cur" / f"{file.name.partition(':2,')[0]}:2,")


def flag_here(three: Triple) -> None:
    three.mirror.flag(three.file("Archive"), "FSa")


def keyword_here(three: Triple) -> None:
    with (three.mirror.folder("Lists") / "dovecot-keywords").open("a") as table:
        table.write("1 later\n")
    three.mirror.flag(three.file("Lists"), "ab")


def unflag_here(three: Triple) -> None:
    three.mirror.flag(three.file("INBOX"), "")


def move_here(three: Triple) -> None:
    three.move("Archive", "Work")


def copy_here(three: Triple) -> None:
    three.mirror.drop("Work", three.file("INBOX").read_bytes(), sub="cur", info=":2,S")


def link_here(three: Triple) -> None:
    os.link(three.file("INBOX"), three.mirror.folder("Work") / "cur" / "1.linked:2,")


def delete_here(three: Triple) -> None:
    three.file("Lists").unlink()


def trash_flag_here(three: Triple) -> None:
    three.mirror.flag(three.file("Lists"), "T")


def rename_folder_here(three: Triple) -> None:
    three.mirror.folder("Lists").rename(three.mirror.folder("Mailing lists"))


def move_folder_here(three: Triple) -> None:
    three.mirror.folder("Lists").rename(three.mirror.folder("Work/Lists"))


def touch_here(three: Triple) -> None:
    os.utime(three.file("Archive"), (1_700_000_000, 1_700_000_000))


def keyword_there(three: Triple) -> None:
    three.patch({"keywords/$flagged": True, "keywords/later": True})


def keyword_off_there(three: Triple) -> None:
    three.patch({"keywords/todo": None})


def move_there(three: Triple) -> None:
    three.patch({f"mailboxIds/{three.box('Archive')}": None, f"mailboxIds/{three.box('Work')}": True})


def copy_there(three: Triple) -> None:
    three.patch({f"mailboxIds/{three.box('Work')}": True})


def remove_there(three: Triple) -> None:
    three.patch({f"mailboxIds/{three.box('Lists')}": None})


def rename_folder_there(three: Triple) -> None:
    three.change_box("Lists", {"name": "Mailing lists"})


def move_folder_there(three: Triple) -> None:
    three.change_box("Lists", {"parentId": three.box("Work")})


def lose_the_ledger(three: Triple) -> None:
    for file in three.mirror.state.glob("ledger.sqlite*"):
        file.unlink()


Act = Callable[[Triple], None]
ELSEWHERE = (HOMES - {"Archive"}) | {"Work"}
ACTS: dict[Act, frozenset[str]] = {
    **dict.fromkeys((flag_here, keyword_here, unflag_here, touch_here, keyword_there, keyword_off_there, lose_the_ledger), HOMES),
    **dict.fromkeys((move_here, move_there), ELSEWHERE),
    **dict.fromkeys((copy_here, link_here, copy_there), HOMES | {"Work"}),
    **dict.fromkeys((delete_here, trash_flag_here, remove_there), HOMES - {"Lists"}),
    **dict.fromkeys((rename_folder_here, rename_folder_there), (HOMES - {"Lists"}) | {"Mailing lists"}),
    **dict.fromkeys((move_folder_here, move_folder_there), (HOMES - {"Lists"}) | {"Work/Lists"}),
}
"""Every act, and the mailboxes that the message is in afterwards."""


def play(three: Triple, act: Act) -> None:
    """Do one act and fail unless the message is then where it has to be, on both sides, once in each place."""
    three.prepare()
    act(three)
    three.sync_until_quiet()
    assert three.on_server() == ACTS[act]
    assert three.on_disk() == dict.fromkeys(ACTS[act], 1)
