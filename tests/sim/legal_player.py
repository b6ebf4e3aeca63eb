"""Act in a world of a legal server: what its clients, people at the disk, its administrator and the mirror's own commands do."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

from tests.sim.chance import Player, word_in
from tests.sim.folders import Householder
from tests.sim.legal import LIMITS
from tests.sim.listening import WorldListener
from tests.sim.posting import Posting
from tests.sim.script_checks import ScriptPlayer
from tests.sim.world import local_letter, writes
from tests.sim.world_checks import assert_true

if TYPE_CHECKING:
    from tests.sim.world import World

MESSAGES = 6
Act = tuple[str, int]
"""What is done, and the seed of its choices; of `die` the step."""
MAIL = (
    *("flag", "move", "copy", "delete", "write", "edit"),
    *("flag_there", "move_there", "copy_there", "destroy_there", "deliver"),
    *("write_twice", "send"),
)
AMID = tuple(name for name in MAIL if name != "send")
"""What somebody may do in the middle of a run; to send is to run another process."""
FOLDERS = ("make", "rename", "remove", "make_there", "rename_there", "remove_there")
THERE = ("flag_there", "move_there", "destroy_there", "deliver")
SWAPS = ("swap", "swap_there")
SELDOM = ("edit_in_place", "backdate", "forget", "limit", "restore", "full", "slip", "listen", "write_large", "give_role")
"""What happens now and then between other acts."""
SCRIPTS = ("script", "script", "script", "script_amid")
"""What happens to Sieve scripts where they are mirrored beside the mail."""
MOVING_LIMITS = (
    "max_objects_in_get",
    "max_objects_in_set",
    "max_calls_in_request",
    "max_size_request",
    "max_query_limit",
    "max_changes",
)
LATEST_SLIP = 150
ROLES = ("archive", "drafts", "sent", "junk", "important")


class LegalPlayer(Householder):
    """Somebody who does at the server only what it allows."""

    def __init__(self, world: World, seed: int, *, single: bool) -> None:
        super().__init__(world, seed)
        self.single = single
        """Whether a message is in one mailbox only."""
        self.deleted = False
        """Whether anything was deleted on the disk, or a mailbox of somebody else's account, which may make the guard ask."""
        self.posting = Posting(world)
        self.swapped = False
        """Whether names were given to others, so that two may want one: a question for people."""
        self.scripts = ScriptPlayer(world.scripts, seed) if world.scripts is not None else None

    def populate(self, messages: int = MESSAGES) -> None:
        for path in ("Lists", "Lists/python"):
            self.world.account.create_mailbox(path)
        for _ in range(messages):
            self.deliver()
        if self.scripts is not None:
            self.world.on_scripts = self.scripts.note
            self.scripts.populate()

    def play(self, act: Act) -> None:
        """Do one act; its choices are its own, so that leaving another one out changes few of them."""
        name, seed = act
        self._chance = random.Random(seed)
        getattr(self, name)()

    # messages

    def edit(self) -> None:
        """Edit a message that one file holds, and that both sides know."""
        Player.edit(self)

    def delete(self) -> None:
        """Delete a file; where the mirror is to destroy what is deleted, the message may be gone with its last copy."""
        if self.world.ways.on_delete == "destroy":
            before = [file.read_bytes() for file in self.world.files()]
            super().delete()
            after = {file.read_bytes() for file in self.world.files()}
            for content in before:
                if content not in after:
                    self._doom(word_in(content))
        else:
            super().delete()
        self.deleted = True

    def remove(self) -> None:
        super().remove()
        self.deleted = True

    def remove_there(self) -> None:
        super().remove_there()
        self.deleted |= not self.world.account.is_personal  # it may have been withdrawn: somebody says that it was meant

    def swap(self) -> None:
        super().swap()
        self.swapped = True

    def swap_there(self) -> None:
        super().swap_there()
        self.swapped = True

    def copy_there(self) -> None:
        if not self.single:
            super().copy_there()

    def copy(self) -> None:
        if not self.single:
            super().copy()

    def write_twice(self) -> None:
        """File a new message in two folders, as a hard link or as a copy, at times read and flagged already."""
        folders = [one for one in self._folders() if (self.world.place(one) / "tmp").is_dir()]
        if self.single or len(folders) < 2:
            return
        here, there = self._chance.sample(folders, 2)
        letters, is_link = self._chance.choice(("", "S", "FS")), self._chance.random() < 0.5
        file = self.world.drop(here, local_letter(self._word()), sub="cur", info=f":2,{letters}")
        other = self.world.copy(file, there)
        if is_link:
            other.unlink()
            os.link(file, other)

    def send(self) -> None:
        """Send a message through the outbox, and at times die in the middle of it. It is a draft first, which others may touch."""
        if self.world.ways.direction != "pull":
            word = self._word()
            self._doom(word)  # until it was sent nothing says that the server has it
            self.posting.add(word)
            self.posting.empty(self._chance.choice((0, 0, self._chance.randint(1, 40))))
            if self.posting.sent()[word]:
                self.doomed.discard(word)
                self.safe.add(word)

    def deliver(self) -> None:
        most = 1 if self.single else self._chance.choice((1, 1, 1, 2))
        self._deliver(sorted({self._any_box() for _ in range(most)}))

    # the server's administrator

    def forget(self) -> None:
        """Let the server forget what changed (RFC 8620, 5.2: it need not keep it)."""
        for log in self.world.account.logs.values():
            log.forget()

    def give_role(self) -> None:
        """Give a mailbox a role that another one may have had; that of the trash stays: what is in it may be destroyed.

        One that denies a right gets none: mail could not be sent by way of it.
        """
        account = self.world.account
        free = [box for box in account.mailboxes.values() if box.role not in {"inbox", "trash"} and all(box.rights.values())]
        boxes = sorted(account.path(box) for box in free)
        if boxes:
            account.give_role(self._chance.choice(boxes), self._chance.choice(ROLES))

    def limit(self) -> None:
        """Let the server have another limit from now on, which its session's state shows (RFC 8620, 2)."""
        if self.world.server.service.dialect.fixed_session_state is None:
            name = self._chance.choice(MOVING_LIMITS)
            if name == "max_objects_in_get" and self.world.server.service.dialect.query_rules == "james":
                return  # without a query of all mailboxes it has to give them all by one /get
            setattr(self.world.server.limits, name, self._chance.choice(LIMITS[name]))

    # the mirror's own commands

    def full(self) -> None:
        """Run and compare everything (`--full`)."""
        self.world.sync(full=True)

    def slip(self) -> None:
        """Run, and let somebody act in the middle of it."""
        step, name, seed = self._chance.randint(1, LATEST_SLIP), self._chance.choice(AMID), self._chance.randrange(1 << 30)
        self.world.die(0, slips={step: lambda: self.play((name, seed))})

    def script(self) -> None:
        """Act on scripts."""
        if self.scripts is not None:
            self.scripts.play(self._chance)

    def script_amid(self) -> None:
        """Run, and let somebody act on scripts in the middle of it: what is activated then may have been wanted before."""
        if self.scripts is not None:
            known = len(self.scripts.faults)
            self.world.die(0, slips={self._chance.randint(1, LATEST_SLIP): self.script})
            del self.scripts.faults[known:]

    def write_large(self) -> None:
        """Write a message of which a server may say that it is too large."""
        folder = self._folder()
        if (self.world.place(folder) / "tmp").is_dir():
            self.world.drop(folder, local_letter(self._word(), "Hello. " * 60))

    def listen(self) -> None:
        """Run, and run again when push reports what others do on the server; nothing is listed on the disk then."""
        first = self.world.sync()
        mode = WorldListener(self.world).hear(self._act_there)
        if mode == "poll":
            return
        report = self.world.sync_on_hint()
        if first.exit_code == 0 and not (first.problems or first.withheld):
            assert_true(self.world, report)

    def _act_there(self) -> bool:
        """Do a few things on the server; return whether any of them changed it."""
        before = self.world.account.version
        for _ in range(self._chance.choice((1, 1, 3))):
            getattr(self, self._chance.choice(THERE))()
        return self.world.account.version != before

    def restore(self) -> None:
        """Destroy messages as another client does, and put back those that the disk still has: once."""
        world, account = self.world, self.world.account
        gone = self._chance.sample(sorted(account.emails), min(len(account.emails), self._chance.choice((1, 2, 3))))
        words = [word_in(account.raw(email)) for email in gone]
        here = {word_in(file.read_bytes()) for file in world.files()}
        for email, word in zip(gone, words, strict=True):
            self._doom(word)
            account.destroy(email)
        if world.ways.direction == "pull":
            return
        shape = world.server.service.shape
        was_quiet = shape is None or shape.quiet
        if shape is not None:
            shape.quiet = True  # a restore that the server puts off begins anew by a person's hand
        self._restore(words, here)
        if shape is not None:
            shape.quiet = was_quiet

    def _restore(self, words: list[str], here: set[str]) -> None:
        """Put back what the disk still has of these messages, and nothing twice."""
        world, account = self.world, self.world.account
        report = world.restore().report
        assert not any("other bytes" in one.why for one in report.problems), report.problems
        if report.exit_code != 0 or report.problems:
            return
        there = [word_in(account.raw(email)) for email in account.emails]
        for word in words:
            if word in here:
                assert there.count(word) == 1, f"{word} is {there.count(word)} times on the server after a restore"
                self.doomed.discard(word)
                self.safe.add(word)
        again = world.restore().report
        assert again.exit_code != 0 or not writes(again), f"a second restore wrote {again.to_server}"
