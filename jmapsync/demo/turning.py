"""Change the session of the embedded server while clients use it (RFC 8620, section 2: a client reads it again then)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.demo.dialect import BLOB, CYRUS_BLOB, SUBMISSION
from jmapsync.demo.problems import RequestProblem

if TYPE_CHECKING:
    import random

    from starlette.requests import Request

    from jmapsync.demo.service import Service

_LIMITS: dict[str, tuple[int | None, ...]] = {
    "max_objects_in_get": (2, 7, 500),
    "max_objects_in_set": (1, 2, 500),
    "max_calls_in_request": (4, 6, 16),
    "max_size_request": (4_000, 20_000, 10_000_000),
    "max_query_limit": (None, 1, 5),
}
"""What a limit may become, in the middle of a client's work."""
_SPARE = 20
"""Collections or mailboxes that may yet be made."""
_OPTIONAL = (BLOB, CYRUS_BLOB, SUBMISSION)
"""Capabilities that a server may withdraw, and mail goes on."""


def turn_session(service: Service, chance: random.Random) -> None:
    """Change one thing in the session, or set back what was changed."""
    if service.dialect.fixed_session_state is not None:
        return  # it could not be noticed
    what = chance.choice(("limit", "urls", "name", "capability"))
    if what == "limit":
        name = chance.choice(list(_LIMITS))
        value = chance.choice(_LIMITS[name])
        if name == "max_objects_in_get" and value is not None:
            value = max(value, _most_listed(service))
        setattr(service.limits, name, value)
    elif what == "urls":
        service.moves += 1
    elif what == "name":
        for account in service.accounts.values():
            account.name = f"{account.id} {chance.randrange(100)}"
    elif service.withdrawn:
        service.withdrawn.clear()
    else:
        service.withdrawn.update(_OPTIONAL)


def _most_listed(service: Service) -> int:
    """Return how many objects one `/get` has to give because the type has no query that lists them.

    That are address books and calendars, and the mailboxes of James.
    """
    accounts = service.accounts.values()
    counts = [len(store.collections) for each in accounts for store in (each.contacts, each.calendars) if store.items]
    if service.dialect.query_rules == "james":
        counts += [len(each.mailboxes) for each in accounts]
    return max(counts, default=-_SPARE) + _SPARE


def check_url(service: Service, request: Request) -> None:
    """Raise RequestProblem where a request goes by URLs of an earlier session, and the server has given them up."""
    shape = service.shape
    if shape is None or shape.freedoms.old_urls == "kept":
        return
    if request.method == "GET" and request.url.path == service.dialect.session_path:
        return
    if request.query_params.get("moved", "0") != str(service.moves):
        raise RequestProblem("notFound", "There is nothing at this address.", status=404)
