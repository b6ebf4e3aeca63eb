"""Where secrets come from, and that they show nowhere."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import logging
import os
import pickle
import signal
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from jmapsync.errors import ForbiddenError, SignInError
from jmapsync.jmap.auth import (
    BasicCredential,
    BearerCredential,
    Secret,
    from_command,
    from_file,
    from_systemd_credential,
)
from jmapsync.jmap.client import Client
from jmapsync.jmap.wire import CORE, Call
from tests.jmap.peer import ECHO, Answer, Peer, result

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.jmap.peer import Seen

ECHO_CALL = Call("Core/echo", {"hello": True}, "c0")
SESAME = "open sesame ✓"


# Secrets


def test_a_secret_shows_itself_only_when_asked_to() -> None:
    secret = Secret(SESAME)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r}", repr({"secret": secret})]
    shown += [repr(BasicCredential("alice", secret)), repr(BearerCredential(secret)), str(BearerCredential(SESAME))]
    assert not [text for text in shown if "sesame" in text]
    assert secret.reveal() == SESAME


def test_a_secret_cannot_be_written_anywhere() -> None:
    secret = Secret(SESAME)
    for write in (pickle.dumps, copy.deepcopy, msgspec.json.encode):
        with pytest.raises(TypeError):
            write(secret)
    with pytest.raises(TypeError):
        pickle.dumps(BasicCredential("alice", secret))


@pytest.mark.anyio
@pytest.mark.usefixtures("either_client")
async def test_neither_log_nor_traceback_shows_the_secret(peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    peer.on("/session", Answer(401))
    async with Client(f"{peer.url}/session", BearerCredential("fmu1-sesame")) as client:
        with pytest.raises(SignInError) as caught:
            await client.session()
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=False).format()) + caplog.text
    assert "GET" in caplog.text
    assert "sesame" not in shown
    assert peer.seen[0].headers["authorization"] == "Bearer fmu1-sesame"


def test_a_basic_credential_is_utf_8() -> None:
    assert BasicCredential("jürgen", "pässword").authorization() == "Basic asO8cmdlbjpww6Rzc3dvcmQ="


@pytest.mark.parametrize("token", ["ab\r\nX-Evil: 1", "tökén", "a\0b"])
def test_a_token_that_could_not_stand_in_a_header_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(SignInError) as caught:
        BearerCredential(token).authorization()
    assert token not in str(caught.value)


# Commands


@pytest.mark.anyio
@pytest.mark.parametrize(
    "command", [f"printf '%s\\nsecond line\\n' '{SESAME}'", ["printf", "%s\\r\\n", SESAME], f"printf %s '{SESAME}' | cat"]
)
async def test_the_first_line_of_a_command_is_the_secret(command: str | list[str]) -> None:
    assert (await from_command(command)).reveal() == SESAME


@pytest.mark.anyio
async def test_a_failing_command_is_reported_with_its_last_words_but_not_its_output() -> None:
    with pytest.raises(SignInError, match="status 3: gpg: decryption failed") as caught:
        await from_command("echo sesame-on-stdout | tr a-z A-Z; echo warning >&2; echo 'gpg: decryption failed.' >&2; exit 3")
    assert "SESAME-ON-STDOUT" not in str(caught.value)


@pytest.mark.anyio
async def test_a_command_that_hangs_is_ended_with_all_its_children() -> None:
    begin = time.monotonic()
    with pytest.raises(SignInError, match=r"no answer within 0\.2 seconds"):
        await from_command("sleep 30 | cat", seconds=0.2)
    assert time.monotonic() - begin < 25  # less than the command lasts


@pytest.mark.anyio
async def test_giving_up_on_a_command_that_has_just_ended_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    kill = os.killpg

    def too_late(group: int, number: int) -> None:
        kill(group, number)
        raise ProcessLookupError

    monkeypatch.setattr(os, "killpg", too_late)
    waiting = asyncio.create_task(from_command("sleep 60"))
    await asyncio.sleep(0.2)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


@pytest.mark.anyio
@pytest.mark.parametrize("turns", range(8))
async def test_a_command_ends_with_whoever_gives_up_on_it_even_while_it_starts(turns: int) -> None:
    waiting = asyncio.create_task(from_command("sleep 60; :"))
    for _ in range(turns):
        await asyncio.sleep(0)
    waiting.cancel()
    async with asyncio.timeout(90):
        await asyncio.wait([waiting])
    assert waiting.cancelled()


@pytest.mark.anyio
async def test_a_command_has_no_terminal_and_no_input() -> None:
    assert (await from_command("cat; (: </dev/tty) 2>/dev/null && echo terminal || echo none")).reveal() == "none"


@pytest.mark.anyio
@pytest.mark.parametrize(("command", "why"), [("true", "no secret"), ("echo", "no secret"), ("printf '\\377'", "not UTF-8")])
async def test_a_command_without_a_secret_is_reported(command: str, why: str) -> None:
    with pytest.raises(SignInError, match=why):
        await from_command(command)


@pytest.mark.anyio
async def test_a_command_that_is_not_there_is_reported() -> None:
    with pytest.raises(SignInError, match="cannot be started"):
        await from_command(["/no/such/program"])


# A secret that was refused


def keep(path: Path, *tokens: str) -> str:
    """Return a command that gives one token after the other, the last one for ever."""
    path.write_text("".join(f"{token}\n" for token in tokens))
    return f"head -n 1 {path}; if [ $(wc -l < {path}) -gt 1 ]; then sed -i 1d {path}; fi; echo run >> {path}.runs"


def runs(path: Path) -> int:
    return len(path.with_name(f"{path.name}.runs").read_text().splitlines())


def accepting(token: str, answer: Answer) -> Callable[[Seen], Answer]:
    return lambda seen: answer if seen.headers["authorization"] == f"Bearer {token}" else Answer(401)


@pytest.mark.anyio
@pytest.mark.usefixtures("either_client")
async def test_a_token_that_ran_out_is_got_anew_and_the_request_is_sent_again(peer: Peer, tmp_path: Path) -> None:
    credential = BearerCredential(await from_command(keep(tmp_path / "tokens", "old", "new")))
    peer.on("/api", accepting("new", result(ECHO)))
    async with Client(f"{peer.url}/session", credential) as client:
        assert (await client.call([ECHO_CALL], using=[CORE], repeatable=False)).get(ECHO_CALL)
        assert (await client.call([ECHO_CALL], using=[CORE])).get(ECHO_CALL)
    assert len(peer.seen_at("/api")) == 3
    assert runs(tmp_path / "tokens") == 2


@pytest.mark.anyio
@pytest.mark.parametrize(("tokens", "requests"), [(["old"], 1), (["old", "as bad"], 2)])
@pytest.mark.usefixtures("either_client")
async def test_a_secret_that_is_refused_again_is_given_up(peer: Peer, tmp_path: Path, tokens: list[str], requests: int) -> None:
    credential = BearerCredential(await from_command(keep(tmp_path / "tokens", *tokens)))
    peer.on("/session", Answer(401))
    async with Client(f"{peer.url}/session", credential) as client:
        with pytest.raises(SignInError, match="did not accept"):
            await client.session()
    assert (len(peer.seen), runs(tmp_path / "tokens")) == (requests, 2)


@pytest.mark.anyio
@pytest.mark.usefixtures("either_client")
async def test_requests_that_are_refused_together_get_the_secret_anew_once(peer: Peer, tmp_path: Path) -> None:
    credential = BearerCredential(await from_command(keep(tmp_path / "tokens", "old", "new", "wrong")))
    peer.on("/api", accepting("new", result(ECHO)))
    async with Client(f"{peer.url}/session", credential) as client:
        await client.session()
        await asyncio.gather(*(client.call([ECHO_CALL], using=[CORE]) for _ in range(4)))
    assert runs(tmp_path / "tokens") == 2


@pytest.mark.anyio
@pytest.mark.usefixtures("either_client")
async def test_what_the_user_may_not_do_is_no_reason_to_get_the_secret_anew(peer: Peer, tmp_path: Path) -> None:
    credential = BearerCredential(await from_command(keep(tmp_path / "tokens", "old", "new")))
    peer.on("/session", Answer(403))
    async with Client(f"{peer.url}/session", credential) as client:
        with pytest.raises(ForbiddenError):
            await client.session()
    assert runs(tmp_path / "tokens") == 1


@pytest.mark.anyio
@pytest.mark.usefixtures("either_client")
async def test_a_command_that_fails_by_then_says_why(peer: Peer, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old\n")
    credential = BearerCredential(await from_command(f"cat {path}"))
    path.unlink()
    peer.on("/session", Answer(401))
    async with Client(f"{peer.url}/session", credential) as client:
        with pytest.raises(SignInError, match="No such file"):
            await client.session()


@pytest.mark.anyio
async def test_a_file_is_read_anew_too(tmp_path: Path) -> None:
    path = secret_file(tmp_path / "secret", 0o600, b"old\n")
    secret = from_file(path)
    path.write_bytes(b"new\n")
    await secret.renew()
    assert secret.reveal() == "new"


# Files


def secret_file(path: Path, mode: int, content: bytes = SESAME.encode() + b"\nmore\n") -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_private_file_gives_its_first_line(tmp_path: Path, mode: int) -> None:
    assert from_file(secret_file(tmp_path / "secret", mode)).reveal() == SESAME


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o601])
def test_a_file_that_others_can_use_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(SignInError, match="chmod 600"):
        from_file(secret_file(tmp_path / "secret", mode))


def test_a_file_that_is_missing_or_empty_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SignInError, match="No such file"):
        from_file(tmp_path / "none")
    with pytest.raises(SignInError, match="no secret"):
        from_file(secret_file(tmp_path / "empty", 0o600, b""))


# systemd


def test_a_systemd_credential_is_read_where_systemd_put_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    secret_file(tmp_path / "mail", 0o400)
    assert from_systemd_credential("mail").reveal() == SESAME


@pytest.mark.parametrize("name", ["../mail", "", "..", "other"])
def test_a_credential_that_systemd_did_not_pass_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(SignInError):
        from_systemd_credential(name)


def test_without_systemd_there_is_no_credential(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(SignInError, match="LoadCredential"):
        from_systemd_credential("mail")


# Commands that do not end as one would like


@pytest.mark.anyio
@pytest.mark.parametrize(
    "command",
    [
        "echo sesame; sleep 3600 &",
        "printf sesame; sleep 3600 &",
        "(sleep 3600; echo later) & printf 'sesame\\nand more'",
        "echo sesame; (sleep 3600 >/dev/null) 2>&1 &",
        "echo sesame; nohup sleep 3600 >&2 &",
        "exec 3>&1; echo sesame; exec 1>&-; sleep 0.2",
        "cat; echo sesame; head -c 900000 /dev/zero",
        "head -c 900000 /dev/zero >&2; echo sesame",
        ["sh", "-c", "setsid sleep 3600 & echo sesame"],
    ],
)
async def test_the_secret_is_taken_when_the_command_itself_has_ended(
    command: str | list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEFT_BEHIND_BY", str(tmp_path))
    try:
        async with asyncio.timeout(90):
            assert (await from_command(command)).reveal() == "sesame"
    finally:
        end_all_with(f"LEFT_BEHIND_BY={tmp_path}\0".encode())


def end_all_with(variable: bytes) -> None:
    """End the processes whose environment holds a variable that no other has."""
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if name.isdigit() and variable in Path(f"/proc/{name}/environ").read_bytes():
                os.kill(int(name), signal.SIGKILL)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "command", ["yes", "yes >&2", "cat /dev/zero", "echo sesame; yes", ["cat", "/dev/zero"], "trap '' PIPE; yes"]
)
async def test_a_command_that_writes_without_end_is_ended(command: str | list[str]) -> None:
    async with asyncio.timeout(90):
        with pytest.raises(SignInError, match="prints more than"):
            await from_command(command)


@pytest.mark.anyio
@pytest.mark.parametrize("command", ["echo sesame; sleep 3600", "echo sesame; exec >&- 2>&-; sleep 3600", "kill -STOP $$"])
async def test_a_command_that_does_not_end_gave_no_answer(command: str) -> None:
    with pytest.raises(SignInError, match="no answer within 1 seconds") as caught:
        await from_command(command, seconds=1)
    assert "sesame" not in str(caught.value).replace(command, "")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("printf 'ses\\0ame'", "control characters"),
        ("printf '\\033[1msesame'", "control characters"),
        ("printf 'ses\\rame\\n'", "control characters"),
        ("printf '\\n sesame'", "gave no secret"),
        ("kill -9 $$", "failed with status -9"),
        (["printf\0", "sesame"], "cannot be started"),
        (["/bin/echo", "x" * 3_000_000], "cannot be started"),
        ("exit 3; " + "x" * 10_000, "failed with status 3"),
    ],
)
async def test_a_command_that_gives_no_secret_is_reported_with_its_reason(command: str | list[str], why: str) -> None:
    with pytest.raises(SignInError, match=why) as caught:
        await from_command(command)
    assert len(str(caught.value)) < 600


def test_a_password_file_that_is_no_file_is_refused_and_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    (tmp_path / "folder").mkdir(0o700)
    for name in ("fifo", "folder"):
        with pytest.raises(SignInError, match="cannot be read"):
            from_file(tmp_path / name)
