"""`jmapsync verify`: it names each thing that differs, says clean only of what is, and changes nothing."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.demo import DemoServer
    from tests.cli.conftest import Command, Home, Result


@pytest.fixture
def mirrored(home: Home, server: DemoServer, jmapsync: Command) -> Home:
    server.account.create_mailbox("Bulk")
    server.account.populate(30, mailboxes=["INBOX", "Bulk"])
    assert jmapsync("sync").code == 0
    return home


def reported(result: Result) -> list[str]:
    """Return the differences that were printed, without what comes before them."""
    return [line.partition("different: ")[2] for line in result.out.splitlines() if "different: " in line]


def message(home: Home, folder: str = "INBOX") -> Path:
    return min((home.mail / folder).glob("[cn][ue][rw]/*"))


def snapshot(home: Home) -> dict[str, tuple[int, int]]:
    paths = [*home.mail.rglob("*"), *home.state.rglob("*")]
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in paths if path.is_file()}


def test_a_complete_mirror_is_reported_as_such(mirrored: Home, jmapsync: Command) -> None:
    before = snapshot(mirrored)
    done = jmapsync("verify")
    assert (done.code, reported(done)) == (0, [])
    assert "home mail: Bulk: 15 here, 15 on the server" in done.out
    assert "complete" in done.out
    assert "proved by the server's digests" in done.out
    assert snapshot(mirrored) == before


def test_a_flipped_byte_is_found_though_nothing_else_shows_it(mirrored: Home, jmapsync: Command) -> None:
    file = message(mirrored)
    state, content = file.stat(), bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    with file.open("r+b") as opened:
        opened.write(content)
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    done = jmapsync("verify")
    assert done.code == 3
    [line] = reported(done)
    assert line.endswith(f"{file.name}: its bytes are not the server's")


def test_a_missing_file_is_named(mirrored: Home, jmapsync: Command) -> None:
    file = message(mirrored)
    file.unlink()
    done = jmapsync("verify")
    assert done.code == 3
    [line] = reported(done)
    assert line.endswith("it is on the server, in INBOX, and not here")
    assert '"' in line, "it is named by its subject, and not by its id alone"


def test_an_extra_file_is_named(mirrored: Home, jmapsync: Command) -> None:
    extra = mirrored.mail / "INBOX" / "cur" / "1700000000.extra.host:2,S"
    extra.write_bytes(b"Subject: extra\n\n")
    os.utime(extra, (1_700_000_000, 1_700_000_000))
    done = jmapsync("verify")
    assert (done.code, reported(done)) == (3, ["INBOX/cur/1700000000.extra.host:2,S: it is here, and not on the server"])


def test_a_wrong_flag_is_named(mirrored: Home, jmapsync: Command) -> None:
    file = message(mirrored)
    flagged = file.parent.with_name("cur") / f"{file.name.partition(':2,')[0]}:2,F"
    file.rename(flagged)
    done = jmapsync("verify")
    assert done.code == 3
    [line] = reported(done)
    assert "it is marked $flagged here and " in line


def test_a_mailbox_that_the_mirror_does_not_know_is_named_with_its_mail(
    mirrored: Home, server: DemoServer, jmapsync: Command
) -> None:
    server.account.deliver(b"Subject: new\r\n\r\n", [server.account.create_mailbox("New")])
    done = jmapsync("verify")
    assert done.code == 3
    assert "New: the server has it, and the mirror does not" in reported(done)
    assert any("it is on the server, in New, and not here" in line for line in reported(done))


def test_a_copy_missing_in_one_of_its_folders_is_named(mirrored: Home, server: DemoServer, jmapsync: Command) -> None:
    email = next(iter(server.account.emails))
    server.account.copy(email, "Archive")
    jmapsync("sync")
    message(mirrored, "Archive").unlink()
    done = jmapsync("verify")
    assert [line.rpartition(": ")[2] for line in reported(done)] == ["it is missing in Archive"]


def test_an_object_for_programs(mirrored: Home, jmapsync: Command) -> None:
    message(mirrored).unlink()
    done = jmapsync("verify", "--json")
    found = json.loads(done.out)
    mail = found["accounts"]["home"]["kinds"]["mail"]
    assert (done.code, found["ok"], mail["state"]) == (3, False, "different")
    assert mail["containers"]["INBOX"]["here"] == mail["containers"]["INBOX"]["there"] - 1
    assert [set(one) for one in mail["differences"]] == [{"item", "why"}]


def test_cards_are_compared_by_what_they_say(home: Home, server: DemoServer, jmapsync: Command) -> None:
    home.configure(more='[accounts.home.contacts]\npath = "~/contacts"\n')
    jmapsync("sync")
    assert jmapsync("verify").code == 0
    file = next((home.path / "contacts").rglob("*.vcf"))
    file.write_bytes(file.read_bytes().replace(b"END:VCARD", b"NOTE:mine\r\nEND:VCARD"))
    done = jmapsync("verify")
    assert (done.code, len(reported(done))) == (3, 1)
    assert server.account.contacts.items


def test_without_digests_of_the_server_s_every_body_is_fetched_again_in_ten_days(
    mirrored: Home, server: DemoServer, jmapsync: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.faults.hidden_capabilities.arm({"urn:ietf:params:jmap:blob"})
    monkeypatch.setattr("jmapsync.backup.verify.SHARE", 1)
    done = jmapsync("verify", "--json")
    mail = json.loads(done.out)["accounts"]["home"]["kinds"]["mail"]
    assert (done.code, mail["proved_by_digest"]) == (0, 0)
    assert mail["proved_by_body"] == mail["items"]
    assert mirrored.mail.is_dir()


def test_a_list_of_the_server_that_is_not_whole_is_named(mirrored: Home, server: DemoServer, jmapsync: Command) -> None:
    server.faults.rewrite_result.arm(lambda result: {**result, "ids": None}, only={"Email/query"})
    done = jmapsync("verify")
    assert done.code == 3
    assert any(line.startswith("the server's list: ") for line in reported(done))
