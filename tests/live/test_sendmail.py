"""Mail leaves through real Cyrus servers, once: by hand, by real mutt and git, without a server, and killed at any moment."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.live.conftest import Account
from tests.live.cyrus import FLAVOURS, Cyrus
from tests.live.home_folder import HomeFolder, shown
from tests.live.imap import Imap
from tests.live.jmapraw import CORE, MAIL, Jmap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tests.live.smtp_relay import Relay


SUBMISSION = "urn:ietf:params:jmap:submission"
KILLS = 25


@pytest.fixture(scope="module")
def offices(relay: tuple[Relay, int]) -> Iterator[Callable[[str, str], Cyrus]]:
    """Hand out servers that send, each started when first asked for."""
    servers: dict[tuple[str, str], Cyrus] = {}
    with ExitStack() as stack:

        def office(flavour: str, record: str) -> Cyrus:
            if (flavour, record) not in servers:
                settings = f"smtp_backend: host\nsmtp_host: 127.0.0.1:{relay[1]}\njmapsubmission_deleteonsend: {record}\n"
                server = stack.enter_context(Cyrus.start(flavour, settings=settings))
                server.create_user("alice", "correct horse")
                servers[flavour, record] = server
            return servers[flavour, record]

        yield office


@pytest.fixture(params=["forgets", "keeps"])
def record(request: pytest.FixtureRequest) -> str:
    """What becomes of the record of what was sent: destroyed at once, which is the default, or kept."""
    return str(request.param)


@pytest.fixture(params=FLAVOURS)
def office(request: pytest.FixtureRequest, record: str, offices: Callable[[str, str], Cyrus]) -> Cyrus:
    return offices(request.param, "yes" if record == "forgets" else "no")


@pytest.fixture
def out(relay: tuple[Relay, int]) -> Relay:
    found, _ = relay
    found.taken.clear()
    found.slow, found.refusal = 0.0, ""
    return found


@pytest.fixture
def desk(office: Cyrus, tmp_path: Path) -> Iterator[HomeFolder]:
    with Jmap(office.jmap_url, "alice", "correct horse") as jmap, Imap(office.imap_port, "alice", "correct horse") as imap:
        for email in jmap.one("Email/query", {})["ids"]:
            jmap.one("Email/set", {"destroy": [email]})
        yield HomeFolder.set_up(tmp_path, Account(office, "alice", "correct horse", jmap, imap))


def message(subject: str) -> bytes:
    return f"From: Alice <alice@example.com>\nTo: bob@example.com\nSubject: {subject}\n\nHello.\n".encode()


PROGRAM = ("jmapsync",)
DEATH = """
import os
from jmapsync.cli import main
from jmapsync.storage.jmap.submission import Post

Post.submit = lambda *_: os._exit(9)
main()
"""
DYING_BEFORE_IT_ASKS = (sys.executable, "-c", DEATH)


def start(desk: HomeFolder, subject: str, program: Sequence[str] = PROGRAM) -> subprocess.Popen[bytes]:
    with desk.write(f"{subject}.eml", message(subject).decode()).open("rb") as letter:
        return subprocess.Popen(
            [*program, "sendmail", "-t"], env=desk.environment, cwd=desk.home, stdin=letter, stderr=subprocess.PIPE
        )


def send(desk: HomeFolder, subject: str, program: Sequence[str] = PROGRAM) -> tuple[int, str]:
    """Send a message; return the exit code and what was said."""
    process = start(desk, subject, program)
    _, err = process.communicate(timeout=120)
    return process.returncode, err.decode()


def waiting(desk: HomeFolder) -> dict[str, str]:
    """Return the stage of what waits, by its subject."""
    notes = [json.loads(path.read_bytes()) for path in outbox(desk)]
    return {note["envelope"]["subject"]: note.get("stage", "queued") for note in notes}


def held(desk: HomeFolder) -> dict[str, str]:
    """Return the ids of what waits, by its subject."""
    notes = [json.loads(path.read_bytes()) for path in outbox(desk)]
    return {note["envelope"]["subject"]: note["id"] for note in notes}


def outbox(desk: HomeFolder) -> list[Path]:
    return sorted((desk.home / ".local/state/jmapsync/home/outbox").glob("*.json"))


def let_time_pass(desk: HomeFolder) -> None:
    """Make every question an hour older."""
    for path in outbox(desk):
        note = json.loads(path.read_bytes())
        path.write_text(json.dumps(note | {"asked_at": note.get("asked_at", 0) - 3600}))


def test_what_is_sent_leaves_once_without_its_secret_recipients_and_lies_among_sent_mail(desk: HomeFolder, out: Relay) -> None:
    letter = message("hello").replace(b"Subject", b"Bcc: carol@example.com\nSubject")
    desk.write("letter", letter.decode())
    assert desk.run("sh", "-c", "jmapsync sendmail -t < letter") == ""
    [(sender, recipients, content)] = out.taken
    assert (sender, recipients) == ("alice@example.com", ["bob@example.com", "carol@example.com"])
    assert content.endswith(message("hello").replace(b"\n", b"\r\n"))
    server = desk.on_server()
    assert server["Sent"] == {"hello": ("S", frozenset())}
    assert "Drafts" not in server
    desk.run("jmapsync", "sync")
    [file] = (desk.home / "Mail/home/Sent/cur").iterdir()
    assert file.read_bytes().replace(b"\n", b"\r\n") == content


def test_the_embedded_server_counts_and_forgets_what_was_sent_as_cyrus_does(desk: HomeFolder, out: Relay, record: str) -> None:
    """All that shows what became of a message whose answer was lost."""
    jmap, using = desk.account.jmap, [CORE, MAIL, SUBMISSION]

    def ask(email: str) -> tuple[str, int]:
        wanted: list[tuple[str, dict[str, Any]]] = [
            ("EmailSubmission/get", {"ids": []}),
            ("EmailSubmission/query", {"filter": {"emailIds": [email]}}),
        ]
        state, found = jmap.call(wanted, using)
        return str(state["state"]), len(found["ids"])

    before, _ = ask("none")
    assert send(desk, "counted") == (0, "")
    [email] = jmap.one("Email/query", {"filter": {"header": ["Subject", "counted"]}})["ids"]
    after, kept = ask(email)
    assert before != after
    assert kept == (record == "keeps")


def test_killed_at_any_moment_nothing_is_sent_twice_and_nothing_that_was_taken_is_lost(
    desk: HomeFolder, out: Relay, office: Cyrus, record: str
) -> None:
    if record == "keeps":  # else no older record shows that they are kept
        assert send(desk, "before") == (0, "")
        out.taken.clear()
        [before] = desk.account.jmap.one("Email/query", {})["ids"]
        desk.account.jmap.one("Email/set", {"destroy": [before]})
    out.slow = 0.2
    chance = random.Random(office.flavour)
    promised: set[str] = set()
    stages: set[str] = set()
    for number in range(KILLS):
        subject = f"letter {number}"
        out.is_asked.clear()
        process = start(desk, subject)
        if number % 2:
            out.is_asked.wait(90)  # half of them while the server sends
            time.sleep(chance.uniform(0, 0.25))
        else:
            time.sleep(chance.uniform(0.1, 0.7))
        process.kill()
        process.communicate(timeout=120)
        left = waiting(desk)
        stages |= set(left.values())
        if subject in left or process.returncode == 0:
            promised.add(subject)
    for _ in range(3):
        let_time_pass(desk)
        subprocess.run(["jmapsync", "sync"], env=desk.environment, cwd=desk.home, capture_output=True, check=False)
    for subject, identity in held(desk).items():
        # What is in doubt waits for a person, who asks the recipients: others were sent since this one was tried.
        assert record == "forgets"
        desk.run("jmapsync", "outbox", "drop" if subject in out.subjects() else "retry", identity)
        desk.run("jmapsync", "sync")
    subjects = out.subjects()
    assert len(subjects) == len(set(subjects)), "nothing twice"
    assert promised <= set(subjects), "nothing lost"
    assert waiting(desk) == {}
    server = desk.on_server()
    assert set(server["Sent"]) == set(subjects)
    assert "Drafts" not in server
    assert "sending" in stages, "else nothing was tried"


def test_what_is_sent_meanwhile_raises_no_doubt_where_cyrus_keeps_records(desk: HomeFolder, out: Relay, record: str) -> None:
    """The state of submissions moves with the next message; the older record that is still there shows that none is missing."""
    assert send(desk, "before") == (0, "")
    assert send(desk, "asked", DYING_BEFORE_IT_ASKS) == (9, "")
    assert waiting(desk) == {"asked": "sending"}
    assert send(desk, "meanwhile") == (0, "")
    let_time_pass(desk)
    desk.run("jmapsync", "sync", code=0 if record == "keeps" else 3)
    assert out.subjects() == ["before", "meanwhile"] + ["asked"] * (record == "keeps")
    assert list(held(desk)) == ["asked"] * (record == "forgets")


def test_without_a_server_it_is_kept_and_sent_once(desk: HomeFolder, out: Relay, office: Cyrus) -> None:
    office.stop()
    try:
        code, said = send(desk, "kept")
        assert (code, "Kept, to be sent later" in said) == (0, True)
    finally:
        office.restart()
    assert waiting(desk) == {"kept": "queued"}
    for _ in range(2):
        desk.run("jmapsync", "sync")
    assert out.subjects() == ["kept"]


def test_what_the_world_refuses_is_said_at_once(desk: HomeFolder, out: Relay) -> None:
    out.refusal = "550 nobody of that name"
    code, said = send(desk, "refused")
    assert code == 1
    assert "The server refused to send the message" in said
    assert (waiting(desk), "Drafts" in desk.on_server(), out.taken) == ({}, False, [])


@pytest.mark.parametrize("program", ["mutt", "neomutt"])
def test_real_mutt_sends_with_the_settings_of_the_readme(desk: HomeFolder, out: Relay, program: str) -> None:
    settings = shown("Sending", "muttrc").replace("alice@example.com", "alice@example.org")
    desk.write(".muttrc", settings)
    desk.write("body", "From mutt.\n")
    desk.run("sh", "-c", f"{program} -s 'by mutt' -b carol@example.com -- bob@example.com < body")
    [(sender, recipients, content)] = out.taken
    assert (sender, recipients) == ("alice@example.org", ["bob@example.com", "carol@example.com"])
    assert b"carol" not in content
    assert desk.on_server()["Sent"] == {"by mutt": ("S", frozenset())}


def test_real_git_sends_a_patch_with_the_settings_of_the_readme(desk: HomeFolder, out: Relay) -> None:
    desk.write(".gitconfig", "[user]\nname = Alice\nemail = alice@example.com\n" + shown("Sending", "ini"))
    desk.run("git", "init", "-q", "project")
    commit = "cd project && echo one > file && git add file && git commit -qm 'Add one' && git format-patch -q --root"
    desk.run("sh", "-ec", commit)
    desk.run("sh", "-ec", "cd project && git send-email --quiet --to bob@example.com --confirm=never 0001-Add-one.patch")
    assert out.subjects() == ["[PATCH] Add one"]
    assert list(desk.on_server()["Sent"]) == ["[PATCH] Add one"]
