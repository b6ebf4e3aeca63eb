"""Run the scripts on two servers and compare what was recorded."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.live.agreement.known import KNOWN
from tests.live.agreement.probes import Script, scripts
from tests.live.agreement.servers import embedded_account

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.live.agreement.account import Account
    from tests.live.agreement.normal import Json
    from tests.live.agreement.servers import Opener

_MISSING = "(not reached)"
_ABSENT = "(absent)"
_PLACES = 8
_SHOWN = 300
"""How much of an answer is shown."""


@dataclass(frozen=True)
class Difference:
    """A probe that the two servers answer differently, and why that is accepted; no reason: it is not."""

    probe: str
    places: tuple[str, ...]
    """Where the answers differ: a path, what the real server has there, what the embedded one."""
    reason: str


@dataclass
class Comparison:
    """What came of the probes on one profile and its real server."""

    profile: str
    probes: int = 0
    differences: list[Difference] = field(default_factory=list)

    @property
    def unexplained(self) -> list[Difference]:
        return [one for one in self.differences if not one.reason]

    @property
    def outdated(self) -> list[str]:
        """The reasons that no difference needs."""
        differing = {one.probe for one in self.differences}
        return sorted(KNOWN[self.profile].keys() - differing)

    def table(self) -> str:
        """Return a line of counts, and one for each difference."""
        known = len(self.differences) - len(self.unexplained)
        lines = [
            f"{self.profile}: {self.probes} probes, {self.probes - len(self.differences)} equal, {len(self.differences)} differ"
        ]
        lines[0] += f" ({known} with a known reason)"
        lines += [f"  {one.probe}: {one.reason}" for one in self.differences if one.reason]
        for one in self.unexplained:
            lines += [f"  DIFFERS {one.probe}", *(f"    {place}" for place in one.places[:_PLACES])]
        return "\n".join(lines + [f"  OUTDATED {probe}" for probe in self.outdated])


def compare(profile: str, open_real: Opener, only: str = "") -> Comparison:
    """Run all scripts, or those whose names contain a word, on a real server and on the embedded one."""
    found = Comparison(profile)
    with ThreadPoolExecutor(1) as side:  # both at a time: each waits for its server
        for one in scripts():
            if only not in one.name:
                continue
            with open_real() as real:
                if one.needs and one.needs not in real.using:
                    continue
                running = side.submit(_run_embedded, one, profile)
                theirs = _run(one, real)
            _note(found, one, theirs, running.result())
    return found


def _note(found: Comparison, one: Script, theirs: dict[str, Json], ours: dict[str, Json]) -> None:
    """Compare what came of one script."""
    for label in [*theirs, *(label for label in ours if label not in theirs)]:
        found.probes += 1
        there, here = theirs.get(label, _MISSING), ours.get(label, _MISSING)
        if there != here:
            probe = f"{one.name}: {label}"
            found.differences.append(Difference(probe, places_apart(there, here), KNOWN[found.profile].get(probe, "")))


def _run_embedded(one: Script, profile: str) -> dict[str, Json]:
    with embedded_account(profile) as account:
        return _run(one, account)


def _run(one: Script, account: Account) -> dict[str, Json]:
    try:
        one.run(account)
    except Exception as error:  # noqa: BLE001 # the script could not go on: that differs, or does so on both
        account.steps["the script ends here"] = f"{type(error).__name__}: {str(error)[:500]}"
    return account.steps


def places_apart(theirs: Json, ours: Json) -> tuple[str, ...]:
    """Return the places in which two answers differ: a path, what the first has there, what the second."""
    return tuple(_apart("", theirs, ours))


def _apart(path: str, theirs: Json, ours: Json) -> Iterator[str]:
    """Yield a line for each place where two answers differ."""
    if theirs == ours:
        return
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for name in dict.fromkeys([*theirs, *ours]):
            yield from _apart(f"{path}.{name}", theirs.get(name, _ABSENT), ours.get(name, _ABSENT))
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for number, (one, other) in enumerate(zip(theirs, ours, strict=True)):
            yield from _apart(f"{path}[{number}]", one, other)
    else:
        yield f"{path}: {_short(theirs)} | {_short(ours)}"


def _short(value: Json) -> str:
    return value if value == _ABSENT else json.dumps(value, ensure_ascii=False)[:_SHOWN]
