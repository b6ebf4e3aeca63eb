"""`jmapsync conflicts`: list, show, restore and dismiss conflict copies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jmapsync.ledger import AccountLock, ConflictCopy, Ledger
from tests.cli.conftest import shown_on_terminal

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.demo import DemoServer
    from tests.cli.conftest import Command, Home

LOST = b"Subject: my draft\r\n\r\nas I had it\r\n"


@pytest.fixture
def conflict_copy(home: Home, jmapsync: Command) -> None:
    """Make one conflict copy, as a run does."""
    jmapsync("sync")
    ledger = Ledger.open(home.state / "ledger.sqlite")
    drafts = next(key for key, (path, _) in ledger.folders().items() if path == "Drafts")
    number = ledger.add_conflict_copy(
        ConflictCopy(0, "mail", 99, "my draft", "local", "changed on both sides", 1_793_000_000, str(drafts), "$draft $seen")
    )
    ledger.close()
    (home.state / "shelf").mkdir(exist_ok=True)
    (home.state / "shelf" / str(number)).write_bytes(LOST)


class TestNoConflictCopies:
    @pytest.mark.parametrize("command", [("conflicts",), ("conflicts", "list")])
    def test_lists_nothing(self, command: tuple[str, ...], jmapsync: Command, home: Home) -> None:
        done = jmapsync(*command)
        assert (done.code, done.out, done.err) == (0, "", "")
        assert not home.state.exists()

    @pytest.mark.parametrize("act", ["show", "restore", "dismiss"])
    def test_has_nothing_to_act_upon(self, act: str, jmapsync: Command) -> None:
        assert jmapsync("conflicts", act, "1").code == 2

    @pytest.mark.parametrize("identity", ["x", "home/", "-1", "work/1", "1" * 30, "²"])
    def test_knows_what_is_no_id(self, identity: str, jmapsync: Command) -> None:
        assert jmapsync("conflicts", "show", "--", identity).code == 2


@pytest.mark.parametrize("layout", ["nested", "maildir++"])
def test_a_message_is_compared_with_the_one_that_won(layout: str, jmapsync: Command, home: Home) -> None:
    home.configure(mail=f'layout = "{layout}"\ndirection = "pull"')
    jmapsync("sync")
    folder = home.mail / ("INBOX" if layout == "nested" else "")
    file = next(file for part in ("new", "cur") for file in (folder / part).iterdir())
    content = file.read_bytes()
    (folder / "tmp" / "edited").write_bytes(content + b"edited\n")
    (folder / "tmp" / "edited").rename(file)
    jmapsync("sync")
    [won] = [one for part in ("new", "cur") for one in (folder / part).iterdir() if one.read_bytes() == content]
    won.rename(folder / "cur" / f"{won.name.partition(':')[0]}:2,FS")  # flagged since
    lines = jmapsync("conflicts", "show", "--diff", "1").out.splitlines()
    assert [line for line in lines[2:] if line[0] in "+-"] == ["+edited"]


def test_a_version_goes_back_into_its_folder_of_a_maildir_plus_plus(jmapsync: Command, home: Home) -> None:
    home.configure(mail='layout = "maildir++"\ndirection = "pull"')
    jmapsync("sync")
    file = next(file for part in ("new", "cur") for file in (home.mail / part).iterdir())
    edited = file.read_bytes() + b"edited\n"
    (home.mail / "tmp" / "edited").write_bytes(edited)
    (home.mail / "tmp" / "edited").rename(file)
    jmapsync("sync")
    assert jmapsync("conflicts", "restore", "1").code == 0
    assert edited in {file.read_bytes() for file in (home.mail / "cur").iterdir()}


@pytest.mark.usefixtures("conflict_copy")
class TestAShelvedVersion:
    def test_is_listed(self, jmapsync: Command) -> None:
        line = jmapsync("conflicts").out
        assert line.startswith("home/1  2026-")
        assert line.endswith("  mail  my draft: changed on both sides\n")

    @pytest.mark.parametrize("identity", ["1", "home/1"])
    def test_is_shown_as_it_is(self, identity: str, jmapsync: Command) -> None:
        done = jmapsync("conflicts", "show", identity)
        assert done.out == LOST.decode()
        assert done.err.startswith("my draft (mail, the local version), kept 2026-")

    def test_goes_back_into_its_folder_and_to_the_server(self, jmapsync: Command, home: Home, server: DemoServer) -> None:
        done = jmapsync("conflicts", "restore", "home/1")
        (file,) = [file for file in (home.mail / "Drafts/cur").iterdir() if b"my draft" in file.read_bytes()]
        assert (done.code, done.out) == (0, f"Put back as {file}\n")
        assert file.name.endswith(":2,DS")
        assert jmapsync("conflicts").out == ""
        assert not (home.state / "shelf/1").exists()

        assert jmapsync("sync").code == 0
        restored = [id_ for id_ in server.account.listing() if server.account.raw(id_) == LOST]
        assert [server.account.listing()[id_] for id_ in restored] == [(frozenset({"Drafts"}), frozenset({"$draft", "$seen"}))]

    def test_is_thrown_away(self, jmapsync: Command, home: Home) -> None:
        assert jmapsync("conflicts", "dismiss", "1").code == 0
        assert jmapsync("conflicts").out == ""
        assert not (home.state / "shelf/1").exists()

    def test_stays_when_it_cannot_be_put_back(self, jmapsync: Command, home: Home) -> None:
        (home.mail / "Drafts/tmp").rmdir()
        done = jmapsync("conflicts", "restore", "1")
        assert done.code == 1
        assert "could not be put back" in done.err
        assert jmapsync("conflicts").out.startswith("home/1 ")
        assert (home.state / "shelf/1").read_bytes() == LOST

    @pytest.mark.parametrize("act", ["restore", "dismiss"])
    def test_is_left_alone_while_a_run_is_under_way(self, act: str, jmapsync: Command, home: Home) -> None:
        with AccountLock(home.state / "lock", "home"):
            assert jmapsync("conflicts", act, "1").code == 6
        assert jmapsync("conflicts").out.startswith("home/1 ")

    def test_is_waited_for_by_status_and_sync(self, jmapsync: Command) -> None:
        assert jmapsync("status").code == 3
        done = jmapsync("sync")
        assert done.code == 3
        assert done.err == "home mail: 1 version lost a conflict; see: jmapsync conflicts\n"


class TestAShelvedCard:
    """The same property was edited on both sides: the server's value stays, the whole file as it was here is kept."""

    @pytest.fixture
    def card(self, home: Home, jmapsync: Command, server: DemoServer) -> Path:
        home.configure(more='[accounts.home.contacts]\npath = "~/.contacts"\n')
        assert jmapsync("sync").code == 0
        ref = server.account.contacts.add({"uid": "nick-1", "name": {"full": "Nick"}, "nicknames": {"n": {"name": "Nicky"}}})
        assert jmapsync("sync").code == 0
        [file] = (home.path / ".contacts").glob("*/nick-1.vcf")
        server.account.contacts.edit(ref, {"nicknames/n/name": "There"})
        file.write_bytes(file.read_bytes().replace(b"NICKNAME:Nicky", b"NICKNAME:Here"))
        assert jmapsync("sync").code == 3
        return file

    def test_is_kept_as_the_file_it_was(self, card: Path, jmapsync: Command) -> None:
        assert b"NICKNAME:There\r\n" in card.read_bytes()
        assert "edited on both sides" in jmapsync("conflicts").out
        assert "NICKNAME:Here\n" in jmapsync("conflicts", "show", "1").out.replace("\r", "")

    def test_is_compared_with_the_version_that_won(self, card: Path, jmapsync: Command) -> None:
        lines = jmapsync("conflicts", "show", "1", "--diff").out.splitlines()
        assert lines[:2] == ["--- the version that won", "+++ conflict copy 1"]
        # REV differs too where the server's edit was in a later second than its first version.
        changed = [line for line in lines[2:] if line[0] in "+-" and not line[1:].startswith("REV:")]
        assert "-NICKNAME:There" in changed
        assert "+NICKNAME:Here" in changed
        assert len(changed) == 2

    def test_is_shown_as_a_diff_on_a_terminal_unless_the_whole_is_asked_for(self, card: Path, home: Home) -> None:
        assert "-NICKNAME:There\n" in shown_on_terminal(home, 80, "conflicts", "show", "1")
        whole = shown_on_terminal(home, 80, "conflicts", "show", "--whole", "1")
        assert "NICKNAME:There" not in whole
        assert "\nNICKNAME:Here\n" in whole

    def test_is_shown_alone_when_the_version_that_won_is_gone(self, card: Path, jmapsync: Command) -> None:
        card.unlink()
        out = jmapsync("conflicts", "show", "1", "--diff").out
        assert out.startswith("The version that won is not among the local files any more")
        assert "\nNICKNAME:Here\n" in out

    def test_goes_back_into_its_file_and_to_the_server(self, card: Path, jmapsync: Command, server: DemoServer) -> None:
        done = jmapsync("conflicts", "restore", "1")
        assert (done.code, done.out) == (0, f"Put back as {card}\n")
        assert b"NICKNAME:Here\r\n" in card.read_bytes()
        assert jmapsync("sync").code == 0
        assert server.account.contacts.by_uid("nick-1")["nicknames"]["n"]["name"] == "Here"
        assert jmapsync("conflicts").out == ""

    def test_stays_when_its_file_is_gone(self, card: Path, jmapsync: Command) -> None:
        card.unlink()
        assert jmapsync("sync").code == 3
        done = jmapsync("conflicts", "restore", "1")
        assert done.code == 1
        assert "jmapsync conflicts show 1" in done.err
        assert jmapsync("conflicts").out.startswith("home/1 ")
