"""Cards, events and tasks of the tests, and what differs between the kinds."""

from __future__ import annotations

from typing import Any


def thing(kind: str, uid: str, title: str = "One", **more: Any) -> dict[str, Any]:  # noqa: ANN401 # JSON
    """Return the normal form of an object of a kind."""
    if kind == "contacts":
        return {"@type": "Card", "version": "1.0", "uid": uid, "name": {"full": title}, **more}
    common = {"version": "2.0", "uid": uid, "title": title, **more}
    if kind == "tasks":
        return {"@type": "Task", "due": "2026-12-01T10:00:00", "timeZone": "Europe/Berlin", **common}
    return {"@type": "Event", "start": "2026-12-01T10:00:00", "timeZone": "Europe/Berlin", "duration": "PT1H", **common}


def titled(kind: str, title: str) -> dict[str, Any]:
    """Return the patch that gives an object another title."""
    return {"name/full": title} if kind == "contacts" else {"title": title}


def title_of(kind: str, item: dict[str, Any]) -> str:
    found: str = item["name"]["full"] if kind == "contacts" else item["title"]
    return found


def added(kind: str, uid: str, title: str = "One") -> dict[str, Any]:
    """Return what another client gives to the embedded server, in any of its dialects."""
    item = thing(kind, uid, title)
    return item if kind == "contacts" else {name: value for name, value in item.items() if name != "version"}
