"""Read and write the scripts of an account by ManageSieve (RFC 5804), with Debian's sieve-connect."""

from __future__ import annotations

import re
import subprocess
import tempfile
from email.header import decode_header, make_header
from pathlib import Path

_LINE = re.compile(r'^"((?:[^"\\]|\\.)*)"(\s+ACTIVE)?', re.MULTILINE)


class ManageSieve:
    """One account's scripts as another client of the server sees them."""

    def __init__(self, port: int, user: str, password: str) -> None:
        self._command = ["sieve-connect", "-s", "127.0.0.1", "-p", str(port), "-u", user, "--passwordfd", "0"]
        self._command += ["--clearchan", "--ignoreserverversion", "--4"]
        self._password = password

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self._command, *arguments], input=f"{self._password}\n", capture_output=True, text=True, check=False, timeout=60
        )
        if done.returncode:
            raise AssertionError(f"sieve-connect {arguments} failed: {done.stdout} {done.stderr}")
        return done.stdout

    def scripts(self) -> dict[str, bool]:
        """Return the names of the scripts, and whether each is active."""
        found = {match[1]: bool(match[2]) for match in _LINE.finditer(self._run("--list"))}
        # Cyrus 3.6 to 3.12 keeps a name that came by JMAP in a header, and shows it encoded.
        return {str(make_header(decode_header(name))): active for name, active in found.items()}

    def get(self, name: str) -> bytes:
        """Return the text of a script."""
        with tempfile.TemporaryDirectory() as place:
            file = Path(place) / "script"
            self._run("--download", "--remotesieve", name, "--localsieve", str(file))
            return file.read_bytes()

    def find(self, name: str) -> bytes:
        """Return the text of a script; nothing where there is none, as on Cyrus 3.6 while it is replaced."""
        try:
            return self.get(name)
        except AssertionError:
            return b""

    def put(self, name: str, text: str) -> None:
        """Upload a script."""
        with tempfile.TemporaryDirectory() as place:
            file = Path(place) / "script"
            file.write_text(text)
            self._run("--upload", "--remotesieve", name, "--localsieve", str(file))

    def activate(self, name: str) -> None:
        """Activate a script; deactivate the active one where the name is empty."""
        self._run(*(["--activate", "--remotesieve", name] if name else ["--deactivate"]))

    def delete(self, name: str) -> None:
        """Delete a script."""
        self._run("--delete", "--remotesieve", name)
