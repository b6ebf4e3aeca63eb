"""Collect the inputs to corrupt: real files, and the lines and objects of the tests."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TESTS = Path(__file__).resolve().parent.parent
LARGEST = 30_000
"""Octets of a file that is mutated: with more, a run sees few inputs."""
_LINE = re.compile(r"[A-Za-z][A-Za-z0-9.-]*(?:;[^:\n]*)?:[^\n]*\Z")


@dataclass
class Seeds:
    """What inputs are made of, cards apart from schedules."""

    files: dict[str, list[bytes]] = field(default_factory=lambda: {"card": [], "schedule": []})
    lines: dict[str, list[bytes]] = field(default_factory=lambda: {"card": [], "schedule": []})
    objects: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {"card": [], "schedule": []})


def gather(places: Sequence[str] = ()) -> Seeds:
    """Return the tests' own texts and objects, the files that the icalendar package installs, and those below some directories."""
    seeds = Seeds()
    for path in sorted(TESTS.rglob("*.py")):
        family = "schedule" if {"ical", "test_jscalendar1.py"} & {path.name, path.parent.name} else "card"
        for constant in _constants(ast.parse(path.read_text("utf-8"))):
            if isinstance(constant, str) and _LINE.match(constant) and "BEGIN" not in constant:
                seeds.lines[family].append(constant.encode("utf-8", "surrogatepass"))
            elif isinstance(constant, dict) and constant and _is_json(constant):
                seeds.objects[family].append(constant)
    package = find_spec("icalendar")
    installed = [] if package is None or package.origin is None else [str(Path(package.origin).parent)]
    for place in [*installed, *places]:
        for path in sorted(Path(place).rglob("*")):
            if path.suffix.lower() in (".ics", ".vcf", ".vcard") and path.is_file() and path.stat().st_size <= LARGEST:
                family = "schedule" if path.suffix.lower() == ".ics" else "card"
                seeds.files[family].append(path.read_bytes())
    return seeds


def _constants(tree: ast.AST) -> Iterator[Any]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant | ast.Dict):
            try:
                yield ast.literal_eval(node)
            except (ValueError, TypeError):  # a part of it is computed
                continue


def _is_json(value: Any) -> bool:  # noqa: ANN401 # any constant
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_json(inner) for name, inner in value.items())
    return all(map(_is_json, value)) if isinstance(value, list) else value is None or isinstance(value, str | int | float)
