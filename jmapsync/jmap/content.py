"""Read a file that is sent, piece by piece, without holding it in memory."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from jmapsync.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO


class FileContent:
    """The content of a request that is in a file."""

    def __init__(self, path: Path) -> None:
        """Raise `LocalError` if there is no such file."""
        self.path = path
        with _readable(path):
            self.size = path.stat().st_size

    @contextmanager
    def open(self) -> Iterator[FileReader]:
        """Open the file for one attempt. Raise `LocalError` if it cannot be read."""
        with _readable(self.path):
            file = self.path.open("rb")
        with file:
            yield FileReader(self, file)


class FileReader:
    """Reads a file from its beginning to the size that was announced."""

    def __init__(self, content: FileContent, file: BinaryIO) -> None:
        self._content = content
        self._file = file
        self._left = content.size

    def read(self, most: int) -> bytes:
        """Return the next octets, none at the end. Raise `LocalError` if the file cannot be read or became shorter."""
        path = self._content.path
        with _readable(path):
            piece = self._file.read(min(most, self._left))
        if self._left and not piece:
            raise LocalError(f"{path} became shorter while it was uploaded.")
        self._left -= len(piece)
        return piece

    def rewind(self) -> None:
        """Begin anew."""
        self._file.seek(0)
        self._left = self._content.size


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LocalError(f"{path} cannot be read ({error.strerror}).") from error
