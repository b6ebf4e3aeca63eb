"""Random changes of tags, keywords, mailboxes and files, in runs that die now and then: both sides agree, and no change is lost."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from jmapsync.planner.guard import Limits
from jmapsync.storage.notmuch.side import TagRules, TagSide
from jmapsync.sync.tag_index import Tagger
from tests.kit.mirror import Mirror, assert_mirrored
from tests.kit.notmuch import Notmuch

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.demo import DemoServer
    from jmapsync.ledger import Ledger

WORDS = ("todo", "work", "$junk", "later")
BOXES = {"INBOX": "inbox", "Archive": "Archive", "Lists": "Lists"}
FLAGS = {"unread", "flagged", "replied", "passed", "draft"}
STEPS = 30


class TaggedMail:
    """A server, a mirror and a database, and what has to come of what was done to them since they last agreed."""

    def __init__(self, seed: int, server: DemoServer, mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
        self.random = random.Random(seed)
        self.server, self.mirror = server, mirror
        self.notmuch = Notmuch.over(mirror.root)
        self.patch = monkeypatch
        self.refs: list[str] = []
        self.touched: dict[tuple[str, str], dict[str, bool]] = {}
        server.account.create_mailbox("Lists")
        mirror.sync()
        self.notmuch.new()

    def step(self) -> None:
        acts = [self.deliver, *[self.tag] * 4, *[self.keyword] * 4, self.file, self.move, self.new, self.run, self.die, self.rest]
        self.random.choice(acts)()

    def deliver(self) -> None:
        number = len(self.refs)
        box = self.random.choice(list(BOXES))
        words = self.random.sample(WORDS, self.random.randrange(3))
        wire = f"Subject: {number}\r\nMessage-ID: <{number}@x>\r\n\r\nBody {number}.\r\n".encode()
        self.refs.append(self.server.account.deliver(wire, mailboxes=[box], keywords=words))

    def message(self) -> tuple[str, str]:
        """Return the id of a message on the server and the query that finds it in the database."""
        if not self.refs:
            self.deliver()
        number = self.random.randrange(len(self.refs))
        return self.refs[number], f"id:{number}@x"

    def note(self, ref: str, word: str, side: str, *, present: bool) -> None:
        self.touched.setdefault((ref, word), {})[side] = present

    def tag(self) -> None:
        ref, query = self.message()
        word, present = self.random.choice(WORDS), self.random.random() < 0.5
        if self.notmuch.count(query) and (word in self.notmuch.tags(query)) is not present:
            self.notmuch.tag(f"{'+' if present else '-'}{word}", query=query)
            self.note(ref, word, "here", present=present)

    def keyword(self) -> None:
        ref, _ = self.message()
        word, present = self.random.choice(WORDS), self.random.random() < 0.5
        if (word in self.server.account.emails[ref].keywords) is not present:
            self.server.account.set_keyword(ref, word, present=present)
            self.note(ref, word, "there", present=present)

    def file(self) -> None:
        _, query = self.message()
        if self.notmuch.count(query):
            change = [f"{self.random.choice('+-')}{tag}" for tag in self.random.sample(list(BOXES.values()), 2)]
            self.notmuch.tag(*change, query=query)

    def move(self) -> None:
        ref, _ = self.message()
        source, target = self.random.sample(list(BOXES), 2)
        self.server.account.move(ref, source, target)

    def new(self) -> None:
        self.notmuch.new()

    def run(self) -> None:
        self.mirror.sync()

    def die(self) -> None:
        """Die after the tags were written, before that was noted; or before anything was written."""

        def die(self: TagSide, ledger: Ledger, *_: object, **__: object) -> None:
            raise KeyboardInterrupt

        with self.patch.context() as patched:
            patched.setattr(*self.random.choice([(Tagger, "_keep_shown"), (TagSide, "show")]), die)
            try:
                self.mirror.sync()
            except KeyboardInterrupt:
                return

    def rest(self) -> None:
        """Let everything come to rest, and compare."""
        for _ in range(3):
            self.mirror.sync()
            self.notmuch.new()
        report = self.mirror.sync()
        revision = self.notmuch.revision()
        assert (report.problems, report.messages) == ([], [])
        assert_mirrored(self.server.account, self.mirror)
        again = self.mirror.sync()
        assert (again.to_disk.total, again.to_server.total, self.notmuch.revision()) == (0, 0, revision)
        for number, ref in enumerate(self.refs):
            boxes, keywords = self.server.account.listing()[ref]
            expected = {BOXES[box] for box in boxes} | {word for word in keywords if word in WORDS}
            assert self.notmuch.tags(f"id:{number}@x") - FLAGS == expected, number
        for (ref, word), said in self.touched.items():
            if len(said) == 1:
                present = word in self.server.account.listing()[ref][1]
                assert present is next(iter(said.values())), (ref, word, said)
        self.touched.clear()


@pytest.mark.parametrize("seed", range(5))
def test_they_agree_in_the_end(seed: int, server: DemoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = TagRules(tmp_path / "notmuch-config", tuple(BOXES))
    mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state", tags=rules, limits=Limits(1000, 100))
    world = TaggedMail(seed, server, mirror, monkeypatch)
    for _ in range(STEPS):
        world.step()
    world.rest()
