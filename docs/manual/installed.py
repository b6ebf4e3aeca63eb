"""Put manual pages and completion scripts into a directory, as they are to lie below a prefix such as /usr."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.cli.program import program
from jmapsync.cli.shells import script
from manual import commands, configuration

if TYPE_CHECKING:
    from pathlib import Path


def files() -> dict[str, str]:
    """Return the text of every file by its path below the prefix."""
    return {
        **{f"share/man/man1/{name}": text for name, text in commands.pages().items()},
        f"share/man/man5/{configuration.NAME}.5": configuration.page(),
        "share/bash-completion/completions/jmapsync": script("bash", program),
        "share/zsh/site-functions/_jmapsync": script("zsh", program),
        "share/fish/vendor_completions.d/jmapsync.fish": script("fish", program),
    }


def write(folder: Path) -> list[str]:
    """Write every file below a directory, and return their paths there."""
    found = files()
    for path, text in found.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return list(found)
