"""Info separators of other programs (`!2,`, `;2,`) and extensions: read, kept as they are, never doubled."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.kit.mirror import assert_mirrored

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.demo import DemoServer
    from tests.kit.mirror import Mirror

FORMS = ["!2,{}", ";2,{}", ":2,{},ext", ";2,{},a=1,b", "!2,{},W=5"]


def letter(word: str) -> bytes:
    return f"From: a@example.com\nSubject: {word}\n\n[{word}]\n".encode()


def keywords(server: DemoServer) -> set[str]:
    [(_, words)] = server.account.listing().values()
    return set(words)


def prepare(mirror: Mirror, form: str, *, layout: str) -> Path:
    mirror.layout = layout
    for part in ("cur", "new", "tmp"):
        (mirror.folder("INBOX") / part).mkdir(parents=True, exist_ok=True)
    return mirror.drop("INBOX", letter("one"), sub="cur", info=form.format("FS"))


@pytest.mark.parametrize("layout", ["nested", "maildir++"])
@pytest.mark.parametrize("form", FORMS)
def test_a_name_with_another_separator_keeps_it(server: DemoServer, mirror: Mirror, form: str, layout: str) -> None:
    file = prepare(mirror, form, layout=layout)
    mirror.sync()
    assert keywords(server) == {"$seen", "$flagged"}
    assert [one.name for one in mirror.files()] == [file.name]
    [ref] = server.account.emails
    server.account.set_keyword(ref, "$answered")
    server.account.set_keyword(ref, "$flagged", present=False)
    mirror.sync()
    changed = file.with_name(file.name.replace("2,FS", "2,RS"))
    assert mirror.files() == [changed]
    changed.rename(changed.with_name(changed.name.replace("2,RS", "2,DFRS")))  # a mail program that knows the form
    mirror.sync()
    assert keywords(server) == {"$seen", "$flagged", "$answered", "$draft"}
    report = mirror.sync()
    assert (report.to_disk.total, report.to_server.total, report.exit_code) == (0, 0, 0)


@pytest.mark.parametrize("form", FORMS)
def test_a_mail_program_that_knows_only_colons_changes_flags_all_the_same(server: DemoServer, mirror: Mirror, form: str) -> None:
    file = prepare(mirror, form, layout="nested")
    mirror.sync()
    base = file.name.rpartition(":")[0] or file.name  # as mutt does it: what follows the last colon is the info
    file.rename(file.with_name(f"{base}:2,RS"))
    mirror.sync()
    assert keywords(server) & {"$seen", "$answered"} == {"$seen", "$answered"}
    assert len(mirror.files()) == 1
    report = mirror.sync()
    assert (report.to_disk.total, report.to_server.total, report.exit_code) == (0, 0, 0)


@pytest.mark.parametrize("form", FORMS)
def test_a_tree_of_another_program_is_adopted_with_its_flags(server: DemoServer, mirror: Mirror, form: str) -> None:
    file = prepare(mirror, form, layout="nested")
    server.account.deliver(letter("one").replace(b"\n", b"\r\n"), ["INBOX"], ["$answered"], received_at=int(os.stat(file).st_mtime))
    mirror.sync()
    assert keywords(server) == {"$seen", "$flagged", "$answered"}
    assert [one.name for one in mirror.files()] == [file.name.replace("2,FS", "2,FRS")]


@pytest.mark.parametrize("form", FORMS)
def test_a_copy_marked_deleted_in_another_form_is_deleted(server: DemoServer, mirror: Mirror, form: str) -> None:
    file = prepare(mirror, form, layout="nested")
    mirror.sync()
    file.rename(file.with_name(file.name.replace("2,FS", "2,FST")))
    mirror.sync()
    [(homes, _)] = server.account.listing().values()
    assert homes == {"Trash"}
    assert_mirrored(server.account, mirror)


def test_a_new_message_in_new_with_another_separator_is_read(server: DemoServer, mirror: Mirror) -> None:
    mirror.sync()
    file = mirror.drop("INBOX", letter("one"), sub="new", info=";2,")
    mirror.sync()
    assert (keywords(server), file.exists()) == (set(), True)
    [ref] = server.account.emails
    server.account.set_keyword(ref, "$seen")
    mirror.sync()
    assert [one.name for one in mirror.files()] == [f"{file.name}S"]
