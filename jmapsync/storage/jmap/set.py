"""Write by `/set` in batches: halve what is too large for the server, and judge each object by its own result (RFC 8620, 5.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from jmapsync.errors import Remedy
from jmapsync.jmap.failures import MethodError, RequestError, SetError, set_errors
from jmapsync.planner.model import Verb
from jmapsync.storage.port import Created, Done, Job, Receipt, Refused, Stale

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Container, Mapping, Sequence

    from jmapsync.jmap.wire import Call
    from jmapsync.storage.jmap.caller import Caller

T = TypeVar("T")

TOO_LARGE = "requestTooLarge"
_OF_ONE = frozenset({"limit", "notJSON", "notRequest"})
"""What a whole request may be refused for because of one object in it (RFC 8620, 3.6.1)."""


async def refused_batch(
    error: MethodError | RequestError,
    some: Sequence[T],
    job_of: Callable[[T], Job],
    send: Callable[[Sequence[T]], Awaitable[list[Receipt]]],
    halving: Container[str] = frozenset({TOO_LARGE}),
) -> list[Receipt]:
    """Return the receipts of a batch that was refused as a whole: of its halves, sent again, where that may help, else one each.

    `halving` are the types of method errors that a smaller batch may not meet. Raises a RequestError that no single object caused.
    """
    if isinstance(error, RequestError) and not concerns_one(error):
        raise error
    if len(some) > 1 and (isinstance(error, RequestError) or error.type in halving):
        middle = len(some) // 2
        return [*await send(some[:middle]), *await send(some[middle:])]
    if isinstance(error, RequestError):
        return [too_much(job_of(one), error) for one in some]
    return [failed_call(job_of(one), error) for one in some]


def destroyed(jobs: Sequence[Job], answer: Mapping[str, Any], id_of: Callable[[Job], str]) -> list[Receipt]:
    """Return the receipts of objects that were to be destroyed, by the result; what the server no longer has is done."""
    errors, gone = set_errors(answer, "notDestroyed"), set(answer.get("destroyed") or ())
    receipts: list[Receipt] = []
    for job in jobs:
        refused = errors.get(id_of(job))
        if id_of(job) in gone or (refused is not None and refused.type == "notFound"):
            receipts.append(Done(job.order.key))
        else:
            receipts.append(refusal(job, refused or SetError("serverFail", "the server did not answer for it")))
    return receipts


async def set_container(caller: Caller, job: Job, call: Call, kept: Mapping[str, str]) -> Receipt:
    """Carry out the order on one container that a call does, a creation by the name `new`.

    `kept` are the types of errors by which a container is not removed because of what is in it, and what they mean.
    """
    verb = job.order.verb
    try:
        answer = (await caller.call([call], repeatable=verb is not Verb.CREATE)).get(call)
    except MethodError as error:
        return failed_call(job, error)
    errors = {**set_errors(answer, "notCreated"), **set_errors(answer, "notUpdated"), **set_errors(answer, "notDestroyed")}
    if errors:
        return container_refused(job, next(iter(errors.values())), kept)
    if verb is Verb.DELETE:
        return Done(job.order.key)
    named = job.order.source or job.order.expect
    if verb is not Verb.CREATE:
        return Done(job.order.key, named)
    made = answer.get("created", {}).get("new")
    if made is None:  # the next run finds out whether it is there
        return Stale(job.order.key, "the server did not answer for it")
    return Created(job.order.key, named, made["id"])


def container_refused(job: Job, error: SetError, kept: Mapping[str, str]) -> Receipt:
    """Return the receipt of a container that the server refused to write; see `set_container`."""
    if error.type in kept:
        return Refused(job.order.key, kept[error.type], Remedy.HUMAN)
    if error.type == "notFound" and job.order.verb is Verb.DELETE:
        return Done(job.order.key)
    return refusal(job, error)


def failed_call(job: Job, error: MethodError) -> Receipt:
    """Return the receipt for one object of a call that failed as a whole."""
    if error.remedy is Remedy.NOW:
        return Stale(job.order.key, error.message)
    return Refused(job.order.key, error.message, error.remedy)


def refusal(job: Job, error: SetError) -> Receipt:
    """Return the receipt for one object that the server refused."""
    if error.remedy is Remedy.NOW:
        return Stale(job.order.key, str(error))
    return Refused(job.order.key, f"the server refused it: {error}", error.remedy)


def concerns_one(error: RequestError) -> bool:
    """Return whether a request was refused for what one of its objects holds."""
    return error.type in _OF_ONE


def too_much(job: Job, error: RequestError) -> Receipt:
    """Return the receipt for one object for whose sake a whole request was refused."""
    why = "it is larger than the server takes" if error.type == "limit" else error.message
    return Refused(job.order.key, why, Remedy.NEVER)


def read_only(job: Job) -> Receipt:
    """Return the receipt for a change of an account that takes none; asking again costs nothing."""
    why = "the server offers this account for reading only"
    return Refused(job.order.key, why, Remedy.LATER)
