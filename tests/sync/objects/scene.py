"""Contacts or events in step, acts on both sides that wait to be synchronised, and how they must end whatever the server does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jmapsync.errors import JmapsyncError
from tests.kit.object_mirror import KINDS, ObjectMirror, change
from tests.sync.objects.samples import card, event

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from jmapsync.demo import DemoServer, Store
    from jmapsync.errors import ExitCode
    from jmapsync.sync.report import KindReport

UIDS = ("mine", "both", "gone-here", "gone-there", "moved", "theirs", "quiet", "other")
TITLE = {"contacts": "FN:", "calendars": "SUMMARY:"}
NOTE = {"contacts": "NOTE:", "calendars": "DESCRIPTION:"}


class Scene:
    """One kind of an account and its mirror; each item has a title and a note, which every act changes one of."""

    def __init__(self, server: DemoServer, kind: str, base: Path, hidden: Collection[str] = ()) -> None:
        """Prepare; `hidden` are capabilities that the server never offers."""
        self.server = server
        self._hidden = hidden
        self.clear()
        self.kind = kind
        self.store: Store = server.account.contacts if kind == "contacts" else server.account.calendars
        self.type = self.store.model.item
        self.desk = ObjectMirror(server.url, base, (kind,))
        self.store.create_collection("Other")
        self.refs = {uid: self.store.add(self._item(uid)) for uid in UIDS}
        self.desk.sync_until_quiet()
        server.requests.clear()

    def clear(self) -> None:
        """Let the server do right."""
        self.server.faults.clear()
        if self._hidden:
            self.server.faults.hidden_capabilities.arm(self._hidden)

    def _item(self, uid: str) -> dict[str, Any]:
        if self.kind == "contacts":
            return {"uid": uid, "name": {"full": f"{uid}-title"}, "notes": {"n": {"note": f"{uid}-note"}}}
        start = {"start": "2026-12-07T10:00:00", "timeZone": "Europe/Berlin", "duration": "PT1H"}
        return {"uid": uid, "title": f"{uid}-title", "description": f"{uid}-note", **start}

    def edit_there(self, uid: str, text: str) -> None:
        patch = {"notes/n/note": text} if self.kind == "contacts" else {"description": text}
        self.store.edit(self.refs[uid], patch)

    def file(self, uid: str) -> Path:
        return self.desk.file(self.kind, uid)

    def act(self) -> None:
        """Do something of every sort on both sides."""
        title, note = TITLE[self.kind], NOTE[self.kind]
        change(self.file("mine"), f"{note}mine-note", f"{note}mine-here")
        change(self.file("both"), f"{title}both-title", f"{title}both-here")
        self.edit_there("both", "both-there")
        self.edit_there("theirs", "theirs-there")
        self.file("gone-here").unlink()
        self.store.delete(self.refs["gone-there"])
        moved = self.file("moved")
        moved.rename(moved.parent.parent / "Other" / moved.name)
        new = self.file("quiet").with_name(f"new-here{moved.suffix}")
        new.write_bytes(card("new-here", "NOTE:new-note") if self.kind == "contacts" else event("new-here", "DESCRIPTION:new-note"))
        self.store.add(self._item("new-there"))

    def sync(self) -> KindReport | ExitCode:
        """Run once, whatever comes of it."""
        try:
            return self.desk.sync()[self.kind]
        except JmapsyncError as error:
            return error.exit_code

    def texts(self, item: dict[str, Any]) -> tuple[str, str]:
        """Return title and note of an item as they stand."""
        if self.kind == "contacts":
            return item["name"]["full"], "".join(one["note"] for one in item.get("notes", {}).values())
        return item["title"], item.get("description", "")

    def there(self) -> dict[str, tuple[str, str]]:
        """Return what the server holds; fail if two items have one uid."""
        uids = [item["uid"] for item in self.store.items.values()]
        assert len(uids) == len(set(uids)), uids
        return {item["uid"]: self.texts(item) for item in self.store.items.values()}

    def here(self) -> dict[str, tuple[str, str]]:
        """Return what the disk holds; fail if two files have one uid."""
        items = [KINDS[self.kind][1].read(file.read_bytes()) for file in self.desk.files(self.kind)]
        assert len(items) == len({item["uid"] for item in items})
        return {item["uid"]: self.texts(item) for item in items}

    def assert_nothing_lost(self) -> None:
        """Fail unless every text that anybody wrote, and nobody replaced, is on the disk, on the server or in a conflict copy."""
        texts = "\n".join([str(self.here()), str(self.there()), *(content.decode() for _, content in self.desk.conflict_copies())])
        texts += "\n".join(file.read_text() for file in (self.desk.base / self.kind).rglob("*") if file.is_file())
        kept = ("mine-here", "both-here", "both-there", "theirs-there", "moved-note", "new-note", "new-there-note", "quiet-note")
        assert [text for text in kept if text not in texts] == []

    def assert_ended(self) -> None:
        """Fail unless both sides hold what the acts ask for, and further runs are silent."""
        self.desk.sync_until_quiet()
        there = self.there()
        assert there == {
            "mine": ("mine-title", "mine-here"),
            "both": ("both-here", "both-there"),
            "moved": ("moved-title", "moved-note"),
            "theirs": ("theirs-title", "theirs-there"),
            "quiet": ("quiet-title", "quiet-note"),
            "other": ("other-title", "other-note"),
            "new-here": ("new-here", "new-note"),
            "new-there": ("new-there-title", "new-there-note"),
        }
        assert self.here() == there
        assert [item["uid"] for item in self.store.inside("Other")] == ["moved"]
        assert self.file("moved").parent.name == "Other"
        assert self.store.sent == []
        assert self.desk.conflict_copies() == []
