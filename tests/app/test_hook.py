"""A hook that cannot start, or gets what no environment can hold, is a hook that failed."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING

import pytest

from jmapsync.app import hook
from jmapsync.app.hook import HookError, run_after_sync, run_on_success, run_on_trouble
from jmapsync.config import HooksConfig
from jmapsync.errors import ExitCode, JmapsyncError
from jmapsync.sync.report import AccountReport, Counts, KindReport, State

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

CHANGED = AccountReport("home", kinds={"mail": KindReport(to_disk=Counts(created=1))})


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize(
    "command", [": " + "x" * 200_000, "true\0", "true \ud800", "/no/such/program", "/dev/null", "exec /", "kill -9 $$", "("]
)
async def test_a_hook_that_cannot_start_is_a_hook_failure(command: str) -> None:
    with pytest.raises(HookError, match="everything is synchronized nevertheless") as caught:
        await run_after_sync(HooksConfig(after_sync=command), CHANGED)
    assert len(str(caught.value)) < 500


async def test_no_shell_is_a_hook_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    async def start(*_: object, **__: object) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(hook, "start", start)
    with pytest.raises(HookError, match=r"could not be started .No such file"):
        await run_on_trouble(HooksConfig(on_trouble="true"), "home", "It is so.")


async def test_an_environment_that_is_too_large_is_a_hook_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(40):
        monkeypatch.setenv(f"LARGE_{number}", "x" * 120_000)
    with pytest.raises(HookError, match=r"could not be started .Argument list too long"):
        await run_on_trouble(HooksConfig(on_trouble="true"), "home", "It is so.")


async def test_a_hook_that_fails_is_reported_as_one_of_ours() -> None:
    with pytest.raises(JmapsyncError, match="failed with status 7"):
        await run_on_trouble(HooksConfig(on_trouble="exit 7"), "home", "It is so.")


class TestOnSuccess:
    @pytest.fixture
    def log(self, tmp_path: Path) -> Path:
        return tmp_path / "log"

    @pytest.fixture
    def hooks(self, log: Path) -> HooksConfig:
        return HooksConfig(on_success=f"echo $JMAPSYNC_ACCOUNT $JMAPSYNC_KINDS >>{log}")

    def test_it_runs_once_an_interval(self, hooks: HooksConfig, log: Path, tmp_path: Path) -> None:
        report = AccountReport("home", kinds={"mail": KindReport(state=State.SYNCED), "contacts": KindReport(state=State.SYNCED)})
        for _ in range(3):
            asyncio.run(run_on_success(hooks, report, tmp_path, 600))
        assert log.read_text() == "home mail contacts\n"
        for age in (500, 545, -1000):  # the last time is still to come: the clock was set back
            os.utime(tmp_path / "on_success", (time.time() - age,) * 2)
            asyncio.run(run_on_success(hooks, report, tmp_path, 600))
        assert log.read_text() == "home mail contacts\n" * 3

    @pytest.mark.parametrize(
        "kinds",
        [
            {},
            {"mail": KindReport(state=State.SYNCED, exit_code=ExitCode.QUARANTINED)},
            {"mail": KindReport(state=State.SYNCED), "contacts": KindReport(state=State.SKIPPED, exit_code=ExitCode.FAILED)},
            {"mail": KindReport(state=State.SUSPENDED, exit_code=ExitCode.SUSPENDED)},
            {"mail": KindReport(state=State.SYNCED, partial=True)},
        ],
    )
    def test_it_does_not_run_for_less_than_success(
        self, kinds: dict[str, KindReport], hooks: HooksConfig, log: Path, tmp_path: Path
    ) -> None:
        asyncio.run(run_on_success(hooks, AccountReport("home", kinds=kinds), tmp_path, 600))
        failed = AccountReport("home", kinds={"mail": KindReport(state=State.SYNCED)}, exit_code=ExitCode.FAILED)
        asyncio.run(run_on_success(hooks, failed, tmp_path, 600))
        assert not log.exists()
