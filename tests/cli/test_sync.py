"""`jmapsync sync`: what it prints, where, and how it ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import Answer
from jmapsync.ledger import AccountLock

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.demo import DemoServer
    from tests.cli.conftest import Command, Home

SECOND = """
[accounts.work]
url = "{url}"
user = "alice"
auth = "basic"
password_command = "echo {secret}"
[accounts.work.mail]
path = "~/Work"
"""


class TestARun:
    def test_reports_what_it_did_and_its_costs(self, jmapsync: Command, home: Home) -> None:
        first = jmapsync("sync")

        assert first.code == 0
        assert first.out.startswith("home mail: ")
        assert " created here" in first.out
        assert first.err == ""
        assert len(home.inbox()) == 6

    def test_with_nothing_to_do_takes_one_request(self, jmapsync: Command) -> None:
        jmapsync("sync")
        second = jmapsync("sync")
        assert second.out.startswith("home mail: nothing to do (")
        assert second.out.endswith(" s, 1 request)\n")

    def test_that_is_quiet_prints_nothing(self, jmapsync: Command, home: Home) -> None:
        done = jmapsync("-q", "sync")
        assert (done.code, done.out, done.err) == (0, "", "")
        assert len(home.inbox()) == 6

    def test_brings_both_sides_together(self, jmapsync: Command, home: Home, server: DemoServer) -> None:
        jmapsync("sync")
        (new,) = [file for file in home.inbox() if b"Subject: Welcome" in file.read_bytes()]
        new.rename(home.mail / "INBOX/cur" / f"{new.name}:2,FS")
        server.account.deliver(b"Subject: hello\r\n\r\nhello\r\n")

        done = jmapsync("sync")

        assert "1 created here, 1 updated on the server" in done.out
        keywords = [keywords for _, keywords in server.account.listing().values()]
        assert frozenset({"$seen", "$flagged"}) in keywords
        assert len(home.inbox()) == 7


class TestJson:
    def test_is_one_object_of_the_documented_shape(self, jmapsync: Command) -> None:
        done = jmapsync("sync", "--json")

        reported = json.loads(done.out)
        account = reported["accounts"]["home"]
        mail = account["kinds"]["mail"]
        assert reported["ok"] is True
        assert account["seconds"] > 0
        assert account["requests"] > 1
        assert account["bytes"] > 1000
        assert mail["state"] == "synced"
        assert mail["to_disk"]["created"] >= 12
        assert mail["to_server"] == {"created": 0, "updated": 0, "deleted": 0}
        assert (mail["conflicts"], mail["problems"]) == (0, [])

    def test_reports_a_failure_in_the_same_form(self, jmapsync: Command, home: Home) -> None:
        home.configure(secret='password_command = "echo wrong"')
        done = jmapsync("sync", "--json")
        reported = json.loads(done.out)
        assert (done.code, reported["ok"]) == (5, False)
        assert reported["accounts"]["home"]["error"] in done.err


class TestADryRun:
    def test_prints_one_line_an_action_and_writes_nothing(self, jmapsync: Command, home: Home, server: DemoServer) -> None:
        before = server.account.version
        done = jmapsync("sync", "--dry-run")

        lines = done.out.splitlines()
        assert done.code == 0
        assert len(lines) >= 12
        assert all(line.startswith("home mail: ") for line in lines)
        assert not home.mail.exists()
        assert not home.state.exists()
        assert server.account.version == before

    def test_is_followed_by_just_that(self, jmapsync: Command, server: DemoServer) -> None:
        jmapsync("sync")
        server.account.deliver(b"Subject: hello\r\n\r\nhello\r\n")
        assert len(jmapsync("sync", "--dry-run").out.splitlines()) == 1
        assert "1 created here" in jmapsync("sync").out

    def test_takes_no_lock(self, jmapsync: Command, home: Home) -> None:
        jmapsync("sync")
        with AccountLock(home.state / "lock", "home"):
            assert jmapsync("sync", "--dry-run").code == 0


class TestWhatIsAskedFor:
    def test_an_unknown_account_is_refused_with_a_guess(self, jmapsync: Command, home: Home) -> None:
        done = jmapsync("sync", "hmoe")
        assert done.code == 2
        assert done.err == f"jmapsync: There is no account 'hmoe' in {home.config}; did you mean 'home'?\n"

    def test_an_unknown_kind_is_refused(self, jmapsync: Command) -> None:
        done = jmapsync("sync", "--kind", "email")
        assert done.code == 2
        assert "'email' is not one of" in done.err

    def test_a_kind_that_nothing_is_said_of_is_refused(self, jmapsync: Command) -> None:
        done = jmapsync("sync", "--kind", "contacts")
        assert done.code == 2
        assert done.err == "jmapsync: home has no kind contacts.\n"

    def test_one_account_of_two(self, jmapsync: Command, home: Home) -> None:
        home.configure(more=SECOND.format(url=home.url, secret="geheim-4711"))
        assert jmapsync("sync", "work").out.startswith("work mail: ")
        assert not home.mail.exists()

    def test_loud_and_quiet_exclude_each_other(self, jmapsync: Command) -> None:
        assert jmapsync("-v", "-q", "sync").code == 2


class TestAFailure:
    def test_of_one_account_does_not_hold_the_other_up(self, jmapsync: Command, home: Home) -> None:
        home.configure(more=SECOND.format(url=home.url, secret="wrong"))
        done = jmapsync("sync")
        assert done.code == 5
        assert "home mail: " in done.out
        assert done.err.startswith("work: ")
        assert len(home.inbox()) == 6

    @pytest.mark.parametrize(
        ("secret", "reported"),
        [
            ('password_command = "echo wrong"', "home: "),
            ('password_command = "exit 3"', "home: The password command `exit 3` failed with status 3."),
            ('password_command = "true"', "home: The password command `true` gave no secret."),
            ('password_file = "nowhere"', "cannot be read (No such file or directory)."),
            ('credential = "mail"', "home: systemd passed no credentials to this process"),
        ],
    )
    def test_to_sign_in_ends_with_5(self, secret: str, reported: str, jmapsync: Command, home: Home) -> None:
        home.configure(secret=secret)
        done = jmapsync("sync")
        assert done.code == 5
        assert reported in done.err
        assert len(done.err.splitlines()) == 1

    def test_to_find_jmap_ends_with_1(self, jmapsync: Command, home: Home, server: DemoServer) -> None:
        home.configure(url=f"{server.origin}/nothing/here")
        done = jmapsync("sync")
        assert done.code == 1
        assert len(done.err.splitlines()) == 1

    def test_of_a_host_that_speaks_html_ends_with_1(self, jmapsync: Command, server: DemoServer) -> None:
        server.faults.answer.arm(Answer.html())
        done = jmapsync("sync")
        assert done.code == 1
        assert "not with a JMAP session (it is an HTML page)" in done.err

    def test_of_the_network_ends_with_1(self, jmapsync: Command, server: DemoServer) -> None:
        server.stop()
        done = jmapsync("sync")
        assert done.code == 1
        assert "could not be reached" in done.err

    def test_of_the_disk_ends_with_1(self, jmapsync: Command, home: Home) -> None:
        home.state.parent.parent.mkdir(parents=True)
        home.state.parent.write_text("a file where a folder should be")
        done = jmapsync("sync")
        assert done.code == 1
        assert done.err == f"home: The state folder {home.state} cannot be written: Not a directory.\n"

    def test_because_another_run_holds_the_account_ends_with_6(self, jmapsync: Command, home: Home) -> None:
        home.state.mkdir(parents=True)
        with AccountLock(home.state / "lock", "home"):
            done = jmapsync("sync")
        assert done.code == 6
        assert "is working on account home" in done.err


class TestAQuarantinedItem:
    def test_is_named_and_ends_with_3(self, jmapsync: Command, home: Home, server: DemoServer) -> None:
        jmapsync("sync")
        server.account.set_rights("Archive", mayCreateChild=False)
        for part in ("cur", "new", "tmp"):
            (home.mail / "Archive/2026" / part).mkdir(parents=True)
        (home.mail / "Archive/2026/new/1.dropped.here").write_bytes(b"Subject: hello\n\nhello\n")
        done = jmapsync("sync")
        assert done.code == 3
        assert "home mail: quarantined: " in done.err
        assert jmapsync("status").code == 3
        assert "quarantined: " in jmapsync("status").out

    def test_does_not_keep_a_dry_run_from_reporting_the_rest(self, jmapsync: Command, home: Home, server: DemoServer) -> None:
        self.test_is_named_and_ends_with_3(jmapsync, home, server)
        server.account.deliver(b"Subject: another\r\n\r\nanother\r\n")
        done = jmapsync("sync", "--dry-run")
        assert done.code == 3
        assert any(": create " in line for line in done.out.splitlines())


class TestWhatMayNotBeDone:
    def test_waits_where_it_was_written_and_is_named_and_the_rest_is_undone(
        self, jmapsync: Command, home: Home, server: DemoServer
    ) -> None:
        server.account.deliver(b"Subject: there\r\n\r\nthere\r\n", ["Archive"])
        jmapsync("sync")
        server.account.set_rights("Archive", mayAddItems=False, mayRemoveItems=False)
        new = home.mail / "Archive/new/1.dropped.here"
        new.write_bytes(b"Subject: hello\n\nhello\n")
        for _ in range(2):
            done = jmapsync("sync")
            assert done.code == 3
            assert 'quarantined: "hello" (Archive/new/1.dropped.here): new here, which the server does not allow' in done.err
            assert new.exists()
        for file in (home.mail / "Archive/new").iterdir():
            file.unlink()
        done = jmapsync("sync")
        assert done.code == 0
        assert "deleted here, unchanged on the server, which the server does not allow: taken back" in done.out
        assert len(list((home.mail / "Archive/new").iterdir())) == 1


class TestTheGuard:
    def test_suspends_a_mass_delete_until_it_is_allowed(self, jmapsync: Command, home: Home, server: DemoServer) -> None:
        server.account.populate(60)
        jmapsync("sync")
        for file in home.inbox()[:50]:
            file.unlink()

        held = jmapsync("sync")
        assert held.code == 4
        assert "--allow-deletes" in held.err
        assert jmapsync("status").code == 4
        assert "\n    suspended: " in jmapsync("status").out
        assert len(server.account.listing()) == 72
        foretold = jmapsync("sync", "--dry-run")
        assert (foretold.code, foretold.err) == (4, held.err)
        assert len(foretold.out.splitlines()) == 50
        assert " on the server: deleted here, unchanged on the server\n" in foretold.out
        assert len(json.loads(jmapsync("sync", "--dry-run", "--json").out)["accounts"]["home"]["kinds"]["mail"]["plan"]) == 50

        allowed = jmapsync("sync", "--allow-deletes")
        assert allowed.code == 0
        assert len(home.inbox()) == 16
        assert jmapsync("status").code == 0


class TestSeveralKinds:
    def test_leave_the_roles_and_rights_of_mailboxes_to_mail(self, jmapsync: Command, home: Home, server: DemoServer) -> None:
        """One note held those of every kind, so the calendars' took the place of the mailboxes': no Trash was known any more."""
        home.configure(more='[accounts.home.contacts]\npath = "~/Cards"\n[accounts.home.calendars]\npath = "~/Calendars"\n')
        assert jmapsync("sync").code == 0
        (welcome,) = [file for file in home.inbox() if b"Subject: Welcome" in file.read_bytes()]
        welcome.unlink()
        assert jmapsync("sync").code == 0
        assert {"Trash"} in [names for names, _ in server.account.listing().values()]


class TestAnotherLayout:
    @pytest.mark.parametrize(("before", "after"), [("nested", "maildir++"), ("maildir++", "nested")])
    def test_another_layout_over_a_mirror_is_refused_and_nothing_is_touched(
        self, before: str, after: str, jmapsync: Command, home: Home, server: DemoServer
    ) -> None:
        home.configure(mail=f'layout = "{before}"')
        assert jmapsync("sync").code == 0
        there, mail = sorted(home.mail.rglob("*")), server.account.listing()
        home.configure(mail=f'layout = "{after}"')
        for options in ([], ["--full"], ["--dry-run"], ["--allow-deletes"]):
            done = jmapsync("sync", *options)
            assert done.code == 2
            assert f'in the layout "{before}", not "{after}"; nothing was synchronized' in done.err
        assert (sorted(home.mail.rglob("*")), server.account.listing()) == (there, mail)
        home.configure(mail=f'layout = "{before}"')
        assert jmapsync("sync", "--full").code == 0

    def test_oauth_takes_no_password_source(self, jmapsync: Command, home: Home) -> None:
        home.config.write_text(home.config.read_text().replace('"basic"', '"oauth"'))
        done = jmapsync("sync")
        assert done.code == 2
        assert 'auth = "oauth" takes no password_command; sign in with: jmapsync login home' in done.err


class TestTheHook:
    def test_runs_when_something_changed_and_knows_what(self, jmapsync: Command, home: Home, tmp_path: Path) -> None:
        log = tmp_path / "hook"
        home.configure(more=f'[hooks]\nafter_sync = "echo $JMAPSYNC_ACCOUNT $JMAPSYNC_KINDS >> {log}; echo noise"\n')
        first = jmapsync("sync", "--json")
        jmapsync("sync")
        assert log.read_text() == "home mail\n"
        assert json.loads(first.out)["ok"]
        assert first.err == "noise\n"

    def test_is_not_run_by_a_dry_run_or_from_itself(
        self, jmapsync: Command, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log = tmp_path / "hook"
        home.configure(more=f'[hooks]\nafter_sync = "echo >> {log}"\n')
        jmapsync("sync", "--dry-run")
        monkeypatch.setenv("JMAPSYNC_IN_HOOK", "1")
        jmapsync("sync")
        assert not log.exists()

    def test_of_success_runs_after_a_run_without_fault_once_an_interval(
        self, jmapsync: Command, home: Home, tmp_path: Path
    ) -> None:
        log = tmp_path / "hook"
        more = f'[daemon]\npoll = "1h"\n[hooks]\non_success = "echo $JMAPSYNC_ACCOUNT $JMAPSYNC_KINDS >> {log}"\n'
        home.configure(more=more)
        jmapsync("sync", "--dry-run")
        assert not log.exists()
        assert jmapsync("sync").code == 0
        assert jmapsync("sync").code == 0
        assert log.read_text() == "home mail\n"
        (home.state / "on_success").unlink()
        (home.mail / ".jmapsync").unlink()
        assert jmapsync("sync").code == 4
        assert log.read_text() == "home mail\n"

    def test_that_fails_is_reported(self, jmapsync: Command, home: Home) -> None:
        home.configure(more='[hooks]\nafter_sync = "exit 7"\n')
        done = jmapsync("sync")
        assert done.code == 1
        assert done.err == "home: The hook `exit 7` failed with status 7; everything is synchronized nevertheless.\n"
        assert len(home.inbox()) == 6


class TestAMirrorOfOneWay:
    def test_writes_nothing_to_the_server(self, jmapsync: Command, home: Home, server: DemoServer) -> None:
        home.configure(mail='direction = "pull"')
        jmapsync("sync")
        before = server.account.listing()
        (new,) = [file for file in home.inbox() if b"Subject: Welcome" in file.read_bytes()]
        new.rename(home.mail / "INBOX/cur" / f"{new.name}:2,FS")
        (home.mail / "INBOX/new/1.dropped.here").write_bytes(b"Subject: mine\n\nmine\n")
        (home.mail / "Mine").mkdir()

        jmapsync("sync")

        assert server.account.listing() == before
        assert {mailbox.name for mailbox in server.account.mailboxes.values()}.isdisjoint({"Mine"})
        assert any(b"Subject: mine" in file.read_bytes() for file in home.inbox())

    def test_still_brings_what_changes_there(self, jmapsync: Command, home: Home, server: DemoServer) -> None:
        home.configure(mail='direction = "pull"')
        jmapsync("sync")
        server.account.deliver(b"Subject: hello\r\n\r\nhello\r\n")
        assert jmapsync("sync").code == 0
        assert len(home.inbox()) == 7


class TestKeepDeleted:
    def test_keeps_what_the_server_deleted_and_sends_nothing_of_it_back(
        self, jmapsync: Command, home: Home, server: DemoServer
    ) -> None:
        home.configure(mail="keep_deleted = true")
        email = server.account.deliver(b"Subject: precious\r\n\r\n")
        jmapsync("sync")
        held = len(server.account.emails)
        server.account.destroy(email)
        assert jmapsync("sync").code == 0
        [kept] = [file for file in (home.mail / "DELETED" / "INBOX").rglob("*") if file.is_file()]
        assert kept.read_bytes() == b"Subject: precious\n\n"
        assert jmapsync("sync", "--full").code == 0
        assert len(server.account.emails) == held - 1
        assert kept.exists()
        assert jmapsync("verify").code == 0

    def test_does_not_keep_what_was_deleted_here(self, jmapsync: Command, home: Home, server: DemoServer) -> None:
        home.configure(mail="keep_deleted = true")
        server.account.deliver(b"Subject: unwanted\r\n\r\n")
        jmapsync("sync")
        [file] = [file for file in home.inbox() if b"unwanted" in file.read_bytes()]
        file.unlink()
        assert jmapsync("sync").code == 0
        assert not (home.mail / "DELETED").exists()
