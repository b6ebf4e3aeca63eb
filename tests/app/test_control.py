"""The control socket: how `sync` and `status` speak with the daemon that holds an account."""

from __future__ import annotations

import asyncio
import stat
from typing import TYPE_CHECKING

import pytest

from jmapsync.app.control import Answer, Ask, answering, ask
from jmapsync.app.daemon_socket import Question
from jmapsync.app.state_paths import SOCKET
from jmapsync.errors import BusyError, ExitCode
from jmapsync.sync.report import AccountReport, Counts, KindReport, Problem, State

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_report_comes_back_as_it_was(tmp_path: Path) -> None:
    kind = KindReport(State.SUSPENDED, Counts(1, 2, 3), problems=[Problem("email 1", "it is ünreadable")], messages=["So it is."])
    report = AccountReport("home", 1.5, 3, 1000, {"mail": kind}, "It failed.", ExitCode.SUSPENDED)
    asked: list[Ask] = []

    async def answer(question: Ask) -> Answer:
        asked.append(question)
        return Answer(report=report)

    async with answering(tmp_path, answer):
        answered = await ask(tmp_path, Ask("sync", full=True))
    assert asked == [Ask("sync", full=True)]
    assert answered is not None
    assert answered.report == report


async def test_a_path_that_is_not_utf_8_comes_through_both_ways(tmp_path: Path) -> None:
    asked: list[Ask] = []

    async def answer(question: Ask) -> Answer:
        asked.append(question)
        return Answer(state={"standing": question.paths[0]}, error="\udce4")

    async with answering(tmp_path, answer):
        answered = await ask(tmp_path, Ask("restore", paths=("/home/\udce4/Mail",)))
    assert asked == [Ask("restore", paths=("/home/\udce4/Mail",))]
    assert answered == Answer(state={"standing": "/home/\udce4/Mail"}, error="\udce4")


async def test_only_its_owner_may_ask(tmp_path: Path) -> None:
    async with answering(tmp_path / "state", _nothing):
        assert stat.S_IMODE((tmp_path / "state" / SOCKET).stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert not (tmp_path / "state" / SOCKET).exists()


async def test_a_path_longer_than_an_address_is_no_obstacle(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100) / ("y" * 100)
    async with answering(deep, _nothing):
        assert await _state(deep) == {"standing": "in step"}


async def test_where_no_daemon_is_there_is_no_answer(tmp_path: Path) -> None:
    assert await ask(tmp_path, Ask("sync")) is None
    assert await _state(tmp_path / "missing") is None


async def test_the_socket_of_a_dead_daemon_is_no_obstacle(tmp_path: Path) -> None:
    async with answering(tmp_path, _nothing):
        (tmp_path / SOCKET).rename(tmp_path / "kept")
    (tmp_path / "kept").rename(tmp_path / SOCKET)
    assert await ask(tmp_path, Ask("status")) is None
    async with answering(tmp_path, _nothing):
        assert await _state(tmp_path) is not None


async def test_a_daemon_that_dies_before_it_answers_is_reported(tmp_path: Path) -> None:
    async def die(_: Ask) -> Answer:
        raise OSError("gone")

    async with answering(tmp_path, die):
        with pytest.raises(BusyError, match="did not answer"):
            await ask(tmp_path, Ask("sync"))


async def test_a_request_of_another_version_is_refused_with_a_message(tmp_path: Path) -> None:
    async with answering(tmp_path, _nothing):
        reader, writer = await asyncio.open_unix_connection(tmp_path / SOCKET)
        writer.write(b'{"do": "sync", "new_idea": 1}\n')
        assert b"another version" in await reader.readline()
        writer.close()


async def _state(folder: Path) -> object:
    """Ask as `status` does, which has no event loop."""
    question = await asyncio.to_thread(Question, folder, {"do": "status"})
    return (await asyncio.to_thread(question.answer, 60)).get("state") if question.is_sent else None


async def _nothing(_: Ask) -> Answer:
    return Answer(state={"standing": "in step"})
