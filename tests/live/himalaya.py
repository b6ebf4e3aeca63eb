"""Run the recipe for himalaya as docs/recipes.md prints it, on real Cyrus 3.12: `tests/live/run-himalaya`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.live.cyrus import CACHE
from tests.live.home_folder import HomeFolder, shown
from tests.live.test_recipes import cyrus, make_desk

__all__ = ["cyrus", "make_desk"]  # fixtures

if TYPE_CHECKING:
    from collections.abc import Callable


def test_himalaya_lists_reads_flags_moves_and_deletes(make_desk: Callable[..., HomeFolder]) -> None:
    desk = make_desk()
    desk.account.imap.store("INBOX", [desk.uid("INBOX", "letter 0")], "+", ["Work"])
    desk.run("jmapsync", "-q", "sync")
    desk.write(".config/himalaya/config.toml", shown("himalaya", "toml"))

    def himalaya(*arguments: str) -> str:
        return desk.run(str(CACHE / "himalaya-2.2.1/bin/himalaya"), *arguments)

    def envelopes() -> dict[str, dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(himalaya("--json", "envelope", "list"))["envelopes"]
        return {str(one["subject"]): one for one in found}

    ids = {subject: str(one["id"]) for subject, one in envelopes().items()}
    assert {"raw": "work", "iana": None} in envelopes()["letter 0"]["flags"]
    assert sorted(ids) == [f"letter {number}" for number in range(4)]
    assert "Body 0." in himalaya("message", "read", ids["letter 0"])
    himalaya("flag", "add", "--flag", "flagged", ids["letter 0"])
    himalaya("message", "move", "--to", "Archive", ids["letter 2"])
    himalaya("message", "delete", ids["letter 3"])
    desk.run("jmapsync", "-q", "sync")
    there = desk.on_server()
    assert there["INBOX"]["letter 0"][1] == {"work"}
    assert "F" in there["INBOX"]["letter 0"][0]
    assert sorted(there["INBOX"]) == ["letter 0", "letter 1"]
    assert list(there["Archive"]) == ["letter 2"]
    assert list(there["Trash"]) == ["letter 3"]
    desk.account.imap.store("INBOX", [desk.uid("INBOX", "letter 1")], "+", ["\\Answered"])
    desk.run("jmapsync", "-q", "sync")
    assert [flag["iana"] for flag in envelopes()["letter 1"]["flags"]] == ["answered"]
