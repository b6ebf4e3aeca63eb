"""Ask questions on a terminal; without one, take the defaults or name the options that are missing."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from jmapsync.errors import ConfigError
from jmapsync.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from prompt_toolkit.styles import Style

_LONGEST = 70
"""Characters of one choice."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several answers."""

    value: str
    title: str


class Questions:
    """Answers to what no option answers: of a person at a terminal, else the defaults.

    `Ctrl-C` and the end of the input abort the command.
    """

    def __init__(self, *, yes: bool) -> None:
        """Keep whether every default is accepted."""
        self.yes = yes
        self.terminal = self.is_terminal()

    def is_terminal(self) -> bool:
        """Return whether somebody can be asked."""
        return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "") != "dumb"

    def text(
        self, question: str, option: str, *, default: str = "", wrong: Callable[[str], str] | None = None, secret: bool = False
    ) -> str:
        """Return a line; `wrong` returns what is wrong with it, or nothing."""
        if default and (self.yes or not self.terminal):
            return default
        self._require(option)
        import questionary  # noqa: PLC0415  # only an interactive command needs it

        def judge(answer: str) -> bool | str:
            answer = answer.strip()
            return (wrong(answer) if wrong and answer else "") or bool(answer) or "an answer is needed"

        ask = questionary.password if secret else questionary.text
        given: str = _ask(ask(question, default=default, validate=judge, style=_style(), qmark="?"))
        return given if secret else given.strip()

    def confirm(self, question: str, option: str, *, default: bool | None) -> bool:
        """Return whether the answer is yes; a default of None has to be answered, whatever `yes` says."""
        if default is not None and (self.yes or not self.terminal):
            return default
        self._require(option)
        import questionary  # noqa: PLC0415

        return bool(_ask(questionary.confirm(question, default=bool(default), style=_style(), auto_enter=False)))

    def choose(self, question: str, option: str, choices: Sequence[Choice], *, default: str = "") -> str:
        """Return the value of one choice; without a default it has to be chosen."""
        if default and (self.yes or not self.terminal):
            return default
        self._require(option)
        import questionary  # noqa: PLC0415

        shown = [questionary.Choice(_short(one.title), value=one.value) for one in choices]
        first = next((one for one in shown if one.value == default), shown[0])
        return str(_ask(questionary.select(question, choices=shown, default=first, style=_style(), instruction="(arrows, Enter)")))

    def pick(self, question: str, option: str, choices: Sequence[Choice], *, picked: Collection[str]) -> list[str]:
        """Return the values that are ticked in a list; at least one."""
        if self.yes or not self.terminal:
            return [one.value for one in choices if one.value in picked]
        self._require(option)
        import questionary  # noqa: PLC0415

        shown = [questionary.Choice(_short(one.title), value=one.value, checked=one.value in picked) for one in choices]
        chosen: list[str] = _ask(
            questionary.checkbox(
                question,
                choices=shown,
                style=_style(),
                instruction="(Space: change, a: all, Enter: done)",
                validate=lambda ticked: bool(ticked) or "choose at least one",
            )
        )
        return chosen

    def _require(self, option: str) -> None:
        if not self.terminal:
            raise ConfigError([f"no terminal to ask on; give {option}"])


def _ask(question: Any) -> Any:  # noqa: ANN401  # questionary's own types say no more
    try:
        return question.unsafe_ask()
    except EOFError as error:
        raise click.Abort from error


def _style() -> Style:
    from prompt_toolkit.styles import Style  # noqa: PLC0415

    # Without background colours: what is ticked and where the cursor is shows by signs too, so that it works without colour.
    return Style([("selected", "noreverse"), ("highlighted", "bold"), ("pointer", "bold"), ("answer", "bold")])


def _short(title: str) -> str:
    return one_line(title, _LONGEST)
