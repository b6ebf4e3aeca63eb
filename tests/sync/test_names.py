"""A dry run, conflict copies and what is quarantined are named as people know them; an id alone is never a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import SetError
from jmapsync.errors import ServerError
from jmapsync.formats.labels import label_of_head, label_of_object
from jmapsync.ledger import Ledger
from tests.kit.object_mirror import ObjectMirror, change
from tests.sync.objects.samples import ADA, WEEKLY

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.demo import DemoServer
    from tests.kit.mirror import Mirror

SUBJECT = "=?utf-8?q?=C3=9Cber_engines?="
MESSAGE = f"From: Ada Lovelace <ada@example.com>\r\nSubject: {SUBJECT}\r\n\r\nx\r\n".encode()
NAME = '"Über engines" from Ada Lovelace <ada@example.com>'


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (MESSAGE, NAME),
        (MESSAGE.replace(b"\r\n", b"\n"), NAME),
        (b"subject:folded\n over\n\tlines\nFROM: a@b.example\n\nSubject: not this\n", '"folded over lines" from a@b.example'),
        (b"X: 1\n\nSubject: body\n", "a message without a subject"),
        (b"Subject: " + b"x" * 5000 + b"\n\n", f'"{"x" * 79}…"'),
        (b"Subject: a\x1b[2J\x00b\n\n", '"a\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}b"'),
        (b"Subject: \xff\xfe\n\n", '"\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"'),
        (b"", "a message without a subject"),
    ],
)
def test_a_message_is_named_by_subject_and_sender(head: bytes, name: str) -> None:
    assert label_of_head(head) == name


@pytest.mark.parametrize(
    ("item", "name"),
    [
        ({"name": {"full": "Ada Lovelace"}}, '"Ada Lovelace"'),
        ({"name": {"components": [{"kind": "given", "value": "Ada"}, {"kind": "surname", "value": "L."}]}}, '"Ada L."'),
        ({"organizations": {"o": {"name": "Acme"}}}, '"Acme"'),
        ({"emails": {"e": {"address": "a@b.example"}}}, '"a@b.example"'),
        ({"title": "Board", "start": "2026-12-07T10:00:00"}, '"Board" of 2026-12-07'),
        ({"title": "Proofs", "due": "2026-12-08T10:00:00"}, '"Proofs" of 2026-12-08'),
        ({"start": "2026-12-07T10:00:00"}, "an entry without a title of 2026-12-07"),
        ({"name": 7, "emails": [], "phones": {"p": None}}, ""),
    ],
)
def test_a_card_or_an_entry_is_named_by_what_it_says(item: dict[str, object], name: str) -> None:
    assert label_of_object(item) == name


def test_a_dry_run_names_what_it_would_fetch_and_asks_in_batches(server: DemoServer, mirror: Mirror) -> None:
    ids = [server.account.deliver(MESSAGE.replace(b"engines", f"engines {number}".encode())) for number in range(30)]
    report = mirror.sync(dry=True)
    reported = "\n".join(report.messages)
    for number, ref in enumerate(ids):
        assert (
            f'create "Über engines {number}" from Ada Lovelace <ada@example.com> (email {ref}) on disk: new on the server'
            in reported
        )
    assert mirror.requests <= 5


def test_a_dry_run_names_what_lies_here_by_its_file(server: DemoServer, mirror: Mirror) -> None:
    server.account.deliver(MESSAGE)
    mirror.sync()
    mirror.flag(mirror.files()[0], "S")
    mirror.drop("INBOX", MESSAGE.replace(b"engines", b"looms"))
    messages = mirror.sync(dry=True).messages
    assert len(messages) == 2
    assert any(one.startswith(f"update {NAME} (email ") for one in messages)
    assert any(one.startswith('create "Über looms" from Ada Lovelace <ada@example.com> (INBOX/new/') for one in messages)


def test_a_dry_run_whose_names_the_server_does_not_give_says_what_is_known(
    server: DemoServer, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.sync()
    email = server.account.deliver(MESSAGE)

    async def refuse(*_: object) -> dict[str, str]:
        raise ServerError("The server does not tell subjects.")

    monkeypatch.setattr("jmapsync.storage.jmap.mail.side.names", refuse)
    [message] = mirror.sync(dry=True).messages
    assert message.startswith("create a message of 20")
    assert f"octets (email {email}) on disk" in message


def test_what_is_quarantined_is_named_once_and_keeps_its_name(server: DemoServer, mirror: Mirror) -> None:
    email = server.account.deliver(MESSAGE)
    mirror.sync()
    mirror.flag(mirror.files()[0], "F")
    server.faults.set_error.arm(SetError("overQuota"), only=["Email/set"])
    for _ in range(3):
        [problem] = mirror.sync().problems
        assert problem.item == f"{NAME} (email {email})"
    assert mirror.requests == 1


def test_what_could_not_be_fetched_is_named_by_the_server(server: DemoServer, mirror: Mirror) -> None:
    email = server.account.deliver(MESSAGE)
    server.faults.missing_blob.arm()
    [problem] = mirror.sync().problems
    assert problem.item == f"{NAME} (email {email})"
    first = mirror.requests
    [problem] = mirror.sync().problems
    assert problem.item == f"{NAME} (email {email})"
    assert mirror.requests < first


def test_a_conflict_copy_of_a_message_bears_its_subject(server: DemoServer, mirror: Mirror, tmp_path: Path) -> None:
    server.account.deliver(MESSAGE)
    mirror.sync()
    file = mirror.files()[0]
    file.write_bytes(MESSAGE.replace(b"\r\n", b"\n").replace(b"\nx\n", b"\nedited\n"))
    email = next(iter(server.account.emails.values()))
    server.account.destroy(email.id)
    server.account.deliver(MESSAGE.replace(b"x\r\n", b"there\r\n"))
    mirror.sync()
    ledger = Ledger.open_readonly(mirror.state / "ledger.sqlite")
    assert ledger is not None
    for kept in ledger.conflict_copies():
        assert kept.item.startswith(NAME)
    ledger.close()


@pytest.mark.parametrize("kind", ["contacts", "calendars"])
def test_objects_are_named_by_what_they_say(server: DemoServer, tmp_path: Path, kind: str) -> None:
    store = server.account.contacts if kind == "contacts" else server.account.calendars
    item = ADA if kind == "contacts" else WEEKLY
    store.add(item)
    desk = ObjectMirror(server.url, tmp_path, (kind,))
    desk.sync_until_quiet()
    file = desk.files(kind)[0]
    ending = "END:VCARD" if kind == "contacts" else "END:VEVENT"
    change(file, ending, f"{'NOTE' if kind == 'contacts' else 'DESCRIPTION'}:here\r\n{ending}")
    server.faults.set_error.arm(SetError("overQuota"), only=[f"{store.model.item}/set"])
    [problem] = desk.sync()[kind].problems
    title = item["name"]["full"] if kind == "contacts" else item["title"]
    assert problem.item.startswith(f'"{title}"')
    assert kind == "contacts" or item["start"][:10] in problem.item
