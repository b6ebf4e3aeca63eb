"""Put the units of the daemon where a user's systemd finds them, and take them away again."""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

import jmapsync
from jmapsync.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Mapping

UNITS = ("jmapsync.service", "jmapsync@.service", "jmapsync-sync.service", "jmapsync-sync.timer")
"""All accounts in one daemon, the template for one account, and a run of all accounts by a timer instead."""
_PROGRAM = "jmapsync"
_SIGNATURE = "# Written by `jmapsync run --install`, which also replaces it: put changes into a drop-in.\n"
_PLACES = ("XDG_CONFIG_HOME", "XDG_STATE_HOME")
"""Say where the configuration and the ledgers are; what a shell's profile sets, a service manager does not know."""

_REFUSED = set("\"'\\")
"""What systemd 252 refuses in the path of a program, however it is quoted."""


class Outcome(Struct, frozen=True):
    """The files that were written or removed, and the commands that make systemd act on it, in their order."""

    files: tuple[Path, ...]
    commands: tuple[str, ...]


def default_unit_dir(environment: Mapping[str, str] | None = None) -> Path:
    """Return the directory of the user's own units (systemd.unit(5), unit search path of user mode)."""
    base = (os.environ if environment is None else environment).get("XDG_CONFIG_HOME", "")
    # A relative path there has to be ignored (XDG Base Directory Specification).
    return (Path(base) if base.startswith("/") else Path.home() / ".config") / "systemd" / "user"


def find_program() -> Path:
    """Return the path of this program as it was called: what pip or pipx replaces at an upgrade, not what it points to."""
    called = Path(sys.argv[0])
    if called.name == _PROGRAM and called.is_file():
        return called.absolute()
    return Path(sys.executable).with_name(_PROGRAM)


def install(unit_dir: Path, *, program: Path, config: Path | None = None, environment: Mapping[str, str] | None = None) -> Outcome:
    """Write the units so that they start this program with this configuration, `None` being the default one.

    Raise `LocalError` where a unit of the same name is not ours or cannot be written, and for a program that systemd refuses.
    """
    if _REFUSED & set(str(program)):
        raise LocalError(f"systemd starts no program with a quote or backslash in its path: {program}", advice="Move it.")
    places = os.environ if environment is None else environment
    for name in UNITS:
        _refuse_foreign(unit_dir / name)
    written = []
    try:
        unit_dir.mkdir(parents=True, exist_ok=True)
        for name in UNITS:
            file = unit_dir / name
            new = file.with_name(f".{name}.new")
            new.write_text(_adapt((_source() / name).read_text("utf-8"), program, config, places), "utf-8")
            new.replace(file)
            written.append(file)
    except OSError as error:
        raise LocalError(f"The units cannot be written to {unit_dir} ({error.strerror}).") from error
    return Outcome(tuple(written), ("systemctl --user daemon-reload", f"systemctl --user enable --now {UNITS[0]}"))


def uninstall(unit_dir: Path) -> Outcome:
    """Remove the units that `install` wrote and the links that enabled them; a drop-in of the user's stays.

    Raise `LocalError` where a unit of the same name is not ours, or cannot be removed.
    """
    for name in UNITS:
        _refuse_foreign(unit_dir / name)
    template = UNITS[1].replace("@", "@*")
    links = [link for name in (UNITS[0], template, UNITS[3]) for link in unit_dir.glob(f"*.wants/{name}") if link.is_symlink()]
    removed = []
    try:
        for file in [*(unit_dir / name for name in UNITS), *links]:
            with suppress(FileNotFoundError):
                file.unlink()
                removed.append(file)
    except OSError as error:
        raise LocalError(f"The units cannot be removed from {unit_dir} ({error.strerror}).") from error
    return Outcome(tuple(removed), (f"systemctl --user stop {UNITS[0]} '{template}' {UNITS[3]}", "systemctl --user daemon-reload"))


def _source() -> Path:
    """Return where the units are kept: in the package once it is installed, beside it in a checkout."""
    package = Path(jmapsync.__file__).parent
    installed = package / "systemd"
    return installed if installed.is_dir() else package.parent / "systemd"


def _refuse_foreign(file: Path) -> None:
    try:
        ours = file.read_text("utf-8", errors="replace").startswith(_SIGNATURE)
    except FileNotFoundError:
        return
    except OSError as error:
        raise LocalError(f"{file} cannot be read ({error.strerror}).") from error
    if not ours:
        raise LocalError(f"{file} was not written by jmapsync and stays as it is.", advice="Move it away first.")


def _adapt(unit: str, program: Path, config: Path | None, environment: Mapping[str, str]) -> str:
    command = [_quoted(str(program)), *(["-c", _quoted(str(config.absolute())).replace("$", "$$")] if config is not None else [])]
    start = f"ExecStart={' '.join(command)} "
    settings = [_quoted(f"{name}={environment[name]}") for name in _PLACES if environment.get(name, "").startswith("/")]
    # The replacement is a function: in a text, backslashes would have a meaning.
    unit = re.sub(rf"^ExecStart={_PROGRAM} ", lambda _: start, unit, count=1, flags=re.MULTILINE)
    if settings:
        unit = unit.replace("\nExecStart=", f"\nEnvironment={' '.join(settings)}\nExecStart=", 1)
    return _SIGNATURE + unit


def _quoted(word: str) -> str:
    """Write a word so that systemd reads exactly it (systemd.service(5), command lines; systemd.unit(5), specifiers).

    Only the arguments of a command expand variables, not its program and not Environment=.
    """
    plain = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return plain if re.fullmatch(r"[\w./+:=@%-]+", plain, re.ASCII) else f'"{plain}"'
