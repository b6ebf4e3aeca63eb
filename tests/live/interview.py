"""Answer the questions of `jmapsync init` in a terminal, as a newcomer does who accepts what is proposed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live.screen import Screen

SECONDS = 60
"""How long one answer of the program may take on a busy machine."""


def answer_all(screen: Screen, password: str, *, note: Callable[[str], None] = lambda _: None) -> None:
    """Answer every question up to the first sync; `note` is given each step once it is done."""
    for question, keys in (
        ("Name of the account", ["Enter"]),
        ("Sign in with", ["Enter"]),
        ("Where is the password?", ["Enter"]),
        ("Password", [password, "Enter"]),
        ("What shall be synchronized?", ["Enter"]),
        ("Synchronize (arrows", ["Enter"]),
        ("Use these folders?", ["Enter"]),
        ("Which mailboxes?", ["Enter"]),
        ("Write it?", ["Enter"]),
        ("Synchronize now?", ["Enter"]),
    ):
        wait_for(screen, question)
        screen.keys(*keys)
        note(question)


def wait_for(screen: Screen, text: str) -> None:
    """Wait for a text, however the terminal wraps its lines."""
    until = time.monotonic() + SECONDS
    wanted = "".join(text.split())
    while wanted not in "".join(screen.text().split()):
        assert time.monotonic() < until, f"{text!r} never came; the screen:\n{screen.text()}"
        time.sleep(0.05)
