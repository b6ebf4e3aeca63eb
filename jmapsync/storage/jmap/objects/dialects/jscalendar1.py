"""Events and tasks in the first version of JSCalendar (RFC 8984), which Cyrus 3.8 to 3.12 speak."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from jmapsync.formats import jscalendar1
from jmapsync.formats.align import likely_keys, with_keys
from jmapsync.formats.objects import MalformedError
from jmapsync.formats.patch import apply, diff
from jmapsync.storage.jmap.objects.dialects import standard
from jmapsync.storage.jmap.objects.forms import normal, patch_with_blob_ids, with_blob_ids

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jmapsync.formats.objects import Object, Patch

LONGEST_TITLE = 60_000
"""Octets: a longer title makes Cyrus 3.12 fail an assertion, and with it the whole request."""
_V1_ONLY = frozenset({"recurrenceRules", "excludedRecurrenceRules", "replyTo"})
SINCE_SECOND_VERSION = frozenset({"version", "recurrenceRule", "organizerCalendarAddress"})
"""What a server of the first version refuses."""


def is_of_first_version(item: Object) -> bool:
    """Return whether a server's object has properties that only the first version has."""
    return any(item.get(name) is not None for name in _V1_ONLY)


def _event_v1(item: Object) -> Object:
    if any(len(title.encode("utf-8", "surrogatepass")) > LONGEST_TITLE for title in _titles(item)):
        raise MalformedError(f"Its title is longer than the {LONGEST_TITLE} octets that the server can bear.")
    return jscalendar1.to_v1(item)


def _titles(item: Object) -> list[str]:
    overrides = item.get("recurrenceOverrides")
    patches = overrides.values() if isinstance(overrides, dict) else ()
    titles = [item.get("title"), *(patch.get("title") for patch in patches if isinstance(patch, dict))]
    return [title for title in titles if isinstance(title, str)]


def _patch_v1(patch: Patch, held: Object, given: Object, blobs: Mapping[str, str]) -> Patch:
    after = apply(held, patch)
    _event_v1(after)
    reference = normal(jscalendar1.from_v1(given))
    keys = likely_keys(held, reference)
    aligned = with_keys(held, reference, keys)
    if "duration" in held and reference.get("duration") in {None, "PT0S"}:
        # Cyrus 3.12 shows no duration of an event of 1604, and takes what it shows for the truth: it is sent with whatever changes.
        aligned = {name: value for name, value in aligned.items() if name != "duration"}
    narrow = diff(aligned, with_keys(after, reference, keys))
    return patch_with_blob_ids(jscalendar1.patch_to_v1(narrow, aligned, given), given, "href", blobs)


EVENTS = replace(
    standard.EVENTS,
    named=(),
    whole_members=True,
    up=lambda item: normal(jscalendar1.from_v1(item)),
    down=lambda item, blobs: with_blob_ids(_event_v1(item), "href", blobs),
    down_patch=_patch_v1,
)
TASKS = replace(EVENTS, wanted="Task")
