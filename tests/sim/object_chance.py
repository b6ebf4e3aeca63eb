"""Act at random on contacts, calendars and tasks on both sides of a world, and know which words may never be lost."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
from typing import TYPE_CHECKING, Any

from jmapsync.storage.vdir import metadata
from tests.sim.objects import KINDS, WORD, ObjectWorld, words_in

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.formats.objects import Object
    from jmapsync.sync.report import Problem
    from tests.sim.objects import Shown

MOST_FIXES = 4
"""How often somebody puts right what a run names."""
EACH = 6
"""Items of each kind that the account begins with."""
_FIELDS = {
    "contacts": ("NOTE", "NICKNAME", "TEL", "X-WORD"),
    "calendars": ("DESCRIPTION", "LOCATION", "X-WORD"),
    "tasks": ("DESCRIPTION", "LOCATION", "X-WORD"),
}
"""Lines that may be added; Cyrus keeps no line that it does not know, which then stays in the file."""
_LINES = {
    "contacts": ("BEGIN:VCARD", "VERSION:3.0", "UID:{uid}", "FN:{one}", "N:{one};;;;", "NOTE:{other}", "END:VCARD"),
    "calendars": (
        *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//EN", "BEGIN:VEVENT", "UID:{uid}", "DTSTAMP:20260101T000000Z"),
        *("DTSTART:20261224T180000Z", "SUMMARY:{one}", "DESCRIPTION:{other}", "END:VEVENT", "END:VCALENDAR"),
    ),
    "tasks": (
        *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//EN", "BEGIN:VTODO", "UID:{uid}", "DTSTAMP:20260101T000000Z"),
        *("DUE:20261224T180000Z", "SUMMARY:{one}", "DESCRIPTION:{other}", "END:VTODO", "END:VCALENDAR"),
    ),
}


HERE = (
    *("edit", "edit", "write_more", "take_out", "create", "delete", "move", "copy", "twin", "halve", "scribble", "change_uid"),
    *("make_collection", "rename_directory", "name_collection", "remove_directory"),
)
THERE = (
    *("edit_there", "edit_there", "edit_there", "take_out_there", "add_there", "delete_there", "touch_there"),
    *("move_there", "copy_there", "same_uid_there"),
    *("make_collection_there", "name_collection_there", "remove_collection_there"),
)
"""Acts on the disk and on the server; what people do most stands there more than once."""


class Somebody:
    """Somebody at either side of a world.

    Every text value is a word of its own. A word is lost to its side by an act that takes it from there; then it may be gone. All
    others are `safe`.
    """

    def __init__(self, world: ObjectWorld, seed: int) -> None:
        self.world = world
        self.doomed: set[str] = set()
        self.written: set[str] = set()
        self.keeps_unknown = not self._is_cyrus
        """Whether the server keeps lines that it does not know."""
        self._chance = random.Random(seed)
        self._numbers = itertools.count(1)
        self._made: set[str] = set()
        """Names of the directories that were made here."""
        self._broken: dict[bytes, bytes] = {}
        """What files held that are half now, by what they hold."""
        self.story: list[str] = []
        """What was done, for people."""

    @property
    def safe(self) -> set[str]:
        return self.written - self.doomed

    def populate(self, each: int = EACH) -> None:
        """Fill the account before the first pull."""
        for kind in self.world.flavour.kinds:
            if kind != "tasks":
                self.world.store(kind).create_collection(self._name())
            for _ in range(each):
                self.add_there(kind)

    def act(self) -> None:
        """Do one thing on one side; on a side that has nothing to do it to, nothing."""
        self.do(self._chance.choice(HERE if self._chance.random() < 0.5 else THERE))

    def do(self, name: str) -> None:
        """Do one of the acts of `HERE` and `THERE`, to a kind by chance."""
        side = "here" if name in HERE else "there"
        kind = self._chance.choice(self.world.flavour.kinds)
        before = self._places(side)
        self.story.append(f"{name} {kind}")
        getattr(self, name)(kind)
        after = self._places(side)
        if side == "here":
            lying = {file.read_bytes() for name in self.world.flavour.kinds for file in self.world.files(name)}
            self._broken = {half: whole for half, whole in self._broken.items() if half in lying}
        self._note(before, after)

    def _note(self, before: dict[str, set[str]], after: dict[str, set[str]]) -> None:
        """Record what an act did: a word is given up that is nowhere on its side any more, or gone from one of two copies."""
        there = set().union(*after.values())
        self.written |= there
        self.doomed |= set().union(*before.values()) - there
        for place in before.keys() & after.keys():
            self.doomed |= before[place] - after[place]

    def _places(self, side: str) -> dict[str, set[str]]:
        """Return the words at each place of a side."""
        kinds = self.world.flavour.kinds
        if side == "there":
            return {
                f"{kind} {item['id']}": set(words_in(json.dumps(item).encode()))
                for kind in kinds
                for item in self.world.items(kind)
            }
        found = {str(file): file.read_bytes() for kind in kinds for file in self.world.files(kind)}
        return {place: set(words_in(self._broken.get(content, content))) for place, content in found.items()}

    def _word(self) -> str:
        word = f"w{next(self._numbers)}w"
        if self.story:
            self.story[-1] += f" {word}"
        return word

    def _name(self) -> str:
        return f"c{next(self._numbers)}"

    # here

    def _file(self, kind: str) -> Path | None:
        files = [file for file in self.world.files(kind) if self._is_whole(kind, file)]
        found = self._chance.choice(files) if files else None
        if found is not None:
            self.story[-1] += f" {found.relative_to(self.world.base)}"
        return found

    @staticmethod
    def _is_whole(kind: str, file: Path) -> bool:
        return KINDS[kind][1].suffix == file.suffix and file.read_bytes().startswith(b"BEGIN:") and b"HALF" not in file.read_bytes()

    def _directory(self, kind: str) -> Path | None:
        root = self.world.base / kind
        found = sorted(one for one in root.iterdir() if one.is_dir() and one.name[0] != ".") if root.is_dir() else []
        return self._chance.choice(found) if found else None

    def _save(self, file: Path, content: bytes) -> None:
        """Save as editors do: a new file that replaces the old one, or over it."""
        if self._chance.random() < 0.5:
            temporary = file.with_name(f"{file.name}~")
            temporary.write_bytes(content)
            temporary.replace(file)
        else:
            file.write_bytes(content)
        # An editor's saves are further apart than the time steps of a file system.
        later = file.stat().st_mtime_ns + next(self._numbers) * 1000
        os.utime(file, ns=(later, later))

    def edit(self, kind: str) -> None:
        """Give a value of a file a new word."""
        if file := self._file(kind):
            content = file.read_bytes()
            if words := words_in(content):
                self._save(file, content.replace(self._chance.choice(words).encode(), self._word().encode()))

    def write_more(self, kind: str) -> None:
        """Add a line to a file that has none of its name."""
        if file := self._file(kind):
            content = file.read_bytes()
            field = self._chance.choice(_FIELDS[kind][: None if self.keeps_unknown else 2]).encode()
            if content.count(b"\r\nUID:") == 1 and b"\r\n" + field not in content:
                self._save(file, content.replace(b"\r\nUID:", b"\r\n%s:%s\r\nUID:" % (field, self._word().encode())))

    def take_out(self, kind: str) -> None:
        """Remove a line from a file."""
        if file := self._file(kind):
            names = (b"NOTE", b"NICKNAME", b"TEL", b"X-WORD", b"DESCRIPTION", b"LOCATION")
            lines = file.read_bytes().split(b"\r\n")
            if chosen := [line for line in lines if line.startswith(names)]:
                line = self._chance.choice(chosen)
                self.story[-1] += f" {line.decode()}"
                self._save(file, b"\r\n".join(one for one in lines if one != line))

    def create(self, kind: str) -> None:
        if folder := self._directory(kind):
            uid = f"u{next(self._numbers)}"
            self._save(folder / f"{uid}{KINDS[kind][1].suffix}", self._content(kind, uid))

    def _content(self, kind: str, uid: str) -> bytes:
        lines = "\r\n".join((*_LINES[kind], ""))
        return lines.format(uid=uid, one=self._word(), other=self._word()).encode()

    def delete(self, kind: str) -> None:
        """Delete a file; one that a run is just moving is for a moment in both places, and gone all the same."""
        if file := self._file(kind):
            self.doomed.update(words_in(file.read_bytes()))
            file.unlink()

    def move(self, kind: str) -> None:
        file, folder = self._file(kind), self._directory(kind)
        if file and folder and not (folder / file.name).exists():
            file.rename(folder / file.name)

    def copy(self, kind: str) -> None:
        """Put a file into another collection as well, where a server has objects in several."""
        file, folder = self._file(kind), self._directory(kind)
        if file and folder and not (folder / file.name).exists() and not self._is_cyrus:
            shutil.copy2(file, folder / file.name)

    @property
    def _is_cyrus(self) -> bool:
        return self.world.flavour.name.startswith("cyrus")

    def twin(self, kind: str) -> None:
        """Copy a file within its collection, so that one uid is there twice."""
        if file := self._file(kind):
            self._save(file.with_name(f"twin{next(self._numbers)}{file.suffix}"), file.read_bytes())

    def halve(self, kind: str) -> None:
        """Leave half of a file, as a full disk or a broken copy does; what it held is known elsewhere."""
        if file := self._file(kind):
            content = file.read_bytes()
            half = content[: len(content) // 2] + f"HALF{next(self._numbers)}".encode()
            self._broken[half] = content
            self._save(file, half)

    def scribble(self, kind: str) -> None:
        """Leave a file that is not a card or event."""
        if folder := self._directory(kind):
            number = next(self._numbers)
            self._save(folder / f"junk{number}{KINDS[kind][1].suffix}", f"HALF{number} no item\r\n".encode())

    def change_uid(self, kind: str) -> None:
        """Make another item of a file."""
        if file := self._file(kind):
            head, uid, rest = file.read_bytes().partition(b"\r\nUID:")
            self._save(file, head + uid + f"u{next(self._numbers)}\r\n".encode() + rest.partition(b"\r\n")[2])

    def make_collection(self, kind: str) -> None:
        if (self.world.base / kind).is_dir():
            made = self.world.base / kind / self._name()
            self._made.add(made.name)
            made.mkdir()
            uid = f"u{next(self._numbers)}"
            self._save(made / f"{uid}{KINDS[kind][1].suffix}", self._content(kind, uid))

    def rename_directory(self, kind: str) -> None:
        if kind != "tasks" and (folder := self._directory(kind)):
            renamed = folder.rename(folder.with_name(self._name()))
            self._made.add(renamed.name)

    def name_collection(self, kind: str) -> None:
        """Give a collection another name; not one of tasks, whose calendar may just get one in another directory."""
        if kind != "tasks" and (folder := self._directory(kind)):
            (folder / metadata.NAME).write_text(self._name())

    def remove_directory(self, kind: str) -> None:
        """Remove a collection here, but none whose items of another kind lie elsewhere."""
        folder = self._directory(kind)
        if folder is None or self._chance.random() < 0.5:
            return
        if kind != "contacts" and self.world.flavour.kinds != ("calendars",):
            return
        self.story[-1] += f" {folder.name}"
        self.doomed.update(*(words_in(file.read_bytes()) for file in self.world.files(kind) if file.parent == folder))
        shutil.rmtree(folder)

    # there

    def _item(self, kind: str) -> Object | None:
        items = self.world.items(kind)
        found = self._chance.choice(items) if items else None
        if found is not None:
            self.story[-1] += f" {found['uid']}"
        return found

    def _collection(self, kind: str) -> str:
        return self._chance.choice(sorted(self.world.store(kind).collections))

    def edit_there(self, kind: str) -> None:
        """Give a value of an item a new word."""
        if item := self._item(kind):
            names = [name for name, value in sorted(item.items()) if name != "uid" and WORD.search(json.dumps(value))]
            if names:
                name = self._chance.choice(names)
                text = json.dumps(item[name])
                word = self._chance.choice(sorted(set(WORD.findall(text))))
                self.world.store(kind).edit(item["id"], {name: json.loads(text.replace(word, self._word()))})

    def take_out_there(self, kind: str) -> None:
        if item := self._item(kind):
            present = [name for name in ("notes", "nicknames", "phones", "description", "locations") if item.get(name)]
            if present:
                self.world.store(kind).edit(item["id"], {self._chance.choice(present): None})

    def touch_there(self, kind: str) -> None:
        """Let the server say that an item was changed of which nothing was but the time."""
        if item := self._item(kind):
            self.world.store(kind).put({**item, "updated": f"2030-01-01T00:{next(self._numbers) % 60:02}:00Z"})

    def _fresh(self, kind: str, uid: str) -> dict[str, Any]:
        if kind == "contacts":
            return {
                "uid": uid,
                "name": {"full": self._word()},
                "phones": {"p": {"number": self._word()}},
                "notes": {"n": {"note": self._word()}},
                "nicknames": {"k": {"name": self._word()}},
            }
        item = {"uid": uid, "title": self._word(), "description": self._word(), "timeZone": "Etc/UTC"}
        if kind == "tasks":
            return {"@type": "Task", "due": "2026-12-07T10:00:00", **item}
        return {"@type": "Event", "start": "2026-12-07T10:00:00", "duration": "PT1H", **item}

    def add_there(self, kind: str) -> None:
        item = self._fresh(kind, f"u{next(self._numbers)}")
        self.world.store(kind).add(item, (self._collection(kind),))
        self.written |= set(words_in(json.dumps(item).encode()))

    def same_uid_there(self, kind: str) -> None:
        """Make an item of the uid of a file that the server does not have."""
        if file := self._file(kind):
            uid = self._uid(kind, file.read_bytes())
            store, name = self.world.store(kind), self._collection(kind)
            if self._is_cyrus:  # which has no event in two calendars
                name = self.world.name_of(file.parent)
            if store.twin({"uid": uid}) is None and name in {
                *store.collections,
                *(one["name"] for one in store.collections.values()),
            }:
                store.add(self._fresh(kind, uid), (name,))

    def delete_there(self, kind: str) -> None:
        if item := self._item(kind):
            self.world.store(kind).delete(item["id"])

    def move_there(self, kind: str) -> None:
        """Move an item, but not on Cyrus, where one that is moved elsewhere here too is quarantined: it cannot be in both."""
        if (item := self._item(kind)) and not self._is_cyrus:
            store = self.world.store(kind)
            store.move(item["id"], self._chance.choice(sorted(item[store.model.homes])), self._collection(kind))

    def copy_there(self, kind: str) -> None:
        if (item := self._item(kind)) and not self._is_cyrus:
            store = self.world.store(kind)
            store.edit(item["id"], {f"{store.model.homes}/{self._collection(kind)}": True})

    def make_collection_there(self, kind: str) -> None:
        self.world.store(kind).create_collection(self._name())

    def name_collection_there(self, kind: str) -> None:
        self.world.store(kind).edit_collection(self._collection(kind), name=self._name())

    def remove_collection_there(self, kind: str) -> None:
        """Remove a collection, but none that was made here: no delta names one that came and went between two runs."""
        store, chosen = self.world.store(kind), self._collection(kind)
        if len(store.collections) > 2 and store.collections[chosen]["name"] not in self._made and self._chance.random() < 0.5:
            store.delete_collection(chosen)

    # the end

    def bring_to_rest(self) -> list[Shown]:
        """Put right what only a person can, run until nothing is written, and fail if a word is lost or the sides differ."""
        self.fix_problems()
        self.world.sync_until_quiet(allow_deletes=True)
        self.world.assert_at_rest()
        kept = {word for _, _, _, words in self.world.on_disk() for word in words}
        kept.update(*(words_in(content) for content in self.world.conflict_copies()))
        assert self.safe <= kept, f"lost: {sorted(self.safe - kept)}"
        return self.world.on_disk()

    def fix_problems(self) -> None:
        """Run, see that what cannot be taken is named and as it was, then put it right as somebody does who reads that."""
        for _ in range(2):
            report = self.world.sync(allow_deletes=True)
        for kind in self.world.flavour.kinds:
            named = {problem.item for problem in report.kinds[kind].problems}
            files = self.world.files(kind)
            spoilt = [file for file in files if b"HALF" in file.read_bytes()]
            for file in spoilt:
                assert f"{file.parent.name}/{file.name}" in named, (file, named)
            self._fix(kind, spoilt, named)
        assert not self._broken, "a half file is no longer there as it was left"
        for _ in range(MOST_FIXES):
            if not any(one.problems for one in report.kinds.values()):
                return
            # What lies in several collections may turn out to have been edited in several ways.
            report = self.world.sync(allow_deletes=True)
            for kind in self.world.flavour.kinds:
                self._make_alike(kind, report.kinds[kind].problems)

    def _make_alike(self, kind: str, problems: list[Problem]) -> None:
        """Make copies alike that are named for having been edited in different ways: the last edit stays."""
        named = {problem.item for problem in problems if "edited in another way" in problem.why}
        before = self._places("here")
        apart: dict[str, list[Path]] = {}
        for file in self.world.files(kind):
            if f"{file.parent.name}/{file.name}" in named:
                apart.setdefault(self._uid(kind, file.read_bytes()), []).append(file)
        for files in apart.values():
            latest = max(files, key=lambda file: file.stat().st_mtime_ns)
            for file in files:
                if file != latest:
                    self._save(file, latest.read_bytes())
        self._note(before, self._places("here"))

    @staticmethod
    def _uid(kind: str, content: bytes) -> str:
        return str(KINDS[kind][1].read(content)["uid"])

    def _fix(self, kind: str, spoilt: list[Path], named: set[str]) -> None:
        before = self._places("here")
        for file in spoilt:
            if (whole := self._broken.pop(file.read_bytes(), None)) is not None:
                others = (one.read_bytes() for one in self.world.files(kind) if one not in spoilt)
                self._save(file, next((other for other in others if self._uid(kind, other) == self._uid(kind, whole)), whole))
            else:
                file.unlink()
        seen: set[tuple[object, str]] = set()
        for file in sorted(self.world.files(kind), key=lambda file: file.name.startswith("twin")):
            # Cyrus has no event in two calendars either.
            spot = None if self._is_cyrus else file.parent, self._uid(kind, file.read_bytes())
            if spot in seen:
                file.unlink()
            seen.add(spot)
        self._note(before, self._places("here"))
