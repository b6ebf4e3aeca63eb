"""`jmapsync init`: every answer as an option, or asked on a terminal; nothing is written before the server accepted the sign-in."""

from __future__ import annotations

import dataclasses
import re
import stat
import subprocess
from typing import TYPE_CHECKING, Protocol

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from jmapsync.cli.questions import Questions
from jmapsync.config import load
from jmapsync.demo import DemoServer, MethodError
from jmapsync.demo.freedoms import Freedoms
from jmapsync.jmap.autodiscovery.search import Discovery, Finding, Way
from jmapsync.jmap.autodiscovery.well_known import Server
from tests.cli.conftest import PROGRAM, SECRET
from tests.cli.daemons import PATIENCE, wait_for
from tests.signin.authority import LiveWorld, authority

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.conftest import Command, Home, Result

    class Dialogue(Protocol):
        def __call__(self, *arguments: str, keys: list[str]) -> Result: ...


PASSWORD = "cat ~/secret"
DOWN, ENTER, ERASE = "\x1b[B", "\r", "\x15"


pytestmark = pytest.mark.usefixtures("nothing_but_files")


@pytest.fixture
def home(home: Home) -> Home:
    """A home folder without a configuration, in which the secret is known by a command."""
    home.config.unlink()
    (home.path / "secret").write_text(SECRET + "\n")
    (home.path / "secret").chmod(0o600)
    return home


def common(home: Home) -> list[str]:
    return ["init", "--url", home.url, "--user", "alice", "--auth", "basic", "--password-file", "secret"]


@pytest.fixture
def dialogue(jmapsync: Command, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dialogue]:
    monkeypatch.setattr(Questions, "is_terminal", lambda self: True)
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):

        def run(*arguments: str, keys: list[str]) -> Result:
            pipe.send_text("".join(keys))
            return jmapsync(*arguments)

        yield run


class TestWithoutATerminal:
    def test_every_missing_answer_is_named(self, jmapsync: Command, home: Home) -> None:
        done = jmapsync("init")
        assert done.code == 2
        for option in (
            "ADDRESS or --url",
            "--password-command",
            "--password-file",
            "--auth",
            "--name",
            "--kinds",
            "--root",
            "--yes",
        ):
            assert option in done.err
        assert done.out == ""
        assert not home.config.exists()

    def test_defaults_are_accepted_by_yes(self, jmapsync: Command, home: Home) -> None:
        done = jmapsync(*common(home), "--yes")
        assert (done.code, done.err) == (0, "")
        assert "mail        10 mailboxes, 12 messages" in done.out
        assert "contacts    2 address books, 5 cards" in done.out
        assert f"Written: {home.config}" in done.out
        account = load(home.config).accounts["home"]
        assert (account.user, account.auth, account.password_file) == ("alice", "basic", home.path / "secret")
        assert {kind: one.path for kind, one in account.kinds.items()} == {
            "mail": home.path / "Mail/home",
            "contacts": home.path / ".contacts/home",
            "calendars": home.path / ".calendars/home",
            "tasks": home.path / ".tasks/home",
            "sieve": home.path / ".config/sieve/home",
        }
        assert account.mail is not None
        assert (account.mail.include, account.mail.exclude, account.mail.direction) == (("*",), (), "both")
        assert stat.S_IMODE(home.config.stat().st_mode) == 0o600
        assert not home.mail.exists()  # nothing is synchronized unless asked for

    def test_lists_that_the_server_cuts_are_named_and_the_first_sync_runs(
        self, jmapsync: Command, server: DemoServer, home: Home
    ) -> None:
        server.account.contacts.create_collection("Third")
        server.limits.max_objects_in_get = 2
        server.service.dialect = dataclasses.replace(server.service.dialect, cuts_null_ids=True)
        server.faults.method_error.arm(MethodError("unknownMethod"), times=100, only=["Mailbox/query"])
        done = jmapsync(*common(home), "--yes", "--sync")
        assert done.code == 3
        assert "mail        at least 2 mailboxes, 12 messages" in done.out
        assert "contacts    at least 2 address books, 5 cards" in done.out
        assert "The list of mailboxes may be incomplete: the server gives 2, and lists no more at once." in done.out
        assert "home: The list of address books may be incomplete" in done.err
        assert (home.path / "Mail/home").is_dir()

    def test_options_answer_everything(self, jmapsync: Command, home: Home) -> None:
        options = [
            "--name",
            "work",
            "--kinds",
            "mail,contacts",
            "--root",
            "data",
            "--exclude",
            "Junk",
            "--exclude",
            "Lists",
            "--sync",
        ]
        done = jmapsync(*common(home), *options, "--backup", "--no-service")
        assert (done.code, done.err) == (0, "")
        account = load(home.config).accounts["work"]
        assert account.mail is not None
        assert account.mail.path == home.path / "data/mail"
        assert (account.mail.exclude, account.mail.direction, account.mail.keep_deleted) == (("Junk", "Lists"), "pull", True)
        assert sorted(path.name for path in (home.path / "data/mail").iterdir() if path.is_dir()) == [
            *("Archive", "Drafts", "INBOX", "Projects", "Sent", "Trash"),
        ]
        assert list((home.path / "data/contacts").glob("*/*.vcf"))
        assert f"mutt -f {home.path}/data/mail/INBOX" in done.out

    def test_what_it_writes_is_what_check_and_sync_accept(self, jmapsync: Command, home: Home) -> None:
        jmapsync(*common(home), "--yes")
        assert jmapsync("check").code == 0
        assert jmapsync("sync").code == 0
        assert len(list((home.path / "Mail/home/INBOX").glob("*/*"))) == 6

    def test_an_existing_configuration_is_extended(self, jmapsync: Command, home: Home) -> None:
        home.configure()
        before = home.config.read_text()
        done = jmapsync(*common(home), "--yes", "--root", "~/second")
        assert done.code == 0
        assert home.config.read_text().startswith(before)
        assert list(load(home.config).accounts) == ["home", "home-2"]

    @pytest.mark.parametrize(
        ("options", "code", "message"),
        [
            (
                ["--password-command", "echo wrong"],
                5,
                "did not accept the user name or the secret. Nothing was written.",
            ),
            (["--password-command", "false"], 5, "The password command `false` failed"),
            (["--password-command", PASSWORD, "--kinds", "mail,notes"], 2, "the server offers no notes"),
            (["--password-command", PASSWORD, "--name", "../x"], 2, "--name ../x: a name has letters"),
            (["--password-command", PASSWORD, "--root", "contacts=x", "--kinds", "mail"], 2, "the kind contacts is not chosen"),
            (["--password-command", PASSWORD, "--password-file", "secret"], 2, "exclude each other"),
            (["--password-command", PASSWORD, "--auth", "oauth"], 2, "needs neither --password-command nor --password-file"),
        ],
    )
    def test_nothing_is_written_where_it_fails(
        self, jmapsync: Command, home: Home, options: list[str], code: int, message: str
    ) -> None:
        done = jmapsync("init", "--url", home.url, "--user", "alice", "--auth", "basic", *options, "--yes")
        assert done.code == code
        assert message in done.err
        assert not home.config.exists()

    def test_a_port_where_nothing_answers_is_no_server(self, jmapsync: Command, home: Home) -> None:
        done = jmapsync("init", "--url", "http://127.0.0.1:9/", "--user", "alice", "--password-file", "secret", "--yes")
        assert done.code == 1
        assert "http://127.0.0.1:9/ is no JMAP server: 127.0.0.1:9 could not be reached" in done.err
        assert not home.config.exists()

    def test_a_broken_configuration_stays_as_it_is(self, jmapsync: Command, home: Home) -> None:
        home.config.write_text("nonsense =")
        done = jmapsync(*common(home), "--yes")
        assert (done.code, home.config.read_text()) == (2, "nonsense =")
        assert "not TOML" in done.err


class TestASessionThatNamesOtherHosts:
    @pytest.fixture
    def server(self) -> Iterator[DemoServer]:
        """A server whose session names hosts of their own for downloads, uploads and push."""
        with DemoServer(user="alice", password=SECRET, freedoms=Freedoms(hosts="apart")) as server:
            yield server

    def test_is_not_signed_in_to_without_approval(self, jmapsync: Command, home: Home) -> None:
        done = jmapsync(*common(home), "--yes")
        assert done.code == 5
        assert re.search(r"approve it with --trust-host 127\.0\.0\.[0-9]:", done.err)
        assert not home.config.exists()

    def test_is_configured_with_the_hosts_that_were_approved(self, jmapsync: Command, home: Home, server: DemoServer) -> None:
        hosts = [f"127.0.0.{number}:{server.port}" for number in (2, 3, 4)]
        done = jmapsync(*common(home), "--yes", *(word for host in hosts for word in ("--trust-host", host)))
        assert (done.code, done.err) == (0, "")
        assert list(load(home.config).accounts["home"].trusted_hosts) == hosts


class TestOnATerminal:
    def test_everything_is_asked(self, dialogue: Dialogue, home: Home) -> None:
        keys = [
            *(ERASE, "work", ENTER),  # the name
            *(ENTER, "alice", ENTER),  # a password; the user name
            *(DOWN, ENTER, ERASE, PASSWORD, ENTER),  # a command prints it
            *(DOWN, " ", DOWN, " ", DOWN, " ", DOWN, " ", ENTER),  # mail, not the four others
            ENTER,  # both ways
            *("n", ENTER, ERASE, "~/mine", ENTER),  # another folder
            *(DOWN, ENTER, DOWN, DOWN, DOWN, " ", ENTER),  # all mailboxes but the fourth, Junk
            *("y", ENTER),  # write it
            *("y", ENTER),  # synchronize
            *("n", ENTER),  # no service
        ]
        done = dialogue("init", home.url, keys=keys)
        assert (done.code, done.err) == (0, "")
        account = load(home.config).accounts["work"]
        assert account.password_command == PASSWORD
        assert list(account.kinds) == ["mail"]
        assert account.mail is not None
        assert (account.mail.path, account.mail.exclude) == (home.path / "mine", ("Junk",))
        assert (home.path / "mine/INBOX").is_dir()
        assert not (home.path / "mine/Junk").exists()

    def test_a_typed_password_is_stored_outside_of_the_configuration(self, dialogue: Dialogue, home: Home) -> None:
        options = ["--name", "home", "--kinds", "mail", "--root", "x", "--include", "*", "--backup", "--sync", "--no-service"]
        typed = [ENTER, "wrong", ENTER, SECRET, ENTER, "y", ENTER]  # where it is; twice; write it
        done = dialogue("init", "--url", home.url, "--user", "alice", "--auth", "basic", *options, keys=typed)
        assert done.code == 0
        assert "did not accept the user name or the secret. Try again." in done.out
        assert load(home.config).accounts["home"].keyring
        assert SECRET not in home.config.read_text()
        assert (home.path / "x/INBOX").is_dir()

    def test_a_password_that_was_typed_for_nothing_is_not_stored(self, dialogue: Dialogue, home: Home) -> None:
        options = ["--name", "home", "--kinds", "mail", "--root", "x", "--include", "*", "--backup"]
        done = dialogue(
            *("init", "--url", home.url, "--user", "alice", "--auth", "basic"), *options, keys=[ENTER, SECRET, ENTER, "n", ENTER]
        )
        assert done.code == 0
        assert not (home.state / "signin").exists()

    def test_what_an_editor_writes_while_it_asks_is_kept(
        self, dialogue: Dialogue, home: Home, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        home.configure()
        confirm = Questions.confirm

        def edit_first(self: Questions, question: str, option: str, *, default: bool | None) -> bool:
            if question == "Write it?":
                home.config.write_text(home.config.read_text() + '\n[hooks]\nafter_sync = "true"\n')
            return confirm(self, question, option, default=default)

        monkeypatch.setattr(Questions, "confirm", edit_first)
        options = ["--name", "work", "--kinds", "mail", "--root", "x", "--include", "*", "--backup", "--no-sync", "--no-service"]
        done = dialogue(*common(home), *options, keys=["y", ENTER])
        assert done.code == 0
        assert list(load(home.config).accounts) == ["home", "work"]
        assert load(home.config).hooks.after_sync == "true"

    def test_nothing_is_written_after_no(self, dialogue: Dialogue, home: Home) -> None:
        options = ["--name", "home", "--kinds", "mail", "--root", "x", "--include", "*", "--backup"]
        done = dialogue(*common(home), *options, keys=["n", ENTER])
        assert (done.code, home.config.exists()) == (0, False)
        assert "Nothing was written." in done.out

    def test_ctrl_c_ends_it(self, dialogue: Dialogue, home: Home) -> None:
        done = dialogue(*common(home), keys=["\x03"])
        assert (done.code, home.config.exists()) == (130, False)


def test_a_configuration_that_is_named_is_the_one_that_is_written(jmapsync: Command, home: Home, tmp_path: Path) -> None:
    path = tmp_path / "config"
    done = jmapsync("-c", str(path), *common(home), "--yes")
    assert (done.code, home.config.exists(), path.exists()) == (0, False, True)
    assert f"jmapsync -c {path} sync home" in done.out


class TestAnAddressWhoseServerIsElsewhere:
    ADDRESS = "alice@example.com"

    @pytest.fixture(autouse=True)
    def found(self, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
        """The DNS says that another host serves the domain."""

        async def search(target: str, *, on_finding: Callable[[Finding], None]) -> Discovery:
            findings = [Finding(Way.SRV, Server(home.url, "alice")), Finding(Way.PACC, why="no answer within 5 seconds")]
            for finding in findings:
                on_finding(finding)
            return Discovery(target.rpartition("@")[2], findings)

        monkeypatch.setattr("jmapsync.cli.setup.server.search", search)

    def options(self) -> list[str]:
        return ["--auth", "basic", "--password-file", "secret", "--kinds", "mail", "--root", "x", "--include", "*", "--backup"]

    def test_nothing_is_sent_before_it_is_approved(self, jmapsync: Command, home: Home, server: DemoServer) -> None:
        host = server.origin.removeprefix("http://")
        refused = jmapsync("init", self.ADDRESS, *self.options(), "--yes")
        assert refused.code == 5
        assert f"example.com is served by {host}, a host outside it (DNS (SRV record) says so)." in refused.err
        assert f"approve it with --trust-host {host}" in refused.err
        assert "  PACC                no answer within 5 seconds\n" in refused.out
        assert (home.config.exists(), server.requests.http) == (False, [])

    def test_it_is_configured_once_approved(self, jmapsync: Command, home: Home, server: DemoServer) -> None:
        host = server.origin.removeprefix("http://")
        done = jmapsync("init", self.ADDRESS, *self.options(), "--yes", "--trust-host", host)
        assert (done.code, done.err) == (0, "")
        account = load(home.config).accounts["example"]
        assert (account.address, account.url, account.user) == (self.ADDRESS, home.url, "alice")
        assert account.trusted_hosts == ()  # its own host needs no mention
        assert jmapsync("check").code == 0

    def test_a_person_may_refuse(self, dialogue: Dialogue, home: Home, server: DemoServer) -> None:
        done = dialogue("init", self.ADDRESS, *self.options(), keys=["n", ENTER])
        assert (done.code, home.config.exists(), server.requests.http) == (5, False, [])

    def test_a_person_may_approve_even_though_defaults_are_accepted(self, dialogue: Dialogue, home: Home) -> None:
        done = dialogue("init", self.ADDRESS, *self.options(), "--yes", keys=["y", ENTER])
        assert done.code == 0
        assert load(home.config).accounts["example"].url == home.url


class TestByOauth:
    OPTIONS = ("--name", "home", "--kinds", "mail", "--root", "x", "--include", "*", "--backup", "--sync", "--no-service")

    @pytest.fixture
    def world(self, server: DemoServer) -> Iterator[LiveWorld]:
        """An authorization server that issues tokens for the JMAP server."""
        with authority() as world:
            server.credentials.issuer = world.metadata["issuer"]
            server.credentials.introspect = world.accepts
            yield world

    def tokens(self, world: LiveWorld) -> list[str]:
        return [token for family in world.families for token in (family.refresh, *family.access)]

    def test_a_script_needs_a_browser_anywhere_and_no_terminal(self, jmapsync: Command, home: Home, world: LiveWorld) -> None:
        done = jmapsync("init", "--url", home.url, "--auth", "oauth", "--device", *self.OPTIONS)
        assert done.code == 0
        assert "ABCD-EFGH" in done.err
        account = load(home.config).accounts["home"]
        assert (account.auth, account.user, account.keyring) == ("oauth", "", False)
        assert (home.path / "x/INBOX").is_dir()
        text = home.config.read_text() + done.out + done.err
        assert self.tokens(world)
        assert [token for token in self.tokens(world) if token in text] == []

    def test_it_is_proposed_first(self, dialogue: Dialogue, home: Home, world: LiveWorld) -> None:
        done = dialogue("init", "--url", home.url, *self.OPTIONS, keys=[ENTER, "y", ENTER])
        assert done.code == 0
        assert load(home.config).accounts["home"].auth == "oauth"

    def test_tokens_are_revoked_where_the_account_is_not_written(self, dialogue: Dialogue, home: Home, world: LiveWorld) -> None:
        done = dialogue("init", "--url", home.url, "--auth", "oauth", *self.OPTIONS, keys=["n", ENTER])
        assert (done.code, home.config.exists(), list(home.state.rglob("signin"))) == (0, False, [])
        assert [family.is_revoked for family in world.families] == [True]

    def test_tokens_are_revoked_where_an_answer_is_wrong(self, jmapsync: Command, home: Home, world: LiveWorld) -> None:
        done = jmapsync("init", "--url", home.url, "--auth", "oauth", "--device", "--yes", "--kinds", "notes")
        assert (done.code, list(home.state.rglob("signin"))) == (2, [])
        assert [family.is_revoked for family in world.families] == [True]

    def test_two_processes_do_not_set_up_one_account_at_a_time(self, process: Command, home: Home, world: LiveWorld) -> None:
        arguments = ("init", "--url", home.url, "--auth", "oauth", "--device", *self.OPTIONS)
        world.device_answers = ["authorization_pending"] * 1_000
        with subprocess.Popen([*PROGRAM, *arguments], env=home.environment(), cwd=home.path, stdin=subprocess.DEVNULL) as first:
            try:
                wait_for(lambda: any(asked.path == "/device" for asked in world.asked))
                second = process(*arguments)
                assert (second.code, f"(process {first.pid} on " in second.err) == (6, True)
                world.device_answers.clear()
                assert first.wait(PATIENCE) == 0
            finally:
                first.kill()
        third = process(*arguments)
        assert (third.code, "there is an account of this name" in third.err) == (2, True)
        assert [family.is_revoked for family in world.families] == [False]
        assert process("sync").code == 0

    def test_a_server_without_it_says_why(self, jmapsync: Command, home: Home) -> None:
        done = jmapsync("init", "--url", home.url, "--auth", "oauth", "--yes")
        assert (done.code, home.config.exists()) == (5, False)
        assert "OAuth" in done.err
