"""Work the notmuch program over a mirror, with a configuration of its own."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Notmuch:
    """A notmuch database over some mail, whose configuration says `new.tags` as is usual."""

    config: Path
    mail: Path

    @classmethod
    def over(cls, mail: Path, *, new_tags: str = "unread;inbox") -> Notmuch:
        """Write the configuration beside the mail; the database comes with the first `new`."""
        config = mail.parent / "notmuch-config"
        config.write_text(
            f"[database]\npath={mail}\n[user]\nname=A\nprimary_email=a@example.com\n[new]\ntags={new_tags}\n"
            "ignore=.jmapsync;dovecot-keywords\n[maildir]\nsynchronize_flags=true\n"
        )
        return cls(config, mail)

    def run(self, *arguments: str, text: str = "") -> str:
        environment = os.environ | {"NOTMUCH_CONFIG": str(self.config)}
        done = subprocess.run(["notmuch", *arguments], env=environment, input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"notmuch {arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def new(self) -> None:
        self.mail.mkdir(exist_ok=True)
        self.run("new", "--quiet")

    def tag(self, *change: str, query: str = "*") -> None:
        self.run("tag", *change, "--", query)

    def tags(self, query: str = "*") -> set[str]:
        """Return all tags of the messages found."""
        return set(self.run("search", "--exclude=false", "--output=tags", query).split("\n")) - {""}

    def count(self, query: str) -> int:
        return int(self.run("count", "--exclude=false", query))

    def revision(self) -> int:
        return int(self.run("count", "--lastmod", "*").split()[2])
