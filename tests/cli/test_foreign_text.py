"""What servers, files and arguments say reaches a terminal, a journal and programs as text, and never as more."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from jmapsync.app.hook import HookError, run_on_trouble
from jmapsync.app.mutt import quote
from jmapsync.config import HooksConfig
from jmapsync.demo import Answer, SetError
from jmapsync.demo.problems import MethodError
from jmapsync.text import LONGEST_LINE, bounded, one_line, shortened
from tests.cli.conftest import PROGRAM
from tests.cli.daemons import QUIET, running
from tests.kit.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.demo import DemoServer
    from tests.cli.conftest import Command, Home

EVIL = "a\x1b[2J\x07\x9b31m\n<2>jmapsync: forged\r\u202eb\u2066c\u200bd\u2028e\x7f\x00\ufefff"
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def assert_tame(text: str, most: int = 40) -> None:
    assert OBEYED.search(text) is None, repr(text)
    lines = text.splitlines()
    assert not [line for line in lines if line.startswith(("<2>", "jmapsync: forged"))]
    assert all(len(line) < LONGEST_LINE + 200 for line in lines)
    assert len(lines) <= most


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain Übung 你好 👍🏽 e\u0301", "plain Übung 你好 👍🏽 e\u0301"),
        ("no-break\xa0space", "no-break\xa0space"),
        ("\x1b[2J\x07\x9b", "\\x1b[2J\\x07\\x9b"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\u202e\u2066\u200b\u200d\ufeff\u2028", "\\u202e\\u2066\\u200b\\u200d\\ufeff\\u2028"),
        ("\udcff\ud800", "\\xff\\ud800"),
        ("\U000e0041\u3164", "\\U000e0041\\u3164"),
    ],
)
def test_a_line_shows_what_would_be_obeyed_or_unseen(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_a_long_text_is_cut_in_its_middle() -> None:
    text = one_line("begin " + "x" * 400_000 + " end")
    assert len(text) <= LONGEST_LINE
    assert text.startswith("begin ")
    assert text.endswith(" end")
    assert "398,070 characters left out" in text
    assert bounded({"a": ["y" * 10_000], "b": 7}) == {"a": [shortened("y" * 10_000, 4000)], "b": 7}


@pytest.mark.parametrize("command", ["sync", "check", "verify", "status", "restore", "sync --dry-run"])
def test_an_error_of_the_server_is_one_line_in_every_command(jmapsync: Command, server: DemoServer, command: str) -> None:
    jmapsync("sync")
    server.faults.method_error.arm(MethodError("forbidden" + EVIL, EVIL * 2000))
    if command == "status":
        jmapsync("sync", "--full")
    done = jmapsync(*command.split(), *(["--full"] if command == "sync" else []))
    assert "forged" in done.out + done.err or command == "restore"
    assert_tame(done.out)
    assert_tame(done.err)


def test_a_long_refusal_of_a_request_is_cut(jmapsync: Command, server: DemoServer) -> None:
    jmapsync("sync")
    body = json.dumps({"type": "urn:ietf:params:jmap:error:notRequest", "status": 400, "detail": EVIL * 300}).encode()
    server.faults.answer.arm(Answer(400, {"Content-Type": "application/problem+json"}, body), only=["api"])
    done = jmapsync("sync")
    assert done.code == 1
    assert "notRequest" in done.err
    assert_tame(done.err)
    reported = jmapsync("sync", "--json")
    assert len(reported.out) < 30_000
    assert json.loads(reported.out)["ok"] is False


def test_names_of_mailboxes_and_items_are_tame_everywhere(jmapsync: Command, home: Home, server: DemoServer) -> None:
    name = "in\x1b[2Jbox\u202e\x9b"
    server.account.create_mailbox(name)
    subject = b"Subject: =?utf-8?q?a=1b[2J=0a<2>jmapsync:_forged=e2=80=ae?=\r\n"
    server.account.deliver(subject + b"From: \x1b]0;x\x07 <a@b.example>\r\n\r\n")
    for arguments in (["sync", "--dry-run"], ["check"], ["sync"], ["status"], ["verify"], ["mailboxes"]):
        done = jmapsync(*arguments)
        assert_tame(done.out, most=80)
        assert_tame(done.err)
    (file,) = (one for one in home.inbox() if b"forged" in one.read_bytes())
    file.rename(home.mail / "INBOX/cur" / f"{file.name}:2,F")
    server.faults.set_error.arm(SetError("forbidden", EVIL), only=["Email/set"])
    done = jmapsync("sync")
    assert done.code == 3
    for arguments in (["sync"], ["sync", "--dry-run"], ["status"], ["sync", "--json"], ["status", "--json"]):
        done = jmapsync(*arguments)
        assert done.code == 3
        assert_tame(done.out)
        assert_tame(done.err)


def test_arguments_and_files_are_foreign_text_too(process: Command, home: Home) -> None:
    elsewhere = ["-c", "/no/\x1b[2J\nx", "sync"]
    wrong = (["sync", EVIL.replace("\x00", "")], ["--\x1b[2J"], ["\x1b[2J"], elsewhere, ["outbox", "drop", "\x9b"])
    for arguments in wrong:
        done = process(*arguments)
        assert done.code == 2
        assert_tame(done.out + done.err)
    config = home.config.read_text()
    home.config.write_text(config + '["\\u001b[2J\\n<2>jmapsync: forged"]\nx = 1\n')
    done = process("sync")
    assert done.code == 2
    assert_tame(done.err)


def test_the_journal_gets_one_line_a_message(home: Home, server: DemoServer, jmapsync: Command) -> None:
    jmapsync("sync")
    home.configure(more=QUIET)
    server.faults.method_error.arm(MethodError("forbidden", EVIL * 20_000))
    with running(home) as daemon:
        daemon.wait_for_log("forged")
        assert_tame(daemon.log)
        assert_tame(daemon.status)
        live = jmapsync("status")
        assert_tame(live.out)
        assert live.code == 1


def test_the_daemon_logs_by_name_what_it_quarantines_once(home: Home, server: DemoServer, jmapsync: Command) -> None:
    server.account.deliver(b"Subject: forged\x1b[2J\r\nFrom: Ada <ada@example.com>\r\n\r\nx\r\n")
    jmapsync("sync")
    (file,) = (one for one in home.inbox() if b"forged" in one.read_bytes())
    home.configure(more=QUIET)
    server.faults.set_error.arm(SetError("overQuota", "full\n<2>jmapsync: forged"), only=["Email/set"])
    with running(home) as daemon:
        file.rename(home.mail / "INBOX/cur" / f"{file.name}:2,F")
        daemon.wait_for_log("quarantined: ")
        assert jmapsync("sync").code == 3
    assert daemon.log.count("quarantined: ") == 1
    assert "from Ada <ada@example.com> (email " in daemon.log
    assert_tame(daemon.log)


def test_a_hook_gets_its_message_as_one_line(tmp_path: Path) -> None:
    reported = tmp_path / "reported"
    hooks = HooksConfig(on_trouble=f'printf %s "$JMAPSYNC_MESSAGE" > {reported}')
    asyncio.run(run_on_trouble(hooks, "home", EVIL * 20_000))
    assert_tame(reported.read_text(), most=1)


@pytest.mark.parametrize("command", ["true\x00", "true #" + "x" * 3_000_000])
def test_a_hook_that_cannot_start_is_a_failure_of_the_hook(command: str) -> None:
    with pytest.raises(HookError, match="could not be started"):
        asyncio.run(run_on_trouble(HooksConfig(on_trouble=command), "home", "message"))


@pytest.mark.parametrize("name", ["a'; set x=y #", "$(id)`id`", "a\\", 'a"b', "~x", "!x", "=x"])
def test_a_line_for_mutt_holds_one_quoted_word(name: str) -> None:
    quoted = quote(name)
    assert re.fullmatch(r"(?:'[^']*'|\\')+", quoted)
    assert subprocess.run(["sh", "-c", f"printf %s {quoted}"], capture_output=True, text=True, check=True).stdout == name


def test_a_folder_that_no_line_can_hold_is_left_out(home: Home, jmapsync: Command, server: DemoServer) -> None:
    jmapsync("sync")
    for part in ("cur", "new", "tmp"):
        (home.mail / "a\nset sendmail='evil'" / part).mkdir(parents=True)
    done = jmapsync("mailboxes")
    assert "evil" not in done.out
    assert all(line.startswith("mailboxes '") and line.endswith("'") for line in done.out.splitlines())


def test_a_conflict_copy_is_printed_unchanged_for_programs_and_escaped_on_a_terminal(home: Home, jmapsync: Command) -> None:
    code = (
        "import sys; from unittest.mock import patch; from jmapsync.cli.conflicts import conflicts\n"
        "from jmapsync.cli.settings import Settings\n"
        "import types\n"
        "shelf = types.SimpleNamespace(find=lambda number: types.SimpleNamespace("
        "item='i', kind='mail', side='local', at=0, reason='r'), body=lambda number: b'a\\x1b[2Jb\\r\\n\\xffc\\n')\n"
        "with patch('jmapsync.cli.conflicts._find', lambda *_: (shelf, 1)):\n"
        "    conflicts.main(['show', *sys.argv[1:], '1'], obj=Settings(None, 0, quiet=True), standalone_mode=False)\n"
    )
    piped = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert piped.stdout == b"a\x1b[2Jb\r\n\xffc\n"
    with Terminal() as terminal:
        subprocess.run([sys.executable, "-c", code, "--whole"], stdout=terminal.end, check=True)
        shown = terminal.all()
    assert shown == b"a\\x1b[2Jb\r\n\\xffc\r\n"


def test_lines_can_be_printed_in_a_locale_without_their_letters(home: Home) -> None:
    environment = home.environment() | {"PYTHONIOENCODING": "latin-1:strict"}
    done = subprocess.run([*PROGRAM, "sync", "Łódź"], env=environment, capture_output=True, check=False)
    assert done.returncode == 2
    assert b"There is no account" in done.stderr
