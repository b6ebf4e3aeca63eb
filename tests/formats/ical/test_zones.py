"""Time zones: the rules of the file decide; names choose among zones with the same rules."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON
from tzlocal.windows_tz import win_tz

from jmapsync.formats.contentline import escape, unescape
from jmapsync.formats.ical import read_calendar, write_calendar
from jmapsync.formats.ical.observances import DAY, rules_of, seconds, zone_changes, zone_offset
from jmapsync.formats.ical.occurrences import occurrences
from jmapsync.formats.ical.vtimezones import vtimezone
from jmapsync.formats.ical.windows import _NAMES, _OTHER_KEYS, zone_of_windows
from jmapsync.formats.ical.zone_match import zone_of_rules
from jmapsync.formats.ical.zones import zone_of_name
from jmapsync.formats.objects import MalformedError
from jmapsync.formats.streams import converted
from tests.formats.ical.random_zones import problems

if TYPE_CHECKING:
    from collections.abc import Iterator

US = ["FREQ=YEARLY;BYDAY=1SU;BYMONTH=11", "FREQ=YEARLY;BYDAY=2SU;BYMONTH=3"]
OLD_US = ["FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10", "FREQ=YEARLY;BYDAY=1SU;BYMONTH=4"]
EUROPE = ["FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10", "FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3"]


def zone(tzid: str, standard: str, daylight: str, rules: list[str], *more: str, start: str = "16010101T020000") -> list[str]:
    end = start.replace("T02", "T03").replace("T01", "T02") if rules is EUROPE else start
    return [
        *("BEGIN:VTIMEZONE", f"TZID:{tzid}", *more),
        *("BEGIN:STANDARD", f"DTSTART:{end}", f"TZOFFSETFROM:{daylight}", f"TZOFFSETTO:{standard}", f"RRULE:{rules[0]}"),
        *("END:STANDARD", "BEGIN:DAYLIGHT", f"DTSTART:{start}", f"TZOFFSETFROM:{standard}", f"TZOFFSETTO:{daylight}"),
        *(f"RRULE:{rules[1]}", "END:DAYLIGHT", "END:VTIMEZONE"),
    ]


def fixed(tzid: str, offset: str) -> list[str]:
    lines = ["BEGIN:STANDARD", "DTSTART:16010101T000000", f"TZOFFSETFROM:{offset}", f"TZOFFSETTO:{offset}", "END:STANDARD"]
    return ["BEGIN:VTIMEZONE", f"TZID:{tzid}", *lines, "END:VTIMEZONE"]


def file(*lines: str, zones: list[str] | None = None, more: tuple[str, ...] = ()) -> bytes:
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//EN", *(zones or [])]
    event = ["BEGIN:VEVENT", "UID:u", "DTSTAMP:20260101T000000Z", *lines, "END:VEVENT"]
    return "\r\n".join([*head, *event, *more, "END:VCALENDAR", ""]).encode()


def one(*lines: str, zones: list[str] | None = None) -> dict[str, Any]:
    return read_calendar(file(*lines, zones=zones))[0]


def instant(item: dict[str, Any], name: str = "start") -> str:
    moment = datetime.fromisoformat(item[name]).replace(tzinfo=ZoneInfo(item["timeZone"])).astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%MZ")


@pytest.mark.parametrize("until", ["20020330T010000Z", "20011027T235959", "19990101T000000Z", "20120229T120000"])
@pytest.mark.parametrize(
    "days",
    ["BYDAY=-1SU;BYMONTH=3", "BYDAY=5SU;BYMONTH=10", "BYMONTHDAY=29;BYMONTH=2", "BYDAY=SU;BYMONTHDAY=8,9,10,11,12,13,14;BYMONTH=3"],
)
def test_a_yearly_rule_with_an_end_occurs_as_rfc_5545_says(days: str, until: str) -> None:
    begin = datetime(1996, 2, 4, 2)  # noqa: DTZ001  # a local time
    lines = ["BEGIN:STANDARD", f"DTSTART:{begin:%Y%m%dT%H%M%S}", "TZOFFSETFROM:+0200", "TZOFFSETTO:+0100"]
    found = rules_of("\n".join([*lines, f"RRULE:FREQ=YEARLY;{days};UNTIL={until}", "END:STANDARD"]))
    assert found is not None
    last = seconds(datetime.strptime(until.rstrip("Z"), "%Y%m%dT%H%M%S")) - (0 if until.endswith("Z") else 7200)  # noqa: DTZ007
    wanted = {seconds(begin) - 7200}
    for moment in rrulestr(f"FREQ=YEARLY;{days}", dtstart=begin):
        if seconds(moment) - 7200 > last:
            break
        wanted.add(seconds(moment) - 7200)
    assert found.rules.begin == min(wanted)
    assert (found.rules.end or found.rules.begin) == max(wanted)
    assert all(found.rules.offset(one + DAY) == 3600 for one in wanted)


class TestTheRulesOfTheFileDecide:
    @pytest.mark.parametrize(
        ("tzid", "zones", "expected"),
        [
            ("(UTC-05:00) Eastern Time (US & Canada)", ("-0500", "-0400", US), "America/New_York"),
            ("GMT-0500", ("-0500", "-0400", US), "America/New_York"),
            ("(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna", ("+0100", "+0200", EUROPE), "Europe/Berlin"),
            ("tzone://Microsoft/Custom", ("+0100", "+0200", EUROPE), "Europe/Berlin"),
            ("GMT+0100", ("+0100", "+0200", EUROPE), "Europe/Berlin"),
            ("Romance Standard Time", ("+0100", "+0200", EUROPE), "Europe/Paris"),
            ("Europe/Prague", ("+0100", "+0200", EUROPE), "Europe/Prague"),
            ("/example.org/20260101/Europe/Rome", ("+0100", "+0200", EUROPE), "Europe/Rome"),
            ("America/Denver", ("-0500", "-0400", US), "America/New_York"),
            ("Eastern Standard Time", ("+0100", "+0200", EUROPE), "Europe/Berlin"),
        ],
    )
    def test_a_name_never_beats_them(self, tzid: str, zones: tuple[str, str, list[str]], expected: str) -> None:
        item = one(f'DTSTART;TZID="{tzid}":20240701T120000', "RRULE:FREQ=DAILY", zones=zone(tzid, *zones))
        assert item["timeZone"] == expected
        assert "recurrenceOverrides" not in item

    def test_x_lic_location_chooses_among_zones_with_the_same_rules(self) -> None:
        for location, expected in (("Europe/Vienna", "Europe/Vienna"), ("America/Lima", "Europe/Berlin")):
            zones = zone("mine", "+0100", "+0200", EUROPE, f"X-LIC-LOCATION:{location}")
            assert one("DTSTART;TZID=mine:20240701T120000", zones=zones)["timeZone"] == expected

    def test_a_zone_of_other_rules_with_the_offset_of_the_day_serves_for_that_day(self) -> None:
        item = one("DTSTART;TZID=Old Eastern:20240320T120000", zones=zone("Old Eastern", "-0500", "-0400", OLD_US))
        assert instant(item) == "2024-03-20T17:00Z"

    def test_a_list_of_some_years_with_the_name_of_a_zone_is_that_zone(self) -> None:
        lines = list(vtimezone("Europe/Berlin", 2026, 2026))
        item = one("DTSTART;TZID=Europe/Berlin:20260105T120000", "RRULE:FREQ=WEEKLY", zones=lines)
        assert (item["timeZone"], "recurrenceOverrides" in item) == ("Europe/Berlin", False)
        assert one("DTSTART;TZID=Europe/Berlin:20300705T120000", zones=lines)["timeZone"] == "Europe/Berlin"

    def test_a_list_of_many_years_is_taken_at_its_word(self) -> None:
        """Fort Nelson gave up its changes in 2015, Yukon in 2020: the two have the same offsets until then."""
        lines = ["TZID:Canada/Yukon" if line.startswith("TZID") else line for line in vtimezone("America/Fort_Nelson", 2008, 2059)]
        rule = "RRULE:FREQ=MONTHLY;COUNT=135"
        item = one("DTSTART;TZID=Canada/Yukon:20090807T194500", rule, zones=lines)
        assert (item["timeZone"], "recurrenceOverrides" in item) == ("America/Fort_Nelson", False)

    def test_before_its_first_onset_a_vtimezone_says_nothing(self) -> None:
        zones = zone("Europe/London", "+0000", "+0100", EUROPE, start="19810329T010000")
        assert one("DTSTART;TZID=Europe/London:19700601T120000", zones=zones)["timeZone"] == "Europe/London"

    def test_an_unreadable_vtimezone_leaves_the_name(self) -> None:
        zones = ["BEGIN:VTIMEZONE", "TZID:Europe/Berlin", "END:VTIMEZONE"]
        assert one("DTSTART;TZID=Europe/Berlin:20260101T120000", zones=zones)["timeZone"] == "Europe/Berlin"

    def test_random_zones_keep_their_instants(self) -> None:
        assert list(problems(40, 2026)) == []

    def test_a_change_an_hour_off_moves_no_occurrence_by_day(self) -> None:
        """Some programs write 02:00 for both changes of Central Europe: wrong for an hour of one night a year."""
        zones = [line.replace("T030000", "T020000") for line in zone("mine", "+0100", "+0200", EUROPE)]
        item = one("DTSTART;TZID=mine:20240701T120000", "RRULE:FREQ=DAILY", zones=zones)
        assert (item["timeZone"], "recurrenceOverrides" in item) == ("Europe/Berlin", False)


class TestZonesThatOnlyTheFileDefines:
    ODD = fixed("Odd", "+0307")

    def test_a_single_event_is_the_same_instant_in_utc_and_its_line_comes_back(self) -> None:
        data = file("DTSTART;TZID=Odd:20260101T120000", "DTEND;TZID=Odd:20260101T130000", zones=self.ODD)
        items = read_calendar(data)
        assert (items[0]["timeZone"], items[0]["start"], items[0]["duration"]) == ("Etc/UTC", "2026-01-01T08:53:00", "PT1H")
        text = write_calendar(items)
        assert b"DTSTART;TZID=Odd:20260101T120000\r\n" in text
        assert b"DTEND;TZID=Odd:20260101T130000\r\n" in text
        assert b"TZOFFSETTO:+0307\r\n" in text
        assert read_calendar(text) == items

    def test_after_an_edit_on_the_server_the_line_is_in_the_zone_of_the_file(self) -> None:
        items = read_calendar(file("DTSTART;TZID=Odd:20260101T120000", zones=self.ODD))
        assert b"DTSTART;TZID=Odd:20260102T120000\r\n" in write_calendar([{**items[0], "start": "2026-01-02T08:53:00"}])
        assert b"DTSTART;TZID=Europe/Berlin:20260102T" in write_calendar(
            [{**items[0], "timeZone": "Europe/Berlin", "start": "2026-01-02T08:53:00"}]
        )

    def test_a_series_gets_starts_of_its_own_where_no_zone_has_the_offset(self) -> None:
        """Outlook applies the rules since 2007 to all years: in March 2006 New York was an hour behind them."""
        data = file(
            *('DTSTART;TZID="Eastern Standard Time":20060301T120000', "RRULE:FREQ=WEEKLY"),
            "EXDATE;TZID=Eastern Standard Time:20060322T120000",
            zones=zone("Eastern Standard Time", "-0500", "-0400", US),
        )
        items = read_calendar(data)
        assert items[0]["timeZone"] == "America/New_York"
        assert items[0]["recurrenceOverrides"] == {
            "2006-03-15T12:00:00": {"start": "2006-03-15T11:00:00"},
            "2006-03-22T12:00:00": {"excluded": True},
            "2006-03-29T12:00:00": {"start": "2006-03-29T11:00:00"},
            "2006-11-01T12:00:00": {"start": "2006-11-01T11:00:00"},
        }
        text = write_calendar(items)
        assert text.count(b"BEGIN:VEVENT") == 1
        assert b"DTSTART;TZID=Eastern Standard Time:20060301T120000\r\n" in text
        assert read_calendar(text) == items
        edited = {
            **items[0],
            "recurrenceOverrides": {**items[0]["recurrenceOverrides"], "2006-11-01T12:00:00": {"start": "2006-11-01T12:30:00"}},
        }
        assert read_calendar(write_calendar([edited]))[0]["recurrenceOverrides"] == edited["recurrenceOverrides"]

    def test_an_override_and_a_task_of_such_a_zone_keep_their_instants(self) -> None:
        more = ("BEGIN:VEVENT", "UID:u", "DTSTAMP:20260101T000000Z", "RECURRENCE-ID;TZID=Odd:20260102T120000")
        data = file(
            *("DTSTART;TZID=Odd:20260101T120000", "RRULE:FREQ=DAILY;COUNT=3"),
            zones=self.ODD,
            more=(*more, "DTSTART;TZID=Odd:20260102T150000", "END:VEVENT"),
        )
        items = read_calendar(data)
        starts = [items[0]["recurrenceOverrides"][key]["start"] for key in sorted(items[0]["recurrenceOverrides"])]
        zone_ = items[0]["timeZone"]
        assert [instant({"start": start, "timeZone": zone_}) for start in starts] == [
            "2026-01-01T08:53Z",
            "2026-01-02T11:53Z",
            "2026-01-03T08:53Z",
        ]
        assert read_calendar(write_calendar(items)) == items
        task = file("DUE;TZID=Odd:20260101T120000", zones=self.ODD).replace(b"VEVENT", b"VTODO")
        tasks = read_calendar(task)
        assert (tasks[0]["due"], tasks[0]["timeZone"]) == ("2026-01-01T08:53:00", "Etc/UTC")
        assert b"DUE;TZID=Odd:20260101T120000" in write_calendar(tasks)

    @pytest.mark.parametrize(("tzid", "given"), [(r"A\, B", "A, B"), (r"A\, B", r"A\, B"), ("A, B", "A, B"), ("Own", "OWN")])
    def test_a_tzid_is_found_with_its_escapes_and_in_another_case(self, tzid: str, given: str) -> None:
        lines = (f'DTSTART;TZID="{given}":20260701T120000', "RRULE:FREQ=DAILY;COUNT=3", f'X-LINE;TZID="{given}":20260701T120000')
        for zones, moment in ((zone(tzid, "-0500", "-0400", US), "16:00"), (fixed(tzid, "+0307"), "08:53")):
            data = file(*lines, zones=zones)
            item = read_calendar(data)[0]
            first = item.get("recurrenceOverrides", {}).get("2026-07-01T12:00:00", {}).get("start", item["start"])
            assert instant({**item, "start": first}) == f"2026-07-01T{moment}Z"
            written = write_calendar([item])
            assert {line for line in written.decode().split("\r\n") if "TZID:" in line} == {f"TZID:{escape(unescape(tzid))}"}
            assert written.count(f'TZID="{unescape(tzid)}"'.encode()) + written.count(f"TZID={unescape(tzid)}:".encode()) == 2
            assert read_calendar(written) == [item]

    def test_a_name_of_the_database_with_other_rules_does_not_spoil_the_real_zone(self) -> None:
        zones = fixed("Europe/London", "+0530")
        item = one("DTSTART;TZID=Europe/London:20260701T120000", zones=zones)
        assert item["timeZone"] == "Asia/Kolkata"
        text = write_calendar([{**item, "endTimeZone": "Europe/London"}])
        again = read_calendar(text)[0]
        assert (again["timeZone"], again["endTimeZone"], again["start"]) == ("Asia/Kolkata", "Europe/London", "2026-07-01T12:00:00")


class TestNamesWithoutAVtimezone:
    def test_every_windows_key_has_the_offsets_of_its_zone(self) -> None:
        begin, end = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2000, 2041))
        for key, name in win_tz.items():
            found = one(f'DTSTART;TZID="{key}":20240701T120000')["timeZone"]
            infos = ZoneInfo(found), ZoneInfo(name)
            assert zone_offset(infos[0], begin) == zone_offset(infos[1], begin), key
            assert zone_changes(infos[0], begin, end) == zone_changes(infos[1], begin, end), key

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("Eastern Time (US & Canada)", "America/New_York"),
            ("(GMT+10:00) Canberra, Melbourne, Sydney", "Australia/Sydney"),
            ("(UTC-05:00) Eastern Time (US & Canada)", "America/New_York"),
            ("(GMT-08.00) Pacific Time (US & Canada)/Tijuana", "America/Los_Angeles"),
            ("(GMT) Greenwich Mean Time : Dublin, Edinburgh, Lisbon, London", "Europe/London"),
            ("(UTC) Coordinated Universal Time", "Etc/UTC"),
            ("(UTC-11:00) Coordinated Universal Time-11", "Etc/GMT+11"),
            ("W. Europe Daylight Time", "Europe/Berlin"),
            ("(UTC+02:00) Chisinau", "Europe/Chisinau"),
            ("(GMT-11:00) Midway Island, Samoa", "Etc/GMT+11"),
            ("Central European", "Europe/Warsaw"),
            ("tzone://Microsoft/Utc", "Etc/UTC"),
            ("(UTC\u221205:00) Eastern Time (US &amp; Canada)", "America/New_York"),
            ("W. Europe Standard Time 1", "Europe/Berlin"),
            ("Mexico Standard Time 2", "America/Chihuahua"),
        ],
    )
    def test_display_names_of_every_generation_are_known(self, name: str, expected: str) -> None:
        assert one(f'DTSTART;TZID="{name}":20241228T133000')["timeZone"] == expected

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("(UTC+01:00) Amsterdam, Berlin, Bern, Rom, Stockholm, Wien", "Europe/Berlin"),
            ("(UTC+01:00) Bruxelles, Copenhague, Madrid, Paris", "Europe/Paris"),
            ("(UTC) Dublin, Edimbourg, Lisbonne, Londres", "Europe/London"),
            ("(UTC+02:00) Helsinki, Kiew, Riga, Sofia, Tallinn, Wilna", "Europe/Kiev"),
            ("(UTC-06:00) Guadalajara, Ciudad de M\u00e9xico, Monterrey", "America/Mexico_City"),
            ("(UTC+02:00) Harare, Pret\u00f3ria", "Africa/Johannesburg"),
            ("(UTC-05:00) London, Ontario", None),
            ("(UTC+01:00) Berlin, Moscow", None),
            ("(UTC+03:00) Magadan, Elsewhere", None),
            ("Madrid, Elsewhere", None),
        ],
    )
    def test_a_display_name_in_another_language_is_found_by_its_cities(self, name: str, expected: str | None) -> None:
        assert zone_of_windows(name) == expected

    def test_every_windows_key_has_a_display_name_and_other_data_of_cldr_has_no_more_keys(self) -> None:
        named = {line.partition("|")[0] for line in _NAMES.strip().splitlines()}
        assert win_tz.keys() <= named
        assert [key for key in WINDOWS_TO_OLSON if zone_of_name(key) is None] == []

    @pytest.mark.parametrize(
        ("name", "key"),
        [
            ("(UTC-07:00) British Columbia", "British Columbia Standard Time"),
            ("(UTC-06:00) Alberta", "Alberta Standard Time"),
            ("(UTC-05:00) Manitoba", "Manitoba Standard Time"),
            ("Russia TZ 2 Daylight Time", "Russian Standard Time"),
            ("(UTC-11:00) Co-ordinated Universal Time-11", "UTC-11"),
            ("Cabo Verde Standard Time", "Cape Verde Standard Time"),
            ("Jerusalem Daylight Time", "Israel Standard Time"),
            ("Azerbijan", "Azerbaijan Standard Time"),
        ],
    )
    def test_names_of_new_zones_and_of_standard_time_are_those_of_their_key(self, name: str, key: str) -> None:
        assert zone_of_name(name) == {**_OTHER_KEYS, **win_tz}[key]

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("europe/berlin", "Europe/Berlin"),
            ("AMERICA/NEW_YORK", "America/New_York"),
            ("us/mountain", "US/Mountain"),
            ("US/EASTERN", "US/Eastern"),
            ("AFRICA/DAR_ES_SALAAM", "Africa/Dar_es_Salaam"),
            ("ETC/GMT+5", "Etc/GMT+5"),
            ("utc", "UTC"),
            ("GMT+0530", "Asia/Kolkata"),
            ("(UTC-09:30)", "Pacific/Marquesas"),
            ("GMT+0515", None),
        ],
    )
    def test_names_in_another_case_and_plain_offsets(self, name: str, expected: str | None) -> None:
        assert zone_of_name(name) == expected

    def test_the_offset_of_an_unknown_display_name_is_not_taken_for_the_zone(self) -> None:
        assert zone_of_name("(UTC+01:00) Somewhere, Elsewhere") is None
        assert zone_of_windows("Customized Time Zone") is None
        assert zone_of_name("GMT+0100") == "Etc/GMT-1"

    def test_the_tzid_of_a_zone_that_nobody_knows_is_kept_beside_a_floating_time(self) -> None:
        items = read_calendar(
            file("DTSTART;TZID=Nowhere:20260101T120000", "EXDATE;TZID=Nowhere:20260102T120000", "RRULE:FREQ=DAILY")
        )
        text = write_calendar(items)
        assert b"DTSTART;X-JMAPSYNC-TZID=Nowhere:20260101T120000\r\n" in text
        assert b";TZID=" not in text
        assert read_calendar(text) == items


class TestTime:
    def test_an_unknown_vtimezone_takes_less_than_20_ms_of_processor_time(self) -> None:
        zone_of_rules("warm", "\n".join(zone("warm", "-0513", "-0413", US)), 2026)
        begun = time.process_time()
        for number in range(20):
            assert zone_of_rules("Odd", "\n".join(zone("Odd", f"-05{number + 20}", f"-04{number + 20}", US)), 2026) is None
        assert time.process_time() - begun < 20 * 0.02


def test_a_zone_that_only_the_file_defines_is_reported() -> None:
    data = file("DTSTART;TZID=Odd:20260101T120000", zones=fixed("Odd", "+0307"))
    [one_] = converted(data)
    assert one_.left_out == ("no zone of the IANA database has the offsets of its time zone 'Odd'; its times are converted.",)
    [other] = converted(file("DTSTART;TZID=mine:20260101T120000", zones=zone("mine", "-0500", "-0400", US)))
    assert other.left_out == ()
    [serves] = converted(file("DTSTART;TZID=Old:20240320T120000", zones=zone("Old", "-0500", "-0400", OLD_US)))
    assert serves.left_out == ()


def test_every_display_name_has_the_offsets_of_its_key() -> None:
    begin, end = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2000, 2041))
    keys = {**_OTHER_KEYS, **win_tz}
    for line in _NAMES.strip().splitlines():
        key, *names = line.split("|")
        for name in names:
            found = zone_of_name(f"(GMT+00:00) {name}")
            assert found is not None, name
            assert [zone_of_name(form.format(name)) for form in ("{}", "(UTC-05:00) {}", "(UTC) {}", "(GMT+5:30) {}")] == [
                found
            ] * 4, name
            infos = ZoneInfo(found), ZoneInfo(keys[key])
            assert zone_offset(infos[0], begin) == zone_offset(infos[1], begin), name
            assert zone_changes(infos[0], begin, end) == zone_changes(infos[1], begin, end), name


CYRUS = [
    *("BEGIN:VTIMEZONE", "TZID:Europe/Berlin", "X-LIC-LOCATION:Europe/Berlin", "TZUNTIL:20260202T100000Z", "BEGIN:DAYLIGHT"),
    *("TZNAME:CEST", "TZOFFSETFROM:+0100", "TZOFFSETTO:+0200", "DTSTART:19810329T020000"),
    *("RRULE:FREQ=YEARLY;UNTIL=20250330T010000Z;BYDAY=-1SU;BYMONTH=3", "END:DAYLIGHT", "BEGIN:STANDARD", "TZNAME:CET"),
    *("TZOFFSETFROM:+0200", "TZOFFSETTO:+0100", "DTSTART:19961027T030000"),
    *("RRULE:FREQ=YEARLY;UNTIL=20251026T010000Z;BYDAY=-1SU;BYMONTH=10", "END:STANDARD", "END:VTIMEZONE"),
]
"""What Cyrus 3.12 writes for a series in January 2026: its rules end before, and the first of them are those of later years."""


@pytest.mark.parametrize("rule", [[], ["RRULE:FREQ=WEEKLY;COUNT=5"], ["RRULE:FREQ=WEEKLY;UNTIL=20260202T090000Z"]])
def test_a_zone_that_cyrus_cut_before_the_event_is_the_zone_that_it_names(rule: list[str]) -> None:
    start = "DTSTART;TZID=Europe/Berlin:20260105T100000"
    item, plain = one(start, *rule, zones=CYRUS), one(start, *rule)
    assert (item["timeZone"], instant(item)) == ("Europe/Berlin", "2026-01-05T09:00Z")
    assert item == plain


@pytest.mark.parametrize("tzid", ["Europe/Berlin", "Romance Standard Time", "Europe/Paris"])
def test_a_name_that_holds_over_the_span_is_preferred_to_zones_that_hold_longer(tzid: str) -> None:
    item = one(f"DTSTART;TZID={tzid}:20260105T100000", "RRULE:FREQ=WEEKLY;COUNT=5", zones=fixed(tzid, "+0100"))
    assert item["timeZone"] == ("Europe/Paris" if "Romance" in tzid else tzid)
    summer = one(f"DTSTART;TZID={tzid}:20260705T100000", "RRULE:FREQ=WEEKLY;COUNT=5", zones=fixed(tzid, "+0100"))
    assert instant(summer) == "2026-07-05T09:00Z"


def test_a_name_beside_rules_that_end_for_good_does_not_decide() -> None:
    """Jujuy gave up summer time a year before Córdoba: the two have the same offsets until then."""
    lines = ["BEGIN:VTIMEZONE", "TZID:America/Cordoba"]
    for part, onset, before, after in (
        ("STANDARD", "20040101T000000", "-0300", "-0300"),
        ("DAYLIGHT", "20071230T000000", "-0300", "-0200"),
        ("STANDARD", "20080316T000000", "-0200", "-0300"),
    ):
        lines += [f"BEGIN:{part}", f"DTSTART:{onset}", f"TZOFFSETFROM:{before}", f"TZOFFSETTO:{after}", f"END:{part}"]
    item = one("DTSTART;TZID=America/Cordoba:20050303T061500", "RRULE:FREQ=MONTHLY;INTERVAL=3", zones=[*lines, "END:VTIMEZONE"])
    december = datetime(2008, 12, 3, 6, 15, tzinfo=ZoneInfo(item["timeZone"]))
    assert december.utcoffset() == timedelta(hours=-3)


class TestInstantsWithoutALocalTime:
    """The nearest zone may repeat or skip an hour that the zone of the file does not."""

    LATE = zone("Late", "-0500", "-0400", ["FREQ=YEARLY;BYDAY=1MO;BYMONTH=11", US[1]])
    """New York, where summer time ends on a Monday: in 2026 a day later."""
    START = ("DTSTART;TZID=Late:20261030T023000", "RRULE:FREQ=DAILY;COUNT=5")

    def test_an_occurrence_in_the_second_of_two_equal_hours_is_given_in_utc(self) -> None:
        data = file(*self.START, zones=self.LATE)
        items = read_calendar(data)
        assert items[0]["timeZone"] == "America/New_York"
        assert items[0]["recurrenceOverrides"] == {"2026-11-01T02:30:00": {"start": "2026-11-01T06:30:00", "timeZone": "Etc/UTC"}}
        text = write_calendar(items)
        assert text.count(b"BEGIN:VEVENT") == 1
        assert b"DTSTART;TZID=Late:20261030T023000\r\n" in text
        assert read_calendar(text) == items

    def test_so_is_an_override_and_an_occurrence_more_and_their_lines_come_back(self) -> None:
        moved = ("RECURRENCE-ID;TZID=Late:20261031T023000", "DTSTART;TZID=Late:20261101T021500")
        more = ("BEGIN:VEVENT", "UID:u", "DTSTAMP:20260101T000000Z", *moved, "END:VEVENT")
        excluded = "EXDATE:20261101T063000Z"  # of the zone of the file: 02:30
        items = read_calendar(file(*self.START, excluded, "RDATE;TZID=Late:20261101T020000", zones=self.LATE, more=more))
        assert items[0]["recurrenceOverrides"] == {
            "2026-10-31T02:30:00": {"start": "2026-11-01T06:15:00", "timeZone": "Etc/UTC"},
            "2026-11-01T02:00:00": {"start": "2026-11-01T06:00:00", "timeZone": "Etc/UTC"},
            "2026-11-01T02:30:00": {"excluded": True},
        }
        text = write_calendar(items)
        assert all(line.encode() in text for line in (*moved, "RDATE;TZID=Late:20261101T020000"))
        assert read_calendar(text) == items

    def test_an_override_that_the_file_has_in_utc_stays_one(self) -> None:
        moved = ("RECURRENCE-ID;TZID=Late:20261031T023000", "DTSTART:20261031T120000Z")
        items = read_calendar(
            file(*self.START, zones=self.LATE, more=("BEGIN:VEVENT", "UID:u", "DTSTAMP:20260101T000000Z", *moved, "END:VEVENT"))
        )
        text = write_calendar(items)
        assert b"DTSTART:20261031T120000Z\r\n" in text
        assert text.count(b"BEGIN:VEVENT") == 2
        assert read_calendar(text) == items

    def test_a_task_is_due_at_the_same_instant(self) -> None:
        start, due = "DTSTART;TZID=Late:20261030T020000", "DUE;TZID=Late:20261030T023000"
        data = file(start, due, "RRULE:FREQ=DAILY;COUNT=5", zones=self.LATE).replace(b"VEVENT", b"VTODO")
        items = read_calendar(data)
        assert items[0]["recurrenceOverrides"] == {
            "2026-11-01T02:00:00": {"start": "2026-11-01T06:00:00", "due": "2026-11-01T06:30:00", "timeZone": "Etc/UTC"}
        }
        assert due.encode() in write_calendar(items)
        assert read_calendar(write_calendar(items)) == items

    @pytest.mark.parametrize(("start", "expected"), [("20261101T013000", "05:30"), ("20261101T023000", "06:30")])
    def test_a_zone_of_the_same_offsets_that_changed_an_hour_before_does_not_serve(self, start: str, expected: str) -> None:
        """The database has no zone with this change, so the span of the event decides: New York has the offset after it."""
        item = one(f"DTSTART;TZID=Mine:{start}", "DURATION:PT10M", zones=fixed("Mine", "-0400"))
        assert instant(item) == f"2026-11-01T{expected}Z"
        later = one(
            "DTSTART;TZID=Eastern Standard Time:20261101T013000", "DURATION:PT10M", zones=fixed("Eastern Standard Time", "-0500")
        )
        assert instant(later) == "2026-11-01T06:30Z"

    def test_a_day_ends_when_it_ends_in_the_zone_of_the_file(self) -> None:
        single = read_calendar(file("DTSTART;TZID=Late:20261101T120000", "DURATION:P1D", zones=self.LATE))
        assert (single[0]["timeZone"], single[0]["start"], single[0]["duration"]) == ("Etc/UTC", "2026-11-01T16:00:00", "PT25H")
        assert b"DURATION:P1D\r\n" in write_calendar(single)
        assert read_calendar(write_calendar(single)) == single
        items = read_calendar(
            file("DTSTART;TZID=Late:20261030T120000", "DURATION:P1D", "RRULE:FREQ=DAILY;COUNT=4", zones=self.LATE)
        )
        assert items[0]["duration"] == "P1D"
        assert items[0]["recurrenceOverrides"] == {
            "2026-10-31T12:00:00": {"duration": "PT24H"},
            "2026-11-01T12:00:00": {"start": "2026-11-01T11:00:00", "duration": "PT25H"},
        }
        text = write_calendar(items)
        assert text.count(b"BEGIN:VEVENT") == 1
        assert b"DURATION:P1D\r\n" in text
        assert read_calendar(text) == items


class TestTheTextOfZones:
    def test_an_override_and_an_end_in_another_zone_of_the_file_keep_their_lines(self) -> None:
        """The zones of Odd and Half are in the database only for the days of the event."""
        zones = [*zone("Half", "-0500", "-0400", ["FREQ=YEARLY;BYDAY=1MO;BYMONTH=11", US[1]]), *fixed("Odd", "+0307")]
        start = ("DTSTART;TZID=Odd:20260901T120000", "DTEND;TZID=Half:20260901T060000", "RRULE:FREQ=DAILY;COUNT=3")
        moved = ("RECURRENCE-ID;TZID=Odd:20260902T120000", "DTSTART;TZID=Half:20260902T050000")
        more = ("BEGIN:VEVENT", "UID:u", "DTSTAMP:20260101T000000Z", *moved, "END:VEVENT")
        items = read_calendar(file(*start, zones=zones, more=more))
        text = write_calendar(items)
        assert [line for line in (*start, *moved) if f"{line}\r\n".encode() not in text] == []
        assert read_calendar(text) == items

    def test_a_zone_with_other_rules_than_the_database_has_under_its_name_is_written_as_it_was(self) -> None:
        zones = zone("America/New_York", "-0500", "-0400", OLD_US)
        items = read_calendar(file("DTSTART;TZID=America/New_York:20260920T120000", "RRULE:FREQ=WEEKLY;COUNT=20", zones=zones))
        assert items[0]["timeZone"] == "America/New_York"
        assert items[0]["recurrenceOverrides"] == {"2026-10-25T12:00:00": {"start": "2026-10-25T13:00:00"}}
        text = write_calendar(items)
        assert f"RRULE:{OLD_US[0]}\r\n".encode() in text
        assert text.count(b"BEGIN:VEVENT") == 1
        assert read_calendar(text) == items

    def test_a_zone_that_is_utc_under_another_name_is_written_under_that_name(self) -> None:
        items = read_calendar(file("DTSTART;TZID=Ours:20260920T120000", "RRULE:FREQ=DAILY;COUNT=2", zones=fixed("Ours", "+0000")))
        assert items[0]["timeZone"] == "Etc/UTC"
        text = write_calendar(items)
        assert b"DTSTART;TZID=Ours:20260920T120000\r\n" in text
        assert read_calendar(text) == items


def test_a_rule_of_far_too_many_occurrences_is_refused_after_some_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[datetime] = []

    def counted(rule: str, **given: datetime) -> Iterator[datetime]:
        for moment in rrulestr(rule, **given):
            computed.append(moment)
            yield moment

    monkeypatch.setattr("dateutil.rrule.rrulestr", counted)
    start, zones = "DTSTART;TZID=Odd:19970902T090000", fixed("Odd", "+0307")
    with pytest.raises(MalformedError, match="cannot be computed"):
        one(start, "RRULE:FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10,11", zones=zones)
    assert len(computed) < 3000
    assert one(start, "RRULE:FREQ=MINUTELY;INTERVAL=15;BYMONTH=9;BYMONTHDAY=2;COUNT=200", zones=zones)["timeZone"] == "Etc/UTC"


@pytest.mark.parametrize(
    ("rule", "count"),
    [
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", 1),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", 11),
        ("FREQ=MINUTELY;INTERVAL=4;BYMONTH=9;BYMONTHDAY=2", 225 + 40 * 360),
        ("FREQ=SECONDLY;BYHOUR=9;BYMINUTE=0;BYSECOND=0", None),
        ("FREQ=MINUTELY;BYHOUR=9;BYMONTH=2;BYMONTHDAY=30", None),
    ],
)
def test_rules_that_occur_rarely_or_never_are_computed_in_bounded_time(rule: str, count: int | None) -> None:
    item = one("DTSTART:19970902T090000", f"RRULE:{rule}")
    found = occurrences(item)
    assert (None if found is None else len(found.locals)) == count


@pytest.mark.parametrize("start", ["DTSTART:20060102T120000", "DTSTART;TZID=Europe/Berlin:20060102T120000"])
@pytest.mark.parametrize("end", ["DURATION:PT1H", "DTEND;TZID=Own:20060104T150000"])
def test_an_override_in_a_zone_that_only_the_file_defines_keeps_its_tzid(start: str, end: str) -> None:
    own = zone("Own", "-0500", "-0400", ["FREQ=YEARLY;BYDAY=-1SU;BYMONTH=9", "FREQ=YEARLY;BYDAY=1SU;BYMONTH=5"])
    recurrence = start.replace("DTSTART", "RECURRENCE-ID").replace("02T", "04T")
    more = ("BEGIN:VEVENT", "UID:u", "DTSTAMP:20260101T000000Z", recurrence, "DTSTART;TZID=Own:20060104T140000", end, "END:VEVENT")
    objects = read_calendar(file(start, "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=5", zones=own, more=more))
    written = write_calendar(objects)
    assert b"DTSTART;TZID=Own:20060104T140000" in written
    assert read_calendar(written) == objects


class TestFormsOfOtherPrograms:
    LIKE_BERLIN = zone("Mine", "+0100", "+0200", EUROPE)
    ENDS = (("00010101T000000", "+0307"), ("00010102T120000", "-0907"), ("99991231T235959", "+0307"))

    def test_a_date_as_the_end_of_a_rule_includes_its_day(self) -> None:
        """As in the rule of an event: the last change of such a rule is on that day."""
        lines = zone("Mine", "-0500", "-0400", OLD_US, start="20000101T020000")
        until = [f"{line};UNTIL=20060402" if line.endswith("BYMONTH=4") else line for line in lines]
        until = [f"{line};UNTIL=20061029" if line.endswith("BYMONTH=10") else line for line in until]
        found = rules_of("\n".join(until))
        assert found is not None
        assert found.rules.end == int(datetime(2006, 10, 29, 6, tzinfo=UTC).timestamp())
        assert instant(one("DTSTART;TZID=Mine:20060701T120000", zones=until)) == "2006-07-01T16:00Z"

    @pytest.mark.parametrize(
        ("autumn", "spring"),
        [
            ("BYMINUTE=0;BYHOUR=3;BYDAY=-1SU;BYMONTH=10", "BYMINUTE=00;BYHOUR=02;BYSECOND=0;BYDAY=-1SU;BYMONTH=3"),  # Lotus Notes
            ("BYDAY=SU;BYSETPOS=-1;BYMONTH=10", "BYDAY=SU;BYMONTH=3;BYSETPOS=-1;WKST=MO"),
        ],
    )
    def test_yearly_rules_of_other_forms_go_on_after_the_years_of_the_database(self, autumn: str, spring: str) -> None:
        rules = list(zip(EUROPE, (autumn, spring), strict=True))
        lines = [
            next((f"RRULE:FREQ=YEARLY;{new}" for old, new in rules if line == f"RRULE:{old}"), line) for line in self.LIKE_BERLIN
        ]
        for year in (1999, 2026, 2038, 2055):
            item = one(f"DTSTART;TZID=Mine:{year}0701T120000", "RRULE:FREQ=WEEKLY;COUNT=60", zones=lines)
            assert (item["timeZone"], instant(item)) == ("Europe/Berlin", f"{year}-07-01T10:00Z")
            assert "recurrenceOverrides" not in item

    @pytest.mark.parametrize("written", ["+03:07", "0307", "+307"])
    def test_offsets_are_read_in_every_form(self, written: str) -> None:
        item = one("DTSTART;TZID=Odd:20260101T120000", zones=fixed("Odd", written))
        assert instant(item) == "2026-01-01T08:53Z"

    @pytest.mark.parametrize("broken", ["TZOFFSETFROM:+5328", "X-NOTHING:1"])
    def test_an_observance_without_the_offset_before_it_applies(self, broken: str) -> None:
        lines = ["BEGIN:VTIMEZONE", "TZID:Mine"]
        for kind, after, rule in (("STANDARD", "+0100", EUROPE[0]), ("DAYLIGHT", "+0200", EUROPE[1])):
            onset = "19700101T030000" if kind == "STANDARD" else "19700101T020000"
            lines += [f"BEGIN:{kind}", f"DTSTART:{onset}", broken, f"TZOFFSETTO:{after}", f"RRULE:{rule}", f"END:{kind}"]
        lines.append("END:VTIMEZONE")
        for start, expected in (("20260115T120000", "11:00"), ("20260715T120000", "10:00")):
            assert instant(one(f"DTSTART;TZID=Mine:{start}", zones=lines))[11:] == f"{expected}Z"

    @pytest.mark.parametrize("name", ["Europe/Berlin", "Africa/Casablanca", "Australia/Lord_Howe", "Etc/UTC"])
    def test_the_changes_of_a_zone_in_far_years_are_those_of_its_rule(self, name: str) -> None:
        info = ZoneInfo(name)
        for year in (2099, 2400, 2460, 4000, 9996):
            begin, end = (int(datetime(each, 1, 1, tzinfo=UTC).timestamp()) for each in (year, year + 2))
            found, offset = zone_changes(info, begin, end), zone_offset(info, begin)
            for hour in range(begin, end, 3600):
                if (now := zone_offset(info, hour)) != offset:
                    assert found[0] == (hour, now) or found[0] == (hour - 1800, now)
                    found, offset = found[1:], now
            assert found == ()

    @pytest.mark.parametrize(("start", "offset"), ENDS)
    def test_times_at_the_ends_of_the_calendar_are_converted_or_refused(self, start: str, offset: str) -> None:
        rules = ("FREQ=DAILY;COUNT=3", "FREQ=YEARLY", "FREQ=YEARLY;UNTIL=99991231T000000Z", "FREQ=DAILY;UNTIL=00010103T000000Z")
        for rule in ([], *([f"RRULE:{text}"] for text in rules)):
            for end in ("DURATION:P1D", "DURATION:P999999D", "DTEND;TZID=Odd:99991231T235959"):
                try:
                    items = read_calendar(file(f"DTSTART;TZID=Odd:{start}", *rule, end, zones=fixed("Odd", offset)))
                    text = write_calendar(items)
                except MalformedError:
                    continue
                assert write_calendar(read_calendar(text)) == text


@pytest.mark.parametrize("until", ["99991231T235959Z", "99991231", "25000101T000000Z"])
def test_a_series_until_the_end_of_all_years_is_compared_like_one_without_end(until: str) -> None:
    """Its file was once refused by the reader: it listed each change of the clock until the year 9998."""
    for zones in ([], zone("Mine", "-0500", "-0400", US), zone("Mine", "-0500", "-0400", OLD_US)):
        tzid = "Mine" if zones else "Europe/Berlin"
        data = file(f"DTSTART;TZID={tzid}:20260105T100000", f"RRULE:FREQ=WEEKLY;UNTIL={until}", "SUMMARY:a", zones=zones)
        item = read_calendar(data)[0]
        endless = read_calendar(data.replace(f";UNTIL={until}".encode(), b""))[0]
        for name in ("timeZone", "recurrenceOverrides"):
            assert item.get(name) == endless.get(name)
        written = write_calendar([item])
        assert len(written) < 2000
        assert f"UNTIL={until}".encode() in written
        assert read_calendar(written) == [item]
