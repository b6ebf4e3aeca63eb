"""Read whom a container is shared with (RFC 9670, 4: `shareWith`); of mailboxes where the server offers that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from jmapsync.kinds import rights_in_words

if TYPE_CHECKING:
    from jmapsync.jmap.wire import Call

PROPERTY = "shareWith"
OF_MAILBOXES = ("urn:ietf:params:jmap:mail:share", "https://cyrusimap.org/ns/jmap/mail")
"""What offers the property of mailboxes: draft-ietf-jmap-mail-sharing, 1.2.1, and what Cyrus has for it; others refuse it."""
GET_MAILBOXES = "Mailbox/get"


def shares_of(given: Any, rights: frozenset[str], *, there: bool) -> frozenset[str] | None:  # noqa: ANN401 # any JSON value
    """Return whom a container is shared with, and for what; None where the user is not shown it, which is null as "nobody" is.

    `there` says that the server gave the property at all. What is malformed says nothing.
    """
    if given is None:
        return frozenset() if there and rights & {"mayShare", "mayAdmin"} else None
    if not isinstance(given, dict) or not all(isinstance(one, dict) for one in given.values()):
        return None
    held = {who: [name for name, value in one.items() if value is True] for who, one in given.items()}
    return frozenset(f"{who} ({rights_in_words(names)})" for who, names in held.items() if names)


def with_shares(call: Call) -> Call:
    """Return a call that reads mailboxes so that it reads whom they are shared with too."""
    if call.name != GET_MAILBOXES or "properties" not in call.args:
        return call
    return replace(call, args={**call.args, "properties": [*call.args["properties"], PROPERTY]})
