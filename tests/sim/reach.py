"""Note which lines of the engine, the storage and the planner run, to say of a search which ones it never reached."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

import jmapsync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

ROOT = Path(jmapsync.__file__).parent
PARTS = ("engine", "storage", "planner")
FEWEST = 12
"""How many files are named, those with the smallest share first."""
_PREFIXES = tuple(f"{ROOT / part}/" for part in PARTS)


@contextmanager
def traced(seen: dict[str, set[int]]) -> Iterator[None]:
    """Add to `seen` the lines that run, by file; several times slower than without."""

    def enter(frame: FrameType, _event: str, _argument: Any) -> Any:  # noqa: ANN401 # as `sys.settrace` has it
        name = frame.f_code.co_filename
        if not name.startswith(_PREFIXES):
            return None
        lines = seen.setdefault(name, set())
        lines.add(frame.f_lineno)

        def step(frame: FrameType, _event: str, _argument: Any) -> Any:  # noqa: ANN401
            lines.add(frame.f_lineno)
            return step

        return step

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        yield
    finally:
        sys.settrace(before)


def shares(seen: dict[str, set[int]]) -> dict[str, tuple[int, list[int]]]:
    """Return of each file of those parts how many lines its functions have, and which of them never ran."""
    found = {}
    for prefix in _PREFIXES:
        for file in sorted(Path(prefix).rglob("*.py")):
            lines = _lines_of(compile(file.read_text(), str(file), "exec"), inside=False)
            if lines:
                found[str(file.relative_to(ROOT))] = (len(lines), sorted(lines - seen.get(str(file), set())))
    return found


def _lines_of(code: CodeType, *, inside: bool) -> set[int]:
    """Return the lines of the functions in some code."""
    lines = {line for _, _, line in code.co_lines() if line} - {code.co_firstlineno} if inside else set()
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            lines |= _lines_of(constant, inside=bool(constant.co_flags & 2))  # CO_NEWLOCALS: a function, no class
    return lines


def told(seen: dict[str, set[int]]) -> str:
    """Return in words how much of each part was reached, and the files of which the least was."""
    found = shares(seen)
    parts = []
    for part in PARTS:
        some = [one for name, one in found.items() if name.startswith(f"{part}/")]
        whole, missed = sum(count for count, _ in some), sum(len(lines) for _, lines in some)
        parts.append(f"lines of {part} reached: {whole - missed} of {whole} ({100 * (whole - missed) // max(1, whole)} %)")
    unused = [name for name, (count, missed_lines) in found.items() if count == len(missed_lines)]
    used = {name: 1 - len(missed_lines) / count for name, (count, missed_lines) in found.items() if name not in unused}
    least = sorted(used, key=lambda name: (used[name], name))[:FEWEST]
    parts += [f"not used at all: {', '.join(unused) or 'none'}", "least reached of those used:"]
    return "\n".join([*parts, *(f"  {name}: {used[name]:.0%}" for name in least)])
