"""Give versions that stand for a file of the server, which was not converted, the digest of what it means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from jmapsync.formats.unconverted import digest_of, is_file, is_unconverted, sense_of
from jmapsync.planner.model import Base

if TYPE_CHECKING:
    from jmapsync.ledger.contents import Contents, Tree
    from jmapsync.ledger.record import Record
    from jmapsync.planner.model import Version

_TREES: tuple[Tree, ...] = ("local", "remote", "base_local", "base_remote")


def has_unconverted(record: Record) -> bool:
    """Return whether a version of an item stands for an unconverted file."""
    return any(version is not None and is_unconverted(version.body) for version in _versions(record))


def is_wholly_unconverted(record: Record) -> bool:
    """Return whether every version of an item stands for an unconverted file."""
    return all(version is None or is_unconverted(version.body) for version in _versions(record))


def converted(record: Record, contents: Contents) -> Record:
    """Return an item whose versions have the digests that they would have if their files had been converted at once."""
    files = {value for tree in _TREES for value in contents.kept([record.key], tree).values() if is_file(value)}
    senses = {digest_of(file): sense_of(file) for file in files}
    local, remote, base_local, base_remote = (_with_sense(version, senses) for version in _versions(record))
    base = Base(base_local, base_remote) if base_local is not None and base_remote is not None else None
    return replace(record, local=local, remote=remote, base=base)


def _versions(record: Record) -> tuple[Version | None, Version | None, Version | None, Version | None]:
    base = record.base
    return record.local, record.remote, base.local if base is not None else None, base.remote if base is not None else None


def _with_sense(version: Version | None, senses: dict[str, str]) -> Version | None:
    """Return a version with the digests of what it means; as it is where it stands for none of the files."""
    if version is None:
        return None
    return replace(version, body=senses.get(version.body, version.body), sense=senses.get(version.sense, version.sense))
