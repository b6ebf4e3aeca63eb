"""Prepare the writes of objects: which part of an edit is sent, what the disk is given, and what the server left out of it.

A card or an event is edited property by property. What changed here since both sides agreed is a patch; where the server's object
changed too, only what that change did not touch is sent. Then the server holds both edits, and the disk is given what it
holds. What a server does not keep stays on the disk and is reported once: it is put into whatever is written here later.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from jmapsync.formats.align import agreed_keys, keys_between, with_keys
from jmapsync.formats.canonical import changes
from jmapsync.formats.file_form import in_form_of
from jmapsync.formats.grouped import LINES
from jmapsync.formats.large_data import bring_back, set_aside
from jmapsync.formats.merge import merge
from jmapsync.formats.objects import MalformedError, encode
from jmapsync.formats.patch import apply, apply_fitting
from jmapsync.formats.pointer import describe
from jmapsync.formats.putback import left_out, put_back
from jmapsync.formats.unconverted import is_file, normal_form
from jmapsync.storage.port import Body
from jmapsync.sync.threads import complete

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.formats.codec import Codec
    from jmapsync.formats.objects import Object, Patch
    from jmapsync.ledger import Ledger, Record
    from jmapsync.storage.port import Local, Remote
    from jmapsync.sync.commit import Work

_NAME = "urn:jmapsync:"
"""How names of data begin that is kept aside."""
_KEPT = "lines that it does not know"
UNSAID = "what no patch says"
"""A conflict of an edit that changed what a file means, of which there is nothing that could be sent."""


class Edit(Struct, frozen=True):
    """What is to become of an edit made here."""

    patch: Patch
    """What is sent; nothing where the server holds it all."""
    conflicts: list[str]
    """What both sides changed, in words, or UNSAID: there the server's value stays, and the file is kept as a conflict copy."""
    wanted: Object
    """What the server holds with the edit, and with all that it does not keep."""
    theirs: Object
    """What both sides agreed on with the edit, but without what the server changed."""


class Objects(Struct):
    """The objects of one kind."""

    ledger: Ledger
    codec: Codec

    async def read(self, wanted: Sequence[Record], local: Local, remote: Remote) -> dict[int, Body]:
        """Return by key what the disk is to hold of objects: the server's normal form, with what the server had left out."""
        keys = [record.key for record in wanted]
        known = self.ledger.contents.kept(keys, "remote")
        aside = _NAME.encode()
        unread = [record for record in wanted if aside in known.get(record.key, aside)]
        bodies = await remote.read(unread) if unread else {}
        files = self.ledger.contents.of(keys, "file")
        for record in wanted:
            if record.key in known and record.key not in bodies and record.remote is not None:
                form, sense = known[record.key], record.remote.body
                file = form if is_file(form) else files.get(record.key, b"")
                bodies[record.key] = Body(str(record.key), form, file=file, sense=sense)
        places = self.ledger.places_of(keys)
        for key in self.ledger.contents.of(keys, "left_out"):
            content = bodies[key].data if key in bodies else None
            if content is not None:
                lost, held = self.left_out_of(key)
                body = await complete(local.read, key, places.get(key, ()))
                mine, (now, data) = set_aside(json.loads(body.data or b"{}"))[1], set_aside(json.loads(normal_form(content)))
                whole = bring_back(put_back(now, held, lost), (mine | data).get)
                bodies[key] = Body(bodies[key].ref, encode(whole))
        return bodies | self._in_form_of_files(bodies)

    def _in_form_of_files(self, bodies: dict[int, Body]) -> dict[int, Body]:
        """Return by key the objects that differ in their form from the files that they replace, in the form of these."""
        found: dict[int, Body] = {}
        here = self.ledger.contents.of(list(bodies), "local") if self.codec.suffix == ".ics" else {}
        for key, content in here.items():
            if (data := bodies[key].data) is not None:
                now = json.loads(normal_form(data))
                formed = in_form_of(now, json.loads(content))
                if formed != now:
                    found[key] = Body(bodies[key].ref, encode(formed))
        return found

    def adopt(self, kind: str) -> None:
        """Note of items that both sides hold but never agreed on which mean the same, as far as their files can say it.

        So it is with a tree that another program filled, and when the ledger is lost: vCard 3.0 has no place for much of a card.
        """
        after = 0
        while records := self.ledger.open_items(kind, after=after):
            after = records[-1].key
            met = {one.key: one for one in records if one.base is None and one.local is not None and one.remote is not None}
            here, there = (self.ledger.contents.of(sorted(met), tree) for tree in ("local", "remote"))
            items = {key: (json.loads(here[key]), json.loads(there[key])) for key in here.keys() & there.keys()}
            same = [key for key, (mine, theirs) in items.items() if self._say_the_same(mine, theirs)]
            with self.ledger.transaction():
                aligned = {key: encode(self.codec.align(mine, theirs)) for key, (mine, theirs) in items.items()}
                self.ledger.contents.put("local", aligned)
                for record in (met[key] for key in same):
                    assert record.local is not None  # noqa: S101 - chosen for it
                    assert record.remote is not None  # noqa: S101
                    self.ledger.save([replace(record, remote=replace(record.remote, sense=record.local.sense))])

    def aligned(self, key: int, content: bytes) -> bytes:
        """Return the object here with the keys that the server's has for the same entries: an edit is recognised by them."""
        here = self.ledger.contents.of([key], "local").get(key)
        return encode(self.codec.align(json.loads(here), json.loads(content))) if here else b""

    def _say_the_same(self, here: Object, there: Object) -> bool:
        try:
            mine, theirs = (self.codec.read(self.codec.write(_without_data(item))) for item in (here, there))
        except MalformedError:
            return False
        return self.codec.sense(mine) == self.codec.sense(theirs)

    def edit(self, work: Work) -> Edit:
        """Return what of an edited object is to be sent."""
        conflicts: list[str] = []
        before, after = self._tree(work, "base_local"), self._tree(work, "local")
        theirs, now = self._tree(work, "base_remote"), self._tree(work, "remote")
        patch = self.codec.patch(before, after)
        if not patch and self._is_unsaid(before, after):
            conflicts.append(UNSAID)
        after = apply(before, patch)
        keys = agreed_keys(before, theirs)  # it may have got others since by a change that says nothing else
        before, after = (with_keys(item, theirs, keys) for item in (before, after))
        if theirs != now:  # somebody changed it there, or only the order of its entries, by which a file's are known
            keys = keys_between(theirs, now)
            theirs, before, after = (with_keys(item, now, keys) for item in (theirs, before, after))
        merged = merge(before, after, theirs, now)
        wanted = self._whole(work.change.key, now)
        if wanted is not now:
            wanted = apply_fitting(wanted, merge(before, after, self._whole(work.change.key, theirs), wanted).patch)[0]
        else:
            wanted, _ = apply_fitting(now, merged.patch)
        return Edit(merged.patch, [*conflicts, *merged.conflicts], wanted, apply_fitting(theirs, merged.patch)[0])

    def _is_unsaid(self, before: Object, after: Object) -> bool:
        """Return whether an edited file means something else and no patch says what: that is never taken for agreement.

        Where a patch would say it and `Codec.patch` takes it back, it is a loss that a program causes in every file it writes.
        """
        return self.codec.sense(before) != self.codec.sense(after) and not changes(before, self.codec.align(after, before))

    def _whole(self, key: int, held: Object) -> Object:
        """Return an object of the server with what it leaves out."""
        lost, then = self.left_out_of(key)
        return put_back(held, then, lost) if lost else held

    def left_out_of(self, key: int) -> tuple[Patch, Object]:
        """Return what the server left out of an object, and the object that it then held."""
        content = self.ledger.contents.of([key], "left_out").get(key)
        if content is None:
            return {}, {}
        found = json.loads(content)
        if isinstance(found, list):
            lost, held = found
            return lost, held
        return found, json.loads(self.ledger.contents.of([key], "base_remote").get(key, b"{}"))  # as ledgers before 0.1 kept it

    def before_theirs(self, work: Work, content: bytes) -> bytes:
        """Return the server's object as it would be after an edit made here, without what was changed there too.

        That is what both sides agree on until the disk is given the rest: who edits the file before that has not seen it. Its keys
        are those of what the server holds now.
        """
        if work.edit is None:
            return encode(self._tree(work, "base_remote"))
        held = work.edit.theirs
        return encode(self.codec.align(held, json.loads(content)) if content else held)

    def with_data(self, patch: Patch, body: Body) -> Patch:
        """Return a patch with the data that the ledger keeps aside, taken from the object as it lies here."""
        _, data = set_aside(json.loads(body.data or b"{}"))
        whole: Patch = bring_back(patch, data.get)
        return whole

    def held(self, work: Work) -> bytes:
        """Return the server's normal form of an item as it was last seen."""
        return self.ledger.contents.of([work.change.key], "remote").get(work.change.key, b"")

    def left_out(self, work: Work, content: bytes) -> Patch:
        """Return what the server does not keep of an object just sent, of earlier edits too."""
        wanted, held = self._tree(work, "local") if work.edit is None else work.edit.wanted, json.loads(content)
        lost = left_out(self.codec.align(wanted, held), held)
        # A photo has one name here, by its content, and another one there.
        return {path: value for path, value in lost.items() if not str(value).startswith(_NAME)}

    def _tree(self, work: Work, tree: Any) -> Object:  # noqa: ANN401 # one of the trees of the table
        content = self.ledger.contents.of([work.change.key], tree).get(work.change.key, b"{}")
        found: Object = json.loads(content)
        return found


def _without_data(value: Any) -> Any:  # noqa: ANN401 # any JSON value
    """Return a value with one name for whatever data it holds or names: each side has its own names, and its own media types."""
    if isinstance(value, list):
        return [_without_data(part) for part in value]
    if not isinstance(value, dict):
        return value
    holds = [name for name, part in value.items() if isinstance(part, str) and part.startswith((_NAME, "data:"))]
    plain = {name: _without_data(part) for name, part in value.items() if not (holds and name in {"mediaType", "contentType"})}
    return {**plain, **dict.fromkeys(holds, "https://data.invalid/")}


def message_of_losses(name: str, left_out: Patch) -> str:
    """Say what a server left out of an object."""
    return f"The server does not keep this of {name}: {', '.join(described(left_out))}. It stays in the file."


def described(patch: Patch) -> list[str]:
    """Return what a patch is about, for people."""
    return list(dict.fromkeys(_words(path) for path in sorted(patch)))


def _words(path: str) -> str:
    """Return a path for people; lines that no property stands for are kept as they are in one."""
    return _KEPT if path.rpartition("/")[2] in {"vCardProps", "iCalendar", LINES} or "iCalendar/" in path else describe(path)
