"""Provide a home folder with an account, its mirror in ~/Mail/home, and the programs configured as docs/recipes.md says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.live.compare import LETTERS

if TYPE_CHECKING:
    from tests.live.conftest import Account

PROJECT = Path(__file__).parents[2]


def shown(heading: str, language: str, number: int = 0) -> str:
    """Return a block of docs/recipes.md as it is printed: by its section, its language, and its number among those."""
    page = (PROJECT / "docs/recipes.md").read_text(encoding="utf-8")
    section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    blocks: list[str] = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
    return blocks[number]


@dataclass(frozen=True)
class HomeFolder:
    """Somebody's home folder; `jmapsync` is on its PATH."""

    home: Path
    account: Account

    @classmethod
    def set_up(cls, home: Path, account: Account, *, mail: str = "", more: str = "") -> HomeFolder:
        """Write the configuration; `mail` stands in the table of mail, `more` after everything."""
        desk = cls(home, account)
        desk.write(".config/jmapsync/password", f"{account.password}\n")
        desk.write(
            ".config/jmapsync/config.toml",
            f'[accounts.home]\nurl = "{account.url}"\nuser = "{account.user}"\nauth = "basic"\n'
            f'password_file = "~/.config/jmapsync/password"\n[accounts.home.mail]\npath = "~/Mail/home"\n{mail}\n{more}\n',
        )
        script = "from jmapsync.cli import main; main()"
        program = desk.write("bin/jmapsync", f"#!/bin/sh\nexec {sys.executable} -c '{script}' \"$@\"\n")
        program.chmod(0o755)
        return desk

    def write(self, name: str, text: str) -> Path:
        """Write a file that only its owner may read."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        return path

    @property
    def environment(self) -> dict[str, str]:
        path = f"{self.home}/bin:{os.environ['PATH']}"
        return {"HOME": str(self.home), "PATH": path, "PYTHONPATH": str(PROJECT), "LC_ALL": "C.UTF-8"}

    def run(self, *command: str, code: int | None = 0) -> str:
        """Run a program and return what it printed on standard output and then on standard error; None is any exit code."""
        done = subprocess.run(
            command, env=self.environment, cwd=self.home, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        assert code is None or done.returncode == code, f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def on_server(self) -> dict[str, dict[str, tuple[str, frozenset[str]]]]:
        """Return what IMAP shows, by folder and subject: Maildir's letters of the flags, and the other keywords."""
        letters = {flag.lower(): letter for flag, letter in LETTERS.items()}
        found: dict[str, dict[str, tuple[str, frozenset[str]]]] = {}
        for folder in self.account.imap.folders():
            for message in self.account.imap.messages(folder):
                flags = {flag.lower() for flag in message.flags} - {"\\recent"}
                if "\\deleted" not in flags:
                    subject = next(line[9:] for line in message.content.decode().splitlines() if line.startswith("Subject: "))
                    known = "".join(sorted(letters[flag] for flag in flags & letters.keys()))
                    found.setdefault(folder, {})[subject] = (known, frozenset(flags - letters.keys()))
        return found

    def uid(self, folder: str, subject: str) -> int:
        """Return the IMAP uid of a message."""
        line = f"Subject: {subject}\r\n".encode()
        [message] = [one for one in self.account.imap.messages(folder) if line in one.content]
        return message.uid
