"""Read and write the metadata of a vdir collection: `displayname`, `color`, `description`, and the marker of its container."""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING

from jmapsync.opening import open_regular
from jmapsync.storage.files.atomic import replace_text, unfinished
from jmapsync.storage.files.root import MARKER, read_marker
from jmapsync.storage.port import described

if TYPE_CHECKING:
    from pathlib import Path

NAME = "displayname"
COLOR = "color"
DESCRIPTION = "description"
FILES = (NAME, COLOR, DESCRIPTION, MARKER)
"""Every file that a mirror keeps in a collection beside the items."""
_LONGEST = 4096
"""Octets of a metadata file that are read."""
_RGB = re.compile(r"#[0-9A-Fa-f]{6}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


def shown(name: str) -> str:
    """Return a container's name as a `displayname` file shows it: one line, no white space at its ends."""
    return _CONTROL.sub(" ", name).encode("utf-8", "replace").decode("utf-8").strip()


def read_name(folder: Path) -> str:
    """Return the name that a collection shows; nothing where it shows none, or none that can be read."""
    return shown(_read(folder / NAME) or "")


def read_color(folder: Path) -> str | None:
    """Return the colour of a collection as `#RRGGBB`, nothing where it has none, None where what it has is no such colour.

    Apple's programs add two digits for the opacity, which are left out.
    """
    text = _read(folder / COLOR)
    if text is None:
        return None
    text = text.strip()
    if not text:
        return ""
    return as_rgb(text)


def as_rgb(color: str) -> str | None:
    """Return a colour in one way of writing, `#RRGGBB` with capitals; None for anything else than `#RRGGBB` and `#RRGGBBAA`."""
    found = _RGB.match(color)
    return color[:7].upper() if found and len(color) in {7, 9} else None


def write_name(folder: Path, name: str) -> None:
    """Let a collection show a name. Raises OSError."""
    if read_name(folder) != shown(name):
        replace_text(folder / NAME, shown(name))


def write_color(folder: Path, color: str) -> None:
    """Let a collection show a colour, or none (khal stops at anything but `#RRGGBB`). Raises OSError."""
    if not color:
        (folder / COLOR).unlink(missing_ok=True)
    elif read_color(folder) != color:
        replace_text(folder / COLOR, color)


def read_description(folder: Path) -> str | None:
    """Return the description of a collection, nothing where it has none, None where it has one that is no short text."""
    text = _read(folder / DESCRIPTION)
    if text is None or len(text.encode()) >= _LONGEST:
        return None
    found = described(text)
    return None if text.strip() and not found else found


def write_description(folder: Path, text: str) -> None:
    """Let a collection show a description, or none. Raises OSError."""
    held = read_description(folder)
    if held is None:
        return  # whatever it is, it is no description of ours
    if not text:
        (folder / DESCRIPTION).unlink(missing_ok=True)
    elif held != text:
        replace_text(folder / DESCRIPTION, text + "\n")


def write_marker(folder: Path, container: str) -> None:
    """Write into a collection which container of the server it is. Raises OSError."""
    replace_text(folder / MARKER, json.dumps({"container": container}) + "\n")


def container_of(folder: Path) -> str:
    """Return the server's id that a collection is marked with, or nothing."""
    return str((read_marker(folder) or {}).get("container", ""))


def troubles(folder: Path) -> list[str]:
    """Return which of a collection's metadata files cannot be read, and why: a link, a pipe, no permission."""
    found = []
    for name in FILES:
        try:
            open_regular(folder / name, follow=False).close()
        except FileNotFoundError:
            continue
        except OSError as error:
            found.append(f"its {name} cannot be read: {error.strerror}")
    return found


def clear_unfinished(folder: Path) -> None:
    """Remove what a killed run left half written of the metadata, as far as that is possible."""
    for name in FILES:
        with contextlib.suppress(OSError):
            unfinished(folder / name).unlink(missing_ok=True)


def _read(path: Path) -> str | None:
    """Return the start of a small text file, nothing where there is none; None where it cannot be read."""
    try:
        with open_regular(path, follow=False) as file:
            return file.read(_LONGEST).decode("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError):
        return None
