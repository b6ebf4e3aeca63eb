"""Find out which trees of files the paths of a command line lie in, and what of them is meant."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from jmapsync.backup.selection import Selection
from jmapsync.config import MailConfig, SieveConfig
from jmapsync.errors import ConfigError
from jmapsync.formats.flags import parse_name
from jmapsync.formats.names import KEPT
from jmapsync.storage.files.root import USUAL, read_marker
from jmapsync.storage.maildir.file_names import INBOX, PARTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.config import AccountConfig, KindConfig


class Source(Struct, frozen=True):
    """A tree of files, and what of it is to be put back."""

    config: KindConfig
    """Of the kind, with the root that the files lie below."""
    selection: Selection = field(default_factory=Selection)
    is_mirror: bool = True
    """False for a tree beside the account's mirror: what the server deleted, or a copy of the root."""


def sources_of(account: AccountConfig, kinds: Sequence[KindConfig], paths: Sequence[str]) -> list[Source]:
    """Return what paths mean; everything that is mirrored, without what the server deleted, where there are none.

    Raise `ConfigError` that names every path that means nothing.
    """
    if not paths:
        return [Source(config) for config in kinds]
    found: dict[tuple[str, Path], Source] = {}
    wrong = []
    for path in paths:
        source = _located(absolute(path, kinds), account, kinds)
        if isinstance(source, Source) and source.config.path.name == KEPT and os.path.islink(source.config.path):
            source = f"{source.config.path} is a symbolic link, which is not followed"
        if isinstance(source, str):
            wrong.append(f"{path}: {source}")
            continue
        same = found.get((source.config.kind, source.config.path))
        if same is not None:
            mine, other = same.selection, source.selection
            selection = Selection(mine.folders | other.folders, mine.files | other.files)
            source = replace(same, selection=selection)
        found[source.config.kind, source.config.path] = source
    if wrong:
        raise ConfigError(wrong)
    return list(found.values())


def absolute(path: str, kinds: Sequence[KindConfig]) -> Path:
    """Return where a path leads: from here, else from a root."""
    given = Path(path).expanduser()
    places = [Path.cwd() / given, *(config.path / given for config in kinds)]
    return Path(os.path.abspath(next((place for place in places if os.path.lexists(place)), places[0])))


def _located(path: Path, account: AccountConfig, kinds: Sequence[KindConfig]) -> Source | str:
    """Return the source that a path lies in, or why there is none."""
    if not os.path.lexists(path):
        return "there is no such file or folder, neither here nor in a root of the account"
    for way in dict.fromkeys((path, path.resolve())):
        for config in kinds:
            for root in dict.fromkeys((config.path, config.path.resolve())):
                if way.is_relative_to(root):
                    return _within(config, way, way.relative_to(root).parts, is_mirror=True)
        for above in (way, *way.parents):
            marker = read_marker(above) or {}
            if "kind" not in marker:
                continue
            copied = next((config for config in kinds if config.kind == marker["kind"]), None)
            if copied is None:
                return f"it is of a mirror of {marker['kind']}, which is not to be restored to account {account.name}"
            copied = replace(copied, path=above)
            if isinstance(copied, MailConfig):
                copied = replace(copied, layout="maildir++" if marker.get("layout", USUAL) != USUAL else "nested")
            return _within(copied, way, way.relative_to(above).parts, is_mirror=False)
    return f"it is neither in a root of account {account.name} nor in a copy of one, which holds its marker file .jmapsync"


def _within(config: KindConfig, path: Path, parts: tuple[str, ...], *, is_mirror: bool) -> Source | str:
    """Return the source for a path below a root."""
    if isinstance(config, MailConfig) and parts and parts[0] == KEPT:
        config = replace(config, path=config.path / KEPT, layout="nested")
        parts, is_mirror = parts[1:], False
    if not isinstance(config, MailConfig):
        if len(parts) > 1 or (parts and isinstance(config, SieveConfig)):
            return Source(config, Selection(files=frozenset({("/".join(parts[:-1]), parts[-1])})), is_mirror)
        return Source(config, Selection(folders=frozenset({"/".join(parts)})), is_mirror)
    is_file = not os.path.isdir(path)
    name = parts[-1] if is_file else ""
    folder = parts[:-1] if is_file else parts
    if is_file and (not folder or folder[-1] not in {"cur", "new"}):
        return "it is no message: those lie in cur and new"
    if folder and folder[-1] in PARTS:
        folder = folder[:-1]
        if not is_file and config.layout != "nested" and not folder:
            return Source(config, Selection(folders=frozenset({INBOX})), is_mirror)
    where = "/".join(folder)
    if config.layout != "nested":
        where = where.removeprefix(".").replace(".", "/") or (INBOX if is_file else "")
    if is_file:
        return Source(config, Selection(files=frozenset({(where, parse_name(name).name)})), is_mirror)
    return Source(config, Selection(folders=frozenset({where})), is_mirror)
