"""Set up an account step by step: nothing is written before everything is known and the server has accepted the sign-in."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from jmapsync.app.setup.choices import default_name
from jmapsync.app.setup.config_file import (
    NewAccount,
    NewKind,
    Value,
    account_names,
    extended,
    render,
    setting_up,
    state_dir_for,
    write,
)
from jmapsync.cli.layout import message
from jmapsync.cli.login import print_place
from jmapsync.cli.output import say
from jmapsync.cli.questions import Questions
from jmapsync.cli.setup.answers import Interview
from jmapsync.cli.setup.contents import choose_contents
from jmapsync.cli.setup.finish import finish
from jmapsync.cli.setup.server import find_server
from jmapsync.cli.setup.sign_in import sign_in
from jmapsync.config import AccountConfig, default_path
from jmapsync.errors import ConfigError

if TYPE_CHECKING:
    from types import TracebackType

    from jmapsync.cli.settings import Settings
    from jmapsync.cli.setup.answers import Answers
    from jmapsync.cli.setup.server import Found
    from jmapsync.cli.setup.sign_in import SignedIn

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class Dialogue:
    """One run of `jmapsync init`; use it as a context manager."""

    def __init__(self, settings: Settings, answers: Answers) -> None:
        """Keep the options; nothing is asked yet."""
        self._settings = settings
        self._interview = Interview(answers, Questions(yes=answers.yes), asyncio.Runner())
        self._path = settings.config_given or default_path()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the event loop."""
        self._interview.runner.close()

    def run(self) -> int:
        """Do everything; return an exit code. Raise `JmapsyncError`; then nothing was written."""
        interview = self._interview
        answers, questions = interview.answers, interview.questions
        if not questions.terminal:
            answers.require()
        taken = account_names(self._path)
        address = answers.address
        if not address and not answers.url:
            address = questions.text("Your mail address", "ADDRESS", wrong=_wrong_address)
        found = find_server(answers.url or address, interview)
        name = self._name(default_name(address, urlsplit(found.url), taken), taken)
        account = AccountConfig(
            name=name, state_dir=state_dir_for(self._path, name), address=address if "@" in address else "", url=found.url
        )
        with setting_up(self._path, account):
            if not self._set_up(account, found):
                return 0
        return finish(self._path, name, self._settings, interview)

    def _set_up(self, account: AccountConfig, found: Found) -> bool:
        """Sign in and write the account; return whether that was wanted. Where it was not, or failed, no sign-in is left behind."""
        interview = self._interview
        signed_in = sign_in(account, found, interview)
        try:
            if self._write(signed_in):
                return True
        except BaseException:
            interview.runner.run(signed_in.forget())
            raise
        interview.runner.run(signed_in.forget())
        say("Nothing was written.")
        return False

    def _write(self, signed_in: SignedIn) -> bool:
        """Choose what is synchronized, store the sign-in and write the configuration; return whether that was wanted."""
        account, interview = signed_in.account, self._interview
        contents = choose_contents(account.name, signed_in.offered, interview)
        settings: dict[str, Value] = {"address": account.address} if account.address else {}
        new = NewAccount(
            name=account.name,
            settings={**settings, "url": account.url, **signed_in.settings, **contents.account_settings()},
            kinds=tuple(NewKind(kind=kind, path=path, settings=contents.settings(kind)) for kind, path in contents.places.items()),
        )
        extended(self._path, new)  # raises what would prevent it before anything is asked
        say("", *message(f"This {'is added to' if self._path.exists() else 'becomes'} {self._path}:"), "")
        say(*(f"  {line}".rstrip() for line in render(new).splitlines()))
        if not interview.questions.confirm("Write it?", "--yes", default=True):
            return False
        extended(self._path, new)  # another run may have added an account of this name, whose sign-in must stay
        stored = interview.runner.run(signed_in.store())
        write(self._path, extended(self._path, new)[0])  # an editor may have written it since
        say(*message(f"Written: {self._path}"))
        if stored is not None:
            print_place(self._settings, *stored)
        return True

    def _name(self, default: str, taken: list[str]) -> str:
        def wrong(name: str) -> str:
            if _NAME.fullmatch(name) is None:
                return "a name has letters, digits, - and _"
            return "there is an account of this name" if name in taken else ""

        if not self._interview.answers.name:
            return self._interview.questions.text("Name of the account", "--name", default=default, wrong=wrong)
        if problem := wrong(self._interview.answers.name):
            raise ConfigError([f"--name {self._interview.answers.name}: {problem}"])
        return self._interview.answers.name


def _wrong_address(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return "" if local and domain and " " not in address else "a mail address has the form name@example.com"
