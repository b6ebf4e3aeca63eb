"""Act at random on both sides of a mirror, always the same way for a seed, and count where each message is in three ways.

An oracle keeps the sets on paper; the disk is counted file by file; how the server is counted is left to who starts the game.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections import Counter
from typing import TYPE_CHECKING

from tests.sim.oracle import Memberships, Oracle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.kit.mirror import Mirror
    from tests.live.jmapraw import Jmap

MESSAGES = 60
MOST = 100
"""Messages from which on no new ones come."""
ROUND = 8
"""Acts between two runs."""
SCANNED = 10
"""Runs between two counts."""
TRASH = "Trash"
FLAGS = {"S": "$seen", "F": "$flagged", "R": "$answered"}
_WORD = re.compile(rb"\[(w[0-9]+)\]")


class Game:
    """One account, one mirror, and somebody who acts on both sides; the same for the same seed."""

    def __init__(self, mirror: Mirror, jmap: Jmap, there: Callable[[], Memberships], seed: int) -> None:
        self.mirror = mirror
        self.jmap = jmap
        self.count_there = there
        self.oracle = Oracle()
        self.acts: Counter[str] = Counter()
        self._chance = random.Random(seed)
        self._bodies: dict[str, bytes] = {}
        self._ids: dict[str, str] = {}
        self._boxes: dict[int, str] = {}
        self._trash = 0
        self._names: dict[int, str] = {}
        """Names that mailboxes got on the server since the last run."""
        self._renamed = False
        self._left_alone: set[str] = set()
        """Messages that are to be left alone until the next run."""

    def prepare(self) -> None:
        """Fill the account and mirror it."""
        for number in range(6):
            self._set({"create": {"m": {"name": f"Box {number}"}}}, "Mailbox")
        paths = [path for path in self.jmap.mailboxes() if path.startswith("Box") or path in {"INBOX", "Inbox", "Archive", TRASH}]
        self.oracle.paths = {number: "INBOX" if path == "Inbox" else path for number, path in enumerate(sorted(paths))}
        self._boxes = {number: self.jmap.mailboxes()[path]["id"] for number, path in enumerate(sorted(paths))}
        self._trash = next(box for box, path in self.oracle.paths.items() if path == TRASH)
        self.oracle.begin()
        for _ in range(MESSAGES):
            self.deliver()
        self.oracle.end()
        self._run()

    def play(self, acts: int) -> None:
        """Act, run, count; raise AssertionError with where the three disagree."""
        runs = 0
        self.acts.clear()
        while self.acts.total() < acts:
            self.oracle.begin()
            self._renamed = False
            self._names.clear()
            self._left_alone.clear()
            for _ in range(min(ROUND, acts - self.acts.total())):
                self.act()
            self.oracle.end()
            self.oracle.paths |= self._names
            self._run()
            runs += 1
            if runs % SCANNED == 0:
                self.check()
        self.check()

    def act(self) -> None:
        """Do one thing on one side; where it cannot be done, another."""
        while True:
            name = self._chance.choice(ACTS)
            if getattr(self, name)():
                self.acts[name] += 1
                return

    def check(self) -> None:
        """Compare what the oracle knows with both sides. Raises AssertionError."""
        wanted, here, there = self.oracle.count(), self.count_here(), self.count_there()
        for side, found in (("here", here), ("on the server", there)):
            missing, extra = sorted((wanted - found).elements()), sorted((found - wanted).elements())
            assert (missing, extra) == ([], []), f"{side} after {self.acts.total()} acts: missing {missing}, too many {extra}"

    def count_here(self) -> Memberships:
        """Return the memberships that the files show."""
        return Counter((word_in(file.read_bytes()), self.mirror.path_of(file.parent.parent)) for file in self.mirror.files())

    def _run(self) -> None:
        report = self.mirror.sync()
        assert (report.exit_code, report.problems, report.conflicts) == (0, [], 0), (report.messages, report.problems)
        blobs = {email["blobId"]: ref for ref, email in self.jmap.emails(["id", "blobId"]).items()}
        self._ids = {word: blobs[name] for word, body in self._bodies.items() if (name := _blob(body)) in blobs}

    # what both sides can do

    def _new(self) -> tuple[str, bytes]:
        word = f"w{len(self._bodies) + 1}"
        body = f"Message-ID: <{word}@x>\r\nSubject: {word}\r\n\r\n[{word}]\r\n".encode()
        self._bodies[word] = body
        return word, body

    def _some_boxes(self, most: int) -> list[int]:
        return self._chance.sample([box for box in self.oracle.paths if box != self._trash], self._chance.randint(1, most))

    def _pick(self, side: str) -> tuple[str, set[int]] | None:
        """Return a message that both sides know and one side has, and where it is there; none where only the trash has it."""
        sets = self.oracle.sides
        words = [word for word, boxes in sets[side].items() if word in self.oracle.agreed and boxes and word in self._ids]
        words = [word for word in words if word not in self._left_alone]
        if not words:
            return None
        word = self._chance.choice(sorted(words))
        return word, sets[side][word]

    def _another(self, boxes: set[int]) -> int | None:
        others = sorted(self.oracle.paths.keys() - boxes - {self._trash})
        return self._chance.choice(others) if others else None

    def _stays(self, word: str, boxes: set[int], changed: set[int]) -> bool:
        """Change where one side has a message, unless it then were nowhere."""
        before = set(boxes)
        boxes.clear()
        boxes |= changed
        if changed and self.oracle.merged(word):
            return True
        boxes.clear()
        boxes |= before
        return False

    # here

    def _file(self, word: str, box: int) -> Path:
        return next(file for file in self.mirror.files(self.oracle.paths[box]) if word_in(file.read_bytes()) == word)

    def write(self) -> bool:
        """Drop a new message into a folder."""
        if len(self.oracle.agreed) >= MOST:
            return False
        word, body = self._new()
        (box,) = self._some_boxes(1)
        self.mirror.drop(self.oracle.paths[box], body.replace(b"\r\n", b"\n"))
        self.oracle.sides["here"][word] = {box}
        return True

    def flag(self) -> bool:
        """Change the flags of one copy."""
        if (found := self._pick("here")) is None:
            return False
        word, boxes = found
        file = self._file(word, self._chance.choice(sorted(boxes)))
        self.mirror.flag(file, "".join(sorted(set(file.name.partition(":2,")[2]) ^ {self._chance.choice("SFR")})))
        return True

    def copy(self) -> bool:
        """Copy one copy to another folder."""
        if (found := self._pick("here")) is None or (target := self._another(found[1])) is None:
            return False
        word, boxes = found
        file = self._file(word, self._chance.choice(sorted(boxes)))
        content = file.read_bytes()
        self.mirror.drop(self.oracle.paths[target], content, sub="cur", info=_standard(file))
        boxes.add(target)
        return True

    def move(self) -> bool:
        """Move one copy to another folder."""
        if (found := self._pick("here")) is None or (target := self._another(found[1])) is None:
            return False
        word, boxes = found
        source = self._chance.choice(sorted(boxes))
        file = self._file(word, source)
        if not self._stays(word, boxes, (boxes - {source}) | {target}):
            return False
        file.rename(self.mirror.folder(self.oracle.paths[target]) / "cur" / f"{file.name.partition(':2,')[0]}{_standard(file)}")
        return True

    def delete(self) -> bool:
        """Delete one of several copies; or, if nobody else touched the message, the only one: it goes to the trash."""
        if (found := self._pick("here")) is None:
            return False
        word, boxes = found
        source = self._chance.choice(sorted(boxes))
        if len(boxes) == 1:
            if self.oracle.touched(word) or self._chance.random() < 0.7:
                return False
            self._file(word, source).unlink()
            for side in self.oracle.sides.values():
                side[word] = set() if source == self._trash else {self._trash}
            self._left_alone.add(word)
            return True
        file = self._file(word, source)
        if not self._stays(word, boxes, boxes - {source}):
            return False
        file.unlink()
        return True

    def rename(self) -> bool:
        """Rename a folder."""
        if self._renamed:
            return False
        box, name = self._new_name()
        self.mirror.folder(self.oracle.paths[box]).rename(self.mirror.folder(name))
        self.oracle.paths[box] = name
        self._renamed = True
        return True

    def _new_name(self) -> tuple[int, str]:
        box = self._chance.choice([box for box, path in self.oracle.paths.items() if path.startswith("Box")])
        return box, f"Box {box} {self.acts.total()}"

    # there

    def _set(self, arguments: dict[str, object], kind: str = "Email") -> None:
        answer = self.jmap.one(f"{kind}/set", arguments)
        refused = [answer.get(name) for name in ("notCreated", "notUpdated", "notDestroyed") if answer.get(name)]
        assert not refused, refused

    def _patch(self, word: str, patch: dict[str, object]) -> None:
        self._set({"update": {self._ids[word]: patch}})

    def deliver(self) -> bool:
        """Bring a new message into up to three mailboxes."""
        if len(self.oracle.agreed) >= MOST:
            return False
        word, body = self._new()
        boxes = self._some_boxes(3)
        email = {
            "blobId": self.jmap.upload(body),
            "mailboxIds": {self._boxes[box]: True for box in boxes},
            "keywords": {},
            "receivedAt": "2026-01-01T00:00:00Z",
        }
        answer = self.jmap.one("Email/import", {"emails": {"e": email}})
        self._ids[word] = answer["created"]["e"]["id"]
        self.oracle.sides["there"][word] = set(boxes)
        return True

    def flag_there(self) -> bool:
        """Set or take away a keyword."""
        if (found := self._pick("there")) is None:
            return False
        keyword = self._chance.choice([*FLAGS.values(), "work"])
        self._patch(found[0], {f"keywords/{keyword}": self._chance.choice((True, None))})
        return True

    def copy_there(self) -> bool:
        """Put a message into one mailbox more."""
        if (found := self._pick("there")) is None or (target := self._another(found[1])) is None:
            return False
        word, boxes = found
        boxes.add(target)
        self._patch(word, {f"mailboxIds/{self._boxes[target]}": True})
        return True

    def move_there(self) -> bool:
        """Move a message from one of its mailboxes to another."""
        if (found := self._pick("there")) is None or (target := self._another(found[1])) is None:
            return False
        word, boxes = found
        source = self._chance.choice(sorted(boxes))
        if not self._stays(word, boxes, (boxes - {source}) | {target}):
            return False
        self._patch(word, {f"mailboxIds/{self._boxes[source]}": None, f"mailboxIds/{self._boxes[target]}": True})
        return True

    def remove_there(self) -> bool:
        """Take a message out of one of several mailboxes."""
        if (found := self._pick("there")) is None or len(found[1]) == 1:
            return False
        word, boxes = found
        source = self._chance.choice(sorted(boxes))
        if not self._stays(word, boxes, boxes - {source}):
            return False
        self._patch(word, {f"mailboxIds/{self._boxes[source]}": None})
        return True

    def destroy_there(self) -> bool:
        """Destroy a message that nobody else touched; seldom, or soon there were none."""
        found = self._pick("there")
        if found is None or self.oracle.touched(found[0]) or self._chance.random() < 0.7:
            return False
        self._set({"destroy": [self._ids[found[0]]]})
        for side in self.oracle.sides.values():
            side[found[0]] = set()
        self._left_alone.add(found[0])
        return True

    def rename_there(self) -> bool:
        """Rename a mailbox; here it has its old name until the next run."""
        if self._renamed:
            return False
        box, name = self._new_name()
        self._set({"update": {self._boxes[box]: {"name": name}}}, "Mailbox")
        self._names[box] = name
        self._renamed = True
        return True


ACTS = (
    *("write", "flag", "copy", "move", "delete", "rename"),
    *("deliver", "flag_there", "copy_there", "move_there", "remove_there", "destroy_there", "rename_there"),
)


def word_in(body: bytes) -> str:
    """Return the word that a message alone has."""
    found = _WORD.search(body)
    assert found, body
    return found[1].decode()


def _blob(body: bytes) -> str:
    """Return the blob id of a message, as Cyrus and the embedded server name it."""
    return "G" + hashlib.sha1(body).hexdigest()


def _standard(file: Path) -> str:
    """Return the end of a file's name without the letters that only its folder gives a meaning."""
    return ":2," + "".join(letter for letter in file.name.partition(":2,")[2] if letter.isupper())
