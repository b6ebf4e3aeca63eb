"""The dialects in which servers offer contacts, calendars and tasks; a new one is a module here, and a line in `OFFERS`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from jmapsync.errors import UnsupportedError
from jmapsync.storage.jmap.objects.dialect import Dialect, Other
from jmapsync.storage.jmap.objects.dialects import cyrus, jscalendar1, stalwart, standard
from jmapsync.storage.jmap.objects.dialects.standard import CALENDARS, CONTACTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.jmap.session import Account, Session


class Offer(NamedTuple):
    """One way in which servers offer a kind."""

    needs: tuple[str, ...]
    """The capabilities by which it is known, of the session and of the account."""
    dialect: Dialect | str
    """How it is offered, or why it is not."""
    where: Callable[[Session], bool] = lambda _: True
    """What else the session shows."""


def _may_be(dialect: Dialect, *others: Other) -> Dialect:
    return replace(dialect, others=others)


OFFERS: dict[str, tuple[Offer, ...]] = {
    "contacts": (
        Offer((CONTACTS,), stalwart.CARDS, stalwart.is_named),
        Offer((CONTACTS,), _may_be(standard.CARDS, Other(stalwart.CARDS, stalwart.is_its_own, stalwart.UNKNOWN))),
        Offer((cyrus.CONTACTS,), cyrus.CARDS),
    ),
    "calendars": (
        Offer((CALENDARS, cyrus.CALENDARS), cyrus.EVENTS_2, cyrus.has_second_version),
        Offer((CALENDARS, cyrus.CALENDARS), cyrus.EVENTS),
        Offer((CALENDARS,), stalwart.EVENTS, stalwart.is_named),
        Offer(
            (CALENDARS,),
            _may_be(
                standard.EVENTS,
                Other(jscalendar1.EVENTS, jscalendar1.is_of_first_version, jscalendar1.SINCE_SECOND_VERSION),
                Other(stalwart.EVENTS, stalwart.is_its_own, stalwart.UNKNOWN),
            ),
        ),
    ),
    "tasks": (
        Offer((CALENDARS, cyrus.CALENDARS), cyrus.TASKS_2, cyrus.has_second_version),
        Offer((CALENDARS, cyrus.CALENDARS), "The server keeps tasks to itself: Cyrus offers none over JMAP."),
        Offer((CALENDARS,), stalwart.TASKS, stalwart.is_named),
        Offer(
            (CALENDARS,),
            _may_be(
                standard.TASKS,
                Other(jscalendar1.TASKS, jscalendar1.is_of_first_version, jscalendar1.SINCE_SECOND_VERSION),
                Other(stalwart.TASKS, stalwart.is_its_own, stalwart.UNKNOWN),
            ),
        ),
    ),
}
"""By kind, in the order of preference."""


def dialect_for(kind: str, session: Session, account: Account) -> Dialect:
    """Return how a kind is offered in an account. Raises UnsupportedError where it is not."""
    for offer in OFFERS[kind]:
        if all(name in session.capabilities and account.offers(name) for name in offer.needs) and offer.where(session):
            if isinstance(offer.dialect, str):
                raise UnsupportedError(offer.dialect)
            return offer.dialect
    raise UnsupportedError(f"The server does not offer {kind} in the account {account.id}.")
