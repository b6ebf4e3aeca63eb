"""`jmapsync check`: what a server offers, with nothing changed."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import Answer, MethodError

if TYPE_CHECKING:
    from jmapsync.demo import DemoServer
    from tests.cli.conftest import Command, Home


class TestAServerThatAnswers:
    def test_is_described_with_kinds_limits_and_mailboxes(self, jmapsync: Command, home: Home, server: DemoServer) -> None:
        done = jmapsync("check")

        assert (done.code, done.err) == (0, "")
        assert done.out.startswith(f"The configuration {home.config} is valid.\n")
        assert f"  server     {server.url} as alice\n" in done.out
        assert "  offers     mail, contacts, calendars, tasks, sieve, sending" in done.out
        assert "maxObjectsInGet 500" in done.out
        lines = [line.split() for line in done.out.splitlines()]
        assert ["INBOX", "6", "4", "inbox"] in lines
        assert ["Lists/python", "2", "1"] in lines

    def test_says_which_calendars_other_programs_do_not_show(self, jmapsync: Command, home: Home, server: DemoServer) -> None:
        server.account.calendars.create_collection("Old", isVisible=False)
        server.account.calendars.create_collection("Team", isSubscribed=False)
        home.configure(more='[accounts.home.calendars]\npath = "~/.calendars"\n')
        done = jmapsync("check")
        assert "Old (hidden)" in done.out
        assert "Team (not subscribed)" in done.out
        made = home.path / ".calendars" / "Mine"
        made.mkdir(parents=True)
        home.configure(more='[accounts.home.calendars]\npath = "~/.calendars"\nhidden = false\nexclude = ["Tasks", "M*"]\n')
        done = jmapsync("check")
        names = "Calendar, Engine, Old (hidden, not mirrored), Tasks (not mirrored), Team (not subscribed, not mirrored)"
        assert f"  calendars  5: {names}\n" in done.out
        assert "only here, and not created on the server, because they are excluded: Mine\n" in done.out
        assert "no invitations and no answers are mailed (send_invitations = false)\n" in done.out
        home.configure(more='[accounts.home.calendars]\npath = "~/.calendars"\nsend_invitations = true\n')
        mailed = "the server mails the participants of events that you change (send_invitations = true)"
        assert f"{mailed}; `jmapsync sync --dry-run` names them\n" in jmapsync("check").out

    def test_lists_address_books_and_calendars(self, jmapsync: Command, home: Home, server: DemoServer) -> None:
        server.account.contacts.create_collection("Family")
        home.configure(more='[accounts.home.contacts]\npath = "~/.contacts"\n\n[accounts.home.calendars]\npath = "~/.calendars"\n')
        done = jmapsync("check")
        assert (done.code, done.err) == (0, "")
        assert "  contacts   3: Contacts, Engine, Family\n" in done.out
        assert "  calendars  3: Calendar, Engine, Tasks\n" in done.out

    def test_lists_the_identities_that_mail_can_be_sent_as(self, jmapsync: Command, home: Home, server: DemoServer) -> None:
        reply = [{"name": "Sales", "email": "sales@example.com"}]
        server.account.identities += [
            {"id": "i2", "name": "All", "email": "*@example.org", "replyTo": reply, "bcc": [{"email": "me@example.org"}]},
            {"id": "i3", "name": "", "email": "old@example.com", "mayDelete": True},
        ]
        done = jmapsync("check")
        assert (
            "  send as    3:\n"
            "    demo@example.com\n"
            "    All <*@example.org>; replies to Sales <sales@example.com>; copies to me@example.org\n"
            "    old@example.com; may be deleted\n"
        ) in done.out

    def test_shows_quotas_and_a_vacation_reply_that_is_on(self, jmapsync: Command, home: Home, server: DemoServer) -> None:
        account = server.account
        account.allowance.octets, account.allowance.messages = 10_000_000, 12
        account.vacation |= {"isEnabled": True, "toDate": "2020-01-01T12:00:00Z"}
        done = jmapsync("check")
        assert done.code == 0
        size = sum(email.size for email in account.emails.values())
        assert f"  quota      {size / 1000:.1f} kB of 10.0 MB used (0%) (Mail octets)\n" in done.out
        assert "  quota      12 of 12 messages used (100%) (Mail count); full\n" in done.out
        assert "  vacation   the reply is on, but not sent any more: it ended 2020-01-01 " in done.out
        assert not home.state.exists()

    def test_finds_nothing_wrong_with_a_ledger_after_a_run_that_made_something(self, jmapsync: Command, home: Home) -> None:
        jmapsync("sync")
        for number in range(8):
            (home.mail / f"INBOX/new/{number}.x.y").write_bytes(f"Subject: {number}\n\nbody\n".encode())
        assert jmapsync("sync").code == 0
        done = jmapsync("check")
        assert (done.code, done.err) == (0, "")

    def test_changes_nothing(self, jmapsync: Command, home: Home, server: DemoServer) -> None:
        before = server.account.version
        assert jmapsync("check").code == 0
        assert server.account.version == before
        assert sorted(path.name for path in home.path.iterdir()) == [".config"]

    def test_reports_what_a_first_run_would_do_with_the_tree_of_another_program(
        self, jmapsync: Command, home: Home, server: DemoServer
    ) -> None:
        cur = home.mail / "INBOX" / "cur"
        for part in ("cur", "new", "tmp"):
            (cur.parent / part).mkdir(parents=True)
        for name, email in zip("abc", sorted(server.account.emails), strict=False):
            server.account.copy(email, "INBOX")
            (cur / f"{name}.theirs:2,S").write_bytes(server.account.raw(email).replace(b"\r\n", b"\n"))
        (cur / "d.mine:2,S").write_bytes(b"Subject: mine\n\nbody\n")
        for part in ("cur", "new", "tmp"):
            (home.mail / "Lists.python" / part).mkdir(parents=True)
        (home.mail / "Lists.python" / "cur" / "e.theirs").write_bytes(b"Subject: in a tree of another layout\n\nbody\n")
        before, files = server.account.version, {path: path.stat().st_mtime_ns for path in home.path.rglob("*")}
        done = jmapsync("check")
        assert (done.code, done.err) == (0, "")
        reported = done.out.partition("  adoption   ")[2].partition(";")[0]
        assert reported == f"5 files in {home.mail}: 1 mailbox and 2 messages to create on the server"
        assert "; 9 messages to fetch; flags, dates or lines to fix in 3 here and 1 on the server; the rest is equal\n" in done.out
        assert (server.account.version, {path: path.stat().st_mtime_ns for path in home.path.rglob("*")}) == (before, files)
        assert "9 created" in jmapsync("sync").out
        assert "adoption" not in jmapsync("check").out

    def test_says_why_the_result_of_a_first_run_is_not_known(self, jmapsync: Command, home: Home) -> None:
        for part in ("cur", "new", "tmp"):
            (home.mail / part).mkdir(parents=True)
        (home.mail / "cur" / "1.theirs:2,").write_bytes(b"Subject: other layout\n\n")
        assert f"what a first run would do with 1 file in {home.mail} is not known: The folder" in jmapsync("check").out

    def test_says_what_include_and_exclude_leave_out(self, jmapsync: Command, home: Home) -> None:
        home.configure(mail='include = ["INBOX", "Lists/*"]\nexclude = ["Lists/python"]')
        done = jmapsync("check")
        assert done.code == 0
        lines = [line.split() for line in done.out.splitlines()]
        assert ["INBOX", "6", "4", "inbox"] in lines
        assert ["Archive", "2", "0", "archive,", "not", "mirrored"] in lines
        assert ["Lists/python", "2", "1", "not", "mirrored"] in lines

    @pytest.mark.parametrize("fault", ["refused", "the request refused", "cut without a word"])
    def test_lists_more_mailboxes_than_one_answer_may_hold(self, jmapsync: Command, server: DemoServer, fault: str) -> None:
        server.limits.max_objects_in_get = 3
        if fault == "refused":
            server.faults.method_error.arm(MethodError("requestTooLarge"), times=1, only=["Mailbox/get"])
        elif fault == "cut without a word":
            server.service.dialect = dataclasses.replace(server.service.dialect, cuts_null_ids=True)
        else:
            server.service.dialect = dataclasses.replace(server.service.dialect, object_limits="request")
        done = jmapsync("check")
        assert done.code == 0
        assert "mailboxes  10 in account a1" in done.out

    def test_is_not_called_whole_where_its_list_of_mailboxes_is_cut(
        self, jmapsync: Command, server: DemoServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server.limits.max_objects_in_get = 3
        server.service.dialect = dataclasses.replace(server.service.dialect, cuts_null_ids=True)
        monkeypatch.setattr("jmapsync.storage.jmap.paging.MOST_PAGES", 2)
        done = jmapsync("check")
        assert (done.code, done.err) == (3, "home: The list of mailboxes may be incomplete: the server's list does not end.\n")
        assert "mailboxes  10 in account a1" not in done.out
        server.faults.method_error.arm(MethodError("unknownMethod"), times=10, only=["Mailbox/query"])
        done = jmapsync("check")
        assert done.err == "home: The list of mailboxes may be incomplete: the server gives 3, and lists no more at once.\n"
        assert "mailboxes  3 in account a1" in done.out
        assert "      The list of mailboxes may be incomplete" in done.out  # among the accounts of the session

    @pytest.mark.parametrize(
        ("cuts", "why"), [(True, "the server gives 2, and lists no more at once"), (False, "the server refuses to list so many")]
    )
    def test_is_not_called_whole_where_another_list_is_cut(
        self, jmapsync: Command, home: Home, server: DemoServer, monkeypatch: pytest.MonkeyPatch, *, cuts: bool, why: str
    ) -> None:
        for name in ("First", "Second", "Third"):
            server.account.contacts.create_collection(name)
            server.account.scripts.add(name, b"keep;\r\n")
        server.limits.max_objects_in_get = 2
        server.service.dialect = dataclasses.replace(server.service.dialect, cuts_null_ids=cuts)
        monkeypatch.setattr("jmapsync.storage.jmap.paging.MOST_PAGES", 1)
        home.configure(more='[accounts.home.contacts]\npath = "~/.contacts"\n[accounts.home.sieve]\npath = "~/sieve"\n')
        done = jmapsync("check")
        assert done.code == 3
        assert f"home: The list of address books may be incomplete: {why}.\n" in done.err
        assert "home: The list of scripts may be incomplete: the server's list does not end.\n" in done.err

    def test_judges_no_script_by_a_list_of_mailboxes_that_is_cut(
        self, jmapsync: Command, home: Home, server: DemoServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server.account.scripts.add("filter", b'require "fileinto";\r\nfileinto "Lists/python";\r\nfileinto "Gone";\r\n')
        home.configure(more='[accounts.home.sieve]\npath = "~/sieve"\n')
        assert "Gone" in jmapsync("check").err
        server.limits.max_objects_in_get = 3
        server.service.dialect = dataclasses.replace(server.service.dialect, cuts_null_ids=True)
        monkeypatch.setattr("jmapsync.storage.jmap.paging.MOST_PAGES", 1)
        done = jmapsync("check")
        assert "Lists/python" not in done.err
        assert "Gone" not in done.err


class TestWhatStandsInTheWay:
    @pytest.mark.parametrize("loss", ["root", "marker"])
    def test_a_root_that_is_not_mounted(self, jmapsync: Command, home: Home, loss: str) -> None:
        jmapsync("sync")
        if loss == "root":
            home.mail.rename(home.path / "elsewhere")
        else:
            (home.mail / ".jmapsync").unlink()
        done = jmapsync("check")
        assert done.code == jmapsync("sync").code == 4
        assert f"home: The folder {home.mail} " in done.err
        assert "so nothing is synchronized and nothing is deleted" in done.err

    def test_a_refused_secret(self, jmapsync: Command, home: Home) -> None:
        home.configure(secret='password_command = "echo wrong"')
        assert jmapsync("check").code == 5

    def test_a_portal(self, jmapsync: Command, server: DemoServer) -> None:
        server.faults.answer.arm(Answer.html())
        done = jmapsync("check")
        assert done.code == 1
        assert "HTML" in done.err

    def test_an_offer_that_lacks_what_is_wanted(self, jmapsync: Command, server: DemoServer) -> None:
        server.faults.hidden_capabilities.arm(["urn:ietf:params:jmap:mail"])
        done = jmapsync("check")
        assert done.code == 1
        assert "offers no mail to alice." in done.err

    def test_five_mistakes_in_the_configuration_are_five_lines(self, jmapsync: Command, home: Home) -> None:
        home.configure(
            secret='password_comand = "x"',
            mail='layot = "nested"\non_delete = "bin"',
            more='[daemon]\npoll = "10x"\n',
            url="http://x",
        )
        done = jmapsync("check")
        lines = done.err.splitlines()
        assert done.code == 2
        assert [line.split(": ")[1].removeprefix(f"{home.config}:") for line in lines] == ["1", "2", "5", "8", "9", "11"]
        assert all(line.startswith(f"jmapsync: {home.config}:") for line in lines)

    def test_no_configuration_at_all(self, jmapsync: Command, home: Home) -> None:
        home.config.unlink()
        done = jmapsync("check")
        assert done.code == 2
        assert done.err == (
            f"jmapsync: {home.config}: the configuration cannot be read: No such file or directory;"
            " set up an account with `jmapsync init`, or name another file with -c\n"
        )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTPS_PROXY", "http://me:s3cr#t@proxy:3128"),
        ("HTTPS_PROXY", "http://proxy:port"),
        ("ALL_PROXY", "socks9://proxy"),
        ("NO_PROXY", "10.0.0.0/99"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_a_mistake_of_the_environment(
    jmapsync: Command, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy:3128")
    monkeypatch.setenv(name, value)
    for command in ("check", "sync"):
        done = jmapsync(command)
        assert done.code == 2
        assert f"environment variable {name} cannot be used" in done.out + done.err
        assert "s3cr" not in done.out + done.err


@pytest.mark.parametrize(
    ("name", "value"), [("NO_PROXY", "[::1],10.0.0.0/8,host:8080,*.local"), ("ALL_PROXY", "socks5h://127.0.0.1:1")]
)
def test_a_proxy_of_any_form_leaves_this_machine_alone(
    jmapsync: Command, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "proxy:3128")
    monkeypatch.setenv(name, value)
    assert jmapsync("check").code == 0


def test_the_accounts_of_the_session_are_listed_with_their_rights(jmapsync: Command, server: DemoServer) -> None:
    team = server.add_account("t1", name="Team", personal=False)
    team.set_rights("INBOX", mayAddItems=False, mayRemoveItems=False)
    for box in ("Drafts", "Sent", "Trash", "Junk"):
        team.destroy_mailbox(box)
    team.set_rights("Archive", **dict.fromkeys(team.mailbox("Archive").rights, False) | {"mayReadItems": True})
    team.contacts.set_rights("", mayWrite=False, mayDelete=False)
    team.calendars.set_rights("", mayDelete=False)
    server.add_account("t2", name="Alumni", personal=False, read_only=True).kinds = frozenset({"contacts"})
    server.account.create_mailbox("Theirs")
    server.account.set_rights("Theirs", mayAddItems=False)

    out = jmapsync("check").out

    assert out[out.index("  accounts   ") :].split("\n  ", 1)[0] == "  accounts   3:"
    lines = [line.strip() for line in out.splitlines()]
    begin = lines.index("accounts   3:")
    assert lines[begin + 1 :] == [
        "alice (id a1): yours; mail, contacts, calendars, tasks, sieve",
        "mail       Theirs: read; may not: add, edit",
        "Alumni (id t2): shared with you, read-only; contacts",
        "contacts   Contacts: read-only account",
        "Team (id t1): shared with you; mail, contacts, calendars, tasks, sieve",
        "mail       Archive: read only",
        "mail       INBOX: read; may not: add, remove, edit, rename, delete",
        "contacts   Contacts: read only",
        "calendars  Calendar: read and write; may not: delete",
        "tasks      Calendar: read and write; may not: delete",
    ]
