"""Doubles of file systems that do not hold every name, put in at the border: the calls of `os` that give names."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

EXFAT = ':?*"<>|\\'


def refuse_names(
    monkeypatch: pytest.MonkeyPatch, is_refused: Callable[[str], bool], number: int = errno.ENOENT, *, links: bool = False
) -> None:
    """Let the file system refuse names with an error, ENOENT as exFAT by FUSE does, and hard links unless there are `links`."""

    def guard(name: str, position: int) -> None:
        call = getattr(os, name)

        def guarded(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - whatever the call takes
            target = os.path.basename(os.fsdecode(args[position])) if not isinstance(args[position], int) else ""
            making = name != "open" or args[1] & os.O_CREAT
            if making and is_refused(target):
                names = (args[0], None, args[1]) if position else (args[0],)
                raise OSError(number, os.strerror(number), *names)
            if name == "link" and not links:
                raise OSError(errno.EPERM, os.strerror(errno.EPERM), args[0], None, args[1])
            return call(*args, **options)

        monkeypatch.setattr(os, name, guarded)

    for name, position in {"open": 0, "mkdir": 0, "rename": 1, "replace": 1, "link": 1}.items():
        guard(name, position)


def like_exfat(name: str) -> bool:
    """Return whether exFAT refuses a name."""
    return any(character in name for character in EXFAT)
