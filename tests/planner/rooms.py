"""Load the planner, as it is or with a deliberate bug, behind one value that the properties are given."""

from __future__ import annotations

import sys
import types
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jmapsync.planner
from jmapsync.planner.decide import decide
from jmapsync.planner.guard import Limits, Tally, judge
from jmapsync.planner.identify import match
from jmapsync.planner.merge import replay
from jmapsync.planner.orders import agree, agreed_base
from jmapsync.planner.plan import needed_homes, plan

if TYPE_CHECKING:
    from collections.abc import Mapping

PACKAGE = "jmapsync.planner"
FOLDER = Path(jmapsync.planner.__file__).parent
# In the order of their imports; `model` only names things and is shared, so that values compare across copies.
MODULES = ("reason", "merge", "follow", "decide", "permit", "orders", "containers", "plan", "guard", "identify")


@dataclass(frozen=True, slots=True)
class Planner:
    """The doors of one copy of the planner, with the sources it was made of."""

    decide: Any
    plan: Any
    needed_homes: Any
    agree: Any
    agreed_base: Any
    replay: Any
    Tally: Any
    Limits: Any
    judge: Any
    match: Any
    sources: Mapping[str, str]


def read_sources() -> dict[str, str]:
    """Return the text of every module of the planner."""
    return {path.stem: path.read_text() for path in sorted(FOLDER.glob("*.py"))}


def load(name: str, sources: Mapping[str, str]) -> Planner:
    """Run a private copy of the planner made of these sources."""
    prefix = f"planner_copy_{name}"
    doors: dict[str, Any] = {}
    for module in MODULES:
        text = sources[module]
        for other in MODULES:
            text = text.replace(f"from {PACKAGE}.{other} import", f"from {prefix}_{other} import")
        text = text.replace(f"from {PACKAGE} import reason", f"import {prefix}_reason as reason")
        copy = types.ModuleType(f"{prefix}_{module}")
        sys.modules[copy.__name__] = copy
        exec(compile(text, f"{prefix}/{module}.py", "exec"), copy.__dict__)
        doors |= copy.__dict__
    doors_wanted = [field for field in Planner.__dataclass_fields__ if field != "sources"]
    return Planner(**{door: doors[door] for door in doors_wanted}, sources=sources)


REAL = Planner(
    decide=decide,
    plan=plan,
    needed_homes=needed_homes,
    agree=agree,
    agreed_base=agreed_base,
    replay=replay,
    Tally=Tally,
    Limits=Limits,
    judge=judge,
    match=match,
    sources=read_sources(),
)
