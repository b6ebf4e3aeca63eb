"""Store what was last read of an account's quotas and vacation reply, so that `status` shows them without asking the server."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from jmapsync.app.state_paths import SEEN
from jmapsync.opening import read_regular

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.formats.quota import Quota
    from jmapsync.storage.jmap.vacation import Vacation

QUOTA, VACATION = "quota", "vacation"
_LONGEST = 1 << 20


def read_seen(state_dir: Path) -> dict[str, Any]:
    """Return what was last read, by its name; nothing where that is not known."""
    try:
        found = json.loads(read_regular(state_dir / SEEN, _LONGEST, follow=True))
    except (OSError, ValueError):
        return {}
    return {name: one for name, one in found.items() if _is_sound(name, one)} if isinstance(found, dict) else {}


def write_seen(state_dir: Path, **found: dict[str, Any]) -> None:
    """Store what was just read, with the time. Raises OSError."""
    from jmapsync.storage.files.atomic import replace_text  # noqa: PLC0415  # `status` writes nothing

    at = int(time.time())
    replace_text(state_dir / SEEN, json.dumps(read_seen(state_dir) | {name: {"at": at, **one} for name, one in found.items()}))


def quotas_as_seen(quotas: list[Quota]) -> dict[str, Any]:
    """Return quotas as they are stored: exact, and in words."""
    return {"quotas": [{**one.to_json(), "text": _words(one), "near": one.is_near} for one in quotas]}


def vacation_as_seen(vacation: Vacation) -> dict[str, Any]:
    """Return a vacation reply as it is stored: without its text."""
    return {
        "enabled": vacation.is_enabled,
        "from": vacation.begins,
        "until": vacation.ends,
        "subject": vacation.subject,
    }


def seen_to_json(seen: dict[str, Any]) -> dict[str, Any]:
    """Return what `status --json` has of the quotas and the vacation reply; null for what was never read."""
    quota, vacation = seen.get(QUOTA), seen.get(VACATION)
    return {
        QUOTA: None if quota is None else {"seen": _iso(quota), "quotas": quota["quotas"], "error": quota.get("error")},
        VACATION: None
        if vacation is None
        else {
            "seen": _iso(vacation),
            **{name: vacation[name] for name in ("enabled", "from", "until", "subject")},
            "state": state_of(vacation, datetime.now(UTC)),
            "error": vacation.get("error"),
        },
    }


def lines_of(seen: dict[str, Any]) -> list[str]:
    """Return what `status` prints of them: each quota, and the vacation reply while it is switched on."""
    found = [f"quota: {text}, read {_when(seen[QUOTA])}" for text in quota_texts(seen)]
    if state := vacation_text(seen):
        found.append(f"vacation reply: {state}, read {_when(seen[VACATION])}")
    return [*found, *unread_of(seen)]


def unread_of(seen: dict[str, Any]) -> list[str]:
    """Return what could not be read the last time, and why."""
    names = {QUOTA: "quota", VACATION: "vacation reply"}
    return [f"{names[name]}: not known: {one['error']}" for name, one in seen.items() if name in names and one.get("error")]


def quota_texts(seen: dict[str, Any]) -> list[str]:
    """Return what was read of each quota, in words."""
    return [one["text"] for one in seen.get(QUOTA, {"quotas": []})["quotas"]]


def vacation_text(seen: dict[str, Any]) -> str:
    """Return whether a vacation reply is sent, in words; nothing while it is switched off or not known."""
    vacation = seen.get(VACATION)
    return state_of(vacation, datetime.now(UTC)) if vacation is not None and vacation["enabled"] else ""


def _when(one: dict[str, Any]) -> str:
    return local(datetime.fromtimestamp(one["at"], UTC))


def _iso(one: dict[str, Any]) -> str:
    return datetime.fromtimestamp(one["at"], UTC).isoformat()


def state_of(found: dict[str, Any], now: datetime) -> str:
    """Return in words whether a vacation reply is sent now, by its switch and its dates."""
    begins, ends = moment_of(found["from"]), moment_of(found["until"])
    if not found["enabled"]:
        return "off"
    if begins is not None and ends is not None and begins >= ends:
        return f"on, but never sent: it ends {local(ends)}, before it begins {local(begins)}"
    if ends is not None and ends <= now:
        return f"on, but not sent any more: it ended {local(ends)}"
    until = f", until {local(ends)}" if ends is not None else ""
    if begins is not None and begins > now:
        return f"on, but not sent yet: it begins {local(begins)}{until}"
    return f"on{until}"


def moment_of(text: object) -> datetime | None:
    """Return the moment of a UTCDate (RFC 8620, section 1.4); None for anything else."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def local(moment: datetime) -> str:
    """Return a moment in the local zone."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"


def _words(quota: Quota) -> str:
    name = f" ({quota.label})" if quota.label else ""
    return f"{quota.figures}{name}{f'; {quota.warning}' if quota.warning else ''}"


def _is_sound(name: str, one: object) -> bool:
    """Return whether a stored value has the members that are relied on."""
    if not isinstance(one, dict) or not isinstance(one.get("at"), int):
        return False
    if name == QUOTA:
        quotas = one.get("quotas")
        return isinstance(quotas, list) and all(isinstance(quota, dict) and "text" in quota for quota in quotas)
    return name != VACATION or {"enabled", "from", "until", "subject"} <= one.keys()
