"""Keep secrets outside of our files: in the desktop's keyring, or encrypted by systemd-creds.

Both are programs of their own, which get a secret by standard input: an argument or a variable would show in the list of processes.
"""

from __future__ import annotations

import asyncio
import os
import sys
from importlib.util import find_spec
from shutil import which

from jmapsync.jmap.commands import TooMuchOutputError, output_of

SECONDS = 20.0
"""Deadline of a keyring, which may have to be unlocked, and of systemd-creds, which may ask a TPM."""
_MOST = 1 << 20


class VaultError(Exception):
    """A keyring or systemd-creds did not do what was asked; the text holds no secret."""


class AbsentError(VaultError):
    """There is no such secret."""


class UnavailableError(VaultError):
    """There is no keyring here."""


class Keyring:
    """The desktop's keyring (Secret Service, KWallet, macOS), by `python -m keyring`."""

    def __init__(self, service: str) -> None:
        """Name the service under which secrets are stored."""
        self._service = service

    async def get(self, user: str) -> str:
        """Return a secret; raise `VaultError` where there is none, or the keyring is locked."""
        return (await self._run("get", user)).removesuffix("\n")

    async def set(self, user: str, secret: str) -> None:
        """Store a secret, and prove that it can be read again; raise `VaultError`."""
        await self._run("set", user, secret)
        if await self.get(user) != secret:
            raise VaultError("the keyring did not store it")

    async def delete(self, user: str) -> None:
        """Delete a secret; raise `VaultError`."""
        await self._run("del", user)

    async def may_hold(self, user: str) -> bool:
        """Return whether a secret is there, or cannot be said not to be: the keyring is locked."""
        try:
            await self.get(user)
        except (AbsentError, UnavailableError):
            return False
        except VaultError:
            return True
        return True

    async def _run(self, operation: str, user: str, secret: str = "") -> str:
        if find_spec("keyring") is None:
            raise UnavailableError("the Python package keyring is not installed")
        try:
            return await _run([sys.executable, "-m", "keyring", operation, self._service, user], secret)
        except VaultError as error:
            if "NoKeyringError" in str(error):
                raise UnavailableError("this machine has no keyring that works here") from None
            raise


async def encrypt(name: str, secret: str) -> str:
    """Return a secret encrypted with a key of this machine or this user; raise `VaultError` where that does not work."""
    program = _systemd_creds("encrypt", name)
    encrypted = await _run(program, secret)
    if await decrypt(name, encrypted) != secret:
        raise VaultError("systemd-creds does not decrypt what it encrypted")
    return encrypted


async def decrypt(name: str, encrypted: str) -> str:
    """Return what `encrypt` encrypted; raise `VaultError`."""
    return await _run(_systemd_creds("decrypt", name), encrypted)


def _systemd_creds(verb: str, name: str) -> list[str]:
    program = which("systemd-creds")
    if program is None:
        raise VaultError("there is no systemd-creds")
    user = [] if os.geteuid() == 0 else ["--user"]  # systemd 256 and later
    return [program, verb, *user, f"--name={name}", "-", "-"]


async def _run(program: list[str], secret: str) -> str:
    shown = " ".join(program[-4:])
    try:
        async with asyncio.timeout(SECONDS):
            output, error, code = await output_of(*program, most=_MOST, content=secret.encode())
    except TimeoutError:
        raise VaultError(f"{shown} gave no answer within {SECONDS:g} seconds") from None
    except (OSError, ValueError, TooMuchOutputError) as failed:
        raise VaultError(f"{shown} failed ({type(failed).__name__})") from None
    if code == 1 and not error and not output:  # so `python -m keyring get` says that there is none
        raise AbsentError(f"{shown} found nothing")
    if code:
        lines = error.decode(errors="replace").strip().splitlines()
        raise VaultError(f"{shown} failed with status {code}{': ' if lines else ''}{lines[-1][:200] if lines else ''}")
    try:
        return output.decode()
    except UnicodeDecodeError:
        raise VaultError(f"{shown} gave something that is not UTF-8") from None
