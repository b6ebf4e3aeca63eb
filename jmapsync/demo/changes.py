"""Answer `/changes` from an account's log (RFC 8620, section 5.2), and misbehave there as real servers were seen to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from jmapsync.demo.history import ChangePage
from jmapsync.demo.problems import JsonObject, MethodError
from jmapsync.demo.wire import Arguments

if TYPE_CHECKING:
    from jmapsync.demo.account import Account
    from jmapsync.demo.freedoms import BriefLives
    from jmapsync.demo.wire import Context

_STATE = re.compile(r"\d{1,19}")
_DOWNWARD_STATE = re.compile(r"down-(\d+)-(\d+)-(\d+)")


class ChangesArguments(Arguments):
    """The arguments of `/changes`."""

    since_state: str
    max_changes: Annotated[int, Meta(gt=0)] | None = None


@dataclass(frozen=True)
class _Span:
    """What a state string asks for: the changes after `since` up to `until`; the newest come first if `downward`."""

    since: int
    until: int
    downward: bool
    final: int
    """The state that is reached after the listed changes."""


def run_changes(context: Context, arguments: ChangesArguments, type_name: str) -> JsonObject:
    """Answer `/changes` for a type that keeps a log."""
    account = context.account(arguments.account_id)
    faults, scopes = context.service.faults, (type_name,)
    if faults.stuck_changes.shows(scopes):
        return _result(arguments, ChangePage(has_more=True), arguments.since_state)
    asked = [limit for limit in (arguments.max_changes, context.service.limits.max_changes) if limit is not None]
    with account.lock:
        span = _parse(account, arguments.since_state, type_name, downward=faults.newest_first.shows(scopes))
        page = account.logs[type_name].page(
            span.since,
            until=span.until,
            limit=min(asked, default=None),
            newest_first=span.downward,
            brief_lives=_brief_lives(account, type_name),
            omitted_count=account.dialect.omitted_fill_pages,
            created_too=type_name == "Email" and account.dialect.moved_is_created,
        )
    if not page.has_more:
        new_state = str(span.final)
    elif span.downward:
        new_state = f"down-{span.since}-{page.position}-{span.final}"
    else:
        new_state = str(page.position)
    if (both := faults.created_and_destroyed.take(scopes)) is not None:
        page.destroyed.extend(set(both).difference(page.destroyed))
        page.created.extend(both or page.destroyed)
    if faults.omit_destroyed.shows(scopes):
        page.destroyed.clear()
    result = _result(arguments, page, new_state)
    if (foreign := faults.foreign_old_state.take(scopes)) is not None:
        result["oldState"] = foreign
    return result


def changes_since(account: Account, state: str, type_name: str) -> ChangePage:
    """Return all that changed since a state; raise MethodError for one this server cannot answer."""
    span = _parse(account, state, type_name, downward=False)
    return account.logs[type_name].page(span.since, until=span.until)


def _brief_lives(account: Account, type_name: str) -> BriefLives:
    if type_name == "Mailbox" and account.freedoms.brief_lives == "omitted":
        return account.dialect.brief_mailboxes
    return account.freedoms.brief_lives


def _parse(account: Account, text: str, type_name: str, *, downward: bool) -> _Span:
    """Return the span a state asks for; raise MethodError for one this server cannot answer."""
    log = account.logs[type_name]
    if (match := _DOWNWARD_STATE.fullmatch(text)) is not None:
        since, until, final = (int(number) for number in match.groups())
        span = _Span(since, until, downward=True, final=final)
    elif _STATE.fullmatch(text) is not None:
        span = _Span(int(text), log.state, downward=downward, final=int(account.state(type_name)))
    else:
        raise MethodError(account.dialect.garbage_state, "invalid sinceState")
    if span.since < log.floor:
        raise MethodError("cannotCalculateChanges", "outdated sinceState")
    if span.since > span.final and account.dialect.future_state != "accept":
        raise MethodError("cannotCalculateChanges", "a state of the future")
    return span


def _result(arguments: ChangesArguments, page: ChangePage, new_state: str) -> JsonObject:
    return {
        "accountId": arguments.account_id,
        "oldState": arguments.since_state,
        "newState": new_state,
        "hasMoreChanges": page.has_more,
        "created": page.created,
        "updated": page.updated,
        "destroyed": page.destroyed,
    }
