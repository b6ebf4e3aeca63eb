"""Mirror an account with the installed command, as a user has it."""

from __future__ import annotations

import compileall
import json
import os
import sys
from pathlib import Path
from typing import Any

import jmapsync
from jmapsync.app.state_paths import LEDGER
from tests.bench.measure import Cost, measure

_CONFIG = """\
[accounts.bench]
url = "{url}"
user = "{user}"
auth = "basic"
password_file = "{secret}"

[accounts.bench.mail]
path = "{root}"
"""


class Jmapsync:
    """A mirror of one account in `directory`, which is made."""

    def __init__(self, directory: Path, url: str, user: str, password: str) -> None:
        directory.mkdir(parents=True)
        self.root = directory / "mail"
        self.log = directory / "log"
        self.config = directory / "config.toml"
        self.state = directory / "state"
        secret = directory / "secret"
        secret.touch(mode=0o600)
        secret.write_text(password + "\n")
        self.config.write_text(_CONFIG.format(url=url, user=user, secret=secret, root=self.root))
        self.environment = {**os.environ, "XDG_STATE_HOME": str(self.state)}

    @property
    def ledger(self) -> Path:
        """Where the ledger lies."""
        return self.state / "jmapsync" / "bench" / LEDGER

    def run(self, *options: str) -> tuple[Cost, dict[str, Any]]:
        """Synchronise once; return what it cost and the report of the account."""
        command = [str(Path(sys.executable).with_name("jmapsync")), "-q", "-c", str(self.config), "sync", "--json", *options]
        cost = measure(command, self.log, self.environment)
        return cost, json.loads(self.log.read_bytes().partition(b"\n")[0])["accounts"]["bench"]

    def flag(self, count: int) -> None:
        """Mark unflagged messages as flagged, as a mail program does."""
        left = count
        for file in sorted(self.root.glob("**/cur/*")):
            name, _, letters = file.name.partition(":2,")
            if left and "F" not in letters:
                file.rename(file.with_name(f"{name}:2,{''.join(sorted(letters + 'F'))}"))
                left -= 1


def precompile() -> None:
    """Compile the package as an installation does; an environment that forbids bytecode would time the compiler."""
    compileall.compile_dir(Path(jmapsync.__file__).parent, quiet=1)
