"""Mailboxes chosen by patterns: what is left out is left alone on both sides, and comes back whole when it is included again."""

from __future__ import annotations

import dataclasses
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import CYRUS_312, RFC, STALWART, DemoServer, MethodError, SetError
from tests.contract.peer import message
from tests.kit.mirror import Mirror

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jmapsync.demo.dialect import Dialect
    from jmapsync.sync.report import KindReport

PATHS = ("Lists", "Lists/python", "Lists/python/dev", "Work", "Secret")
DOWNLOADS = ("Blob/get", "download")
WRITES = ("Email/set", "Email/import", "Mailbox/set", "upload")


@pytest.fixture
def server() -> Iterator[DemoServer]:
    with DemoServer(dialect=CYRUS_312) as server:
        yield server


@pytest.fixture
def emails(server: DemoServer) -> dict[str, str]:
    """Put one message into each of some mailboxes, and return their ids."""
    for path in PATHS:
        server.account.create_mailbox(path)
    return {
        path: server.account.deliver(message(), [path], received_at=1_700_000_000 + number)
        for number, path in enumerate(("Inbox", *PATHS))
    }


def text(server: DemoServer, email: str) -> bytes:
    return server.account.raw(email).replace(b"\r\n", b"\n")


def rest(mirror: Mirror) -> KindReport:
    """Fail unless a run does all there is to do and a further one nothing at all; return what the first did."""
    report = mirror.sync()
    assert (report.exit_code, report.problems, report.state.value) == (0, [], "synced")
    again = mirror.sync()
    assert (again.to_disk.total, again.to_server.total, again.folders.total, mirror.requests) == (0, 0, 0, 1)
    assert again.messages == []
    return report


def homes(server: DemoServer, email: str) -> set[str]:
    return {server.account.path(server.account.mailboxes[box]) for box in server.account.emails[email].mailbox_ids}


def shown(mirror: Mirror) -> set[str]:
    return {path for path in mirror.tree() if mirror.tree()[path]}


def sent(server: DemoServer) -> dict[str, int]:
    return {name: server.requests.count(name) for name in WRITES if server.requests.count(name)}


class TestWhatIsMirrored:
    @pytest.mark.parametrize(
        ("patterns", "expected"),
        [
            ((("*",), ()), {"INBOX", *PATHS}),
            ((("*",), ("Lists/*",)), {"INBOX", "Lists", "Work", "Secret"}),
            ((("*",), ("Lists",)), {"INBOX", "Work", "Secret"}),
            ((("Lists/python",), ()), {"Lists/python", "Lists/python/dev"}),
            ((("Lists/python", "inbox"), ("*/dev",)), {"INBOX", "Lists/python"}),
            ((("Lists",), ("Lists/*",)), {"Lists"}),
            ((("*",), ("INBOX",)), set(PATHS)),
            ((("iNbOx",), ()), {"INBOX"}),
            ((("*",), ("lists*", "work")), {"INBOX", *PATHS}),
            ((("*",), ("[SW]*",)), {"INBOX", "Lists", "Lists/python", "Lists/python/dev"}),
        ],
    )
    def test_is_what_include_names_without_what_exclude_names(
        self,
        server: DemoServer,
        mirror: Mirror,
        emails: dict[str, str],
        patterns: tuple[tuple[str, ...], tuple[str, ...]],
        expected: set[str],
    ) -> None:
        mirror.include, mirror.exclude = patterns
        rest(mirror)
        assert shown(mirror) == expected
        for path in expected:
            assert [file.read_bytes() for file in mirror.files(path)] == [
                text(server, emails["Inbox" if path == "INBOX" else path])
            ]

    def test_alone_is_listed_and_downloaded(self, server: DemoServer, mirror: Mirror, emails: dict[str, str]) -> None:
        mirror.exclude = ("Secret", "Lists")
        server.requests.clear()
        mirror.sync()
        left_out = {emails["Secret"], emails["Lists"], emails["Lists/python"]}
        asked = [call.arguments for call in server.requests.calls("Email/query")]
        assert all(len(arguments["filter"]["inMailboxOtherThan"]) == 4 for arguments in asked)
        blobs = {server.account.emails[email].blob_id for email in left_out}
        fetched = {ref for call in server.requests.calls("Blob/get") for ref in call.arguments["ids"]}
        assert fetched
        assert not fetched & blobs

    def test_is_found_by_a_server_without_the_filter_too(self, server: DemoServer, mirror: Mirror, emails: dict[str, str]) -> None:
        mirror.exclude = ("Lists",)
        server.faults.method_error.arm(MethodError("unsupportedFilter"), only={"Email/query"}, times=1)
        rest(mirror)
        assert shown(mirror) == {"INBOX", "Work", "Secret"}

    def test_follows_renames_on_the_server(self, server: DemoServer, mirror: Mirror, emails: dict[str, str]) -> None:
        mirror.exclude = ("Secret",)
        rest(mirror)
        server.account.rename_mailbox("Secret", "Open")
        rest(mirror)
        assert [file.read_bytes() for file in mirror.files("Open")] == [text(server, emails["Secret"])]
        server.account.rename_mailbox("Work", "Secret")
        report = rest(mirror)
        assert report.detached == ["Work"]
        assert len(mirror.files("Work")) == 1
        server.account.rename_mailbox("Secret", "Work")
        assert rest(mirror).detached == []
        assert len(mirror.files("Work")) == 1
        assert not mirror.folder("Secret").exists()

    def test_follows_renames_here_in_the_same_run(self, server: DemoServer, mirror: Mirror, emails: dict[str, str]) -> None:
        mirror.exclude = ("Lists/*", "Secret")
        rest(mirror)
        mirror.folder("Lists").rename(mirror.folder("Groups"))
        rest(mirror)
        assert [file.read_bytes() for file in mirror.files("Groups/python")] == [text(server, emails["Lists/python"])]
        mirror.folder("Work").rename(mirror.folder("Lists"))
        mirror.folder("Groups").rename(mirror.folder("Lists/below"))
        assert rest(mirror).detached == ["Lists/below", "Lists/below/python", "Lists/below/python/dev"]
        assert homes(server, emails["Lists/python"]) == {"Lists/below/python"}

    def test_follows_a_folder_made_in_one_that_was_left_out_in_the_same_run(
        self, server: DemoServer, mirror: Mirror, emails: dict[str, str]
    ) -> None:
        mirror.include = ("Work",)
        rest(mirror)
        server.account.rename_mailbox("Work", "Elsewhere")
        for part in ("cur", "new", "tmp"):
            (mirror.folder("Work/fresh") / part).mkdir(parents=True)
        rest(mirror)
        assert homes(server, emails["Work"]) == {"Elsewhere", "Work"}  # its folder lies where the new mailbox has to

    def test_of_a_tree_is_reported_anew_when_its_top_is_renamed(
        self, server: DemoServer, mirror: Mirror, emails: dict[str, str]
    ) -> None:
        mirror.include = ("INBOX", "Groups/python", "Work")
        rest(mirror)
        assert shown(mirror) == {"INBOX", "Work"}
        server.account.rename_mailbox("Lists", "Groups")
        rest(mirror)
        assert shown(mirror) == {"INBOX", "Work", "Groups/python", "Groups/python/dev"}
        assert [file.read_bytes() for file in mirror.files("Groups/python")] == [text(server, emails["Lists/python"])]

    def test_in_the_other_layout(self, server: DemoServer, mirror: Mirror, emails: dict[str, str]) -> None:
        mirror.layout, mirror.exclude = "maildir++", ("Lists/python",)
        rest(mirror)
        assert shown(mirror) == {"INBOX", "Lists", "Work", "Secret"}
        mirror.exclude = ("Lists",)
        assert rest(mirror).detached == ["Lists"]
        mirror.exclude = ()
        rest(mirror)
        assert shown(mirror) == {"INBOX", *PATHS}


class TestAFolderLeftOutLater:
    def test_stays_as_it_is_and_says_so(self, server: DemoServer, mirror: Mirror, emails: dict[str, str]) -> None:
        rest(mirror)
        before = mirror.tree()
        mirror.exclude = ("Lists/python",)
        server.requests.clear()
        report = rest(mirror)
        assert report.messages == [
            "The folder Lists/python stays as it is, detached: it is left out of the mirror now.",
            "The folder Lists/python/dev stays as it is, detached: it is left out of the mirror now.",
        ]
        assert report.to_json()["detached"] == ["Lists/python", "Lists/python/dev"]
        assert mirror.sync().detached == ["Lists/python", "Lists/python/dev"]
        assert mirror.tree() == before
        assert sent(server) == {}
        assert len(server.account.emails) == len(emails)

    def test_is_found_by_a_dry_run_that_changes_nothing(self, mirror: Mirror, emails: dict[str, str]) -> None:
        rest(mirror)
        mirror.exclude = ("Work",)
        [description] = mirror.sync(dry=True).messages
        assert description.startswith("The folder Work stays as it is")
        mirror.exclude = ()
        rest(mirror)

    @pytest.mark.parametrize("act", ["delete", "flag", "drop", "edit", "move", "rename", "remove"])
    def test_is_left_alone_whatever_is_done_to_it(
        self, server: DemoServer, mirror: Mirror, emails: dict[str, str], act: str
    ) -> None:
        rest(mirror)
        mirror.exclude = ("Lists",)
        mirror.sync()
        there = server.account.listing()
        server.requests.clear()
        [file] = mirror.files("Lists/python")
        if act == "delete":
            file.unlink()
        elif act == "flag":
            mirror.flag(file, "FS")
        elif act == "drop":
            mirror.drop("Lists/python", message())
        elif act == "edit":
            file.write_bytes(message())
        elif act == "move":
            file.rename(mirror.folder("Lists/cur") / "moved:2,")
        elif act == "rename":
            mirror.folder("Lists/python").rename(mirror.folder("Snakes"))
        else:
            for path in ("Lists/python/dev", "Lists/python", "Lists"):
                for one in mirror.files(path):
                    one.unlink()
        before = mirror.tree()
        rest(mirror)
        mirror.sync(full=True)
        assert mirror.tree() == before
        assert sent(server) == {}
        assert server.account.listing() == there

    def test_is_left_alone_when_the_server_deletes_its_mail(
        self, server: DemoServer, mirror: Mirror, emails: dict[str, str]
    ) -> None:
        rest(mirror)
        before = mirror.tree()
        mirror.exclude = ("Lists",)
        mirror.sync()
        server.account.destroy(emails["Lists/python"])
        server.account.destroy_mailbox("Lists/python/dev")
        rest(mirror)
        assert mirror.tree() == before
        mirror.sync(full=True)
        assert mirror.tree() == before

    def test_is_left_alone_after_the_ledger_was_lost(self, server: DemoServer, mirror: Mirror, emails: dict[str, str]) -> None:
        rest(mirror)
        mirror.exclude = ("Lists",)
        mirror.sync()
        mirror.folder("Lists").rename(mirror.folder("Post"))
        for file in mirror.state.glob("ledger.sqlite*"):
            file.unlink()
        before = mirror.tree()
        server.requests.clear()
        mirror.session = None
        assert rest(mirror).detached == ["Post", "Post/python", "Post/python/dev"]
        assert mirror.tree() == before
        assert sent(server) == {}

    @pytest.mark.parametrize("dialect", [CYRUS_312, STALWART], ids=lambda one: one.name)
    def test_is_made_on_no_server_for_what_lay_in_it_and_is_gone_there(self, tmp_path: Path, dialect: Dialect) -> None:
        """Stalwart takes the same message twice: what was sent anew would show."""
        with DemoServer(dialect=dialect) as server:
            for path in PATHS:
                server.account.create_mailbox(path)
            email = server.account.deliver(message(), ["Lists"])
            mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state", exclude=("Secret",))
            rest(mirror)
            server.account.destroy_mailbox("Lists/python/dev")
            server.account.rename_mailbox("Lists", "Secret ", parent="Secret")
            server.account.destroy_mailbox("Secret/Secret /python")
            mirror.sync()
            assert mirror.sync().detached == ["Lists"]
            assert (list(server.account.emails), homes(server, email)) == ([email], {"Secret/Secret "})
            assert (shown(mirror), mirror.folder("Lists/python").exists()) == ({"Lists"}, False)

    def test_keeps_one_in_it_whose_mailbox_is_gone_where_new_mail_waits_there(
        self, server: DemoServer, mirror: Mirror, emails: dict[str, str]
    ) -> None:
        mirror.exclude = ("Else*",)
        rest(mirror)
        mirror.drop("Lists/python/dev", message("unsent"))
        server.account.destroy_mailbox("Lists/python/dev")
        server.account.rename_mailbox("Lists", "Else")
        rest(mirror)
        [unsent] = [one for one in server.account.emails if b"unsent" in server.account.raw(one)]
        assert homes(server, unsent) == {"Lists/python/dev"}

    def test_by_a_name_given_here_takes_one_in_it_along_that_is_gone_there(
        self, server: DemoServer, mirror: Mirror, emails: dict[str, str]
    ) -> None:
        mirror.exclude = ("Else*",)
        rest(mirror)
        mirror.folder("Lists").rename(mirror.folder("Else"))
        mirror.drop("Else/python/dev", message("unsent"))
        server.account.destroy_mailbox("Lists/python/dev")
        server.account.destroy_mailbox("Lists/python")
        server.account.rename_mailbox("Lists", "Elsewhere")
        rest(mirror)
        boxes = {server.account.path(box) for box in server.account.mailboxes.values()}
        assert not any(path.endswith(("python", "dev")) for path in boxes), boxes
        assert {"Else", "Else/python", "Else/python/dev"} <= shown(mirror)

    def test_that_was_here_alone_is_made_on_no_server(self, server: DemoServer, mirror: Mirror, emails: dict[str, str]) -> None:
        mirror.exclude = ("Private*", "*/draft")
        for path in ("Private", "Private/deep", "Work/draft"):
            for part in ("cur", "new", "tmp"):
                (mirror.folder(path) / part).mkdir(parents=True)
            mirror.drop(path, message())
        mirror.folder("Private/plain").mkdir()
        rest(mirror)
        assert len(server.account.emails) == len(emails)
        assert not any("rivate" in server.account.path(box) for box in server.account.mailboxes.values())
        assert len(mirror.files("Private/deep")) == 1
        assert list(mirror.folder("Private/plain").iterdir()) == []


class TestAFolderIngestedAgain:
    @pytest.fixture
    def detached(self, server: DemoServer, mirror: Mirror, emails: dict[str, str]) -> DemoServer:
        rest(mirror)
        mirror.exclude = ("Lists",)
        rest(mirror)
        return server

    def come_back(self, server: DemoServer, mirror: Mirror) -> KindReport:
        mirror.exclude = ()
        server.requests.clear()
        report = rest(mirror)
        assert report.detached == []
        return report

    def test_transfers_nothing_twice(self, detached: DemoServer, mirror: Mirror) -> None:
        before = mirror.tree()
        report = self.come_back(detached, mirror)
        assert (report.to_disk.total, report.to_server.total, report.folders.total) == (0, 0, 0)
        assert {name: detached.requests.count(name) for name in (*DOWNLOADS, *WRITES)} == dict.fromkeys((*DOWNLOADS, *WRITES), 0)
        assert mirror.tree() == before

    def test_merges_flags_of_both_sides(self, detached: DemoServer, mirror: Mirror, emails: dict[str, str]) -> None:
        detached.account.set_keyword(emails["Lists"], "$answered")
        mirror.flag(mirror.files("Lists")[0], "F")
        self.come_back(detached, mirror)
        assert detached.account.emails[emails["Lists"]].keywords == {"$answered", "$flagged"}
        assert mirror.files("Lists")[0].name.endswith(":2,FR")

    def test_takes_a_flag_away_that_was_taken_away_here(self, server: DemoServer, mirror: Mirror, emails: dict[str, str]) -> None:
        server.account.set_keyword(emails["Work"], "$seen")
        server.account.set_keyword(emails["Work"], "$flagged")
        rest(mirror)
        mirror.exclude = ("Work",)
        rest(mirror)
        mirror.flag(mirror.files("Work")[0], "S")
        self.come_back(server, mirror)
        assert server.account.emails[emails["Work"]].keywords == {"$seen"}

    def test_brings_back_what_was_deleted_here_meanwhile(
        self, detached: DemoServer, mirror: Mirror, emails: dict[str, str]
    ) -> None:
        mirror.files("Lists/python")[0].unlink()
        self.come_back(detached, mirror)
        assert len(mirror.files("Lists/python")) == 1
        assert homes(detached, emails["Lists/python"]) == {"Lists/python"}

    def test_sends_what_the_server_deleted_meanwhile(self, detached: DemoServer, mirror: Mirror, emails: dict[str, str]) -> None:
        kept = text(detached, emails["Lists/python"])
        detached.account.destroy(emails["Lists/python"])
        self.come_back(detached, mirror)
        assert [file.read_bytes() for file in mirror.files("Lists/python")] == [kept]
        assert detached.account.mailbox("Lists/python").total == 1

    def test_exchanges_what_is_new_on_either_side(self, detached: DemoServer, mirror: Mirror) -> None:
        detached.account.deliver(message(), ["Lists"])
        mirror.drop("Lists", message().replace(b"\r\n", b"\n"))
        self.come_back(detached, mirror)
        assert len(mirror.files("Lists")) == 3
        assert detached.account.mailbox("Lists").total == 3

    def test_that_was_renamed_there_is_found_by_its_marker(
        self, detached: DemoServer, mirror: Mirror, emails: dict[str, str]
    ) -> None:
        detached.account.rename_mailbox("Lists", "Groups")
        report = rest(mirror)  # it is included under its new name
        assert report.to_disk.total == 0
        assert len(mirror.files("Groups/python")) == 1
        assert not mirror.folder("Lists").exists()

    def test_with_other_new_mail_meanwhile(self, detached: DemoServer, mirror: Mirror, emails: dict[str, str]) -> None:
        detached.account.move(emails["Lists"], "Lists", "Work")
        rest(mirror)
        assert len(mirror.files("Work")) == 2
        self.come_back(detached, mirror)
        assert homes(detached, emails["Lists"]) == {"Work", "Lists"}
        assert len(detached.account.emails) == len(emails)

    def test_over_and_over(self, detached: DemoServer, mirror: Mirror, emails: dict[str, str]) -> None:
        for exclude in ((), ("Lists/*",), ("Work", "Lists"), ("*",), ("INBOX",), ()):
            mirror.exclude = exclude
            rest(mirror)
        assert shown(mirror) == {"INBOX", *PATHS}
        assert len(mirror.files()) == len(detached.account.emails) == len(emails)
        assert all(len(homes(detached, email)) == 1 for email in emails.values())


class TestAMessageInAMailboxLeftOutToo:
    @pytest.fixture
    def both(self, server: DemoServer, mirror: Mirror, emails: dict[str, str]) -> str:
        server.account.copy(emails["Work"], "Secret")
        mirror.exclude = ("Secret",)
        rest(mirror)
        return emails["Work"]

    @pytest.mark.parametrize("on_delete", ["trash", "destroy"])
    def test_leaves_the_mirrored_one_only(self, server: DemoServer, mirror: Mirror, both: str, on_delete: str) -> None:
        mirror.on_delete = on_delete
        mirror.files("Work")[0].unlink()
        rest(mirror)
        assert homes(server, both) == {"Secret"}
        assert shown(mirror) == {"INBOX", "Lists", "Lists/python", "Lists/python/dev"}

    def test_leaves_it_only_on_a_server_that_takes_no_patches(self, server: DemoServer, mirror: Mirror, both: str) -> None:
        mirror.files("Work")[0].unlink()
        server.faults.set_error.arm(SetError("invalidPatch"), only={"Email/set"}, times=1)
        rest(mirror)
        assert homes(server, both) == {"Secret"}

    def test_keeps_it_when_it_is_moved_here(self, server: DemoServer, mirror: Mirror, both: str) -> None:
        file = mirror.files("Work")[0]
        file.rename(mirror.folder("INBOX") / file.parent.name / file.name)
        rest(mirror)
        assert homes(server, both) == {"Secret", "Inbox"}

    def test_keeps_it_when_it_goes_to_trash_by_hand(self, server: DemoServer, mirror: Mirror, both: str) -> None:
        file = mirror.files("Work")[0]
        file.rename(mirror.folder("Trash") / file.parent.name / file.name)
        rest(mirror)
        mirror.files("Trash")[0].unlink()
        rest(mirror)
        assert homes(server, both) == {"Secret"}

    def test_keeps_the_old_draft_there_when_it_is_edited_here(self, server: DemoServer, mirror: Mirror, both: str) -> None:
        server.account.set_keyword(both, "$draft")
        rest(mirror)
        file = mirror.files("Work")[0]
        new = message().replace(b"\r\n", b"\n")
        file.with_name("saved").write_bytes(new)
        file.with_name("saved").rename(file)
        rest(mirror)
        assert homes(server, both) == {"Secret"}
        assert [one.read_bytes() for one in mirror.files("Work")] == [new]

    def test_that_left_the_mirrored_one_there_leaves_its_folder_here(self, server: DemoServer, mirror: Mirror, both: str) -> None:
        server.account.move(both, "Work", "Secret")
        rest(mirror)
        assert mirror.files("Work") == []
        assert homes(server, both) == {"Secret"}
        server.account.move(both, "Secret", "Work")
        rest(mirror)
        assert len(mirror.files("Work")) == 1

    def test_that_left_there_but_was_moved_here_is_in_both(self, server: DemoServer, mirror: Mirror, both: str) -> None:
        server.account.move(both, "Work", "Secret")
        file = mirror.files("Work")[0]
        bytes_of_it = file.read_bytes()
        file.rename(mirror.folder("INBOX") / file.parent.name / file.name)
        rest(mirror)
        assert bytes_of_it in {one.read_bytes() for one in mirror.files("INBOX")}
        assert "Secret" in homes(server, both)

    def test_the_trash_may_be_left_out(self, server: DemoServer, mirror: Mirror, emails: dict[str, str]) -> None:
        mirror.exclude = ("Trash",)
        rest(mirror)
        mirror.files("Work")[0].unlink()
        rest(mirror)
        assert homes(server, emails["Work"]) == {"Trash"}
        assert not mirror.folder("Trash").exists()


def test_a_mailbox_nobody_reported_is_another_thing_than_one_left_out(
    server: DemoServer, mirror: Mirror, emails: dict[str, str]
) -> None:
    """See `test_out_of_sight`: the file of an email that is nowhere to be seen stays."""
    mirror.exclude = ("Secret",)
    rest(mirror)
    server.account.move(emails["Work"], "Work", "Secret")
    server.account.copy(emails["Inbox"], "Secret")
    rest(mirror)
    assert (len(mirror.files("Work")), len(mirror.files("INBOX"))) == (0, 1)


def test_a_mailbox_that_goes_leaves_the_detached_folders_in_its_own(
    server: DemoServer, mirror: Mirror, emails: dict[str, str]
) -> None:
    rest(mirror)
    mirror.exclude = ("Lists/*",)
    rest(mirror)
    for path in ("Lists/python/dev", "Lists/python", "Lists"):
        server.account.destroy_mailbox(path)
    report = rest(mirror)
    assert report.detached == ["Lists/python", "Lists/python/dev"]
    assert len(mirror.files("Lists/python")) == 1
    assert [one.name for one in mirror.folder("Lists").iterdir()] == ["python"]
    assert not any("Lists" in server.account.path(box) for box in server.account.mailboxes.values())


def test_mailboxes_that_go_leave_a_folder_in_the_last_of_them_that_is_left_out(
    server: DemoServer, mirror: Mirror, emails: dict[str, str]
) -> None:
    mirror.exclude = ("*/private",)
    rest(mirror)
    private = mirror.folder("Lists/python/dev/private")
    for part in ("cur", "new", "tmp"):
        (private / part).mkdir(parents=True)
    (private / "cur" / "mine").write_bytes(message())
    for path in ("Lists/python/dev", "Lists/python", "Lists"):
        server.account.destroy_mailbox(path)
    rest(mirror)
    assert os.listdir(mirror.folder("Lists")) == ["python"]
    assert os.listdir(private / "cur") == ["mine"]


@contextmanager
def moved_apart(tmp_path: Path, most: int | None = None, count: int = 1) -> Iterator[tuple[DemoServer, Mirror, list[str]]]:
    """Offer a server that takes the same message twice, and messages moved there out of sight and here elsewhere."""
    limits = dataclasses.replace(STALWART.limits, max_mailboxes_per_email=most, max_objects_in_set=2)
    with DemoServer(dialect=dataclasses.replace(STALWART, limits=limits)) as server:
        for path in PATHS:
            server.account.create_mailbox(path)
        emails = [server.account.deliver(message(), ["Lists"], received_at=1_700_000_000) for _ in range(count)]
        mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state", exclude=("Secret",))
        mirror.sync()
        for email in emails:
            server.account.move(email, "Lists", "Secret")
        for file in mirror.files("Lists"):
            file.rename(mirror.folder("Work") / "cur" / f"{file.name}:2,S")
        yield server, mirror, emails


@pytest.mark.parametrize(("most", "expected"), [(None, {"Secret", "Work"}), (1, {"Work"})])
@pytest.mark.parametrize("count", [1, 3])
def test_a_message_that_went_out_of_sight_there_and_was_moved_here_is_shown_again_and_not_doubled(
    tmp_path: Path, most: int | None, expected: set[str], count: int
) -> None:
    with moved_apart(tmp_path, most, count) as (server, mirror, emails):
        report = rest(mirror)
        assert list(server.account.emails) == emails
        for email in emails:
            assert homes(server, email) == expected
            assert server.account.emails[email].keywords == {"$seen"}
        assert (report.conflicts, shown(mirror), len(mirror.files("Work"))) == (0, {"Work"}, count)


@pytest.mark.parametrize("error", [SetError("rateLimit"), SetError("forbidden"), MethodError("serverUnavailable")], ids=str)
def test_such_a_message_waits_where_the_server_refuses_to_show_it_again_and_is_not_doubled(
    tmp_path: Path, error: SetError | MethodError
) -> None:
    with moved_apart(tmp_path) as (server, mirror, emails):
        if isinstance(error, SetError):
            server.faults.set_error.arm(error, only={"Email/set"}, times=1)
        else:
            server.faults.method_error.arm(error, only={"Email/set"}, times=1)
        report = mirror.sync()
        assert (len(report.problems), list(server.account.emails)) == (1, emails)
        assert len(mirror.files("Work")) == 1
        mirror.sync(full=True)
        assert list(server.account.emails) == emails
        assert homes(server, emails[0]) == {"Secret", "Work"}
        assert (mirror.sync().problems, shown(mirror)) == ([], {"Work"})


def test_a_message_that_the_server_has_where_nothing_is_mirrored_and_cannot_have_twice_stays_there(tmp_path: Path) -> None:
    limits = dataclasses.replace(RFC.limits, max_mailboxes_per_email=1)
    with DemoServer(dialect=dataclasses.replace(RFC, limits=limits)) as server:
        server.account.create_mailbox("Secret")
        content = message()
        email = server.account.deliver(content, ["Secret"])
        mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state", exclude=("Secret",))
        mirror.sync()
        mirror.drop("INBOX", content.replace(b"\r\n", b"\n"))
        report = mirror.sync()
        assert ["tooManyMailboxes" in one.why for one in report.problems] == [True]
        assert (list(server.account.emails), homes(server, email)) == ([email], {"Secret"})
        assert len(mirror.files("INBOX")) == 1
