"""List, read, put back or delete the conflict copies of an account."""

from __future__ import annotations

import os
import secrets
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jmapsync.app.ledger_check import checking_ledger
from jmapsync.app.state_paths import CONFLICT_COPIES, LEDGER, LOCK
from jmapsync.config import MailConfig, SieveConfig
from jmapsync.errors import ConfigError, LocalError
from jmapsync.formats.flags import KeywordTable
from jmapsync.formats.message import to_disk
from jmapsync.ledger import AccountLock, ConflictCopy, Ledger
from jmapsync.opening import open_regular
from jmapsync.storage.files.atomic import replace_bytes, sync_directories
from jmapsync.storage.files.directories import Below
from jmapsync.storage.files.filesystem import FILE_SYSTEM, file_system_of
from jmapsync.storage.files.root import USUAL
from jmapsync.storage.maildir.maildirpp import place_of
from jmapsync.text import command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jmapsync.config import AccountConfig, KindConfig


class ConflictCopies:
    """The conflict copies of one account."""

    def __init__(self, account: AccountConfig) -> None:
        """Keep the configuration; nothing is opened yet."""
        self.account = account.name
        self.kinds = account.kinds
        self.state_dir = account.state_dir

    def list(self) -> list[ConflictCopy]:
        """Return all, the oldest first; works while another process writes."""
        with checking_ledger(self.state_dir):
            ledger = Ledger.open_readonly(self.state_dir / LEDGER)
            if ledger is None:
                return []
            try:
                return ledger.conflict_copies()
            finally:
                ledger.close()

    def find(self, number: int) -> ConflictCopy:
        """Return one conflict copy; raise `ConfigError` if there is none of that number."""
        found = next((one for one in self.list() if one.id == number), None)
        if found is None:
            raise ConfigError([f"Account {self.account} has no conflict copy {number}."])
        return found

    def body(self, number: int) -> bytes:
        """Return the bytes of a conflict copy; raise `LocalError` if they cannot be read."""
        try:
            with open_regular(self.state_dir / CONFLICT_COPIES / str(number), follow=True) as file:
                return file.read()
        except OSError as error:
            raise LocalError(f"Conflict copy {number} of account {self.account} cannot be read: {error.strerror}.") from error

    def dismiss(self, number: int) -> None:
        """Delete a conflict copy."""
        with self._writing() as ledger:
            self.find(number)
            ledger.drop_conflict_copy(number)
            (self.state_dir / CONFLICT_COPIES / str(number)).unlink(missing_ok=True)

    def restore(self, number: int) -> Path:
        """Put a conflict copy back and return its file: a message beside the one that won, anything else in place of it.

        The next run sends it to the server. It is durable before the conflict copy is deleted. Raise `LocalError` if that fails.
        """
        with self._writing() as ledger:
            copy = self.find(number)
            config = self.kinds.get(copy.kind)
            if config is None:
                raise ConfigError([f"Account {self.account} no longer synchronizes {copy.kind}, so it cannot be put back."])
            if isinstance(config, MailConfig):
                file = self._put_beside(config, copy, ledger)
            else:
                file = self._put_in_place(config, copy, ledger)
            ledger.drop_conflict_copy(number)
        (self.state_dir / CONFLICT_COPIES / str(number)).unlink(missing_ok=True)
        return file

    def _put_beside(self, mail: MailConfig, copy: ConflictCopy, ledger: Ledger) -> Path:
        content, _ = to_disk(self.body(copy.id), keep_crlf=mail.line_endings == "crlf")
        folders = ledger.folders()
        homes = [int(home) for home in copy.home.split() if int(home) in folders]
        path, keywords = folders[homes[0]] if homes else ("INBOX", "")
        separator = file_system_of(mail.path, ledger.note(f"{FILE_SYSTEM}:mail"), dry=True)[0].separator
        info = KeywordTable.parse(keywords).write(frozenset(copy.tags.split()), f"{separator}2,")
        return _deliver(mail.path, path if mail.layout == USUAL else place_of(path), content, info)

    def _put_in_place(self, config: KindConfig, copy: ConflictCopy, ledger: Ledger) -> Path:
        """Replace the file of a card, event, task or script, as an editor does: there is only one of its UID or name."""
        folders, content = ledger.folders(), self.body(copy.id)
        if isinstance(config, SieveConfig):
            content, _ = to_disk(content, keep_crlf=False)
        for place in ledger.places_of([copy.key]).get(copy.key, []):
            folder = folders[place.folder][0]
            file = config.path / folder / place.name
            try:
                with Below(config.path) as below:
                    replace_bytes(below.path(folder) / place.name, content)
            except OSError as error:
                raise LocalError(f"The conflict copy could not be put back into {file}: {error.strerror}.") from error
            return file
        raise LocalError(
            f"{copy.item} has no file any more, so the conflict copy cannot replace it.",
            advice=f"`{command('conflicts show', str(copy.id))}` prints it.",
        )

    @contextmanager
    def _writing(self) -> Iterator[Ledger]:
        if not os.path.exists(self.state_dir / LEDGER):
            raise ConfigError([f"Account {self.account} has no conflict copies."])
        with checking_ledger(self.state_dir), AccountLock(self.state_dir / LOCK, self.account):
            ledger = Ledger.open(self.state_dir / LEDGER)
            try:
                yield ledger
            finally:
                ledger.close()


def _deliver(root: Path, folder: str, content: bytes, info: str) -> Path:
    """Deliver a message to a folder below a root, through no link. Raises LocalError."""
    name = f"{int(time.time())}.{secrets.token_hex(8)}.jmapsync"
    above = f"{folder}/" if folder else ""
    try:
        with Below(root) as below:
            temporary = below.path(f"{above}tmp") / name
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            where = below.at(f"{above}cur")
            os.rename(temporary, f"{where}/{name}{info}")
            sync_directories([where])
    except OSError as error:
        raise LocalError(f"The version could not be put back into {root / folder}: {error.strerror}.") from error
    return root / folder / "cur" / f"{name}{info}"
