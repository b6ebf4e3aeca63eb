"""Choose the scopes to ask for, by the kinds of data that are synchronized."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

OFFLINE = "offline_access"
"""The scope that makes many servers issue a refresh token."""
_OURS = "urn:ietf:params:oauth:scope:"
_JMAP = "urn:ietf:params:jmap:"
_CORE = f"{_JMAP}core"
_WANTED: dict[str, tuple[tuple[str, ...], ...]] = {
    "mail": ((f"{_OURS}mail",), (_CORE, f"{_JMAP}mail", f"{_JMAP}submission", f"{_JMAP}vacationresponse")),
    "contacts": ((f"{_OURS}contacts",), (_CORE, f"{_JMAP}contacts")),
    "calendars": ((f"{_OURS}calendars",), (_CORE, f"{_JMAP}calendars")),
    "tasks": ((f"{_OURS}calendars",), (_CORE, f"{_JMAP}calendars", f"{_JMAP}tasks")),
    "sieve": ((f"{_OURS}mail",), (_CORE, f"{_JMAP}sieve")),
}
"""By kind: the scopes of draft-ietf-mailmaint-oauth-public, then those named after the capabilities of JMAP."""


def missing_kinds(kinds: Iterable[str], granted: tuple[str, ...]) -> list[str]:
    """Return the kinds that a grant does not cover; none where its scopes are not ones that we know."""
    covered = {kind for kind, forms in _WANTED.items() if {scope for form in forms for scope in form} & {*granted} - {_CORE}}
    return [kind for kind in kinds if covered and kind not in covered]


def scopes_for(kinds: Iterable[str], *advertised: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the scopes for some kinds, of those that the first list which is there advertises; `openid` is never among them.

    Without any list, the standard ones. Nothing where none is advertised that we know: then the server chooses.
    """
    wanted = [_WANTED[kind] for kind in kinds]
    known = next((one for one in advertised if one is not None), None)
    if known is None:
        return tuple(dict.fromkeys(scope for forms in wanted for scope in forms[0]))
    found: dict[str, None] = {}
    for forms in wanted:
        offered = next((there for form in forms if (there := [scope for scope in form if scope in known])), [])
        found.update(dict.fromkeys(offered))
    if any(OFFLINE in one for one in advertised if one is not None):
        found[OFFLINE] = None
    return tuple(found)
