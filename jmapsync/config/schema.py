"""Describe the configuration as a JSON Schema (draft 2020-12), for editors: completion, descriptions, and errors while typing."""

from __future__ import annotations

import json
from typing import Any

from jmapsync.config.declared import NAME, Key, Table, tables, toml, unlinked

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_LINE = r"^[^\u0000-\u001f\u007f]*$"
_SHAPES: dict[str, dict[str, Any]] = {
    "flag": {"type": "boolean"},
    "text": {"type": "string", "pattern": _LINE},
    "texts": {"type": "array", "items": {"type": "string", "minLength": 1}},
    "choice": {"type": "string"},
    "path": {"type": "string", "pattern": _LINE},
    "duration": {"type": "string", "pattern": r"^[0-9]{1,9}(\.[0-9]{1,3})? ?(ms|s|m|h|d|w)$"},
    "rate": {"type": "string", "pattern": r"^([0-9]{1,6}(\.[0-9]{1,3})? ?[KMG])?$"},
    "whole": {"type": "integer", "minimum": 0},
    "percent": {"type": "integer", "minimum": 0, "maximum": 100},
    "names": {"type": "object", "additionalProperties": {"type": "string", "minLength": 1}},
}
"""What `config.reader` accepts. The schema accepts no less; what concerns several keys is checked by the program only."""
_NAMES = {"propertyNames": {"pattern": r"^[^./\-\u0000-\u001f][^/\u0000-\u001f]*$"}}
"""Of accounts: each names a directory."""


def schema() -> dict[str, Any]:
    """Return the schema."""
    every = {table.path: table for table in tables()}
    found: dict[str, Any] = {
        "$schema": DIALECT,
        "title": "jmapsync configuration",
        **_object(every[()], every),
        "description": "The configuration file of jmapsync, config.toml.",
    }
    account = _object(every["accounts", NAME], every)
    account["anyOf"] = [{"required": ["address"]}, {"required": ["url"]}]
    accounts = {"type": "object", "description": "The accounts by name.", **_NAMES, "additionalProperties": account}
    found["properties"] = {**found["properties"], "accounts": accounts}
    return found


def printed() -> str:
    """Return the schema as text, as `docs/config.schema.json` has it."""
    return json.dumps(schema(), indent=2) + "\n"


def _object(table: Table, every: dict[tuple[str, ...], Table]) -> dict[str, Any]:
    """Return the schema of a table with those below it."""
    properties = {key.name: _property(key) for key in table.keys}
    for path, inner in every.items():
        if len(path) == len(table.path) + 1 and path[:-1] == table.path:
            properties[path[-1]] = _object(inner, every)
    found = {"type": "object", "description": _plain(table.meaning), "properties": properties, "additionalProperties": False}
    required = [key.name for key in table.keys if key.is_required]
    return {**found, "required": required} if required else found


def _property(key: Key) -> dict[str, Any]:
    found = {**_SHAPES[key.shape], "description": _plain(key.meaning)}
    if key.choices:
        found["enum"] = list(key.choices)
    if key.shown_default:
        found["default"] = toml(key.default).strip('"') if isinstance(key.default, float) else key.default
    return found


def _plain(text: str) -> str:
    """Return a description without the marks of Markdown, as one paragraph."""
    return " ".join(unlinked(text).replace("`", "").split())
