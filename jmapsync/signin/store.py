"""Store what a sign-in gave: in the keyring, else in a private file, encrypted by systemd-creds where that works.

A file in the account's state directory always says where. It is replaced by rename once the new content is durable, so that a crash
leaves the old or the new sign-in; its status (stat) shows other processes that there is a new one.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import secrets
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Literal

import msgspec

from jmapsync.directories import make_private
from jmapsync.errors import BusyError, LocalError, SignInError
from jmapsync.jmap.auth import Secret
from jmapsync.jmap.decoding import DecodeError, decode_json
from jmapsync.opening import open_regular
from jmapsync.signin.grant import Grant
from jmapsync.signin.vault import AbsentError, Keyring, UnavailableError, VaultError, decrypt, encrypt
from jmapsync.text import command

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

FILE, LOCK = "signin", "signin.lock"
SERVICE = "jmapsync"
"""The name secrets are stored under in a keyring. The user name there is the account's, for a password or an API token."""
_MOST = 1 << 20
_RESERVED = 1 << 15
"""Octets that are reserved on the disk before a refresh token is used: more than new tokens need."""
LOCK_SECONDS = 150.0
"""How long another process may hold the lock: a refresh has a deadline of its own, which is shorter."""
_PAUSE = 0.05

Place = Literal["keyring", "systemd-creds", "file"]
_PLACES: tuple[Place, ...] = ("keyring", "systemd-creds", "file")
"""Best first."""

_log = logging.getLogger(__name__)


class _Stored(msgspec.Struct, frozen=True, kw_only=True):
    """The content of the file."""

    kind: Literal["oauth", "secret"]
    place: Place
    key: str = ""
    """The user name in the keyring."""
    content: str = ""
    """What is stored, encrypted if `place` says so; empty for the keyring."""


class SignInStore:
    """The stored sign-in of one account: a `Grant`, or a password or API token."""

    def __init__(self, state_dir: Path, account: str, keyring: Keyring | None = None) -> None:
        """Name the account; nothing is read yet."""
        self._dir = state_dir
        self._account = account
        self._keyring = keyring or Keyring(SERVICE)

    @property
    def path(self) -> Path:
        """Return the path of the file."""
        return self._dir / FILE

    @property
    def _new(self) -> Path:
        return self._dir / f"{FILE}.new"

    def version(self) -> tuple[int, int]:
        """Return a value that is another one after each change; (0, 0) while nothing is stored."""
        try:
            about = os.stat(self.path)
        except OSError:
            return (0, 0)
        return (about.st_ino, about.st_mtime_ns)

    async def load(self) -> Grant | Secret | None:
        """Return what is stored; None if nothing is. Raise `SignInError` where it cannot be read."""
        stored = self._read()
        if stored is None:
            return None
        text = await self._content(stored)
        found = Grant.from_json(text) if stored.kind == "oauth" else Secret(text, self.secret)
        if found is None:
            raise self._unreadable("it is not what was stored")
        return found

    async def secret(self) -> Secret:
        """Return the password or API token; raise `SignInError` where there is none.

        Without a file it is one that `keyring set jmapsync ACCOUNT` put into the keyring.
        """
        try:
            found = await self.load() if self._read() is not None else Secret(await self._keyring.get(self._account), self.secret)
        except VaultError as error:
            why, found = str(error), None
            is_locked = not isinstance(error, UnavailableError | AbsentError)
            advice = "Unlock the keyring, or store one with" if is_locked else "Store one with"
        else:
            why, advice = "a sign-in by OAuth is", "Store one with"
        if not isinstance(found, Secret):
            raise SignInError(
                f"No password or API token of {self._account} is stored ({why}).",
                advice=f"{advice}: {command('login', self._account)}",
            )
        return found

    def place(self) -> Place | None:
        """Return where the sign-in is stored; None if it is not. Raise `SignInError` where that cannot be read."""
        stored = self._read()
        return stored.place if stored is not None else None

    async def store(self, found: Grant | str) -> Place:
        """Store a new sign-in, a grant or a password or API token, in place of any other; it is durable on return.

        Return where: the best place that works. Raise `LocalError` where the file cannot be written. Hold the lock.
        """
        try:
            before = self._read()
        except SignInError:  # it is replaced
            before = None
        return await self._replace(found, before, _PLACES)

    async def update(self, grant: Grant) -> None:
        """Store a refreshed grant where it is, or in the file if that fails; raise as `store` does. Hold the lock."""
        before = self._read()
        place = before.place if before is not None else "file"
        await self._replace(grant, before, (place, "systemd-creds", "file") if place == "keyring" else (place, "file"))

    async def _replace(self, found: Grant | str, before: _Stored | None, places: Sequence[Place]) -> Place:
        kind: Literal["oauth", "secret"] = "oauth" if isinstance(found, Grant) else "secret"
        key = before.key if before is not None and before.kind == kind else ""
        key = key or (self._account if kind == "secret" else f"{self._account} oauth {secrets.token_hex(4)}")
        stored = await self._put(kind, found.to_json() if isinstance(found, Grant) else found, key, places)
        self._write(msgspec.json.encode(stored))
        if before is not None and before.place == "keyring" and before.key != stored.key:
            with suppress(VaultError):
                await self._keyring.delete(before.key)
        return stored.place

    async def forget(self) -> None:
        """Delete what is stored; raise `LocalError` where the keyring or the file does not let it be deleted. Hold the lock."""
        try:
            stored = self._read()
        except SignInError:  # malformed: nothing can be known of the keyring
            stored = None
        if stored is not None and stored.place == "keyring":
            await self._delete(stored.key)
        try:
            self._new.unlink(missing_ok=True)
            self.path.unlink(missing_ok=True)
            self._sync_directory()
        except OSError as error:
            raise LocalError(f"The file {self.path} cannot be deleted: {error.strerror}.") from error

    async def forget_password(self) -> None:
        """Delete a password that `keyring set jmapsync ACCOUNT` put into the keyring; raise `LocalError` where that fails."""
        await self._delete(self._account)

    async def _delete(self, key: str) -> None:
        try:
            await self._keyring.delete(key)
        except VaultError as error:
            if await self._keyring.may_hold(key):
                raise LocalError(
                    f"The keyring does not delete the sign-in of {self._account} ({error}).",
                    advice=f"Unlock it, then run: {command('logout', self._account)}",
                ) from None

    def reserve(self) -> None:
        """Prove that new tokens can be stored, before a refresh token is used that cannot be used again; raise `LocalError`."""
        self._write(b"\0" * _RESERVED, reserve=True)

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Hold the lock of the sign-in, which one process at a time can; raise `BusyError` if another one keeps it."""
        try:
            make_private(self._dir)
            handle = os.open(self._dir / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LocalError(f"The file {self._dir / LOCK} cannot be used: {error.strerror}.") from error
        try:
            until = time.monotonic() + LOCK_SECONDS
            while not _locks(handle):
                if time.monotonic() > until:
                    raise BusyError(
                        f"Another jmapsync is signing in to {self._account}.", advice="Wait for it to end, then try again."
                    )
                await asyncio.sleep(_PAUSE)
            self._recover()
            yield
        finally:
            os.close(handle)

    def _recover(self) -> None:
        """Complete the write of a process that died between making new tokens durable and renaming their file."""
        try:
            _parsed(self._new)
            os.replace(self._new, self.path)
            self._sync_directory()
        except (OSError, DecodeError):  # there is none, or only its space was reserved
            return

    def _read(self) -> _Stored | None:
        try:
            return _parsed(self.path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unreadable(error.strerror or "") from error
        except DecodeError:  # its text may quote the content
            raise self._unreadable("it is not what was stored") from None

    async def _content(self, stored: _Stored) -> str:
        try:
            if stored.place == "keyring":
                return await self._keyring.get(stored.key)
            if stored.place == "systemd-creds":
                return await decrypt(self._name, stored.content)
        except VaultError as error:
            raise self._unreadable(str(error)) from None
        return stored.content

    async def _put(self, kind: Literal["oauth", "secret"], text: str, key: str, places: Sequence[Place]) -> _Stored:
        """Put a text into the first place that works, and return what the file has to contain."""
        for place in places:
            try:
                if place == "keyring":
                    await self._keyring.set(key, text)
                    return _Stored(kind=kind, place=place, key=key)
                if place == "systemd-creds":
                    return _Stored(kind=kind, place=place, content=await encrypt(self._name, text))
            except VaultError as error:
                _log.info("%s: the sign-in is not stored by %s: %s", self._account, place, error)
        return _Stored(kind=kind, place="file", content=text)

    @property
    def _name(self) -> str:
        """Return the name of the credential for systemd-creds, which allows few characters."""
        return "jmapsync-" + "".join(char if char.isascii() and char.isalnum() else "_" for char in self._account)

    def _unreadable(self, why: str) -> SignInError:
        return SignInError(
            f"The stored sign-in of {self._account} ({self.path}) cannot be read: {why}.",
            advice=f"Sign in again: {command('login', self._account)}",
        )

    def _write(self, content: bytes, *, reserve: bool = False) -> None:
        """Write the file by rename; only reserve the space for that with `reserve`."""
        new = self._new
        try:
            make_private(self._dir)
            if reserve or not new.exists():
                new.unlink(missing_ok=True)
                handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            else:
                handle = os.open(new, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with open(handle, "wb") as file:
                file.write(content)
                file.flush()
                if not reserve:
                    file.truncate()
                os.fsync(file.fileno())
            if not reserve:
                os.replace(new, self.path)
                self._sync_directory()
        except OSError as error:
            raise LocalError(f"The sign-in of {self._account} cannot be stored in {self._dir}: {error.strerror}.") from error

    def _sync_directory(self) -> None:
        handle = os.open(self._dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _parsed(path: Path) -> _Stored:
    """Return the content of a file; raise OSError, and DecodeError for anything else."""
    with open_regular(path, follow=False) as file:
        stored: _Stored = decode_json(file.read(_MOST), _Stored)
    return stored


def _locks(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
