"""Answer the questions of `jmapsync init` in a terminal, as a newcomer does who accepts what is proposed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live.screen import Screen


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
        screen.wait_for_wrapped(question)
        screen.keys(*keys)
        note(question)
