"""Sieve scripts on real Cyrus servers, cross-checked by ManageSieve and by what happens to mail that is delivered by LMTP.

Cyrus 3.12 offers RFC 9661, 3.6 a capability of its own; both depart from the RFC in the same places.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import Home
from tests.cli.daemons import running, wait_for
from tests.kit.script_mirror import BROKEN, KEEP, ScriptMirror
from tests.live.manage_sieve import ManageSieve

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live.conftest import Account

FILE = 'require "fileinto";\nfileinto "Archive";\n'
LETTER = "From: ann@example.org\r\nTo: me@example.com\r\nSubject: %d\r\nMessage-ID: <%d@example.org>\r\n\r\nhello\r\n"


def deliver(account: Account, number: int) -> None:
    account.server.deliver(account.user, LETTER % (number, number), "ann@example.org")


def subjects(account: Account, folder: str) -> list[int]:
    return sorted(int(one.content.split(b"Subject: ")[1].split()[0]) for one in account.imap.messages(folder))


@pytest.fixture
def peer(account: Account) -> ManageSieve:
    return ManageSieve(account.server.sieve_port, account.user, account.password)


@pytest.fixture
def mirror(account: Account, tmp_path: Path) -> ScriptMirror:
    return ScriptMirror(account.url, tmp_path, user=account.user, password=account.password)


@pytest.fixture
def pair(peer: ManageSieve, mirror: ScriptMirror) -> ScriptMirror:
    """Two scripts on both sides, of which `main` is active.

    The first comes by JMAP: where Cyrus 3.6 made its folder of scripts before that of uploads, it finds an upload of what it has in
    the former, and then says that it is locked.
    """
    mirror.write("main", KEEP)
    mirror.sync_until_quiet()
    peer.put("other", "stop;\n")
    peer.activate("main")
    mirror.sync_until_quiet()
    return mirror


def test_scripts_of_another_client_become_files(pair: ScriptMirror, peer: ManageSieve) -> None:
    assert (pair.files, pair.active) == ({"main": KEEP, "other": "stop;\n"}, "main")
    peer.put("main", "discard;\n")
    peer.put("third", KEEP)
    peer.activate("third")
    peer.delete("other")
    pair.sync_until_quiet()
    assert (pair.files, pair.active) == ({"main": "discard;\n", "third": KEEP}, "third")
    peer.activate("")
    pair.sync_until_quiet()
    assert (set(pair.files), pair.active) == ({"main", "third"}, "")


def test_acts_here_reach_another_client(pair: ScriptMirror, peer: ManageSieve) -> None:
    pair.write("main", FILE)
    pair.write("Grüße an alle", KEEP)
    pair.link("other")
    pair.sync_until_quiet()
    assert peer.scripts() == {"main": False, "other": True, "Grüße an alle": False}
    assert peer.get("main").replace(b"\r\n", b"\n").decode() == FILE
    (pair.root / "main.sieve").rename(pair.root / "renamed.sieve")
    pair.link("")
    pair.sync_until_quiet()
    assert peer.scripts() == {"renamed": False, "other": False, "Grüße an alle": False}
    (pair.root / "Grüße an alle.sieve").rename(pair.root / "Ärger.sieve")
    (pair.root / "other.sieve").unlink()
    pair.link("renamed")
    pair.sync_until_quiet()
    assert peer.scripts() == {"renamed": True, "Ärger": False}


def test_a_refused_script_changes_nothing(pair: ScriptMirror, peer: ManageSieve) -> None:
    pair.write("main", BROKEN)
    pair.write("bad", "if {")
    pair.link("bad")
    report = pair.sync()
    assert any("line 3: syntax error" in one.why for one in report.problems)
    assert peer.scripts() == {"main": True, "other": False}
    assert peer.get("main").replace(b"\r\n", b"\n").decode() == KEEP
    assert pair.files["main"] == BROKEN


def test_two_edits_keep_both(pair: ScriptMirror, peer: ManageSieve) -> None:
    pair.write("main", "# mine\nkeep;\n")
    peer.put("main", "# theirs\nkeep;\n")
    assert pair.sync().conflicts == 1
    assert pair.files["main"] == "# theirs\nkeep;\n"
    assert [data for _, data in pair.conflict_copies()] == [b"# mine\r\nkeep;\r\n"]


def test_the_active_script_vanishes(pair: ScriptMirror, peer: ManageSieve) -> None:
    (pair.root / "main.sieve").unlink()
    assert pair.sync().state.value == "suspended"
    assert peer.scripts()["main"]
    pair.sync(allow_deletes=True)
    assert peer.scripts() == {"other": False}


def test_a_name_that_cyrus_cannot_hold_is_named(pair: ScriptMirror, peer: ManageSieve) -> None:
    (pair.root / "a%2Fb.sieve").write_text(KEEP)
    [problem] = pair.sync().problems
    assert "invalidProperties" in problem.why
    assert set(peer.scripts()) == {"main", "other"}


def test_a_script_that_is_too_large_is_named(pair: ScriptMirror, peer: ManageSieve) -> None:
    pair.write("large", f"# {'x' * 40_000}\nkeep;\n")
    [problem] = pair.sync().problems
    assert "at most 32,768" in problem.why
    pair.write("large", KEEP)
    pair.sync_until_quiet()
    assert "large" in peer.scripts()


def test_a_script_that_includes_another_one(pair: ScriptMirror, account: Account) -> None:
    pair.write("inner", FILE)
    pair.write("outer", 'require "include";\ninclude :personal "inner";\n')
    pair.link("outer")
    pair.sync_until_quiet()
    deliver(account, 1)
    assert subjects(account, "Archive") == [1]


def test_a_filter_edited_here_applies_to_the_next_message_and_a_broken_one_never(account: Account, tmp_path: Path) -> None:
    home = Home(tmp_path / "home", account.url)
    home.path.mkdir()
    home.config.parent.mkdir(parents=True)
    home.config.write_text(
        f'[accounts.home]\nurl = "{account.url}"\nuser = "{account.user}"\nauth = "basic"\n'
        f'password_command = "echo \'{account.password}\'"\n[accounts.home.sieve]\npath = "~/sieve"\n'
        '[daemon]\npoll = "1h"\nsettle = "200ms"\n'
    )
    root = home.path / "sieve"
    peer = ManageSieve(account.server.sieve_port, account.user, account.password)
    peer.put("main", KEEP)
    peer.activate("main")
    with running(home) as daemon:
        wait_for(lambda: (root / "main.sieve").exists() and (root / "active").is_symlink())
        deliver(account, 1)
        (root / "main.sieve").write_text(FILE)
        wait_for(lambda: b"Archive" in peer.find("main"))
        deliver(account, 2)
        (root / "main.sieve").write_text(BROKEN)
        daemon.wait_for_log("syntax error")
        deliver(account, 3)
        assert peer.scripts() == {"main": True}
        (root / "main.sieve").write_text(KEEP)
        wait_for(lambda: (found := peer.find("main")) != b"" and b"Archive" not in found)
        deliver(account, 4)
    assert (subjects(account, "INBOX"), subjects(account, "Archive")) == ([1, 4], [2, 3])


def test_names_are_exchanged_and_taken_over_while_mail_is_filtered(
    mirror: ScriptMirror, peer: ManageSieve, account: Account
) -> None:
    texts = {"main": FILE, "b": "stop;\n", "c": "discard;\n", "gone": "keep;\nkeep;\n"}
    for name, text in texts.items():
        mirror.write(name, text)
    mirror.link("main")
    mirror.sync_until_quiet()
    files = {name: mirror.root / f"{name}.sieve" for name in texts}
    files["main"].rename(mirror.root / "moving")
    files["b"].rename(files["main"])
    (mirror.root / "moving").rename(files["b"])
    mirror.link("b")
    mirror.sync_until_quiet()
    assert peer.scripts() == {"main": False, "b": True, "c": False, "gone": False}
    found = {name: peer.get(name).replace(b"\r\n", b"\n").decode() for name in peer.scripts()}
    assert found == texts | {"main": texts["b"], "b": texts["main"]} == mirror.files
    deliver(account, 1)
    files["b"].rename(files["gone"])
    mirror.link("gone")
    mirror.sync_until_quiet()
    assert peer.scripts() == {"main": False, "gone": True, "c": False}
    assert (mirror.files["gone"], mirror.active) == (FILE, "gone")
    deliver(account, 2)
    assert subjects(account, "Archive") == [1, 2]
