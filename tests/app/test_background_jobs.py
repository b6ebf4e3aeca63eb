"""Jobs that the daemon runs in the background: their failures are logged, and one that never began leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import inspect
import logging
from typing import NoReturn

import pytest

from jmapsync.app.service import Service
from jmapsync.errors import LocalError

pytestmark = pytest.mark.anyio


def _no_configuration() -> NoReturn:
    raise AssertionError


async def _fail() -> None:
    raise LocalError("the hook is gone")


async def test_a_failure_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    service = Service(_no_configuration)
    with caplog.at_level(logging.WARNING, logger="jmapsync"):
        service._do(_fail())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert "the hook is gone" in caplog.text
    assert not service._background


async def test_a_job_that_is_cancelled_before_it_begins_is_closed() -> None:
    service = Service(_no_configuration)
    job = _fail()
    service._do(job)
    for task in service._background:
        task.cancel()
    await asyncio.sleep(0)
    gc.collect()
    assert inspect.getcoroutinestate(job) == inspect.CORO_CLOSED
