"""Check the new account, and start what the user wants: the first sync, the service."""

from __future__ import annotations

import os
import shlex
import subprocess
from typing import TYPE_CHECKING

from jmapsync.app import App
from jmapsync.app.install import default_unit_dir, find_program, install
from jmapsync.cli.check import print_checkup
from jmapsync.cli.layout import message
from jmapsync.cli.outcome import print_run
from jmapsync.cli.output import say
from jmapsync.config import load
from jmapsync.errors import ExitCode, JmapsyncError
from jmapsync.sync.report import worst
from jmapsync.text import command

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.cli.questions import Questions
    from jmapsync.cli.settings import Settings
    from jmapsync.cli.setup.answers import Interview

_SECONDS = 60


def finish(path: Path, name: str, settings: Settings, interview: Interview) -> int:
    """Run `check` for the account, then the first sync and the service if they are wanted; return an exit code."""
    answers, questions, runner = interview.answers, interview.questions, interview.runner
    app = App(load(path))
    say("", "Checking the account:")
    [checkup] = runner.run(app.check([name]))
    print_checkup(checkup)
    if checkup.exit_code not in {ExitCode.IN_SYNC, ExitCode.QUARANTINED}:
        return checkup.exit_code
    codes: list[ExitCode] = []
    if answers.syncs if answers.syncs is not None else _offered(questions, "Synchronize now?", "--sync"):
        run = runner.run(app.sync([name], progress=settings.progress()))
        print_run(settings, run)
        codes.append(run.exit_code)
    else:
        say("", *message(f"Synchronize with: {command('sync', name)}"))
    if (
        answers.installs
        if answers.installs is not None
        else _has_systemd() and _offered(questions, "Keep it synchronized by a systemd service?", "--service")
    ):
        codes.append(_install(settings))
    mail = app.config.accounts[name].mail
    if mail is not None and codes:
        inbox = mail.path / "INBOX" if mail.layout == "nested" else mail.path
        if inbox.is_dir():
            say("", *message(f"Read your mail with: mutt -f {shlex.quote(str(inbox))}"))
    return worst([checkup.exit_code, *codes])


def _offered(questions: Questions, question: str, option: str) -> bool:
    """Return whether a person wants something; `--yes` alone does not."""
    return questions.terminal and not questions.yes and questions.confirm(question, option, default=True)


def _has_systemd() -> bool:
    """Return whether a systemd runs services of this user."""
    return os.path.isdir(os.path.join(os.environ.get("XDG_RUNTIME_DIR", "/nonexistent"), "systemd"))


def _install(settings: Settings) -> ExitCode:
    """Write the units and start the service; where systemd refuses, print the commands."""
    try:
        written = install(default_unit_dir(), program=find_program(), config=settings.config_given)
    except JmapsyncError as error:
        say(str(error), err=True)
        return error.exit_code
    for file in written.files:
        say(f"Written: {file}")
    for one in written.commands:
        try:
            done = subprocess.run(  # noqa: S603  # our own commands
                shlex.split(one), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, check=False
            )
            failed = f"status {done.returncode}: {done.stderr.strip()}" if done.returncode else ""
        except (OSError, subprocess.TimeoutExpired) as error:
            failed = str(error)
        if failed:
            say(*message(f"{one} failed ({failed}). When systemd runs services of this user, run:"), err=True)
            say(*written.commands)
            return ExitCode.FAILED
    say(f"The service jmapsync.service runs; see: {command('status')}")
    return ExitCode.IN_SYNC
