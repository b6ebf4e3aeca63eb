"""Calendars and address books left out by name, or because they are not subscribed, on real Cyrus servers, read there by DAV."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.kit.pim import Dav, Pim, change
from tests.live.jmapraw import CORE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.live.conftest import Account

CALENDARS = "urn:ietf:params:jmap:calendars"


def event(uid: str) -> str:
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\n"
        f"UID:{uid}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20370102T100000Z\r\nDURATION:PT1H\r\nSUMMARY:{uid}\r\n"
        "END:VEVENT\r\nEND:VCALENDAR\r\n"
    )


def card(uid: str) -> str:
    return f"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:{uid}\r\nN:{uid};;;;\r\nEND:VCARD\r\n"


class Desk:
    """The mirror of one kind of an account."""

    def __init__(self, base: Path, account: Account, kind: str) -> None:
        self.kind = kind
        self.account = account
        self.pim = Pim(base, account.url, account.user, account.password, (kind,))  # type: ignore[arg-type]
        self._plain = self.pim.config.read_text()

    def rest(self, patterns: str = "") -> list[str]:
        """Mirror under the patterns until nothing changes; return what is left alone then."""
        self.pim.config.write_text(f"{self._plain}{patterns}\n")
        for _ in range(5):
            if not (report := self.pim.run()).changed:
                return report.kinds[self.kind].detached
        raise AssertionError

    def folder(self, name: str) -> Path:
        [found] = [one for one in self.root.iterdir() if one.is_dir() and (one / "displayname").read_text() == name]
        return found

    @property
    def root(self) -> Path:
        return self.pim.base / self.kind

    def calendars(self) -> dict[str, dict[str, Any]]:
        [answer] = self.account.jmap.call([("Calendar/get", {})], [CORE, CALENDARS])
        return {one["name"]: one for one in answer["list"]}

    def set_calendars(self, **what: object) -> None:
        [answer] = self.account.jmap.call([("Calendar/set", what)], [CORE, CALENDARS])
        assert not any(answer.get(name) for name in ("notCreated", "notUpdated", "notDestroyed")), answer


with_calendars = pytest.mark.parametrize("cyrus", ["3.12"], indirect=True)
"""3.6 has calendars of an older form only."""


@pytest.fixture
def dav(account: Account) -> Iterator[Dav]:
    with Dav(account.server.jmap_port, account.user, account.password) as dav:
        yield dav


@pytest.fixture
def desk(account: Account, dav: Dav, tmp_path: Path) -> Desk:
    """Return an account with one event in each of two calendars, both mirrored."""
    desk = Desk(tmp_path, account, "calendars")
    desk.set_calendars(create={"t": {"name": "Team"}})
    dav.put("calendars", "own.ics", event("own"))
    dav.put("calendars", "team.ics", event("team"), desk.calendars()["Team"]["id"])
    assert desk.rest() == []
    return desk


@with_calendars
def test_a_calendar_that_is_left_out_is_kept_on_both_sides_and_merged_when_it_comes_back(desk: Desk, dav: Dav) -> None:
    team = desk.calendars()["Team"]["id"]
    file = desk.pim.file("calendars", "team")
    data = file.read_bytes()
    assert desk.rest('exclude = ["Team"]') == ["Team"]
    assert (file.read_bytes(), dav.names("calendars", team)) == (data, ["team.ics"])
    change(file, "SUMMARY:team", "SUMMARY:team\r\nLOCATION:here")
    dav.put("calendars", "team.ics", event("team").replace("SUMMARY:team", "SUMMARY:team\r\nDESCRIPTION:there"), team)
    dav.put("calendars", "more.ics", event("more"), team)
    file.with_name("new.ics").write_text(event("new"), newline="")
    assert desk.rest('exclude = ["Team"]') == ["Team"]
    assert "LOCATION" not in dav.get("calendars", "team.ics", team)
    assert "DESCRIPTION" not in file.read_text()
    assert desk.rest() == []
    text = dav.get("calendars", "team.ics", team)
    assert (":here" in text, "DESCRIPTION:there" in text) == (True, True)
    assert (":here" in file.read_text(), "DESCRIPTION:there" in file.read_text()) == (True, True)
    assert len(dav.names("calendars", team)) == 3
    assert {one.stem for one in file.parent.glob("*.ics")} == {"team", "more", "new"}


@with_calendars
def test_a_calendar_that_is_left_out_stays_on_the_server_when_its_directory_is_removed(desk: Desk, dav: Dav) -> None:
    team = desk.calendars()["Team"]["id"]
    desk.rest('exclude = ["T*"]')
    shutil.rmtree(desk.folder("Team"))
    (desk.root / "Tmp").mkdir()
    (desk.root / "Tmp/mine.ics").write_text(event("mine"), newline="")
    assert desk.rest('exclude = ["T*"]') == ["Tmp"]
    assert dav.names("calendars", team) == ["team.ics"]
    assert "Tmp" not in desk.calendars()
    assert desk.rest() == []
    assert desk.pim.file("calendars", "team").exists()
    assert dav.names("calendars", desk.calendars()["Tmp"]["id"])


@with_calendars
def test_a_calendar_that_is_hidden_is_left_out_where_the_configuration_says_so(desk: Desk) -> None:
    team, mark = desk.calendars()["Team"]["id"], "isVisible"  # Cyrus has everybody subscribed to the own calendars
    desk.set_calendars(update={team: {mark: False}})
    assert desk.calendars()["Team"][mark] is False
    assert desk.rest() == []
    assert desk.rest("hidden = false") == ["Team"]
    assert desk.pim.file("calendars", "team").exists()
    assert desk.rest('include = ["*", "Team"]\nhidden = false') == []
    assert desk.rest("hidden = false") == ["Team"]
    desk.set_calendars(update={team: {mark: True}})
    assert desk.rest("hidden = false") == []


def test_an_address_book_that_is_left_out_is_kept_on_both_sides(account: Account, dav: Dav, tmp_path: Path) -> None:
    """Cyrus lists no address books over JMAP: what it has is called Contacts."""
    desk = Desk(tmp_path, account, "contacts")
    dav.put("contacts", "ada.vcf", card("ada"))
    assert desk.rest('exclude = ["Contacts"]') == []
    assert not list(desk.root.glob("*/*.vcf"))
    assert desk.rest() == []
    file = desk.pim.file("contacts", "ada")
    assert desk.rest('exclude = ["Contacts"]') == [file.parent.name]
    change(file, "FN:ada", "NOTE:here\r\nFN:ada")
    file.with_name("bob.vcf").write_text(card("bob"), newline="")
    desk.rest('exclude = ["Contacts"]')
    assert len(dav.names("contacts")) == 1
    assert desk.rest() == []
    assert len(dav.names("contacts")) == 2
    assert "NOTE:here" in dav.get("contacts", "ada.vcf")
