"""The progress of `sync` on a terminal: nothing for short runs, lines for long ones, and a clean terminal afterwards."""

from __future__ import annotations

import os
import pty
import select
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jmapsync.cli.progress import Bars

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """Have standard error be a terminal, and return what was written to it since the last call."""
    ours, theirs = pty.openpty()
    monkeypatch.setenv("TERM", "xterm")
    with os.fdopen(theirs, "w", buffering=1, encoding="utf-8") as stream, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", stream)

        def written() -> str:
            stream.flush()
            found = b""
            while select.select([ours], [], [], 0.2)[0]:
                found += os.read(ours, 1 << 16)
            return found.decode()

        yield written
    os.close(ours)


def _wait_for(text: str, written: Callable[[], str]) -> None:
    until, found = time.monotonic() + 90, ""
    while text not in found:
        assert time.monotonic() < until, found
        found += written()


def test_a_long_run_is_shown_from_its_listing_on_and_leaves_the_terminal_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as written:
        bars = Bars()
        bars.start("home", "", "connecting", 0, 0)
        _wait_for("home: connecting", written)
        bars.start("home", "mail", "listing mail", 0, 0)
        bars.finish("home", "")
        bars.advance("home", "mail", 1200, 0)
        _wait_for("home: listing mail  1,200", written)
        bars.start("home", "mail", "fetching mail", 20_000, 0)
        bars.advance("home", "mail", 500, 0)
        _wait_for("500/20,000", written)
        bars.finish("home", "mail")
        assert SHOW in written()
        bars.start("home", "contacts", "listing contacts", 0, 0)
        _wait_for("home: listing contacts", written)
        bars.finish("home", "contacts")
        assert written().rstrip().endswith(("\x1b[2K", SHOW, "\x1b[1A\x1b[2K"))


def test_a_short_run_draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as written:
        bars = Bars()
        bars.start("home", "mail", "listing mail", 0, 0)
        bars.advance("home", "mail", 3, 0)
        bars.finish("home", "mail")
        time.sleep(0.7)
        assert written() == ""


def test_what_ends_without_a_beginning_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as written:
        bars = Bars()
        bars.advance("home", "mail", 3, 0)
        bars.finish("home", "mail")
        assert written() == ""
