"""One run at a time holds an account, by a lock that dies with its process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from jmapsync.errors import BusyError, ExitCode
from jmapsync.ledger import AccountLock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOLDER = """
import pathlib, sys, time
from jmapsync.ledger import AccountLock
with AccountLock(pathlib.Path(sys.argv[1]), "home"):
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def another_process(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def test_a_second_run_is_refused_and_learns_who_is_at_work(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with another_process(path) as other:
        with pytest.raises(BusyError, match=f"process {other.pid} on {os.uname().nodename}") as reported, AccountLock(path, "home"):
            pass
        assert reported.value.exit_code == ExitCode.BUSY


def test_a_lock_left_by_a_killed_process_or_a_power_loss_holds_nobody_up(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with another_process(path) as other:
        other.send_signal(signal.SIGKILL)
        other.wait()
    assert path.read_text().startswith(f"process {other.pid}")
    with AccountLock(path, "home"):
        assert path.read_text().startswith(f"process {os.getpid()}")


def test_the_lock_is_free_again_after_a_run_that_failed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with pytest.raises(RuntimeError), AccountLock(path, "home"):
        raise RuntimeError
    with AccountLock(path, "home"):
        pass


def test_accounts_do_not_hold_each_other_up(tmp_path: Path) -> None:
    with another_process(tmp_path / "one"), AccountLock(tmp_path / "two", "home"):
        pass


def test_a_child_process_does_not_keep_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with AccountLock(path, "home"):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], close_fds=False)
    try:
        with AccountLock(path, "home"):
            pass
    finally:
        child.kill()
        child.wait()
