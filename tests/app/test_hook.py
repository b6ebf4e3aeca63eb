"""A hook that cannot start, or gets what no environment can hold, is a hook that failed."""

from __future__ import annotations

import pytest

from jmapsync.app import hook
from jmapsync.app.hook import HookError, run_after_sync, run_on_trouble
from jmapsync.config import HooksConfig
from jmapsync.errors import JmapsyncError
from jmapsync.sync.report import AccountReport, Counts, KindReport

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
