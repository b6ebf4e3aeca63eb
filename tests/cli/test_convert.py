"""`jmapsync convert`: files and standard input of many objects, in every direction, with a report of what does not fit."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = [sys.executable, "-c", "from jmapsync.cli import main; main()", "convert"]
CARD = b"BEGIN:VCARD\r\nVERSION:4.0\r\nUID:urn:uuid:1\r\nFN:Ann\r\nHOBBY:chess\r\nEND:VCARD\r\n"
EVENT = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\nMETHOD:PUBLISH\r\nBEGIN:VEVENT\r\nUID:e\r\nDTSTAMP:20260101T000000Z\r\n"
    b"DTSTART:20260105T100000Z\r\nSUMMARY:Lunch\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


def convert(data: bytes, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*PROGRAM, *arguments], input=data, capture_output=True, timeout=60, check=False)


def test_a_file_becomes_json_and_comes_back(tmp_path: Path) -> None:
    for data, kind in ((CARD, "Card"), (EVENT, "Group")):
        file = tmp_path / "file"
        file.write_bytes(data)
        done = convert(b"", str(file))
        assert json.loads(done.stdout)["@type"] == kind
        assert (done.returncode, done.stderr) == (0, b"")
        back = convert(done.stdout, "-")
        assert convert(back.stdout, "-").stdout == done.stdout


def test_many_objects_are_converted_and_a_malformed_one_is_reported() -> None:
    bad = b"BEGIN:VCARD\r\nVERSION:9\r\nFN:B\r\nEND:VCARD\r\n"
    done = convert(CARD + bad + CARD.replace(b"Ann", b"Cid"), "-", "--to", "jscontact")
    assert [json.loads(line)["name"]["full"] for line in done.stdout.splitlines()] == ["Ann", "Cid"]
    assert done.returncode == 3
    assert b"2: The file is a vCard of version '9'" in done.stderr


def test_what_the_format_has_no_property_for_is_reported() -> None:
    done = convert(CARD, "-", "--to", "vcard3")
    assert b"VERSION:3.0" in done.stdout
    assert b"Ann: no property for personalInfo; kept as JSPROP." in done.stderr
    sorted_as = b"BEGIN:VCARD\r\nVERSION:4.0\r\nUID:u\r\nFN:A\r\nORG;SORT-AS=z:Acme\r\nEND:VCARD\r\n"
    assert b"A: lost or changed: organizations/" in convert(sorted_as, "-", "--to", "vcard3").stderr


def test_every_direction() -> None:
    for wanted, mark in (("vcard3", b"VERSION:3.0"), ("vcard4", b"VERSION:4.0"), ("jscontact", b'"Card"')):
        assert mark in convert(CARD, "-", "--to", wanted).stdout
    for wanted, mark in (("ical", b"METHOD:PUBLISH"), ("jscalendar", b'"Group"')):
        assert mark in convert(EVENT, "-", "--to", wanted).stdout
    there = convert(EVENT, "-", "--to", "jscalendar").stdout
    assert b"METHOD:PUBLISH\r\n" in convert(there, "-", "--to", "ical").stdout
    events = json.dumps([{"@type": "Event", "uid": str(number), "start": "2026-01-05T12:00:00"} for number in range(2)]).encode()
    assert convert(events, "-").stdout.count(b"BEGIN:VCALENDAR") == 2


@pytest.mark.parametrize(("data", "code"), [(b"", 1), (b"{", 3), (b"[1]", 3), (b"x", 3), (b"\xff", 3)])
def test_what_is_no_object_is_reported(data: bytes, code: int) -> None:
    done = convert(data, "-")
    assert (done.returncode, done.stdout) == (code, b"")
    assert done.stderr.startswith(b"jmapsync: ")


def test_a_contact_is_no_calendar() -> None:
    assert convert(CARD, "-", "--to", "ical").returncode == 3


def test_the_result_goes_to_a_file(tmp_path: Path) -> None:
    assert convert(CARD, "-", "--to", "vcard3", "-o", str(tmp_path / "out.vcf")).stdout == b""
    assert (tmp_path / "out.vcf").read_bytes().startswith(b"BEGIN:VCARD\r\nVERSION:3.0\r\n")
    assert convert(b"", str(tmp_path / "none")).returncode == 1


def test_several_files_are_converted_and_those_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    first, second, broken = (tmp_path / name for name in ("1.vcf", "2.vcf", "3.vcf"))
    first.write_bytes(CARD)
    second.write_bytes(CARD)
    broken.write_bytes(b"x")
    done = subprocess.run(
        [*PROGRAM, first, tmp_path / "none.vcf", second, broken, "--to", "jscontact"], capture_output=True, check=False
    )
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 2
    assert f"jmapsync: {tmp_path}/none.vcf: No such file or directory\n".encode() in done.stderr
    assert f"jmapsync: {broken}: ".encode() in done.stderr


def test_a_full_disk_is_named_and_is_no_fault_of_the_program(tmp_path: Path) -> None:
    (tmp_path / "1.vcf").write_bytes(CARD)
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*PROGRAM, tmp_path / "1.vcf"], stdout=full, stderr=subprocess.PIPE, check=False)
    message = b"jmapsync: the output cannot be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, message)
    done = convert(CARD, "-o", "/dev/full")
    assert (done.returncode, done.stderr) == (1, b"jmapsync: /dev/full: No space left on device\n")
