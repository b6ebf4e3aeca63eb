"""Work mutt or NeoMutt by its keys, each once the screen shows what the one before it did; needs `set arrow_cursor = yes`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.live.screen import Screen


def go_to(screen: Screen, number: int) -> None:
    """Select a message of the index by its number."""
    screen.keys(str(number))
    screen.wait_for(f"Jump to message: {number}")
    screen.keys("Enter")
    screen.wait_for_line(rf"-> +{number} ")


def flag(screen: Screen, number: int) -> None:
    go_to(screen, number)
    screen.keys("F")
    screen.wait_for_line(rf"(->)? +{number} ..!")


def delete(screen: Screen, number: int) -> None:
    go_to(screen, number)
    screen.keys("d")
    screen.wait_for_line(rf"(->)? +{number} .D")


def copy(screen: Screen, number: int, folder: str) -> None:
    _give_folder(screen, number, "C", "Copy", folder)
    screen.wait_for_gone("Copy to mailbox")


def move(screen: Screen, number: int, folder: str) -> None:
    _give_folder(screen, number, "s", "Save", folder)
    screen.wait_for_line(rf"(->)? +{number} .D")


def _give_folder(screen: Screen, number: int, key: str, act: str, folder: str) -> None:
    go_to(screen, number)
    screen.keys(key)
    screen.wait_for_line(rf"{act} to mailbox.*: =")  # it proposes a folder
    screen.keys("C-u", folder)
    screen.wait_for_line(rf"{act} to mailbox.*: {folder}\b")
    screen.keys("Enter")
