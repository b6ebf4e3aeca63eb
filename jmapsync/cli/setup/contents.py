"""Choose kinds, direction, folders and mailboxes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jmapsync.app.setup.choices import default_root, patterns, roots, unmatched, written
from jmapsync.cli.layout import entry, message
from jmapsync.cli.output import say
from jmapsync.cli.questions import Choice
from jmapsync.errors import ConfigError, UnsupportedError
from jmapsync.formats.names import Patterns
from jmapsync.text import some_of

if TYPE_CHECKING:
    from jmapsync.app.setup.config_file import Value
    from jmapsync.app.setup.survey import Survey
    from jmapsync.cli.questions import Questions
    from jmapsync.cli.setup.answers import Answers, Interview

_MOST_NAMED = 5


@dataclass(slots=True)
class Contents:
    """What is synchronized, and where it goes."""

    places: dict[str, str] = field(default_factory=dict)
    """The directory of each kind, as it is written."""
    mailboxes: Patterns = field(default_factory=Patterns)
    backup: bool = False

    def account_settings(self) -> dict[str, Value]:
        """Return further keys of the account's table."""
        return {"direction": "pull"} if self.backup else {}

    def settings(self, kind: str) -> dict[str, Value]:
        """Return further keys of a kind's table."""
        found: dict[str, Value] = {}
        if kind == "mail":
            if self.mailboxes.include != ("*",):
                found["include"] = list(self.mailboxes.include)
            if self.mailboxes.exclude:
                found["exclude"] = list(self.mailboxes.exclude)
            if self.backup:
                found["keep_deleted"] = True
        return found


def choose_contents(name: str, offered: Survey, interview: Interview) -> Contents:
    """Return what is synchronized; raise `UnsupportedError` or `ConfigError` for an answer that cannot be."""
    answers, questions = interview.answers, interview.questions
    if not offered.kinds:
        raise UnsupportedError("The server offers this user neither mail nor contacts nor calendars.")
    say("", "It offers:")
    for kind, amount in offered.kinds.items():
        say(*entry(kind, amount, 12))
    for problem in offered.problems:
        say(*message(problem))
    kinds = _kinds(offered, answers, questions)
    contents = Contents(backup=answers.backup)
    if not answers.backup:
        ways = [
            Choice("both", "both ways: changes here reach the server"),
            Choice("backup", "backup only: the server is never written"),
        ]
        contents.backup = questions.choose("Synchronize", "--backup", ways, default="both") == "backup"
    contents.places = _places(name, kinds, answers, questions)
    if "mail" in kinds:
        contents.mailboxes = _mailboxes(offered, answers, questions)
    return contents


def _kinds(offered: Survey, answers: Answers, questions: Questions) -> list[str]:
    for kind in answers.kinds:
        if kind not in offered.kinds:
            raise ConfigError([f"--kinds: the server offers no {kind}; it offers {', '.join(offered.kinds)}"])
    if answers.kinds:
        return [kind for kind in offered.kinds if kind in answers.kinds]
    choices = [Choice(kind, f"{kind}: {amount}") for kind, amount in offered.kinds.items()]
    if len(choices) == 1:
        return list(offered.kinds)
    return questions.pick("What shall be synchronized?", "--kinds", choices, picked=offered.kinds)


def _places(name: str, kinds: list[str], answers: Answers, questions: Questions) -> dict[str, str]:
    if answers.roots:
        return roots(answers.roots, kinds, name)
    found = {kind: default_root(kind, name) for kind in kinds}
    if not questions.terminal or questions.yes:
        return found
    say("", "Folders:")
    for kind, place in found.items():
        say(*entry(kind, place, 12))
    if questions.confirm("Use these folders?", "--root", default=True):
        return found
    return {kind: written(questions.text(f"Folder of {kind}", "--root", default=place)) for kind, place in found.items()}


def _mailboxes(offered: Survey, answers: Answers, questions: Questions) -> Patterns:
    if answers.include or answers.exclude:
        return Patterns(answers.include or ("*",), answers.exclude)
    every = [box.path for box in offered.mailboxes]
    if not every or not questions.terminal or questions.yes:
        return Patterns()
    ways = [Choice("all", f"all {len(every)}, and new ones"), Choice("some", "choose from a list")]
    if questions.choose("Which mailboxes?", "--include", ways, default="all") == "all":
        return Patterns()
    titles = [Choice(box.path, f"{box.path} ({box.total:,})") for box in offered.mailboxes]
    chosen = questions.pick("Mailboxes", "--include", titles, picked=every)
    selected = patterns(chosen, every)
    otherwise = unmatched(selected, chosen, every)
    if otherwise:
        names = some_of(otherwise, _MOST_NAMED)
        say(*message(f"These are below a mailbox that is left out, so they are left out too: {names}"))
    return selected
