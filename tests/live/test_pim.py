"""Mirror contacts and calendars both ways on real Cyrus servers; every end is checked over CardDAV and CalDAV."""

from __future__ import annotations

import asyncio
import base64
import re
from typing import TYPE_CHECKING

import pytest

from jmapsync.app import App
from jmapsync.config import load
from tests.kit.pim import Dav, Kind, Pim, change

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.live.conftest import Account
    from tests.live.cyrus import Cyrus

CARD = (
    "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:ada\r\nN:Lovelace;Ada;;;\r\nFN:Ada Lovelace\r\nEMAIL;TYPE=WORK:ada@example.com\r\n"
    "TEL;TYPE=CELL:+44 1\r\nX-CUSTOM;X-P=1:kept\r\nNOTE:first\r\nEND:VCARD\r\n"
)
MANY = (
    "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:many\r\nN:Lovelace;Ada;;;\r\nFN:Ada Lovelace\r\nTEL;TYPE=CELL,WORK:+44 1\r\n"
    "TEL;TYPE=HOME,VOICE,FAX:+44 2\r\nitem1.TEL;TYPE=WORK:+44 3\r\nitem1.X-ABLabel:Boat\r\nTEL;TYPE=TEXT:+44 4\r\n"
    "URL;TYPE=WORK:https://a.example/\r\nURL;TYPE=HOME:https://b.example/\r\nitem2.ADR;TYPE=HOME:;;Street 1;Town;;1;UK\r\n"
    'item2.X-ABLabel:House\r\nADR;TYPE=WORK;GEO="geo:1.0,2.0":;;Street 2;Town;;2;UK\r\nBDAY:--0229\r\nX-ANNIVERSARY:2011-05-06\r\n'
    "item3.X-ABDATE:2015-01-02\r\nitem3.X-ABLabel:First met\r\nX-CUSTOM:kept\r\nEND:VCARD\r\n"
)
EVENT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//x//EN\r\nBEGIN:VEVENT\r\nUID:weekly\r\nDTSTAMP:20260101T000000Z\r\n"
    "DTSTART;TZID=Europe/Berlin:20260105T100000\r\nDTEND;TZID=Europe/Berlin:20260105T110000\r\nRRULE:FREQ=WEEKLY;COUNT=5\r\n"
    "SUMMARY:Weekly\r\nX-CUSTOM:kept\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:weekly\r\nDTSTAMP:20260101T000000Z\r\n"
    "RECURRENCE-ID;TZID=Europe/Berlin:20260112T100000\r\nDTSTART;TZID=Europe/Berlin:20260112T120000\r\n"
    "DTEND;TZID=Europe/Berlin:20260112T130000\r\nSUMMARY:Weekly moved\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


def mirror(account: Account, base: Path, kind: Kind) -> Pim:
    return Pim(base, account.url, account.user, account.password, (kind,))


@pytest.fixture
def dav(account: Account) -> Iterator[Dav]:
    with Dav(account.server.jmap_port, account.user, account.password) as dav:
        yield dav


class TestContacts:
    """Cyrus' own Contact objects, read as vCards: 3.6.1 and 3.12.4."""

    @pytest.fixture
    def sides(self, account: Account, dav: Dav, tmp_path: Path) -> tuple[Pim, Dav]:
        pim = mirror(account, tmp_path, "contacts")
        dav.put("contacts", "ada.vcf", CARD)
        pim.sync_until_quiet()
        return pim, dav

    def test_the_first_pull_brings_every_line(self, sides: tuple[Pim, Dav]) -> None:
        pim, _ = sides
        lines = set(pim.file("contacts", "ada").read_text().splitlines())
        assert {"EMAIL;TYPE=WORK:ada@example.com", "TEL;TYPE=CELL:+44 1", "X-CUSTOM;X-P=1:kept", "NOTE:first"} <= lines

    def test_an_edit_here_changes_what_was_edited_and_nothing_else(self, sides: tuple[Pim, Dav]) -> None:
        pim, dav = sides
        before = set(dav.get("contacts", "ada.vcf").splitlines())
        change(pim.file("contacts", "ada"), "END:VCARD", "NICKNAME:Countess\r\nEND:VCARD")
        assert pim.sync("contacts").to_server.updated == 1
        after = set(dav.get("contacts", "ada.vcf").splitlines())
        assert before - after == set()
        assert {line.partition(":")[0] for line in after - before} <= {"NICKNAME", "REV", "PRODID"}
        assert "NICKNAME:Countess" in after
        pim.sync_until_quiet()

    def test_an_edit_there_reaches_the_file(self, sides: tuple[Pim, Dav]) -> None:
        pim, dav = sides
        dav.put("contacts", "ada.vcf", CARD.replace("NOTE:first", "NOTE:second"))
        assert pim.sync("contacts").to_disk.updated == 1
        assert "NOTE:second" in pim.file("contacts", "ada").read_text()
        pim.sync_until_quiet()

    def test_edits_on_both_sides_of_different_properties_merge(self, sides: tuple[Pim, Dav]) -> None:
        pim, dav = sides
        dav.put("contacts", "ada.vcf", CARD.replace("NOTE:first", "NOTE:second"))
        change(pim.file("contacts", "ada"), "+44 1", "+44 2")
        assert pim.sync("contacts").conflicts == 0
        for text in (pim.file("contacts", "ada").read_text(), dav.get("contacts", "ada.vcf")):
            assert "NOTE:second" in text
            assert "TEL;TYPE=CELL:+44 2" in text
        pim.sync_until_quiet()

    def test_photos_go_both_ways(self, sides: tuple[Pim, Dav]) -> None:
        pim, dav = sides
        first, second = (base64.b64encode(text * 40).decode() for text in (b"\xff\xd8\xff a photo", b"\xff\xd8\xff another photo"))
        dav.put("contacts", "ada.vcf", CARD.replace("NOTE", f"PHOTO;ENCODING=b;TYPE=JPEG:{first}\r\nNOTE"))
        pim.run()
        file = pim.file("contacts", "ada")
        text = file.read_bytes().replace(b"\r\n ", b"").decode()
        assert first in text
        file.write_bytes(text.replace(first, second).encode())
        assert pim.sync("contacts").to_server.updated == 1
        shown = dav.get("contacts", "ada.vcf")
        assert second in shown
        assert "X-CUSTOM;X-P=1:kept" in shown
        pim.sync_until_quiet()

    def test_what_is_put_back_is_at_its_own_line_after_another_client_reordered_and_removed_lines(
        self, sides: tuple[Pim, Dav]
    ) -> None:
        """Cyrus keeps one type of a number, no type of a URL, no GEO, and names groups anew."""
        pim, dav = sides
        file = pim.file("contacts", "ada").with_name("many.vcf")
        file.write_text(MANY, newline="")
        pim.run()
        pim.sync_until_quiet()
        [name] = [one for one in dav.names("contacts") if one != "ada.vcf"]
        lines = dav.get("contacts", name).split("\r\n")
        gone = (":+44 2", "Street 1", "X-ABLabel:House", "BDAY")
        body = [line for line in reversed(lines[2:-2]) if not any(part in line for part in gone)]
        dav.put("contacts", name, "\r\n".join([*lines[:2], *body, *lines[-2:]]))
        pim.run()
        text = file.read_text().replace("\n ", "")
        for line in ("TEL;TYPE=WORK,CELL:+44 1", "TEL;TYPE=WORK:+44 3", "TEL;TYPE=MSG:+44 4", "GEO:1.0;2.0"):
            assert line in text
        assert all(text.count(part) == 1 for part in ("Boat", "+44 1", "+44 3", "+44 4", "First met", "Street 2", "X-CUSTOM:kept"))
        assert not [part for part in ("+44 2", "House", "BDAY", "HOME,VOICE") if part in text]
        pim.sync_until_quiet()

    def test_what_cyrus_says_in_another_way_is_not_doubled_by_an_edit_of_another_client(self, sides: tuple[Pim, Dav]) -> None:
        """Services that Cyrus does not know become X-SOCIAL-PROFILE, and several notes or nicknames one."""
        pim, dav = sides
        file = pim.file("contacts", "ada").with_name("twice.vcf")
        services = "IMPP:sip:ada@x.example\r\nX-SOCIALPROFILE;TYPE=mastodon:https://m.example/@a\r\n"
        texts = "NOTE:one\r\nNOTE:two\r\nNICKNAME:Countess,Adi\r\nTEL;TYPE=HOME,CELL:1\r\n"
        head = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:twice\r\nN:L;A;;;\r\nFN:A L\r\n"
        file.write_text(f"{head}{services}{texts}END:VCARD\r\n", newline="")
        pim.run()
        pim.sync_until_quiet()
        [name] = [one for one in dav.names("contacts") if one != "ada.vcf"]
        there = dav.get("contacts", name)
        assert there.count("X-SOCIAL-PROFILE") == 2
        dav.put("contacts", name, there.replace("two", "two\\nthree").replace("Adi", "Ada"))
        pim.run()
        text = file.read_text().replace("\n ", "")
        assert all(
            text.count(part) == 1 for part in ("sip:ada@x.example", "https://m.example/@a", "one", "two", "Countess", "NOTE")
        )
        assert "Adi" not in text
        pim.sync_until_quiet()

    def test_a_new_file_and_a_deleted_one_reach_the_server(self, sides: tuple[Pim, Dav]) -> None:
        pim, dav = sides
        new = pim.file("contacts", "ada").with_name("charles.vcf")
        new.write_text(
            "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:charles\r\nFN:Charles Babbage\r\nN:Babbage;Charles;;;\r\nEMAIL:cb@example.com\r\n"
            "X-SPECIAL:stays here\r\nEND:VCARD\r\n",
            newline="",
        )
        report = pim.sync("contacts")
        assert report.to_server.created == 1
        assert any("does not keep" in message for message in report.messages), "Cyrus drops unknown lines of new cards"
        assert len(dav.names("contacts")) == 2
        pim.sync_until_quiet()
        assert "X-SPECIAL:stays here" in new.read_text()
        new.unlink()
        assert pim.sync("contacts").to_server.deleted == 1
        assert dav.names("contacts") == ["ada.vcf"]
        pim.sync_until_quiet()

    def test_a_card_that_is_made_or_deleted_there_is_here_too(self, sides: tuple[Pim, Dav]) -> None:
        pim, dav = sides
        dav.put("contacts", "grace.vcf", CARD.replace("UID:ada", "UID:grace").replace("Ada Lovelace", "Grace Hopper"))
        assert pim.sync("contacts").to_disk.created == 1
        assert "FN:Grace Hopper" in pim.file("contacts", "grace").read_text()
        dav.http.delete(f"/dav/addressbooks/user/{dav.user}/Default/ada.vcf")
        assert pim.sync("contacts").to_disk.deleted == 1
        assert [file.name for file in pim.files("contacts")] == ["grace.vcf"]
        pim.sync_until_quiet()


class TestCalendars:
    """RFC 8984 objects, read as iCalendar files: 3.12.4."""

    @pytest.fixture
    def cyrus(self, running_cyrus: Callable[[str], Cyrus]) -> Cyrus:
        return running_cyrus("3.12")

    @pytest.fixture
    def sides(self, account: Account, dav: Dav, tmp_path: Path) -> tuple[Pim, Dav]:
        pim = mirror(account, tmp_path, "calendars")
        dav.put("calendars", "weekly.ics", EVENT)
        pim.sync_until_quiet()
        return pim, dav

    def test_the_first_pull_brings_the_series_and_its_override(self, sides: tuple[Pim, Dav]) -> None:
        pim, _ = sides
        text = pim.file("calendars", "weekly").read_text()
        assert text.index("BEGIN:VTIMEZONE") < text.index("BEGIN:VEVENT")
        assert text.count("BEGIN:VEVENT") == 2
        assert "X-CUSTOM:kept\n" in text
        assert "RECURRENCE-ID;TZID=Europe/Berlin:20260112T100000\n" in text

    def test_an_edit_here_changes_what_was_edited_and_nothing_else(self, sides: tuple[Pim, Dav]) -> None:
        pim, dav = sides
        change(pim.file("calendars", "weekly"), "SUMMARY:Weekly\r\n", "SUMMARY:Every week\r\n")
        assert pim.sync("calendars").to_server.updated == 1
        text = dav.get("calendars", "weekly.ics")
        for line in ("SUMMARY:Every week", "SUMMARY:Weekly moved", "X-CUSTOM:kept", "RRULE:FREQ=WEEKLY;COUNT=5"):
            assert f"{line}\r\n" in text
        pim.sync_until_quiet()

    def test_an_edit_there_reaches_the_file(self, sides: tuple[Pim, Dav]) -> None:
        pim, dav = sides
        dav.put("calendars", "weekly.ics", EVENT.replace("SUMMARY:Weekly\r\n", "SUMMARY:Every week\r\n"))
        assert pim.sync("calendars").to_disk.updated == 1
        text = pim.file("calendars", "weekly").read_text()
        for line in ("SUMMARY:Every week", "SUMMARY:Weekly moved", "X-CUSTOM:kept"):
            assert f"{line}\n" in text
        pim.sync_until_quiet()

    def test_an_edit_of_one_instance_stays_one(self, sides: tuple[Pim, Dav]) -> None:
        pim, dav = sides
        change(pim.file("calendars", "weekly"), "SUMMARY:Weekly moved", "SUMMARY:Moved again")
        pim.run()
        text = dav.get("calendars", "weekly.ics")
        assert "SUMMARY:Moved again\r\n" in text
        assert "SUMMARY:Weekly\r\n" in text
        assert text.count("BEGIN:VEVENT") == 2
        pim.sync_until_quiet()

    def test_edits_on_both_sides_of_different_properties_merge(self, sides: tuple[Pim, Dav]) -> None:
        pim, dav = sides
        dav.put("calendars", "weekly.ics", EVENT.replace("X-CUSTOM:kept", "X-CUSTOM:kept\r\nLOCATION:Room 1"))
        change(pim.file("calendars", "weekly"), "SUMMARY:Weekly\r\n", "SUMMARY:Every week\r\n")
        assert pim.sync("calendars").conflicts == 0
        for text in (pim.file("calendars", "weekly").read_text(), dav.get("calendars", "weekly.ics").replace("\r", "")):
            assert re.search(r"^LOCATION\b.*:Room 1$", text, re.MULTILINE)
            assert "SUMMARY:Every week\n" in text
        pim.sync_until_quiet()

    def test_new_and_deleted_events_and_calendars_reach_the_server(self, sides: tuple[Pim, Dav], account: Account) -> None:
        pim, dav = sides
        private = pim.base / "calendars" / "Private"
        private.mkdir()
        (private / "new.ics").write_text(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//k//k//EN\r\nBEGIN:VEVENT\r\nUID:new\r\nDTSTAMP:20260101T000000Z\r\n"
            "DTSTART;VALUE=DATE:20260301\r\nSUMMARY:All day\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
            newline="",
        )
        assert pim.sync("calendars").to_server.created == 1
        found = account.jmap.call(
            [("Calendar/get", {"ids": None})], ["urn:ietf:params:jmap:core", "urn:ietf:params:jmap:calendars"]
        )
        [made] = [one for one in found[0]["list"] if one["name"] == "Private"]
        [name] = dav.names("calendars", made["id"])
        assert "DTSTART;VALUE=DATE:20260301\r\n" in dav.get("calendars", name, made["id"])
        pim.sync_until_quiet()
        pim.file("calendars", "weekly").unlink()
        assert pim.sync("calendars").to_server.deleted == 1
        assert dav.get("calendars", "weekly.ics") == ""
        pim.sync_until_quiet()

    def test_events_and_calendars_that_are_made_or_deleted_there_are_here_too(self, sides: tuple[Pim, Dav]) -> None:
        pim, dav = sides
        home = f"/dav/calendars/user/{dav.user}"
        assert dav.http.request("MKCALENDAR", f"{home}/club/").is_success
        dav.put("calendars", "chess.ics", EVENT.replace("UID:weekly", "UID:chess"), "club")
        assert pim.sync("calendars").to_disk.created == 1
        chess = pim.file("calendars", "chess")
        assert chess.parent != pim.file("calendars", "weekly").parent
        assert chess.read_text().count("BEGIN:VEVENT") == 2
        pim.sync_until_quiet()
        assert dav.http.delete(f"{home}/Default/weekly.ics").is_success
        assert pim.sync("calendars").to_disk.deleted == 1
        assert pim.files("calendars") == [chess]
        assert dav.names("calendars", "club") == ["chess.ics"]
        pim.sync_until_quiet()


class TestLoneOccurrences:
    """Single occurrences without their series: Cyrus 3.12.4 loses which one an all-day one is, and doubles those in UTC."""

    @pytest.fixture
    def cyrus(self, running_cyrus: Callable[[str], Cyrus]) -> Cyrus:
        return running_cyrus("3.12")

    @pytest.fixture
    def pim(self, account: Account, tmp_path: Path) -> Pim:
        pim = mirror(account, tmp_path, "calendars")
        pim.sync_until_quiet()
        return pim

    @staticmethod
    def drop(pim: Pim, *lines: str) -> Path:
        folder = next(path for path in (pim.base / "calendars").iterdir() if path.is_dir() and path.name[0] != ".")
        head = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//EN", "BEGIN:VEVENT", "UID:lone", "DTSTAMP:20260101T000000Z")
        (folder / "lone.ics").write_text("\r\n".join([*head, *lines, "SUMMARY:One", "END:VEVENT", "END:VCALENDAR", ""]), newline="")
        return folder / "lone.ics"

    @staticmethod
    def problems(pim: Pim) -> list[str]:
        report = asyncio.run(App(load(pim.config)).sync()).accounts["home"].kinds["calendars"]
        assert report.conflicts == 0
        return [one.item for one in report.problems]

    def test_an_all_day_one_stays_here_and_is_no_conflict(self, pim: Pim, dav: Dav) -> None:
        file = self.drop(pim, "RECURRENCE-ID;VALUE=DATE:20261208", "DTSTART;VALUE=DATE:20261208")
        content = file.read_bytes()
        for _ in range(2):
            assert self.problems(pim) == [f"{file.parent.name}/lone.ics"]
            assert (file.read_bytes(), dav.names("calendars")) == (content, [])

    def test_an_edit_of_one_in_utc_is_not_doubled(self, pim: Pim, dav: Dav) -> None:
        file = self.drop(pim, "RECURRENCE-ID:20261208T100000Z", "DTSTART:20261208T100000Z", "DURATION:PT1H")
        pim.run()
        pim.sync_until_quiet()
        change(file, "SUMMARY:One", "SUMMARY:Two")
        edited = file.read_bytes()
        for _ in range(2):
            assert self.problems(pim) == [f"{file.parent.name}/lone.ics"]
            assert file.read_bytes() == edited
        [name] = dav.names("calendars")
        assert dav.get("calendars", name).count("BEGIN:VEVENT") == 1
        change(file, "RECURRENCE-ID:20261208T100000Z", "RECURRENCE-ID;TZID=Europe/Berlin:20261208T110000")
        pim.run()
        pim.sync_until_quiet()
        [name] = dav.names("calendars")
        assert dav.get("calendars", name).count("BEGIN:VEVENT") == 1
        assert "SUMMARY:Two" in dav.get("calendars", name)

    def test_an_edit_of_an_event_of_1604_keeps_its_duration(self, pim: Pim, dav: Dav) -> None:
        file = self.drop(pim, "DTSTART;VALUE=DATE:16040301", "DURATION:P1D")
        pim.run()
        change(file, "SUMMARY:One", "SUMMARY:Two")
        pim.run()
        pim.sync_until_quiet()
        [name] = dav.names("calendars")
        assert {"DURATION:P1D", "SUMMARY:Two"} <= set(dav.get("calendars", name).splitlines())
