"""One user of a real Cyrus shares mail, a calendar and an address book with another: read-only, then writable, then no longer."""

from __future__ import annotations

import asyncio
import imaplib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from jmapsync.app import App
from jmapsync.config import load
from jmapsync.errors import ExitCode
from tests.kit.pim import Dav
from tests.live.cyrus import _ADMIN_PASSWORD
from tests.live.imap import Draft

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from jmapsync.app.checkup import Checkup
    from jmapsync.sync.report import AccountReport, RunReport
    from tests.kit.pim import Kind
    from tests.live.conftest import Account

READ, WRITE = "lrs", "lrswipkxtecdan"
LETTER = b"From: a@example.com\r\nMessage-ID: <%s@example.com>\r\nSubject: %s\r\n\r\nText.\r\n"
EVENT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//x//EN\r\nBEGIN:VEVENT\r\nUID:talk\r\nDTSTAMP:20260101T000000Z\r\n"
    "DTSTART:20260105T100000Z\r\nDTEND:20260105T110000Z\r\nSUMMARY:Talk\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
CARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:ada\r\nN:Lovelace;Ada;;;\r\nFN:Ada Lovelace\r\nNOTE:first\r\nEND:VCARD\r\n"


def letter(name: str) -> bytes:
    return LETTER % (name.encode(), name.encode())


@dataclass
class Sharing:
    """Somebody who shares, and somebody whose session then lists the account of the other one, with the mirror of that one."""

    owner: Account
    reader: Account
    base: Path
    dav: Dav
    config: Path = field(init=False)

    def __post_init__(self) -> None:
        """Write the configuration of the reader."""
        secret = self.base / "secret"
        secret.touch(mode=0o600)
        secret.write_text(self.reader.password)
        self.config = self.base / "config.toml"
        tables = "".join(f'[accounts.home.{kind}]\npath = "{self.base / kind}"\n' for kind in self.kinds)
        self.config.write_text(
            f'state_dir = "{self.base / "state"}"\n[accounts.home]\nurl = "{self.reader.url}"\nuser = "{self.reader.user}"\n'
            f'auth = "basic"\nshared = true\npassword_file = "{secret}"\n{tables}'
        )

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return the kinds that the server offers in a form that is known."""
        return ("mail", "contacts", "calendars") if self.owner.server.flavour == "3.12" else ("mail", "contacts")

    @property
    def name(self) -> str:
        return f"home/{self.owner.user}"

    def root(self, kind: str) -> Path:
        return self.base / f"{kind}.shared" / self.owner.user

    def share(self, folder: str, rights: str) -> None:
        """Give the reader rights to a folder of the owner, as an administrator; nothing takes them away."""
        with imaplib.IMAP4("127.0.0.1", self.owner.server.imap_port) as client:
            client.login("admin", _ADMIN_PASSWORD)
            box = f'"user/{self.owner.user}/{folder}"'
            status, answer = client.setacl(box, self.reader.user, rights) if rights else client.deleteacl(box, self.reader.user)
            assert status == "OK", answer

    def run(self) -> RunReport:
        return asyncio.run(App(load(self.config)).sync())

    def sync(self) -> AccountReport:
        """Synchronize; the reader's own account is not affected by what happens to the other."""
        run = self.run()
        assert run.accounts["home"].worst is ExitCode.IN_SYNC
        return run.accounts[self.name]

    def check(self) -> Checkup:
        [found] = asyncio.run(App(load(self.config)).check())
        return found

    def status(self) -> dict[str, ExitCode]:
        return {one.name: one.exit_code for one in App(load(self.config)).status()}

    def files(self, folder: str) -> list[Path]:
        root = self.root("mail") / folder
        return sorted(file for part in ("cur", "new") for file in (root / part).iterdir())

    def file_of(self, folder: str, name: str) -> Path:
        return next(file for file in self.files(folder) if name.encode() in file.read_bytes())

    def drop(self, folder: str, name: str) -> Path:
        file = self.root("mail") / folder / "new" / name
        file.write_bytes(letter(name).replace(b"\r\n", b"\n"))
        return file


@pytest.fixture
def sharing(make_account: Callable[[], Account], tmp_path: Path) -> Iterator[Sharing]:
    owner, reader = make_account(), make_account()
    with Dav(owner.server.jmap_port, owner.user, owner.password) as dav:
        yield Sharing(owner, reader, tmp_path, dav)


def test_a_mailbox(sharing: Sharing) -> None:
    start_sharing(sharing)
    be_read_only(sharing)
    be_writable(sharing)
    be_withdrawn(sharing)


def start_sharing(sharing: Sharing) -> None:
    owner = sharing.owner
    owner.imap.create_folder("Team")
    owner.imap.append("Team", [Draft(letter("one")), Draft(letter("two"))])
    assert list(sharing.run().accounts) == ["home"]
    sharing.share("Team", READ)
    assert sharing.sync().worst is ExitCode.IN_SYNC
    assert len(sharing.files("Team")) == 2
    assert [path.name for path in sharing.root("mail").iterdir() if path.is_dir()] == ["Team"]
    [theirs] = [one for one in sharing.check().accounts if not one.is_personal]
    assert (theirs.id, theirs.is_read_only, list(theirs.kinds)) == (owner.user, False, ["mail"])
    [team] = theirs.kinds["mail"]
    assert (team.name, team.is_restricted) == ("Team", True)


def be_read_only(sharing: Sharing) -> None:
    owner = sharing.owner
    mine = sharing.drop("Team", "mine")
    one = sharing.file_of("Team", "one")
    one.rename(one.parent.parent / "cur" / f"{one.name.partition(':')[0]}:2,FS")
    sharing.file_of("Team", "two").unlink()
    report = sharing.sync()
    assert report.worst is ExitCode.QUARANTINED
    assert [problem.why for problem in report.kinds["mail"].problems] == ["new here, which the server does not allow"]
    assert mine.exists()
    assert len(owner.imap.messages("Team")) == 2
    assert not any("\\Flagged" in message.flags for message in owner.imap.messages("Team"))
    assert sharing.file_of("Team", "one").name.endswith(":2,S")
    assert sharing.file_of("Team", "two").exists()
    owner.imap.append("Team", [Draft(letter("three"))])
    assert sharing.sync().worst is ExitCode.QUARANTINED
    assert sharing.file_of("Team", "three").exists()


def be_writable(sharing: Sharing) -> None:
    owner = sharing.owner
    sharing.share("Team", WRITE)
    report = sharing.sync()
    assert (report.worst, report.kinds["mail"].to_server.created) == (ExitCode.IN_SYNC, 1)
    one = sharing.file_of("Team", "one")
    one.rename(one.with_name(f"{one.name.partition(':')[0]}:2,FS"))
    assert sharing.sync().worst is ExitCode.IN_SYNC
    there = owner.imap.messages("Team")
    assert len(there) == 4
    assert [b"Subject: one" in message.content for message in there if "\\Flagged" in message.flags] == [True]
    owner.imap.expunge("Team", [next(message.uid for message in there if b"Subject: mine" in message.content)])
    assert sharing.sync().worst is ExitCode.IN_SYNC
    assert len(sharing.files("Team")) == 3


def be_withdrawn(sharing: Sharing) -> None:
    owner = sharing.owner
    before = sorted(file.read_bytes() for file in sharing.files("Team"))
    sharing.drop("Team", "late")
    sharing.share("Team", "")
    report = sharing.sync()
    assert (report.worst, owner.user in report.error) == (ExitCode.SUSPENDED, True)
    assert sharing.status() == {"home": ExitCode.IN_SYNC, sharing.name: ExitCode.SUSPENDED}
    assert sorted(file.read_bytes() for file in sharing.files("Team") if b"late" not in file.read_bytes()) == before
    assert len(owner.imap.messages("Team")) == 3

    # and shared again
    sharing.share("Team", WRITE)
    assert sharing.sync().worst is ExitCode.IN_SYNC
    assert len(owner.imap.messages("Team")) == 4
    assert sharing.status() == {"home": ExitCode.IN_SYNC, sharing.name: ExitCode.IN_SYNC}


@dataclass(frozen=True)
class Shared:
    """What is shared of one kind, and an edit of it."""

    kind: Kind
    folder: str
    name: str
    text: str
    was: str
    becomes: str

    @property
    def suffix(self) -> str:
        return self.name[-4:]


KINDS = (
    Shared("calendars", "#calendars/Default", "talk.ics", EVENT, "SUMMARY:Talk", "SUMMARY:Walk"),
    Shared("contacts", "#addressbooks/Default", "ada.vcf", CARD, "NOTE:first", "NOTE:second"),
)


@pytest.mark.parametrize(
    ("cyrus", "shared"),
    [("3.12", KINDS[0]), ("3.6", KINDS[1]), ("3.12", KINDS[1])],
    indirect=["cyrus"],
    ids=["calendars-3.12", "contacts-3.6", "contacts-3.12"],
)
def test_a_calendar_and_an_address_book(sharing: Sharing, shared: Shared) -> None:
    """Cyrus 3.6 has calendars of an older form only."""
    kind, dav = shared.kind, sharing.dav
    dav.put(kind, shared.name, shared.text)
    sharing.share(shared.folder, READ)
    assert sharing.sync().worst is ExitCode.IN_SYNC

    # read-only: what is edited and what is new waits here
    [file] = sharing.root(kind).glob(f"*/*{shared.suffix}")
    file.write_text(file.read_text().replace(shared.was, shared.becomes))
    new = file.with_name(f"new{shared.suffix}")
    new.write_text(shared.text.replace("UID:talk", "UID:new").replace("UID:ada", "UID:new"))
    report = sharing.sync()
    assert (report.worst, len(report.kinds[kind].problems)) == (ExitCode.QUARANTINED, 2)
    assert dav.names(kind) == [shared.name]
    assert shared.was in dav.get(kind, shared.name)
    assert shared.becomes in file.read_text()
    assert new.exists()

    # writable: it goes on, where the server states rights (it states none for address books) at once
    sharing.share(shared.folder, WRITE)
    if kind == "contacts":
        asyncio.run(App(load(sharing.config)).sync(full=True))
    assert sharing.sync().worst is ExitCode.IN_SYNC
    assert len(dav.names(kind)) == 2
    assert shared.becomes in dav.get(kind, shared.name)
    dav.put(kind, shared.name, shared.text.replace(shared.was, f"{shared.was} again"))
    assert sharing.sync().worst is ExitCode.IN_SYNC
    assert f"{shared.was} again" in file.read_text()

    # withdrawn, and shared again
    sharing.share(shared.folder, "")
    report = sharing.sync()
    assert report.worst is ExitCode.SUSPENDED
    assert file.exists()
    assert new.exists()
    sharing.share(shared.folder, READ)
    assert sharing.sync().worst is ExitCode.IN_SYNC


def test_rights_and_shares_that_change_are_reported(sharing: Sharing) -> None:
    owner = sharing.owner
    owner.imap.create_folder("Team")
    sharing.share("Team", READ)
    folders = {"mail": "Team"} | ({"calendars": "#calendars/Default"} if "calendars" in sharing.kinds else {})
    for folder in folders.values():
        sharing.share(folder, READ)
    sharing.sync()
    for kind, folder in folders.items():
        sharing.share(folder, WRITE)
        message, *_ = sharing.sync().kinds[kind].messages  # an administrator of a mailbox is shown who shares it, too
        assert message.startswith(f"The rights in the {'mailbox Team' if kind == 'mail' else 'calendar '}")
        assert "changed on the server: you may now " in message
        assert sharing.sync().kinds[kind].messages == []

    # the owner hears of it too
    sharing.config.write_text(sharing.config.read_text().replace(sharing.reader.user, owner.user).replace("shared = true\n", ""))
    (sharing.base / "state").rename(sharing.base / "state of the reader")
    for kind in sharing.kinds:
        (sharing.base / kind).rename(sharing.base / f"{kind} of the reader")

    def said(kind: str) -> list[str]:
        return sharing.run().accounts["home"].kinds[kind].messages

    assert [one for kind in folders for one in said(kind) if "shared" in one] == []
    for kind, folder in folders.items():
        sharing.share(folder, "")
        [message] = said(kind)
        assert f"is no longer shared with {sharing.reader.user} (" in message
        sharing.share(folder, READ)
        [message] = said(kind)
        assert f"is now shared with {sharing.reader.user} (" in message
        assert said(kind) == []


@pytest.mark.parametrize("cyrus", ["3.12"], indirect=True)
def test_a_shared_calendar_that_is_not_subscribed_is_left_out_where_the_configuration_says_so(sharing: Sharing) -> None:
    sharing.dav.put("calendars", "talk.ics", EVENT)
    sharing.share("#calendars/Default", READ)
    sharing.sync()
    assert len(list(sharing.root("calendars").glob("*/*.ics"))) == 1
    sharing.config.write_text(f"{sharing.config.read_text()}hidden = false\n")
    report = sharing.sync().kinds["calendars"]
    assert len(report.detached) == 1, "nobody is subscribed to what somebody shares at first"
    assert len(list(sharing.root("calendars").glob("*/*.ics"))) == 1
    using = ["urn:ietf:params:jmap:core", "urn:ietf:params:jmap:calendars"]
    account = {"accountId": sharing.owner.user}
    [get] = sharing.reader.jmap.call([("Calendar/get", account)], using)
    [calendar] = [one for one in get["list"] if one["isSubscribed"] is False]
    sharing.reader.jmap.call([("Calendar/set", {**account, "update": {calendar["id"]: {"isSubscribed": True}}})], using)
    sharing.dav.put("calendars", "talk.ics", EVENT.replace("SUMMARY:Talk", "SUMMARY:Walk"))
    report = sharing.sync().kinds["calendars"]
    assert report.detached == []
    [file] = sharing.root("calendars").glob("*/*.ics")
    assert "SUMMARY:Walk" in file.read_text()


def test_a_kind_that_is_withdrawn_while_another_is_still_shared(sharing: Sharing) -> None:
    owner = sharing.owner
    owner.imap.create_folder("Team")
    owner.imap.append("Team", [Draft(letter("one"))])
    sharing.dav.put("contacts", "ada.vcf", CARD)
    sharing.share("Team", READ)
    sharing.share("#addressbooks/Default", READ)
    assert set(sharing.sync().kinds) >= {"mail", "contacts"}
    sharing.share("Team", "")
    report = sharing.sync()
    assert {kind: one.exit_code for kind, one in report.kinds.items() if one.exit_code} == {"mail": ExitCode.SUSPENDED}
    assert len(sharing.files("Team")) == 1
    sharing.share("Team", READ)
    assert sharing.sync().worst is ExitCode.IN_SYNC


def test_a_mailbox_that_is_withdrawn_while_another_of_the_account_is_still_shared(sharing: Sharing) -> None:
    owner = sharing.owner
    for folder in ("Team", "Other"):
        owner.imap.create_folder(folder)
        sharing.share(folder, WRITE)
    owner.imap.append("Team", [Draft(letter("one")), Draft(letter("two")), Draft(letter("three"))])
    assert sharing.sync().worst is ExitCode.IN_SYNC
    mine = sharing.drop("Team", "mine")
    sharing.share("Team", "")
    owner.imap.append("Other", [Draft(letter("four"))])

    report = sharing.sync().kinds["mail"]
    assert (report.exit_code, report.withdrawn, report.to_disk.deleted) == (ExitCode.SUSPENDED, ["Team"], 0)
    assert [one.why for one in report.problems] == [
        "its folder is no longer shared with you; it stays as it is here until that is back"
    ]
    assert (len(sharing.files("Team")), len(sharing.files("Other"))) == (4, 1)
    assert sharing.status() == {"home": ExitCode.IN_SYNC, sharing.name: ExitCode.SUSPENDED}

    # what the owner deletes in the time between goes here when it is shared again, and is not brought back there
    there = owner.imap.messages("Team")
    owner.imap.expunge("Team", [next(message.uid for message in there if b"Subject: two" in message.content)])
    sharing.share("Team", WRITE)
    report = sharing.sync().kinds["mail"]
    assert (report.exit_code, report.to_disk.deleted, report.to_server.created) == (ExitCode.IN_SYNC, 1, 1)
    assert sorted(message.content.split(b"\r\n")[2] for message in owner.imap.messages("Team")) == [
        b"Subject: mine",
        b"Subject: one",
        b"Subject: three",
    ]
    assert not mine.exists() or len(sharing.files("Team")) == 3

    # of a mailbox that it may only see the name of, Cyrus lists nothing either; the files go where that is allowed
    sharing.share("Team", "l")
    assert sharing.sync().kinds["mail"].withdrawn == ["Team"]
    assert len(sharing.files("Team")) == 3
    assert asyncio.run(App(load(sharing.config)).sync(allow_deletes=True)).accounts[sharing.name].worst is ExitCode.IN_SYNC
    assert not (sharing.root("mail") / "Team").exists()
    assert len(owner.imap.messages("Team")) == 3
