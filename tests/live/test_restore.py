"""`restore` onto real Cyrus servers, checked over IMAP: bytes, mailboxes, keywords, dates; what cannot be is named."""

from __future__ import annotations

import asyncio
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from jmapsync.app import App
from jmapsync.backup.rewritten_headers import as_rewritten
from jmapsync.config import load
from jmapsync.demo import DemoServer
from jmapsync.demo.sample import fill_sample
from tests.cli.conftest import PROGRAM
from tests.live.compare import on_server, stored
from tests.live.imap import Draft

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jmapsync.backup.restore import Restored
    from tests.live.compare import Shown
    from tests.live.conftest import Account

EIGHT_BIT = b"From: a@example.com\r\nSubject: caf\xe9 \xff\r\n\r\nbody\r\n"
ODD = {
    "eight-bit header": EIGHT_BIT,
    "bare LF": b"Subject: bare\r\n\r\nbare\nline\r\n",
    "bare CR": b"Subject: cr\r\n\r\na\rb\r\n",
    "LF only": b"Subject: lf\n\nbody\n",
    "eight-bit body": b"Subject: body\r\n\r\n\xe4\xf6\xfc \xff\r\n",
    "no final line end": b"Subject: end\r\n\r\nend",
    "nul": b"Subject: nul\r\n\r\na\0b\r\n",
    "large": b"Subject: large\r\n\r\n" + b"0123456789abcde\r\n" * 300_000,
}
REFUSED = {ODD["bare LF"], ODD["LF only"], ODD["nul"]}


@pytest.fixture
def source() -> Iterator[DemoServer]:
    server = DemoServer()
    fill_sample(server.account)
    with server.account.transaction():
        server.account.populate(40, mailboxes=["INBOX", "Archive"])
        for number, content in enumerate(ODD.values()):
            server.account.deliver(content, ["INBOX", "Archive"], ["$seen", "work"], 1_700_000_000 + number)
    with server:
        yield server


def configured(base: Path, source: DemoServer, account: Account) -> App:
    secret = base / "secret"
    secret.touch(mode=0o600)
    secret.write_text(account.password)
    config = base / "config.toml"
    signs = f'auth = "basic"\npassword_file = "{secret}"'
    config.write_text(
        f'state_dir = "{base / "state"}"\n'
        f'[accounts.old]\nurl = "{source.url}"\nuser = "demo"\nauth = "bearer"\npassword_command = "echo demo-token"\n'
        f'[accounts.old.mail]\npath = "{base / "old"}"\n'
        f'[accounts.new]\nurl = "{account.url}"\nuser = "{account.user}"\n{signs}\n'
        f'[accounts.new.mail]\npath = "{base / "new"}"\n'
    )
    return App(load(config))


def restored(app: App, name: str, into: str | None = None) -> tuple[Restored, set[str], int]:
    """Restore, and return what was done, what was named with why, and the exit code."""
    found = asyncio.run(app.restore(name, into=into))
    [(_, report, restored)] = found.results
    assert restored is not None, (report.error, report.kinds)
    return restored, {problem.why for problem in restored.report.problems}, found.exit_code


def shown_there(account: Account) -> dict[str, list[Shown]]:
    """Return what IMAP shows, without the keyword that Cyrus itself sets."""
    shown = on_server(account)
    return {path: [(one[0], one[1], one[2] - {"$hasattachment"}, one[3]) for one in found] for path, found in shown.items()}


def stored_there(source: DemoServer) -> dict[str, list[Shown]]:
    """Return what the first server holds as IMAP is to show it of the second, without what Cyrus refuses."""
    found: dict[str, list[Shown]] = {}
    account = source.account
    for email in account.emails.values():
        raw = account.raw(email.id)
        letters, words = set(), set()
        for word in email.keywords:
            flag = {"$seen": "S", "$answered": "R", "$flagged": "F", "$draft": "D", "$forwarded": "P"}.get(word)
            letters |= {flag} if flag else set()
            words |= {word} if flag is None else set()
        for box in email.mailbox_ids if raw not in REFUSED else ():
            shown = (stored(as_rewritten(raw)), "".join(sorted(letters)), frozenset(words), email.received_at)
            found.setdefault(account.path(account.mailboxes[box]), []).append(shown)
    return {path: sorted(messages) for path, messages in found.items()}


def test_the_mail_of_another_server_is_put_into_cyrus_once_and_what_cannot_be_is_named(
    account: Account, source: DemoServer, tmp_path: Path
) -> None:
    app = configured(tmp_path, source, account)
    assert asyncio.run(app.sync(["old"])).exit_code == 0
    first, named, code = restored(app, "old", "new")
    whole = len(source.account.emails)
    assert (first.report.to_server.created, first.items, first.there, code) == (whole - 3, whole, 0, 3)
    assert named == {
        "the server does not take it for a message (Message contains bare newlines)",
        "the server does not take it for a message (Message contains NUL characters)",
        "the server keeps it with other bytes than these",
    }
    assert shown_there(account) == stored_there(source)
    again, still_named, _ = restored(app, "old", "new")
    assert (again.report.to_server.total, again.report.folders.total, again.there) == (0, 0, whole - 3)
    assert still_named == named
    assert shown_there(account) == stored_there(source)
    assert asyncio.run(app.sync(["new"])).exit_code == 0
    [proof] = asyncio.run(app.verify(["new"]))["new"][1].values()
    assert proof.differences == []


def test_an_emptied_account_gets_everything_back_and_is_then_proved_complete(
    account: Account, source: DemoServer, tmp_path: Path
) -> None:
    app = configured(tmp_path, source, account)
    drafts = [
        Draft(f"Subject: {n}\r\n\r\n{'x' * n}\r\n".encode(), ["\\Seen", "work"][: n % 3], 1_700_000_000 + n) for n in range(40)
    ]
    account.imap.append("INBOX", drafts)
    account.imap.create_folder("Lists/python")
    account.imap.copy("INBOX", [message.uid for message in account.imap.messages("INBOX")][:20], "Lists/python")
    assert asyncio.run(app.sync(["new"])).exit_code == 0
    before, files = on_server(account), {file: file.read_bytes() for file in (tmp_path / "new").rglob("cur/*")}
    gone = list(account.jmap.emails(["id"]))
    assert not account.jmap.one("Email/set", {"destroy": gone[:30]}).get("notDestroyed")
    found, named, code = restored(app, "new")
    # Cyrus 3.12.4 may call INBOX locked right after the destruction, with the message in the other mailbox by then.
    assert (found.report.to_server.total, found.there, named, code) == (30, 10, set(), 0)
    assert on_server(account) == before
    [proof] = asyncio.run(app.verify(["new"]))["new"][1].values()
    assert (proof.differences, proof.items) == ([], 40)
    again, _, _ = restored(app, "new")
    assert (again.report.to_server.total, again.there) == (0, 40)
    report = asyncio.run(app.sync(["new"])).accounts["new"]
    assert report.changed == []
    assert {file: file.read_bytes() for file in (tmp_path / "new").rglob("cur/*")} == files


@pytest.mark.parametrize("cyrus", ["3.12"], indirect=True)
def test_killed_processes_leave_one_copy_of_each(account: Account, source: DemoServer, tmp_path: Path) -> None:
    source.account.populate(300, mailboxes=["INBOX", "Archive", "Junk"], size=80_000, first_seed=1000)
    app = configured(tmp_path, source, account)
    assert asyncio.run(app.sync(["old"])).exit_code == 0
    command = [*PROGRAM, "-c", str(tmp_path / "config.toml"), "restore", "old", "--into", "new"]
    before: set[int] = set()
    for kill in range(1, 6):
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        limit = time.monotonic() + 90
        while process.poll() is None and account.jmap.one("Email/query", {"limit": 0, "calculateTotal": True})["total"] < kill * 40:
            assert time.monotonic() < limit
        process.kill()
        process.wait()
        before.add(account.jmap.one("Email/query", {"limit": 0, "calculateTotal": True})["total"])
    whole = len(source.account.emails)
    assert max(before) > min(before)
    found, _, _ = restored(app, "old", "new")
    assert (found.items, found.there) == (whole, max(before))
    assert shown_there(account) == stored_there(source)
