"""Lay out the state of accounts for any width: lines of segments that are wrapped between segments, none cut off."""

from __future__ import annotations

import textwrap
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from jmapsync.app.health import SILENT
from jmapsync.app.seen import QUOTA, unread_of, vacation_text
from jmapsync.cli.figures import bar, cells, progress_line
from jmapsync.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jmapsync.app.health import AccountHealth, KindHealth

GOOD, BAD, BUSY, QUIET, HEAD = "green", "red", "yellow", "dim", "bold"
_GAP = "  "
_QUOTA_BAR = 10
_STATES = {
    "in step": ("in sync", GOOD),
    "at work": ("synchronizing", BUSY),
    "starting": ("starting", BUSY),
}
"""What people read for the daemon's states; the others are errors and are shown as they are."""


class Segment(NamedTuple):
    """A part of a line that is not wrapped if it fits into one."""

    text: str
    style: str = ""


class Line(NamedTuple):
    """One line before it is wrapped; what is continued is indented further."""

    indent: int
    segments: list[Segment]


def account_lines(health: AccountHealth, columns: int, now: datetime, *, ascii_only: bool = False) -> list[Line]:
    """Return the state of an account: a line for itself, one for each kind, and what needs attention."""
    lines = [Line(0, [*_account_state(health), *_daemon(health.live or {}, now)])]
    busy = {one["kind"]: one for one in health.progress}
    if "" in busy:
        lines.append(Line(2, [Segment(progress_line("", busy[""], columns - 2, ascii_only=ascii_only), BUSY)]))
    for name, kind in health.kinds.items():
        lines += _kind(name, kind, busy.get(name), columns, now, ascii_only=ascii_only)
    if health.waiting or health.is_silent:
        lines.append(Line(2, [Segment(f"waiting {health.waiting}" if health.waiting else SILENT, BAD)]))
    lines += _seen(health.seen, ascii_only=ascii_only)
    if health.outbox:
        lines.append(Line(2, [Segment(f"outbox: {len(health.outbox):,} waiting", BAD)]))
    if health.scheduled:
        lines.append(Line(2, [Segment(f"outbox: {len(health.scheduled):,} to be sent later")]))
    if health.unconfirmed:
        lines.append(Line(2, [Segment(f"outbox: {len(health.unconfirmed):,} not known to be sent", BUSY)]))
    for fault in (health.live or {}).get("faults", []):
        lines.append(Line(2, [Segment("restarted:", BAD), Segment(fault, BAD)]))
    if health.error:
        lines.append(Line(2, [Segment(health.error, BAD)]))
    return lines


def _seen(seen: dict[str, Any], *, ascii_only: bool) -> Iterator[Line]:
    """Yield the quotas, with a bar where both figures are known, and the vacation reply while it is switched on."""
    for quota in seen.get(QUOTA, {"quotas": []})["quotas"]:
        used, limit = quota.get("used"), quota.get("limit")
        is_known = isinstance(used, int) and isinstance(limit, int) and limit > 0
        style = BAD if quota.get("near") else ""
        share = [Segment(bar(used, limit, _QUOTA_BAR, ascii_only=ascii_only), style)] if is_known else []
        yield Line(2, [Segment("quota:"), *share, Segment(quota["text"], style)])
    if state := vacation_text(seen):
        yield Line(2, [Segment(f"vacation reply: {state}")])
    for text in unread_of(seen):
        yield Line(2, [Segment(text, BUSY)])


def _account_state(health: AccountHealth) -> Iterator[Segment]:
    if health.live is not None:
        words, style = _STATES.get(health.live["standing"], (health.live["standing"], BAD))
        yield Segment(f"{health.name}: {words}", f"{HEAD} {style}")
        if health.live["why"] and style is not BUSY:
            yield Segment(health.live["why"], BAD if style is BAD else "")
    elif health.run is not None:
        yield Segment(f"{health.name}: synchronizing", f"{HEAD} {BUSY}")
        yield Segment(f"process {health.run['process']}", QUIET)
    elif health.running:
        yield Segment(f"{health.name}: a run is active", f"{HEAD} {BUSY}")
    else:
        yield Segment(
            f"{health.name}: {'error' if health.exit_code else 'idle'}", f"{HEAD} {BAD if health.exit_code else ''}".strip()
        )
        yield Segment("no daemon", QUIET)


def _daemon(live: dict[str, Any], now: datetime) -> Iterator[Segment]:
    """Yield push, watch state and the next poll."""
    if push := live.get("push"):
        connected = push["connected"]
        yield Segment(f"push: {push['mode'] if connected else push['why'] or 'not connected'}", "" if connected else BAD)
    if watch := live.get("watch"):
        yield Segment(f"disk: {watch['mode']}{': ' + watch['why'] if watch['why'] else ''}")
    if live.get("next_poll"):
        yield Segment(f"next poll {clock(datetime.fromisoformat(live['next_poll']), now)}")


def _kind(
    name: str, kind: KindHealth, progress: dict[str, Any] | None, columns: int, now: datetime, *, ascii_only: bool
) -> Iterator[Line]:
    if progress is not None:
        yield Line(2, [Segment(progress_line("", progress, columns - 2, ascii_only=ascii_only), BUSY)])
        indent, segments = 4, []
    else:
        indent, segments = 2, [Segment(f"{name}: {_state_of(kind)}", _style_of(kind))]
    if kind.last_run or kind.here or kind.on_server:
        both = f"{kind.here:,} here, {kind.on_server:,} on the server"
        segments.append(Segment(f"{kind.here:,}" if kind.here == kind.on_server else both))
    if kind.waiting and progress is None:
        segments.append(Segment(f"{kind.waiting:,} waiting", BUSY))
    if kind.last_success is not None:
        segments.append(Segment(f"last sync {clock(kind.last_success, now)}", QUIET))
    if kind.problems:
        segments.append(Segment(f"{len(kind.problems):,} quarantined", BAD))
    if kind.conflicts:
        segments.append(Segment(f"{kind.conflicts:,} in conflict", BAD))
    if segments:
        yield Line(indent, segments)
    for why in dict.fromkeys(one for one in (kind.suspended, kind.why) if one and progress is None):
        yield Line(4, [Segment(why, BAD)])


def _state_of(kind: KindHealth) -> str:
    if kind.suspended:
        return "suspended"
    return kind.last_state or ("not known" if kind.why else "never synchronized")


def _style_of(kind: KindHealth) -> str:
    return BAD if kind.exit_code else GOOD if kind.last_run else ""


def clock(moment: datetime, now: datetime) -> str:
    """Return a time in the local zone, with its date unless that is today."""
    local = moment.astimezone(now.tzinfo)
    return f"{local:%H:%M:%S}" if local.date() == now.date() else f"{local:%Y-%m-%d %H:%M}"


def wrapped(line: Line, columns: int) -> list[list[Segment]]:
    """Return a line as lines of at most so many columns, wrapped between segments, and within those that are longer than a line."""
    found: list[list[Segment]] = [[]]
    used = 0
    for segment in line.segments:
        text = one_line(segment.text)
        indent = line.indent if len(found) == 1 else line.indent + 2
        lead = _GAP if found[-1] else " " * indent
        if used + len(lead) + cells(text) <= columns:
            found[-1].append(Segment(f"{lead}{text}", segment.style))
            used += len(lead) + cells(text)
            continue
        first = " " * line.indent if not found[-1] else " " * (line.indent + 2)
        rest = " " * (line.indent + 2)
        parts = textwrap.wrap(text, max(10, columns), initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)
        for part in parts:
            if found[-1]:
                found.append([])
            found[-1].append(Segment(part, segment.style))
            used = cells(part)
    return found


def plain(line: Line) -> str:
    """Return a line without wrapping and styles."""
    return " " * line.indent + _GAP.join(one_line(segment.text) for segment in line.segments)
