"""Find out which names the file system of a root holds: FAT and exFAT take no colon, some ignore case, some have no links.

It is tried out when a root is made, and again when the root lies on another file system than before. Nothing shows it beforehand:
the same driver may be mounted with other options, or by FUSE.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import asdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


_PROBE: Final = ".jmapsync-probe-"
"""How the name of the directory begins in which names are tried."""
_MARKS: Final = '?*"<>|\\'
"""What FAT, exFAT and NTFS refuse in names besides the colon."""
_USUAL: Final = 255
FILE_SYSTEM: Final = "filesystem"
"""How the name of the note begins that says what a root's file system holds; the kind follows."""


class FileSystem(Struct, frozen=True):
    """What names one file system holds; as made, one of Unix."""

    colon: bool = True
    marks: bool = True
    """Whether `? * " < > | \\` may be in a name."""
    case: bool = True
    """Whether names that differ in case only are two."""
    links: bool = True
    """Whether a file may have several names."""
    longest: int = _USUAL
    """Octets of a name."""

    @property
    def separator(self) -> str:
        """Return what stands before the flags in a Maildir file name: NeoMutt and mbsync read `;` where there is no colon."""
        return ":" if self.colon else ";"

    @property
    def forbidden(self) -> str:
        """Return the characters that a name cannot have; they are escaped."""
        return ("" if self.colon else ":") + ("" if self.marks else _MARKS)

    def peculiarities(self) -> list[str]:
        """Return what is different from a file system of Unix, for people."""
        found = []
        if not self.colon:
            found.append("holds no colon in names: flags are written as ;2,S (set maildir_field_delimiter in NeoMutt)")
        if not self.marks:
            found.append(f"holds none of {' '.join(_MARKS)} in names: they are escaped as %XX in the names of folders")
        if not self.case:
            found.append("does not distinguish upper from lower case: folders whose names differ in that only get a suffix")
        if not self.links:
            found.append("has no hard links: a message in several mailboxes takes its room several times")
        if self.longest < _USUAL:
            found.append(f"holds names of up to {self.longest} octets: longer ones are cut and get a suffix")
        return found


USUAL: Final = FileSystem()


def examine(directory: Path) -> FileSystem:
    """Try out which names the file system of a directory holds, and leave nothing behind. Raises OSError where it is read-only."""
    import shutil  # noqa: PLC0415  # once for each file system
    import tempfile  # noqa: PLC0415  # as above

    for name in os.listdir(directory):
        if name.startswith(_PROBE):  # a killed run left it
            shutil.rmtree(directory / name, ignore_errors=True)
    probe = tempfile.mkdtemp(prefix=_PROBE, dir=directory)
    try:
        plain = f"{probe}/case"
        if not _is_held(plain):
            raise OSError(errno.EIO, "it does not keep a file", plain)
        return FileSystem(
            colon=_is_held(f"{probe}/a:2,S"),
            marks=all(_is_held(f"{probe}/a{mark}b") for mark in _MARKS),
            case=not os.path.lexists(f"{probe}/CASE"),
            links=_is_linked(plain, f"{probe}/link"),
            longest=_longest(probe),
        )
    finally:
        shutil.rmtree(probe, ignore_errors=True)


def peculiarities_at(path: Path) -> list[str]:
    """Return what the file system does otherwise on which a root lies, or is to be made; nothing where nothing can be tried."""
    at = next((one for one in (path, *path.parents) if os.path.isdir(one)), None)  # Path.is_dir raises where it may not list
    if at is None:
        return []
    with contextlib.suppress(OSError):
        state = os.stat(at)
        found = examine(at).peculiarities()
        os.utime(at, ns=(state.st_atime_ns, state.st_mtime_ns))
        return found
    return []


def file_system_of(root: Path, note: str, *, dry: bool) -> tuple[FileSystem, str]:
    """Return what the root's file system holds, by the `note` of when it was tried out, and the note to keep.

    Unless `dry`, it is tried out where that is not known.

    What cannot be tried out counts as a file system of Unix: the first write then says what is wrong.
    """
    known, kept = _kept(note)
    try:
        device = os.stat(root).st_dev
        if known == device:
            return kept, note
        if dry:
            return USUAL, note
        found = examine(root)
    except OSError:
        return USUAL, note
    return found, json.dumps({**asdict(found), "device": device})


def _kept(text: str) -> tuple[int | None, FileSystem]:
    """Return the device that a note is of, and what it holds; None for a note of another version, or a malformed one."""
    try:
        found = json.loads(text or "{}")
        return found.pop("device", None), FileSystem(**found)
    except (ValueError, TypeError, AttributeError):
        return None, USUAL


def refuses_name(error: FileNotFoundError, *, making: bool = False) -> bool:
    """Return whether a file system answered "no such file" to a new name that it cannot hold, as exFAT by FUSE does.

    So it is where a file that is there was to get a name in a directory that is there, or a directory was `making` one.
    """
    path = error.filename2 if not making else error.filename
    if path is None or (not making and not os.path.lexists(error.filename)):
        return False
    with contextlib.suppress(OSError):
        return os.stat(os.path.dirname(path)).st_nlink > 0 and not os.path.lexists(path)
    return False


@contextlib.contextmanager
def naming_refusals(*, making: bool = False) -> Iterator[None]:
    """Raise what `refuses_name` knows as an error that names the file that cannot be, not one that is gone."""
    try:
        yield
    except FileNotFoundError as error:
        if not refuses_name(error, making=making):
            raise
        path = error.filename if making else error.filename2
        raise OSError(errno.EILSEQ, os.strerror(errno.EILSEQ), path) from error


def _is_held(path: str) -> bool:
    """Return whether a file can be made under a name, and is then there under that very name."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except OSError:
        return False
    return os.path.basename(path) in os.listdir(os.path.dirname(path))


def _is_linked(path: str, other: str) -> bool:
    try:
        os.link(path, other)
    except OSError:
        return False
    return os.path.samestat(os.stat(path), os.stat(other))


def _longest(directory: str) -> int:
    """Return how many octets a name may have: encrypted file systems take 143."""
    given = os.statvfs(directory).f_namemax or _USUAL
    return next((length for length in (_USUAL, min(given, _USUAL), 143) if _is_held(f"{directory}/{'n' * length}")), 100)
