"""Measure by coverage.py which functions and branches of the product a search of worlds ran, and name those that never ran."""

from __future__ import annotations

import importlib
import json
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jmapsync

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(jmapsync.__file__).parent
PARTS = ("sync", "storage", "planner")
_FILES = [f"{ROOT / part}/*" for part in PARTS]

Arcs = dict[str, set[tuple[int, int]]]
"""Jumps from line to line, by file; coverage.py's own form of what ran."""


@contextmanager
def measured(arcs: Arcs) -> Iterator[None]:
    """Add to `arcs` what runs of the product. Raises ImportError without coverage.py."""
    measuring = _coverage(None)
    measuring.start()
    try:
        yield
    finally:
        measuring.stop()
        data = measuring.get_data()
        for file in data.measured_files():
            arcs.setdefault(file, set()).update(data.arcs(file) or ())


def _coverage(file: str | None) -> Any:  # noqa: ANN401 # coverage.py is needed here only, and not installed everywhere
    module = importlib.import_module("coverage")
    return module.Coverage(data_file=file, branch=True, include=_FILES, config_file=False, messages=False)


def summary(arcs: Arcs) -> str:
    """Return in words how much of each part ran: lines and branches of its functions, and the functions that never ran."""
    found: dict[str, list[int]] = {part: [0, 0, 0, 0] for part in PARTS}
    unused: dict[str, list[str]] = {part: [] for part in PARTS}
    for file, functions in _report(arcs).items():
        part = Path(file).parts[0]
        for name, one in functions.items():
            if name:  # "" is what runs when the module is imported
                numbers = ("covered_lines", "num_statements", "covered_branches", "num_branches")
                found[part] = [sum(both) for both in zip(found[part], (one[key] for key in numbers), strict=True)]
                if not one["covered_lines"] and one["num_statements"]:
                    unused[part].append(f"{file}:{name}")
    lines = []
    for part, (ran, of, jumped, ways) in found.items():
        shares = f"{ran} of {of} lines ({_percent(ran, of)}), {jumped} of {ways} branches ({_percent(jumped, ways)})"
        lines.append(f"{part}: {shares}; {len(unused[part])} functions never ran")
        lines += [f"  {name}" for name in unused[part]]
    return "\n".join(lines)


def _percent(some: int, of: int) -> str:
    return f"{100 * some // max(1, of)} %"


def _report(arcs: Arcs) -> dict[str, dict[str, Any]]:
    """Return by file, relative to the package, the figures of each function."""
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, "report.json")
        measuring = _coverage(os.path.join(folder, "data"))
        files = [str(file) for part in PARTS for file in sorted((ROOT / part).rglob("*.py"))]
        data = measuring.get_data()
        data.add_arcs({file: arcs.get(file, set()) for file in files})
        data.touch_files(files)
        measuring.json_report(outfile=report)
        found = json.loads(Path(report).read_text())["files"]
    return {
        os.path.relpath(os.path.abspath(file), ROOT): {name: each["summary"] for name, each in one["functions"].items()}
        for file, one in found.items()
    }
