"""Read the secret of an account from its source (command, file, systemd credential) and build its Authorization header.

A secret is wrapped in `Secret` from the moment it is read, so that no log line, traceback, report or pickle can show it.
Nothing here prompts: a daemon has no terminal.
"""

from __future__ import annotations

import asyncio
import base64
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Protocol

from jmapsync.errors import SignInError
from jmapsync.jmap.commands import TooMuchOutputError, output_of
from jmapsync.opening import open_given, open_regular

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from jmapsync.jmap.transport import Transport

COMMAND_SECONDS = 60.0
"""How long a password command may take: long enough for its user to unlock a key in a graphical pinentry."""
ADVICE = "Check both."
"""What to do where a password or an API token is refused."""
_LONGEST_FILE = 1 << 20
"""Octets of a file that are read; only its first line is used."""
_MAX_STDERR = 200
_MOST_OUTPUT = 1 << 20
"""Octets that a password command may print."""


class Secret:
    """A secret string that only `reveal` returns."""

    __slots__ = ("_again", "_value")

    def __init__(self, value: str, again: Callable[[], Awaitable[Secret]] | None = None) -> None:
        """Store the secret; `again` reads it again from its source."""
        self._value = value
        self._again = again

    async def renew(self) -> None:
        """Read the secret again, as another program may have replaced it; raise `SignInError` where that fails."""
        if self._again is not None:
            self._value = (await self._again()).reveal()

    def reveal(self) -> str:
        """Return the secret itself; only for the header of a request to an approved host."""
        return self._value

    def __repr__(self) -> str:
        """Return a text without the secret."""
        return "Secret(...)"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied."""
        raise TypeError("A secret cannot be pickled or copied.")


class Credential(Protocol):
    """What a request presents to the server."""

    @property
    def advice(self) -> str:
        """Return what a person can do where the server refuses it."""
        ...

    def authorization(self) -> str:
        """Return the value of the Authorization header."""
        ...

    async def ready(self, transport: Transport) -> None:
        """Prepare for a request: replace a token that expires soon. Raise `SignInError` where there is none."""
        ...

    async def renew(self, transport: Transport) -> None:
        """Get another secret, as this one was refused: a token may have expired. Raise `SignInError` where that fails."""
        ...


class BasicCredential:
    """A user name and a password (RFC 7617), sent as UTF-8."""

    def __init__(self, user: str, secret: Secret | str, *, advice: str = ADVICE) -> None:
        self.user = user
        self.advice = advice
        self._secret = _wrap(secret)

    def authorization(self) -> str:
        """Return the value of the Authorization header."""
        pair = f"{self.user}:{self._secret.reveal()}".encode()
        return f"Basic {base64.b64encode(pair).decode('ascii')}"

    async def ready(self, transport: Transport) -> None:
        """Do nothing: when it expires is not known."""

    async def renew(self, transport: Transport) -> None:  # noqa: ARG002  # it is read from its source
        """Read the password again."""
        await self._secret.renew()

    def __repr__(self) -> str:
        """Return a text without the secret."""
        return f"BasicCredential({self.user!r})"


class BearerCredential:
    """A bearer token (RFC 6750): an API token, or an access token that another program renews."""

    def __init__(self, token: Secret | str, *, advice: str = ADVICE) -> None:
        self.advice = advice
        self._token = _wrap(token)

    def authorization(self) -> str:
        """Return the value of the Authorization header; raise `SignInError` for what cannot be a token."""
        token = self._token.reveal()
        if not token.isascii() or not token.isprintable():
            raise SignInError("The token holds characters that no token can hold.", advice="Check where it is kept.")
        return f"Bearer {token}"

    async def ready(self, transport: Transport) -> None:
        """Do nothing: when it expires is not known."""

    async def renew(self, transport: Transport) -> None:  # noqa: ARG002  # it is read from its source
        """Read the token again."""
        await self._token.renew()

    def __repr__(self) -> str:
        """Return a text without the token."""
        return "BearerCredential(...)"


def _wrap(secret: Secret | str) -> Secret:
    return secret if isinstance(secret, Secret) else Secret(secret)


async def from_command(command: str | Sequence[str], *, seconds: float = COMMAND_SECONDS) -> Secret:
    """Run a command (a string by the shell) and return the first line of its standard output.

    It has no terminal and no input. Raise `SignInError` with the last line of its standard error, never of its output.
    """
    shown = (command if isinstance(command, str) else " ".join(command))[:_MAX_STDERR]
    output, error, code = await _run(["/bin/sh", "-c", command] if isinstance(command, str) else command, shown, seconds)
    if code:
        said = _last_line(error)
        raise SignInError(
            f"The password command `{shown}` failed with status {code}{': ' if said else ''}{said}.",
            advice="Run it in a terminal to see why; it must print the secret without asking anything.",
        )
    return _first_line(output, f"The password command `{shown}`", again=lambda: from_command(command, seconds=seconds))


def from_file(path: Path) -> Secret:
    """Return the first line of a file that only its owner can read; raise `SignInError` for any other."""

    async def again() -> Secret:
        return from_file(path)

    try:
        with open_given(path) as file:
            about = os.fstat(file.fileno())
            if stat.S_IMODE(about.st_mode) & 0o077:
                raise SignInError(f"The password file {path} can be read by others.", advice=f"Run: chmod 600 {path}")
            if about.st_uid not in {0, os.geteuid()}:
                raise SignInError(f"The password file {path} belongs to another user.", advice="Make it your own.")
            return _first_line(file.read(_LONGEST_FILE), f"The password file {path}", again)
    except OSError as error:
        raise SignInError(f"The password file {path} cannot be read ({error.strerror}).") from error


def from_systemd_credential(name: str) -> Secret:
    """Return the first line of a credential that systemd passed to the service (systemd.exec(5), LoadCredential=)."""
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if not directory:
        raise SignInError(
            f"systemd passed no credentials to this process, so {name} cannot be read.",
            advice="Start it by a unit with LoadCredential= or LoadCredentialEncrypted=.",
        )
    if "/" in name or name in {"", ".", ".."}:
        raise SignInError(f"{name!r} cannot be the name of a systemd credential.")
    try:
        with open_regular(Path(directory) / name, follow=True) as file:
            content = file.read(_LONGEST_FILE)
    except OSError as error:
        raise SignInError(
            f"systemd passed no credential named {name} ({error.strerror}).", advice="Add LoadCredential= to the unit."
        ) from error
    return _first_line(content, f"The systemd credential {name}")


async def _run(program: Sequence[str], shown: str, seconds: float) -> tuple[bytes, bytes, int]:
    try:
        async with asyncio.timeout(seconds):
            return await output_of(*program, most=_MOST_OUTPUT)
    except TimeoutError as error:
        raise SignInError(
            f"The password command `{shown}` gave no answer within {seconds:g} seconds.",
            advice="It must print the secret without asking anything, and end.",
        ) from error
    except TooMuchOutputError as error:
        raise SignInError(
            f"The password command `{shown}` prints more than {_MOST_OUTPUT >> 20} MB.", advice="It must print the secret."
        ) from error
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else "") or "it holds a NUL"
        raise SignInError(f"The password command `{shown}` cannot be started ({why}).") from error


def _first_line(content: bytes, source: str, again: Callable[[], Awaitable[Secret]] | None = None) -> Secret:
    line = content.split(b"\n", 1)[0].removesuffix(b"\r")
    try:
        text = line.decode()
    except UnicodeDecodeError:  # its text would quote the secret
        text = None
    if text is None:
        raise SignInError(f"{source} gave a secret that is not UTF-8.")
    if not text:
        raise SignInError(f"{source} gave no secret.", advice="Its first line has to be the secret.")
    if any(ord(char) < ord(" ") and char != "\t" for char in text):  # RFC 7617, section 2
        raise SignInError(f"{source} gave a secret that holds control characters.", advice="Its first line has to be the secret.")
    return Secret(text, again)


def _last_line(error_output: bytes) -> str:
    lines = error_output.decode(errors="replace").strip().splitlines()
    last = lines[-1].strip() if lines else ""
    return "".join(char for char in last if char.isprintable())[:_MAX_STDERR].rstrip(".")
