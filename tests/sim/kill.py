"""Kill real `jmapsync sync` processes by SIGKILL, again and again, and count what is missing, doubled, altered or fetched twice.

python -m tests.sim.kill --kills 200 --server demo
python -m tests.sim.kill --kills 200 --server 3.12
"""

# ruff: noqa: T201  # it is a program: its figures go to standard output

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import itertools
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jmapsync.ledger import Ledger
from jmapsync.sync.batches import BATCH_OCTETS, READS_AHEAD
from tests.live.cyrus import Cyrus
from tests.live.imap import Draft, Imap
from tests.live.jmapraw import BLOB, CORE, Jmap
from tests.sim.kill_scripts import Scripts
from tests.sim.relay import Relay
from tests.sim.world import scratch

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE = 30_000
"""Octets of a message: big enough for several batches, small enough for several messages a batch."""
LETTERS = {"S": "$seen", "R": "$answered", "F": "$flagged", "D": "$draft", "P": "$forwarded"}
IN_FLIGHT = (READS_AHEAD + 1) * BATCH_OCTETS
"""Octets of bodies that one kill may cost: the batch being written and those requested ahead."""
_PATIENCE = 120.0

State = Counter[tuple[str, str, tuple[str, ...]]]
"""Copies by folder, digest of the bytes with LF, and keywords."""


@dataclass(frozen=True)
class Target:
    """A server with an account on it."""

    url: str
    user: str
    password: str
    using: list[str]


@contextmanager
def demo(messages: int) -> Iterator[Target]:
    """Run the embedded server as a process of its own."""
    command = [sys.executable, "-m", "jmapsync.demo", "--messages", str(messages), "--size", str(SIZE), "--mailboxes", "3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Target(process.stdout.readline().strip(), "demo", "demo", [CORE, BLOB["3.12"]])
        finally:
            process.terminate()


@contextmanager
def cyrus(flavour: str, messages: int) -> Iterator[Target]:
    """Run a real Cyrus and fill an account over IMAP."""
    with Cyrus.start(flavour) as server:
        yield fill(server, flavour, "alice", messages)


def fill(server: Cyrus, flavour: str, user: str, messages: int) -> Target:
    """Make an account with mail in three folders."""
    server.create_user(user, "pw")
    with Imap(server.imap_port, user, "pw") as imap:
        imap.create_folder("Lists")
        for place, folder in enumerate(("INBOX", "Archive", "Lists")):
            imap.append(folder, [Draft(_letter(number), received=1_700_000_000 + number) for number in range(place, messages, 3)])
    return Target(server.jmap_url, user, "pw", [CORE, BLOB[flavour]])


def _letter(number: int, word: str = "mail") -> bytes:
    source = random.Random(f"{word} {number}")
    head = f"From: a@example.com\r\nMessage-ID: <{word}{number}@example.com>\r\nSubject: {word} {number}\r\n\r\n"
    lines = (source.randbytes(36).hex() for _ in range(source.randrange(SIZE // 148, SIZE // 50)))
    return (head + "\r\n".join(lines) + "\r\n").encode()


@dataclass
class Tally:
    """What a campaign of killing came to."""

    runs: int = 0
    kills: int = 0
    pulls: int = 0
    pushes: int = 0
    fetched: int = 0
    fetched_again: int = 0
    most_in_flight: int = 0
    """Octets."""
    faults: list[str] = field(default_factory=list)
    in_scripts: int = 0
    """Kills after which scripts were neither as before nor as they have to be at the end."""
    progress: list[int] = field(default_factory=list)
    """Messages on disk at each kill of a first pull, in percent."""

    def lines(self, seconds: float) -> Iterator[str]:
        """Yield the figures in words, then every fault."""
        bands = Counter(min(percent // 20, 4) for percent in self.progress)
        spread = ", ".join(f"{20 * band}-{20 * band + 20} %: {bands[band]}" for band in range(5))
        yield f"{self.kills} processes killed in {self.runs} runs: {self.pulls} first pulls, {self.pushes} pushes, {seconds:.0f} s"
        yield f"{len(self.progress)} kills of first pulls by what was on disk, {spread}"
        yield f"{self.kills - len(self.progress)} kills of pushes, {self.in_scripts} of all with scripts half done"
        yield f"{self.fetched} bodies asked for, {self.fetched_again} of them again"
        yield f"at most {self.most_in_flight:,} octets in flight at a kill, of {IN_FLIGHT:,} allowed"
        yield f"{len(self.faults)} faults"
        yield from self.faults


class Campaign:
    """First pulls and pushes of one account, killed at random moments."""

    def __init__(self, target: Target, relay: Relay, base: Path, seed: int = 1) -> None:
        self.target = target
        self.tally = Tally()
        self._relay = relay
        self._base = base
        self._chance = random.Random(seed)
        self._jmap = Jmap(target.url, target.user, target.password)
        self._numbers = iter(range(1, 1_000_000))
        self._home = base
        self._committed: set[str] = set()
        self._seen: Counter[str] = Counter()
        self._octets = {"pull": 0, "push": 0}
        """What a run of each kind that is not killed moves, as far as is known: a kill comes after a part of it."""
        self._sizes: dict[str, int] = {}
        self._blobs: dict[str, str] = {}
        self._unlinked: set[str] = set()
        """Blobs whose files the user deletes: their copies in the Trash have to be fetched, whatever was kept before."""
        self._scripts = Scripts(self._jmap, target.using, random.Random(seed))
        self._scripts.prepare()

    def run(self, kills: int) -> Tally:
        """Pull and push in turn until so many processes were killed."""
        while self.tally.kills < kills:
            self._begin()
            emails = self._jmap.emails(["id", "blobId", "size"]).values()
            self._sizes = {email["blobId"]: email["size"] for email in emails}
            whole = sum(self._sizes.values())
            self._octets = {"pull": max(self._octets["pull"], whole), "push": max(self._octets["push"], whole // 10)}
            self._until_done("pull", kills, len(emails))
            self.tally.pulls += 1
            self._compare("first pull")
            if self.tally.kills >= kills:
                break
            expected = self._edit()
            self._until_done("push", kills)
            self.tally.pushes += 1
            self._compare("push", expected)
            shutil.rmtree(self._home)
        self._jmap.http.close()
        return self.tally

    # one mirror

    def _begin(self) -> None:
        """Begin a new mirror of the account."""
        self._home = self._base / f"mirror{next(self._numbers)}"
        self._home.mkdir()
        (self._home / "password").write_text(self.target.password)
        (self._home / "password").chmod(0o600)
        (self._home / "config.toml").write_text(
            f'state_dir = "{self._home}/state"\n[accounts.test]\nurl = "{self._relay.url}"\nuser = "{self.target.user}"\n'
            f'auth = "basic"\npassword_file = "{self._home}/password"\n[accounts.test.mail]\npath = "{self.root}"\n'
            f'[accounts.test.sieve]\npath = "{self._home}/sieve"\n'
        )
        self._scripts.root = self._home / "sieve"
        self._committed = set()
        self._unlinked = set()
        self._seen.clear()

    @property
    def root(self) -> Path:
        return self._home / "mail"

    def _until_done(self, chapter: str, kills: int, whole: int = 0) -> None:
        """Synchronise, killing at random moments, until a run comes to its end; after the last kill, let it."""
        scripts = self._scripts.states()
        for attempt in itertools.count():
            # Later and later, so that every chapter comes to its end after a dozen kills or so.
            latest = self._octets[chapter] * (0.3 + 0.08 * attempt)
            mortal = self.tally.kills < kills
            killed, code, reported = self._sync(self._chance.uniform(0.0, latest) if mortal else None)
            moved = self._relay.octets
            self._count_bodies(killed=killed)
            if killed:
                self.tally.kills += 1
                self.tally.in_scripts += self._scripts.states() not in (scripts, [self._scripts.expected] * 2)
                if whole:
                    self.tally.progress.append(100 * len(self._files()) // whole)
            else:
                self._octets[chapter] = int(max(moved, self._octets[chapter] * 0.8))
                if code:
                    self._fault(f"exit code {code}: {reported}")
                return

    def _sync(self, mortal_for: float | None) -> tuple[bool, int, str]:
        """Run the command; kill it once so many octets went to and fro. Return whether that came before its end.

        Not after some seconds: how far it is by then depends on what else the machine does.
        """
        command = [str(Path(sys.executable).with_name("jmapsync")), "-c", str(self._home / "config.toml"), "sync"]
        self.tally.runs += 1
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            killed = False
            while not self._relay.called.wait(0.01) and process.poll() is None:
                continue
            if mortal_for is not None:
                while not (reached := self._relay.wait_for(int(mortal_for), 0.01)) and process.poll() is None:
                    continue
                if reached:
                    time.sleep(self._chance.uniform(0.0, 0.02))  # between two answers, too
                    os.kill(process.pid, signal.SIGKILL)
                    killed = process.wait() == -signal.SIGKILL
            reported, _ = process.communicate(timeout=_PATIENCE)
        return killed, process.returncode, reported

    def _count_bodies(self, *, killed: bool) -> None:
        """Count the bodies that the run asked for; one that an earlier run had kept must not be among them."""
        asked = Counter(self._relay.take())
        self.tally.fetched += asked.total()
        again = {blob for blob in asked if self._seen[blob]} | {blob for blob, times in asked.items() if times > 1}
        self.tally.fetched_again += len(again)
        kept_before = again & self._committed
        if kept_before:
            self._fault(f"{len(kept_before)} bodies were fetched again although an earlier run had kept them")
        self._seen += asked
        self._committed = self._kept()
        if killed:
            in_flight = sum(self._sizes.get(blob, 0) for blob in set(asked) - self._committed)
            self.tally.most_in_flight = max(self.tally.most_in_flight, in_flight)
            if in_flight > IN_FLIGHT:
                self._fault(f"{in_flight:,} octets were in flight, more than {IN_FLIGHT:,}")

    def _kept(self) -> set[str]:
        """Return the blobs whose messages the ledger knows to be on disk."""
        path = self._home / "state/test/ledger.sqlite"
        if not path.exists():
            return set()
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
            if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'item'").fetchone():
                return set()  # killed before the schema was there
        ledger = Ledger.open_readonly(path)
        assert ledger is not None
        with contextlib.closing(ledger):
            records = ledger.all("mail")
            kept = {record.remote.body for record in records if record.local is not None and record.remote is not None}
        return kept - self._unlinked

    # acts and comparisons

    def _files(self) -> list[Path]:
        return sorted(file for sub in ("cur", "new") for folder in self.root.rglob(sub) for file in folder.iterdir())

    def _edit(self) -> State:
        """Do what users do to a share of the files and return what both sides have to hold afterwards."""
        # Of a message in several folders, a second copy in one of them would be no message of its own.
        copies = Counter(file.stat().st_ino for file in self._files())
        files = [file for file in self._files() if copies[file.stat().st_ino] == 1]
        self._chance.shuffle(files)
        share = len(files) // 10
        flagged, moved, copied = files[: 4 * share], files[4 * share : 5 * share], files[5 * share : 6 * share]
        expected = self._on_disk()
        self._scripts.act()
        for file in flagged:
            letters = "".join(sorted(set(file.name.partition(":2,")[2]) ^ {"F"}))
            self._swap(expected, file, file.rename(file.parent.parent / "cur" / f"{file.name.partition(':2,')[0]}:2,{letters}"))
        for file in moved:
            target = self.root / self._chance.choice(["Archive", "Sent"]) / "cur" / _with_info(file.name)
            self._swap(expected, file, file.rename(target))
        for file in copied:
            target = self.root / "Drafts/cur" / f"{next(self._numbers)}.copy.test:2,{file.name.partition(':2,')[2]}"
            os.link(file, target)
            expected[self._entry(target)] += 1
        for _ in range(share):
            number = next(self._numbers)
            temporary = self.root / "INBOX/tmp" / f"{number}.new{self._home.name}.test:2,S"
            temporary.write_bytes(_letter(number, f"new {self._home.name}").replace(b"\r\n", b"\n"))
            expected[self._entry(temporary.rename(self.root / "INBOX/cur" / temporary.name))] += 1
        for file in files[6 * share : 6 * share + 5]:
            entry = self._entry(file)
            file.unlink()
            expected[entry] -= 1
            self._unlinked.add(self._blobs[entry[1]])
            others = any(digest == entry[1] and count > 0 for (_, digest, _), count in expected.items())
            if not others and entry[0] != "Trash":
                expected["Trash", entry[1], entry[2]] += 1
        self._committed -= self._unlinked
        return +expected

    def _swap(self, state: State, old: Path, new: Path) -> None:
        """Note that a copy is now another; its message's other copies get its keywords."""
        folder = str(old.parent.parent.relative_to(self.root))
        entry = self._entry(new)
        state[folder, entry[1], _keywords(old.name)] -= 1
        state[entry] += 1
        for known in [known for known, count in state.items() if count > 0 and known[1] == entry[1] and known != entry]:
            count = state.pop(known)
            state[known[0], known[1], entry[2]] += count

    def _entry(self, file: Path) -> tuple[str, str, tuple[str, ...]]:
        return str(file.parent.parent.relative_to(self.root)), _digest(file.read_bytes()), _keywords(file.name)

    def _on_disk(self) -> State:
        return Counter(self._entry(file) for file in self._files())

    def _on_server(self) -> State:
        boxes = {box["id"]: "INBOX" if box["role"] == "inbox" else path for path, box in self._jmap.mailboxes().items()}
        emails = self._jmap.emails()
        digests = self._digests([email["blobId"] for email in emails.values()])
        self._blobs = {digest: blob for blob, digest in digests.items()}
        return Counter(
            (boxes[box], digests[email["blobId"]], tuple(sorted(email["keywords"])))
            for email in emails.values()
            for box in email["mailboxIds"]
        )

    def _digests(self, blobs: list[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for start in range(0, len(blobs), 100):
            arguments: dict[str, Any] = {"ids": blobs[start : start + 100], "properties": ["data:asBase64"]}
            (answer,) = self._jmap.call([("Blob/get", arguments)], self.target.using)
            found |= {one["id"]: _digest(base64.b64decode(one["data:asBase64"])) for one in answer["list"]}
        return found

    def _compare(self, what: str, expected: State | None = None) -> None:
        """Compare both sides copy by copy, and with what was expected."""
        here, there = self._on_disk(), self._on_server()
        for name, one, other in (("on disk", here, there), ("on the server", there, expected or there)):
            missing, surplus = other - one, one - other
            if missing or surplus:
                self._fault(f"after a {what}, {name}: {missing.total()} copies missing, {surplus.total()} too many, such as "
                            f"{list(missing)[:2]} and {list(surplus)[:2]}")  # fmt: skip
        for fault in self._scripts.faults():
            self._fault(f"after a {what}, {fault}")
        left = [path for folder in self.root.rglob("tmp") for path in folder.iterdir()]
        if left:
            self._fault(f"after a {what}, {len(left)} files are left in tmp")

    def _fault(self, message: str) -> None:
        self.tally.faults.append(f"{self._home.name}: {message}")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data.replace(b"\r\n", b"\n")).hexdigest()


def _keywords(name: str) -> tuple[str, ...]:
    return tuple(sorted(LETTERS[letter] for letter in name.partition(":2,")[2]))


def _with_info(name: str) -> str:
    return name if ":2," in name else f"{name}:2,"


def main() -> None:
    """Run a campaign and print its figures; exit 1 when anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim.kill", description=main.__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--server", choices=["demo", "3.6", "3.12"], default="demo")
    parser.add_argument("--messages", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--single", action="store_true", help="hide Blob/get, so that each message is a download of its own")
    options = parser.parse_args()
    begun = time.monotonic()
    with ExitStack() as stack:
        server = demo(options.messages) if options.server == "demo" else cyrus(options.server, options.messages)
        target = stack.enter_context(server)
        relay = stack.enter_context(Relay(target.url, single=options.single))
        base = stack.enter_context(scratch())
        tally = Campaign(target, relay, base, options.seed).run(options.kills)
    for line in tally.lines(time.monotonic() - begun):
        print(line)
    sys.exit(1 if tally.faults else 0)


if __name__ == "__main__":
    main()
