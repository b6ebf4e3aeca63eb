"""Shared accounts: the other accounts of a session, each with a root, a state and a name of its own."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import shutil
from typing import TYPE_CHECKING

import pytest

from jmapsync.app.shared import shared_accounts
from jmapsync.app.wiring import open_account
from jmapsync.config import load
from jmapsync.errors import ExitCode
from jmapsync.sync.options import Options
from jmapsync.sync.report import Silent
from tests.cli.daemons import QUIET, running, wait_for
from tests.cli.test_sendmail import Sendmail

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.demo import DemoServer
    from jmapsync.demo.account import Account
    from tests.cli.conftest import Command, Home

LETTER = b"From: a@example.com\r\nSubject: budget\r\n\r\nAll of it.\r\n"


def configure(home: Home, *, account: str = "shared = true", kinds: str = "") -> None:
    home.configure(secret=f'password_command = "echo geheim-4711"\n{account}', more=kinds)


def letters(folder: Path) -> list[bytes]:
    return sorted(file.read_bytes() for part in ("new", "cur") for file in (folder / part).iterdir())


def codes(reported: str) -> dict[str, int]:
    """Return the exit code of each account's mail in the output of `sync --json` or `status --json`."""
    accounts = json.loads(reported)["accounts"]
    return {name: one["kinds"]["mail"]["exit_code"] for name, one in accounts.items()}


@pytest.fixture
def team(server: DemoServer, home: Home) -> Account:
    """Share an account `Team` of one message with the user, whose configuration mirrors shared accounts."""
    team = server.add_account("t1", name="Team", personal=False)
    team.deliver(LETTER)
    configure(home)
    return team


class TestSync:
    def test_mirrors_every_account_of_the_session_below_a_root_of_its_own(
        self, jmapsync: Command, home: Home, server: DemoServer, team: Account
    ) -> None:
        done = jmapsync("sync", "--json")

        assert (done.code, list(codes(done.out))) == (0, ["home", "home/Team"])
        root = home.path / "Mail.shared/Team"
        assert letters(root / "INBOX") == [LETTER.replace(b"\r\n", b"\n")]
        assert json.loads((root / ".jmapsync").read_text())["account"] == "t1"
        assert (home.state / "shared/Team/ledger.sqlite").exists()
        assert len(home.inbox()) == 6

    def test_goes_both_ways(self, jmapsync: Command, home: Home, team: Account) -> None:
        jmapsync("sync")
        root = home.path / "Mail.shared/Team"
        (root / "INBOX/new/mine").write_bytes(b"Subject: mine\n\nmine\n")
        team.deliver(b"Subject: theirs\r\n\r\ntheirs\r\n")

        assert jmapsync("sync", "home/Team").code == 0

        assert len(letters(root / "INBOX")) == 3
        assert len(team.emails) == 3

    def test_says_in_a_dry_run_what_the_first_one_would_do(self, jmapsync: Command, home: Home, team: Account) -> None:
        done = jmapsync("sync", "--dry-run")
        assert "home/Team mail: create " in done.out
        assert not (home.path / "Mail.shared").exists()
        assert not home.state.exists()

    def test_leaves_out_what_is_excluded_by_name_or_id(
        self, jmapsync: Command, home: Home, server: DemoServer, team: Account
    ) -> None:
        server.add_account("t2", name="Sales", personal=False)
        server.add_account("t3", name="Press", personal=False)
        configure(home, account='shared = true\nshared_exclude = ["Sa*", "t3"]')
        assert list(codes(jmapsync("sync", "--json").out)) == ["home", "home/Team"]

    def test_of_one_name_twice_gives_each_a_root(self, jmapsync: Command, home: Home, server: DemoServer, team: Account) -> None:
        server.add_account("t2", name="team", personal=False)
        server.add_account("t3", name="../x/\n.", personal=False)
        assert jmapsync("sync").code == 0
        roots = sorted(path.name for path in (home.path / "Mail.shared").iterdir())
        assert [json.loads((home.path / "Mail.shared" / root / ".jmapsync").read_text())["account"] for root in roots] == [
            "t3",
            "t1",
            "t2",
        ]
        assert roots[0] == "%2E.%2Fx%2F%0A%2E"

    def test_mirrors_the_kinds_that_an_account_offers(
        self, jmapsync: Command, home: Home, server: DemoServer, team: Account
    ) -> None:
        configure(home, kinds='[accounts.home.contacts]\npath = "~/cards"\n')
        team.kinds = frozenset({"contacts"})
        done = json.loads(jmapsync("sync", "--json").out)["accounts"]
        assert list(done["home"]["kinds"]) == ["mail", "contacts"]
        assert list(done["home/Team"]["kinds"]) == ["contacts"]
        assert (home.path / "cards.shared/Team/.jmapsync").exists()

    def test_asks_once_where_the_server_refuses_the_secret(
        self, jmapsync: Command, server: DemoServer, home: Home, team: Account
    ) -> None:
        jmapsync("sync")
        home.configure(secret='password_command = "echo wrong"\nshared = true')
        server.requests.clear()
        done = jmapsync("sync")
        assert (done.code, server.requests.count("session")) == (5, 1)


class TestAnAccountThat:
    def test_is_withdrawn_is_suspended_and_nothing_is_deleted(
        self, jmapsync: Command, home: Home, server: DemoServer, team: Account
    ) -> None:
        jmapsync("sync")
        root = home.path / "Mail.shared/Team"
        (root / "INBOX/new/mine").write_bytes(b"Subject: mine\n\nmine\n")
        server.withdraw("t1")

        done = jmapsync("sync", "--json")

        assert (done.code, codes(done.out)) == (4, {"home": 0, "home/Team": 4})
        assert "home/Team: The account Team (t1) is no longer shared with you. Nothing was deleted" in done.err
        assert len(letters(root / "INBOX")) == 2
        shown = jmapsync("status", "--json")
        assert (shown.code, codes(shown.out)) == (4, {"home": 0, "home/Team": 4})
        assert jmapsync("sync", "home/Team", "--allow-deletes").code == 4
        assert len(letters(root / "INBOX")) == 2

        server.share(team)
        assert jmapsync("sync").code == 0
        assert len(team.emails) == 2

    def test_lacks_a_mailbox_by_now_has_it_suspended_by_name_until_its_loss_is_allowed(
        self, jmapsync: Command, home: Home, team: Account
    ) -> None:
        team.create_mailbox("Plans")
        team.deliver(LETTER, ["Plans"])
        jmapsync("sync")
        team.withdraw_mailbox("Plans")

        done = jmapsync("sync", "--json")

        assert (done.code, codes(done.out)) == (4, {"home": 0, "home/Team": 4})
        said = "The mailbox Plans is no longer in the account: withdrawn or deleted, which the server does not say."
        assert said in json.loads(done.out)["accounts"]["home/Team"]["kinds"]["mail"]["sentences"][0]
        shown = jmapsync("status", "home/Team")
        assert (shown.code, "suspended: Plans: no longer in the account" in shown.out) == (4, True)
        stated = json.loads(jmapsync("status", "home/Team", "--json").out)["accounts"]["home/Team"]
        assert (stated["kinds"]["mail"]["withdrawn"], stated["reason"]) == (["Plans"], "no longer shared: Plans")
        checked = jmapsync("check", "home/Team")
        assert (checked.code, said in checked.out + checked.err) == (4, True)
        assert len(letters(home.path / "Mail.shared/Team/Plans")) == 1

        assert jmapsync("sync", "home/Team", "--allow-deletes").code == 0
        assert not (home.path / "Mail.shared/Team/Plans").exists()
        assert jmapsync("status", "home/Team").code == 0

    def test_is_withdrawn_is_not_reported_once_it_is_excluded(
        self, jmapsync: Command, home: Home, server: DemoServer, team: Account
    ) -> None:
        jmapsync("sync")
        server.withdraw("t1")
        configure(home, account='shared = true\nshared_exclude = ["Team"]')
        assert jmapsync("sync").code == 0
        assert letters(home.path / "Mail.shared/Team/INBOX")

    def test_no_longer_offers_a_kind_is_suspended_in_that_kind(
        self, jmapsync: Command, home: Home, server: DemoServer, team: Account
    ) -> None:
        configure(home, kinds='[accounts.home.contacts]\npath = "~/cards"\n')
        jmapsync("sync")
        team.kinds = frozenset({"contacts"})
        done = jmapsync("sync", "--json")
        assert (done.code, codes(done.out)) == (4, {"home": 0, "home/Team": 4})
        assert "no longer shares mail of Team" in done.err
        assert letters(home.path / "Mail.shared/Team/INBOX")
        team.kinds = None
        assert jmapsync("sync").code == 0

    def test_is_shared_again_goes_on_where_the_state_of_the_session_never_changes(
        self, jmapsync: Command, home: Home, server: DemoServer, team: Account
    ) -> None:
        """A daemon keeps one client; on Cyrus only another session shows what is shared."""
        server.service.dialect = dataclasses.replace(server.service.dialect, fixed_session_state="0")
        jmapsync("sync")
        config = load(home.config)
        [account] = shared_accounts(config.accounts["home"])

        async def run() -> list[ExitCode]:
            found = []
            async with open_account(account, config.safety, list(account.kinds.values()), Silent()) as opened:
                for kinds in (None, frozenset({"contacts"}), frozenset({"contacts"}), None):
                    team.kinds = kinds
                    found.append((await opened.run(Options())).worst)
                server.withdraw("t1")
                found.append((await opened.run(Options())).worst)
                server.share(team)
                found.append((await opened.run(Options())).worst)
            return found

        suspended, fine = ExitCode.SUSPENDED, ExitCode.IN_SYNC
        assert asyncio.run(run()) == [fine, suspended, suspended, fine, suspended, fine]
        assert letters(home.path / "Mail.shared/Team/INBOX")

    def test_is_added_appears(self, jmapsync: Command, home: Home, server: DemoServer, team: Account) -> None:
        jmapsync("sync")
        server.add_account("t2", name="Sales", personal=False).deliver(LETTER)
        assert codes(jmapsync("sync", "--json").out) == {"home": 0, "home/Team": 0, "home/Sales": 0}
        assert letters(home.path / "Mail.shared/Sales/INBOX")

    def test_is_the_own_one_and_is_withdrawn_is_replaced_by_no_other(
        self, jmapsync: Command, monkeypatch: pytest.MonkeyPatch, home: Home, server: DemoServer, team: Account
    ) -> None:
        jmapsync("sync")
        before = home.inbox()
        server.withdraw(server.account.id)
        added = server.add_account("t2", name="Sales", personal=False)
        added.deliver(LETTER)

        done = jmapsync("sync", "--json")

        assert (done.code, codes(done.out)) == (4, {"home": 4, "home/Team": 0, "home/Sales": 0})
        assert home.inbox() == before
        assert letters(home.path / "Mail.shared/Sales/INBOX")
        checked = jmapsync("check")
        assert (checked.code, "where this mirror is of" in checked.out + checked.err) == (4, True)

        # what is written besides mail goes to no account of somebody else either
        done = jmapsync("vacation", "on", "--subject", "Away")
        assert (done.code, f"no longer offers the account {server.account.id}" in done.err) == (4, True)
        assert not team.vacation["isEnabled"]
        assert Sendmail(jmapsync, monkeypatch)("bob@example.com").code == 4
        assert (team.sent, added.sent) == ([], [])

    def test_is_the_only_one_that_answers_mail_is_left_alone_unless_it_is_named(
        self, jmapsync: Command, home: Home, server: DemoServer, team: Account
    ) -> None:
        server.withdraw(server.account.id)
        configure(home, account="")
        done = jmapsync("vacation", "on")
        assert done.code == 1
        assert "only in an account of somebody else" in done.err
        assert "set account_id to t1 (Team)" in done.err
        assert not team.vacation["isEnabled"]
        configure(home, account='account_id = "t1"')
        assert jmapsync("vacation", "on").code == 0
        assert team.vacation["isEnabled"]

    def test_is_renamed_keeps_its_root(self, jmapsync: Command, home: Home, server: DemoServer, team: Account) -> None:
        jmapsync("sync")
        team.name = "Everybody"
        server.add_account("t2", name="Team", personal=False)
        assert jmapsync("sync").code == 0
        roots = sorted(path.name for path in (home.path / "Mail.shared").iterdir())
        assert (len(roots), roots[0]) == (2, "Team")
        assert "Everybody" in jmapsync("accounts").out
        assert letters(home.path / "Mail.shared/Team/INBOX")

    def test_is_known_by_its_marker_where_the_state_was_lost(
        self, jmapsync: Command, home: Home, server: DemoServer, team: Account
    ) -> None:
        jmapsync("sync")
        team.name = "Everybody"
        shutil.rmtree(home.state)
        assert jmapsync("sync").code == 0
        assert [path.name for path in (home.path / "Mail.shared").iterdir()] == ["Team"]
        assert len(team.emails) == 1


class TestCommands:
    def test_name_it_after_its_login(self, jmapsync: Command, home: Home, team: Account) -> None:
        jmapsync("sync")
        root = home.path / "Mail.shared/Team"
        assert json.loads(jmapsync("accounts", "--json").out)["accounts"]["home/Team"]["shared"] == {"id": "t1", "name": "Team"}
        assert f"named-mailboxes 'home/Team/INBOX' '{root}/INBOX'" in jmapsync("mailboxes", "--named").out
        assert f"mailboxes '{root}/INBOX'" in jmapsync("mailboxes", "home/Team").out
        assert "home/Team mail: complete" in jmapsync("verify").out
        assert "home/Team mail: INBOX: 1 here, 1 on the server" in jmapsync("verify", "home/Team").out
        assert jmapsync("status", "home/Team").out.startswith("home/Team\n")

    @pytest.mark.parametrize(
        "command", ["sync", "status", "check", "verify", "mailboxes", "restore", "restore home --into", "vacation", "run"]
    )
    @pytest.mark.usefixtures("team")
    def test_complete_its_name(self, jmapsync: Command, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
        jmapsync("sync")
        words = ["jmapsync", *command.split(), "home/"]
        monkeypatch.setenv("_JMAPSYNC_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", "\n".join(words))
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        assert "home/Team" in jmapsync().out

    def test_report_on_it_without_its_name(self, jmapsync: Command, home: Home, server: DemoServer, team: Account) -> None:
        jmapsync("sync")
        team.create_mailbox("Zugspitze")
        team.deliver(LETTER, ["Zugspitze"])
        jmapsync("sync")
        team.withdraw_mailbox("Zugspitze")
        jmapsync("sync")
        done = jmapsync("report")
        assert done.code == 0
        lines = done.out.splitlines()
        assert {"## Account 1, shared account 1", "- mail: synced, exit code 4", "  - 1 folder withdrawn"} <= set(lines)
        assert not [word for word in ("Team", "Zugspitze", "budget") if word in done.out]

    def test_restore_it(self, jmapsync: Command, home: Home, team: Account) -> None:
        jmapsync("sync")
        [email] = team.emails
        team.destroy(email)
        done = jmapsync("restore", "home/Team")
        assert (done.code, len(team.emails)) == (0, 1)
        assert done.out.startswith("home/Team mail: ")

    def test_restore_it_into_the_account_that_signs_in(
        self, jmapsync: Command, home: Home, server: DemoServer, team: Account
    ) -> None:
        jmapsync("sync")
        before = len(server.account.emails)
        assert jmapsync("restore", "home/Team", "--into", "home").code == 0
        assert len(server.account.emails) == before + 1

    def test_refuse_to_sign_it_in(self, jmapsync: Command, team: Account) -> None:
        jmapsync("sync")
        done = jmapsync("login", "home/Team")
        assert (done.code, "home/Team is a shared account; it signs in as home." in done.err) == (2, True)

    def test_say_which_there_are(self, jmapsync: Command, team: Account) -> None:
        jmapsync("sync")
        done = jmapsync("sync", "home/Taem")
        assert (done.code, "did you mean 'home/Team'?" in done.err) == (2, True)

    def test_give_a_hook_its_name(self, jmapsync: Command, home: Home, team: Account) -> None:
        home.configure(
            secret='password_command = "echo geheim-4711"\nshared = true',
            more=f"[hooks]\nafter_sync = 'echo \"$JMAPSYNC_ACCOUNT\" >> {home.path}/hooks'\n",
        )
        jmapsync("sync")
        assert (home.path / "hooks").read_text() == "home\nhome/Team\n"


class TestAccountId:
    def test_may_be_the_name_of_an_account(self, jmapsync: Command, home: Home, team: Account) -> None:
        configure(home, account='account_id = "team"')
        assert jmapsync("sync").code == 0
        assert letters(home.mail / "INBOX") == [LETTER.replace(b"\r\n", b"\n")]

    def test_of_several_accounts_is_an_error_that_lists_them(
        self, jmapsync: Command, home: Home, server: DemoServer, team: Account
    ) -> None:
        server.add_account("t2", name="Team", personal=False)
        configure(home, account='account_id = "Team"')
        for command in ("sync", "check", "verify"):
            done = jmapsync(command)
            assert (done.code, "t1 (Team), t2 (Team)" in done.err) == (2, True)
        assert jmapsync("status").code == 2
        assert not home.mail.exists()

    def test_follows_the_account_when_it_is_renamed(self, jmapsync: Command, home: Home, server: DemoServer, team: Account) -> None:
        configure(home, account='account_id = "Team"')
        jmapsync("sync")
        team.name = "Everybody"
        team.deliver(LETTER.replace(b"budget", b"more"))
        assert jmapsync("sync").code == 0
        assert len(letters(home.mail / "INBOX")) == 2

    def test_never_becomes_another_account_of_that_name(
        self, jmapsync: Command, home: Home, server: DemoServer, team: Account
    ) -> None:
        configure(home, account='account_id = "Team"')
        jmapsync("sync")
        team.name = "Everybody"
        server.add_account("t2", name="Team", personal=False)
        jmapsync("sync")  # the session that was kept is from before
        done = jmapsync("sync")
        assert (done.code, "t2" in done.err) == (4, True)
        assert len(letters(home.mail / "INBOX")) == 1

    def test_of_an_account_that_is_withdrawn_suspends(
        self, jmapsync: Command, home: Home, server: DemoServer, team: Account
    ) -> None:
        configure(home, account='account_id = "t1"')
        jmapsync("sync")
        server.withdraw("t1")
        assert jmapsync("sync").code == 4
        assert jmapsync("status").code == 4
        assert len(letters(home.mail / "INBOX")) == 1
        server.share(team)
        assert jmapsync("sync").code == 0


class TestADaemon:
    def test_runs_them_and_those_that_are_added_and_reports_those_that_are_withdrawn(
        self, jmapsync: Command, home: Home, server: DemoServer, team: Account
    ) -> None:
        def inbox(name: str) -> list[bytes]:
            folder = home.path / f"Mail.shared/{name}/INBOX"
            return letters(folder) if (folder / "cur").is_dir() else []

        configure(home, kinds=QUIET)
        with running(home) as daemon:
            wait_for(lambda: inbox("Team"))
            team.deliver(LETTER.replace(b"budget", b"pushed"))
            wait_for(lambda: len(inbox("Team")) == 2)
            server.add_account("t2", name="Sales", personal=False).deliver(LETTER)
            assert jmapsync("sync").code == 0
            wait_for(lambda: inbox("Sales"))
            wait_for(lambda: json.loads(jmapsync("status", "--json").out)["accounts"]["home/Sales"]["daemon"])
            server.withdraw("t1")
            done = jmapsync("sync", "--json")
            assert (done.code, codes(done.out)) == (4, {"home": 0, "home/Team": 4, "home/Sales": 0})
            assert "home/Team: suspended" in daemon.log
            server.share(team)
            assert jmapsync("sync", "home/Team").code == 0
            assert len(inbox("Team")) == 2
