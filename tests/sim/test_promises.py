"""What must hold in every run: edits survive, keywords and names stay, old ledgers are read, nothing is written twice."""

from __future__ import annotations

import base64
import json
import logging
import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import DemoServer, MethodError
from jmapsync.errors import BusyError, SignInError
from jmapsync.ledger import AccountLock, Ledger
from tests.kit.mirror import Mirror
from tests.sim import acts
from tests.sim.fate import Fate
from tests.sim.sweep import TOLERANT, assert_at_rest, begin
from tests.sim.world import NOW, World, letter, local_letter, scratch, to_disk, writes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NIGHT = os.environ.get("JMAPSYNC_SIM") == "night"
STORIES = {story.name: story for story in acts.STORIES}
OLD_LEDGER = Path(__file__).with_name("ledger-v1.sql")


@pytest.fixture
def base() -> Iterator[Path]:
    with scratch() as path:
        yield path


def keywords(world: World, word: bytes) -> frozenset[str]:
    return world.account.emails[world.email(word)].keywords


class TestAnEditSlippedIn:
    """At whatever step somebody else edits, the edit survives."""

    @staticmethod
    def everywhere(act: Callable[[World], None], slip: Callable[[World], None], check: Callable[[World], None]) -> None:
        steps = 1
        step = 1
        while step <= steps:
            with scratch() as base:
                world = begin(acts.Story("slip", act, acts.populate), base)
                fate = world.die(0, slips={step: lambda world=world: slip(world)})  # type: ignore[misc]
                steps = fate.steps
                world.sync_until_quiet()
                check(world)
                assert_at_rest(world)
            step += 1 if NIGHT else 3

    def test_a_local_flag_beside_one_of_the_server(self) -> None:
        def slip(world: World) -> None:
            file = world.file(b"[alpha]")
            world.flag(file, "".join(sorted({*file.name.partition(":2,")[2], "S"})))

        def check(world: World) -> None:
            assert keywords(world, b"[alpha]") == {"$flagged", "$seen"}

        self.everywhere(acts.flag_on_server, slip, check)

    def test_a_flag_of_the_server_beside_a_local_one(self) -> None:
        def slip(world: World) -> None:
            world.account.set_keyword(world.email(b"[alpha]"), "$flagged")

        def check(world: World) -> None:
            assert keywords(world, b"[alpha]") == {"$flagged", "$seen"}

        self.everywhere(acts.read_one, slip, check)

    def test_an_edit_of_what_the_server_destroyed(self) -> None:
        edited = False

        def slip(world: World) -> None:
            nonlocal edited
            files = [file for file in world.files() if b"[alpha]" in file.read_bytes()]
            edited = bool(files)
            for file in files:
                world.edit(file, local_letter("alpha2"))

        def check(world: World) -> None:
            if edited:
                assert world.email(b"[alpha2]")

        self.everywhere(lambda world: world.account.destroy(world.email(b"[alpha]")), slip, check)

    def test_a_move_on_the_server_of_what_was_flagged_here(self) -> None:
        def slip(world: World) -> None:
            world.account.move(world.email(b"[alpha]"), "INBOX", "Archive")

        def check(world: World) -> None:
            assert keywords(world, b"[alpha]") == {"$seen"}
            assert [file.parent.parent.name for file in world.files() if b"[alpha]" in file.read_bytes()] == ["Archive"]

        self.everywhere(acts.read_one, slip, check)

    def test_a_message_written_meanwhile(self) -> None:
        def check(world: World) -> None:
            assert sum(b"[fresh]" in world.account.raw(ref) for ref in world.account.emails) == 1

        self.everywhere(acts.deliver, acts.write_new, check)


class TestALook:
    @pytest.mark.parametrize("name", list(STORIES))
    def test_of_the_changes_equals_a_scan_of_everything(self, base: Path, name: str) -> None:
        world = begin(STORIES[name], base)
        world.sync_until_quiet()
        delta = world.trees()
        assert writes(world.sync(full=True)) == 0
        assert world.trees() == delta

    def test_finds_no_echo_of_keywords_that_no_file_name_can_show(self, base: Path) -> None:
        """There are 26 letters."""
        world = World(base, TOLERANT)
        email = world.account.deliver(letter("many"), keywords=[f"k{number:02}" for number in range(40)], received_at=NOW - 9)
        world.sync_until_quiet()
        world.flag(world.file(b"[many]"), world.file(b"[many]").name.partition(":2,")[2] + "S")
        world.sync_until_quiet()
        assert len(world.account.emails[email].keywords) == 41
        assert writes(world.sync()) == 0
        assert world.requests == 1

    def test_notices_that_what_was_sent_was_destroyed_before_the_next_run(self, base: Path) -> None:
        """RFC 8620, 5.2: what was made and destroyed since a state need not be in `/changes`."""
        world = begin(acts.Story("sent", acts.write_new, acts.populate), base)
        world.sync()
        world.account.destroy(world.email(b"[fresh]"))
        world.sync_until_quiet()
        assert not [file for file in world.files() if b"[fresh]" in file.read_bytes()]
        assert_at_rest(world)

    @pytest.mark.parametrize("fault", ["empty", "directory", "dangling link", "no cur"])
    def test_takes_nothing_unreadable_for_deleted(self, base: Path, fault: str) -> None:
        world = begin(acts.Story("damage", lambda _: None, acts.populate), base)
        before = world.on_server()
        file = world.file(b"[alpha]")
        if fault == "no cur":
            (file.parent.parent / "cur").rename(base / "cur")
        else:
            file.unlink()
        if fault == "empty":
            file.touch()
        elif fault == "directory":
            file.mkdir()
        elif fault == "dangling link":
            file.symlink_to(base / "nowhere")
        world.sync()
        assert world.on_server() == before


class TestReaders:
    @pytest.mark.parametrize("name", ["first pull", "flag on server", "move on server", "edit here, move there", "everything"])
    def test_see_the_old_file_or_the_new_one(self, base: Path, name: str) -> None:
        """Somebody reads everything before every single step."""
        world = begin(STORIES[name], base)
        whole = {to_disk(data) for _, data, _, _ in world.on_server()}
        whole |= {file.read_bytes() for file in world.files()} if world.root.exists() else set()
        read = 0

        def observed() -> None:
            nonlocal read
            for file in world.files() if world.root.exists() else ():
                assert file.read_bytes() in whole
                read += 1

        world.die(0, every_call=True, slips=dict.fromkeys(range(1, 2000), observed))
        assert read > 100

    @pytest.mark.parametrize("name", ["first pull", "everything"])
    def test_see_nothing_that_is_not_durable(self, base: Path, name: str) -> None:
        """A file is synced before it gets a name, its folder before the ledger speaks of it."""
        world = begin(STORIES[name], base)
        trace = world.die(0, every_call=True).trace
        renamed = dict.fromkeys(re.findall(r"(?m)^(?:rename|replace) (mail/.*tmp.*)$", "\n".join(trace)))
        assert renamed
        for path in renamed:
            shown = next(place for place, step in enumerate(trace) if step in {f"rename {path}", f"replace {path}"})
            synced = [place for place, step in enumerate(trace) if step in {f"fsync {path}", "syncfs"}]
            assert synced, path
            assert synced[0] < shown, path
        last = max(place for place, step in enumerate(trace) if step.startswith(("rename", "link", "unlink", "replace")))
        assert any(step.startswith("fsync") for step in trace[last:])


class TestTwoRuns:
    def test_exclude_each_other_and_leave_the_ledger_readable(self, base: Path) -> None:
        world = begin(STORIES["everything"], base)
        seen = []

        def observed() -> None:
            with pytest.raises(BusyError):
                AccountLock(world.state / "lock", "test").__enter__()
            ledger = Ledger.open_readonly(world.state / "ledger.sqlite")
            assert ledger is not None
            seen.append(ledger.counts("mail"))
            ledger.close()

        world.die(0, slips=dict.fromkeys((10, 40, 70, 100), observed))
        assert len(seen) == 4
        world.sync_until_quiet()

    def test_another_process_learns_who_is_at_work(self, base: Path) -> None:
        (base / "state").mkdir()
        with (
            AccountLock(base / "state/lock", "home"),
            pytest.raises(BusyError, match=r"Another jmapsync \(process \d+ on .*\) is working on account home\."),
            AccountLock(base / "state/lock", "home"),
        ):
            pass


class TestAnOldLedger:
    """A ledger as version 1 of the schema left it, beside its files."""

    def test_is_migrated_and_finds_nothing_to_do(self, base: Path) -> None:
        world = World(base, TOLERANT)
        acts.populate_oddly(world)
        world.sync_until_quiet()
        whole = world.picture()
        self.put_back(world)
        assert writes(world.sync()) == 0
        assert world.picture() == whole
        assert_at_rest(world)

    @staticmethod
    def put_back(world: World) -> None:
        path = world.state / "ledger.sqlite"
        for file in world.state.glob("ledger.sqlite*"):
            file.unlink()
        db = sqlite3.connect(path)
        db.executescript(OLD_LEDGER.read_text())
        (root,) = db.execute("SELECT value FROM meta WHERE name = 'root:mail'").fetchone()
        names = {name for (name,) in db.execute("SELECT name FROM place")}
        db.close()
        # The files get the names that the old ledger knows, which differ in their serial numbers; their inodes stay others.
        for name, file in zip(sorted(names), sorted(world.files(), key=lambda file: file.name), strict=True):
            own, mark, info = file.name.partition(":2,")
            assert own.partition("R")[0] == name.partition("R")[0]
            file.rename(file.with_name(name + mark + info))
        marker = json.loads((world.root / ".jmapsync").read_text())
        (world.root / ".jmapsync").write_text(json.dumps(marker | {"id": root}))
        assert names == {file.name.partition(":2,")[0] for file in world.files()}


class TestASecret:
    SECRET = "hunter2-Tr0ub4dor"

    def spoken(self, base: Path, reported: str) -> list[str]:
        """Return where the secret stands, plain or as Basic authentication sends it."""
        forms = [self.SECRET.encode(), base64.b64encode(f"demo:{self.SECRET}".encode())]
        texts = {
            "the report": reported.encode(),
            **{str(file): file.read_bytes() for file in base.rglob("*") if file.is_file()},
        }
        return [name for name, text in texts.items() if any(form in text for form in forms)]

    @pytest.mark.parametrize("trouble", ["", "refused", "failing"])
    def test_is_in_no_file_log_or_report(self, base: Path, caplog: pytest.LogCaptureFixture, trouble: str) -> None:
        caplog.set_level(logging.DEBUG)
        with DemoServer(password=self.SECRET) as server:
            server.account.deliver(letter("alpha"))
            mirror = Mirror(server.url, "demo", self.SECRET, base / "mail", base / "state", max_wait=0.1)
            if trouble == "refused":
                server.credentials.password = "another"
                with pytest.raises(SignInError) as refused:
                    mirror.sync()
                reported = str(refused.value)
            else:
                if trouble == "failing":
                    server.faults.method_error.arm(MethodError("serverFail"), only={"Blob/get", "Email/import"})
                reported = json.dumps(mirror.sync().to_json())
        assert caplog.text
        assert self.spoken(base, reported + caplog.text) == []


def test_every_call_of_every_port_is_a_place_to_die(base: Path) -> None:
    """The sweeps mean what they say: a step is taken at each port, each commit, each change on disk, each request."""
    world = begin(STORIES["everything"], base)
    trace = world.die(0, every_call=True).trace
    calls = {step.split(" ")[0] for step in trace}
    ports = {"open", "observe_folders", "observe_items", "read", "write", "write_folder"}
    assert {f"MaildirSide.{name}" for name in ports} <= calls
    assert {f"MailSide.{name}" for name in ("observe", "read", "write")} <= calls
    assert {"rename", "link", "unlink", "mkdir", "open", "write", "fsync", "replace", "send", "answer"} <= calls
    assert {"Ledger.transaction about to commit", "Ledger.transaction committed"} <= set(trace)
    with closing(Ledger.copy_of(None)) as ledger:
        assert isinstance(Fate().wrap(ledger).note("nothing"), str)
