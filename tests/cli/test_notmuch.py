"""Tags of notmuch by the commands that people run: in one `sync` with its hook, and by the daemon at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.daemons import QUIET, running, wait_for
from tests.kit.notmuch import Notmuch

if TYPE_CHECKING:
    from jmapsync.demo import DemoServer
    from tests.cli.conftest import Command, Home

LETTER = b"Subject: one\r\nMessage-ID: <one@x>\r\n\r\nBody.\r\n"
TAGS = '[accounts.home.mail.notmuch]\nmailboxes = ["Archive"]\n'
HOOK = '[hooks]\nafter_sync = "notmuch new --quiet"\n'


@pytest.fixture
def notmuch(home: Home, monkeypatch: pytest.MonkeyPatch) -> Notmuch:
    for name in ("NOTMUCH_CONFIG", "NOTMUCH_PROFILE", "NOTMUCH_DATABASE"):
        monkeypatch.delenv(name, raising=False)
    home.mail.mkdir()
    found = Notmuch.over(home.mail)
    (home.path / ".notmuch-config").write_text(found.config.read_text())
    home.configure(more=TAGS + QUIET + HOOK)
    return found


def test_one_sync_gives_what_it_brought_its_tags(server: DemoServer, home: Home, jmapsync: Command, notmuch: Notmuch) -> None:
    ref = server.account.deliver(LETTER, mailboxes=["Archive"], keywords=["todo"])
    done = jmapsync("sync")
    assert (done.code, done.err) == (0, "")
    assert notmuch.tags("id:one@x") == {"unread", "inbox", "todo", "Archive"}
    notmuch.tag("+work", query="id:one@x")
    assert "1 updated on the server" in jmapsync("sync").out
    assert server.account.emails[ref].keywords == {"todo", "work"}
    assert "nothing to do" in jmapsync("sync").out
    assert jmapsync("verify").code == 0


def test_a_post_new_hook_that_sorts_is_taken_to_the_server_by_the_same_sync(
    server: DemoServer, home: Home, jmapsync: Command, notmuch: Notmuch
) -> None:
    home.configure(more=TAGS + QUIET + '[hooks]\nafter_sync = "notmuch new --quiet; notmuch tag +sorted -- subject:one"\n')
    ref = server.account.deliver(LETTER)
    assert jmapsync("sync").code == 0
    assert server.account.emails[ref].keywords == {"sorted"}


def test_a_hook_that_synchronises_is_no_circle(server: DemoServer, home: Home, jmapsync: Command, notmuch: Notmuch) -> None:
    home.configure(more=TAGS + QUIET + f'[hooks]\nafter_sync = "notmuch new --quiet; {home.path}/again"\n')
    script = home.path / "again"
    script.write_text(f"#!/bin/sh\necho x >> {home.path}/calls\nexec true\n")
    script.chmod(0o755)
    server.account.deliver(LETTER, keywords=["todo"])
    for _ in range(2):
        assert jmapsync("sync").code == 0
    assert (home.path / "calls").read_text() == "x\n"
    assert "todo" in notmuch.tags("id:one@x")


def test_the_daemon_applies_a_tag_at_once_and_tags_what_arrives(
    server: DemoServer, home: Home, jmapsync: Command, notmuch: Notmuch
) -> None:
    jmapsync("sync")
    with running(home):
        ref = server.account.deliver(LETTER, keywords=["todo"])
        wait_for(lambda: notmuch.count("id:one@x and tag:todo") == 1)
        notmuch.tag("+work", "-todo", query="id:one@x")
        wait_for(lambda: server.account.emails[ref].keywords == {"work"})
        notmuch.tag("+Archive", query="id:one@x")
        wait_for(lambda: server.account.listing()[ref][0] == {"INBOX", "Archive"})
        server.account.set_keyword(ref, "there")
        wait_for(lambda: notmuch.count("id:one@x and tag:there and tag:work and tag:Archive") == 1)


def test_the_daemon_shows_tags_after_the_first_notmuch_new_too(server: DemoServer, home: Home, notmuch: Notmuch) -> None:
    server.account.deliver(LETTER, keywords=["todo"])
    with running(home):
        wait_for((home.mail / ".notmuch/xapian/iamglass").exists)
        wait_for(lambda: notmuch.count("id:one@x and tag:todo") == 1)
