"""Say in plain words what changed where: the phrases that the dry run, the log and `status` print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jmapsync.planner.model import SIDES, Base, Pair, Rules, Side, Version
from jmapsync.text import percent_decoded

if TYPE_CHECKING:
    from collections.abc import Sequence

WHERE: Final = {Side.LOCAL: "here", Side.REMOTE: "on the server"}
REWRITTEN: Final = "rewritten on both sides without a change"
WHOSE: Final = {Side.LOCAL: "the one here", Side.REMOTE: "the server's version"}


def join(*phrases: str) -> str:
    """Return the phrases that say something as one sentence part."""
    return "; ".join(phrase for phrase in phrases if phrase)


def edited(rules: Rules) -> str:
    """Return the verb for a new body; a body too small for a conflict copy is a name."""
    return "edited" if rules.keeps_loser else "renamed"


def new(side: Side) -> str:
    """Say that an item appeared on one side."""
    return f"new {WHERE[side]}"


def deleted(side: Side, version: Version | None) -> str:
    """Say that one side gave an item up, by removing it or by marking every copy (the Maildir flag T)."""
    return f"{'deleted' if version is None else 'marked deleted'} {WHERE[side]}"


def sent_first(side: Side, edit: str = "") -> str:
    """Say that what one side marked deleted is sent first to the other side, which never had it; `edit` is how it came to be."""
    act = f"{edit} and marked deleted" if edit else "marked deleted"
    return f"{act} {WHERE[side]}, never {WHERE[side.other]}: sent first, then deleted"


def hidden(side: Side) -> str:
    """Say that one side has an item, but not where it can be seen, and what that means for the other."""
    return f"it is in no folder that can be seen {WHERE[side]}; it stays as it is {WHERE[side.other]} until it is back or gone"


def merged(rules: Rules) -> str:
    """Say what becomes of edits on both sides whose parts are separate."""
    return f"{edited(rules)} on both sides, property by property"


def conflict(rules: Rules, cause: str) -> str:
    """Say whose body wins and what becomes of the other."""
    loser = f", {WHOSE[rules.prefer.other]} is kept as a conflict copy" if rules.keeps_loser else ""
    return f"{cause}: {WHOSE[rules.prefer]} stays{loser}"


def tags_changed(side: Side, version: Version, base: Version, rules: Rules) -> str:
    """Say which tags one side set and cleared since the base."""
    added, removed = sorted(version.tags - base.tags), sorted(base.tags - version.tags)
    phrases = []
    for words in rules.tag_words:
        for act, tags in ((words.set, added), (words.cleared, removed)):
            shown = [tag for tag in tags if tag.startswith(words.prefix)]
            tags[:] = [tag for tag in tags if tag not in shown]
            phrases.append(_tags(act, side, [percent_decoded(tag.removeprefix(words.prefix)) for tag in shown] if act else []))
    return join(*phrases, _tags("flagged", side, added), _tags("unflagged", side, removed))


def _tags(act: str, side: Side, names: Sequence[str]) -> str:
    listed = ", ".join(filter(None, names))
    return f"{act} {WHERE[side]}" + (f": {listed}" if listed else "") if names else ""


def homes_changed(side: Side, version: Version, base: Version, rules: Rules) -> str:
    """Say how one side changed the places of an item since the base."""
    added, removed = version.kept - base.kept, base.kept - version.kept
    if (added and removed) or (rules.homeless and (added or removed)):
        return f"moved {WHERE[side]}"
    if added:
        return f"put into another folder {WHERE[side]}"
    if removed:
        return f"taken out of a folder {WHERE[side]}"
    return ""


def forbidden(act: str) -> str:
    """Say that something may not be done on the server."""
    return f"{act}, which the server does not allow"


def taken_back(act: str, *, copied: bool = False) -> str:
    """Say that something that may not be done on the server is undone here."""
    return f"{forbidden(act)}: taken back{f', {WHOSE[Side.LOCAL]} is kept as a conflict copy' if copied else ''}"


def untidy(side: Side, version: Version | None) -> str:
    """Say that the copies on one side have to be made alike."""
    return f"copies differ {WHERE[side]}" if version is not None and version.untidy else ""


def sets_changed(pair: Pair, base: Base, rules: Rules) -> str:
    """Say what both sides did to tags and homes since the base."""
    phrases = []
    for side in SIDES:
        version = pair.of(side)
        if version is not None:
            phrases.append(tags_changed(side, version, base.of(side), rules))
            phrases.append(homes_changed(side, version, base.of(side), rules))
            phrases.append(untidy(side, version))
    return join(*phrases)
