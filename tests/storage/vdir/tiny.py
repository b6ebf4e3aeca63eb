"""A converter small enough to see through: a file is JSON on one line, without the keys of its one map."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from jmapsync.formats.large_data import set_aside
from jmapsync.formats.objects import MalformedError

if TYPE_CHECKING:
    from jmapsync.formats.objects import Object, Patch


class Tiny:
    """Keeps `title`, `photo` and the values of `emails`; leaves `lost` out of files; `updated` means nothing."""

    suffix = ".ics"

    def read(self, data: bytes) -> Object:
        try:
            found = json.loads(data)
        except ValueError as error:
            raise MalformedError("it is no JSON") from error
        if found == "boom":
            raise KeyError("boom")
        if not isinstance(found, dict):
            raise MalformedError("it is no object")
        emails = found.pop("emails", [])
        return found | ({"emails": {f"k{place}": value for place, value in enumerate(emails)}} if emails else {})

    def write(self, item: Object) -> bytes:
        if item.get("title") == "unwritable":
            raise MalformedError("its title cannot be written")
        if item.get("title") == "boom":
            raise KeyError("boom")
        kept = {name: value for name, value in item.items() if name != "lost"}
        if emails := kept.pop("emails", None):
            kept["emails"] = list(emails.values())
        return json.dumps(kept, sort_keys=True).encode() + b"\r\n"

    def is_plain(self, data: bytes, uid: object) -> bool:  # as the protocol has it
        """Return that none may be converted later."""
        return False

    def is_fit(self, data: bytes) -> bool:
        return data.endswith(b"\r\n")

    def align(self, item: Object, reference: Object) -> Object:
        keys = {value: key for key, value in reference.get("emails", {}).items()}
        emails = {keys.get(value, key): value for key, value in item.get("emails", {}).items()}
        return item | ({"emails": emails} if emails else {})

    def sense(self, item: Object) -> str:
        item = set_aside(item)[0]
        reported = {name: value for name, value in item.items() if name not in {"updated", "emails"}}
        reported["emails"] = sorted(item.get("emails", {}).values())
        return hashlib.sha256(json.dumps(reported, sort_keys=True).encode()).hexdigest()

    def patch(self, before: Object, after: Object) -> Patch:
        return {name: after.get(name) for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
