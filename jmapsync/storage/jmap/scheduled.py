"""Read and cancel submissions that the server holds and has not sent yet (RFC 8621, section 7)."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from jmapsync.errors import Remedy
from jmapsync.formats.labels import shown
from jmapsync.jmap.failures import MethodError, SetError, set_errors
from jmapsync.jmap.wire import Call
from jmapsync.storage.jmap.caller import Caller
from jmapsync.storage.jmap.identities import SUBMISSION
from jmapsync.storage.jmap.mail.emails import MAIL, seconds

if TYPE_CHECKING:
    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account
    from jmapsync.jmap.wire import Response

MOST = 256
"""Submissions that are listed."""
_MOST_NAMED = 5
_PROPERTIES = ["id", "emailId", "envelope", "sendAt", "undoStatus"]


class Status(enum.Enum):
    """What the server reports of a submission."""

    PENDING = "pending"
    """It can be canceled."""
    FINAL = "final"
    """It was sent."""
    CANCELED = "canceled"
    GONE = "gone"
    """The server has no record of it, and may keep none of what it sent (Cyrus, unless configured to)."""
    UNSENT = "unsent"
    """The server has no record of it, and keeps those of what it sent."""
    UNKNOWN = "unknown"
    """The server keeps no records that can be read (James)."""


class Held(Struct, frozen=True):
    """A submission that the server will send later."""

    id: str
    send_at: int
    """In seconds since 1970; 0 where the server does not say."""
    subject: str
    recipients: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return what people know it by."""
        some, more = self.recipients[:_MOST_NAMED], len(self.recipients) - _MOST_NAMED
        to = (", ".join(some) or "its recipients") + (f" and {more} more" if more > 0 else "")
        return f"{self.id} ({self.subject or 'no subject'}, to {to})"


class Schedule:
    """The submissions of one account that can be canceled."""

    def __init__(self, client: Client, account: Account) -> None:
        """Prepare."""
        self._caller = Caller(client, account, MAIL, SUBMISSION)

    async def held(self) -> list[Held] | None:
        """Return what the server holds, whichever program submitted it; None where it cannot list it (James)."""
        account = self._caller.account
        query = Call("EmailSubmission/query", {"accountId": account, "filter": {"undoStatus": "pending"}, "limit": MOST}, "query")
        get = Call("EmailSubmission/get", {"accountId": account, "ids": query.ref("/ids"), "properties": _PROPERTIES}, "get")
        ids = get.ref("/list/*/emailId")
        emails = Call("Email/get", {"accountId": account, "ids": ids, "properties": ["id", "subject"]}, "emails")
        response = await self._caller.call([query, get, emails])
        try:
            response.get(query)
        except MethodError as error:
            if error.remedy in {Remedy.LATER, Remedy.NOW}:
                raise
            return None
        subjects = {str(one.get("id")): one.get("subject") for one in _listed(response, emails)}
        return [_held(one, subjects) for one in _listed(response, get) if one.get("undoStatus") == Status.PENDING.value]

    async def status(self, submission: str, older: str = "") -> Status:
        """Return what the server reports of a submission; `older` is one that it had of a message that was sent before.

        A record that is gone while an older one is there was not of a message that was sent.
        """
        ids = [submission, *([older] if older else [])]
        arguments = {"accountId": self._caller.account, "ids": ids, "properties": ["id", "undoStatus"]}
        get = Call("EmailSubmission/get", arguments, "status")
        try:
            answer = (await self._caller.call([get])).get(get)
        except MethodError as error:
            if error.remedy in {Remedy.LATER, Remedy.NOW}:
                raise
            return Status.UNKNOWN
        found = {one.get("id"): one.get("undoStatus") for one in answer.get("list") or () if isinstance(one, dict)}
        if found.get(submission) in {"pending", "final", "canceled"}:
            return Status(found[submission])
        if submission not in (answer.get("notFound") or ()):
            return Status.PENDING  # a server that names it nowhere has not said that it is gone
        return Status.UNSENT if older in found else Status.GONE

    async def cancel(self, submission: str) -> SetError | None:
        """Have a submission not be sent; return why that is too late or impossible, None if it was canceled."""
        update = {submission: {"undoStatus": Status.CANCELED.value}}
        call = Call("EmailSubmission/set", {"accountId": self._caller.account, "update": update}, "cancel")
        answer = (await self._caller.call([call])).get(call)
        if submission in (answer.get("updated") or {}):
            return None
        return set_errors(answer, "notUpdated").get(submission, SetError("serverPartialFail"))


def _listed(response: Response, get: Call) -> list[dict[str, Any]]:
    try:
        return [one for one in response.get(get).get("list") or () if isinstance(one, dict)]
    except MethodError as error:
        if error.remedy in {Remedy.LATER, Remedy.NOW}:
            raise
        return []


def _held(raw: dict[str, Any], subjects: dict[str, Any]) -> Held:
    envelope = raw.get("envelope")
    recipients = envelope.get("rcptTo") if isinstance(envelope, dict) else None
    named = tuple(shown(str(one.get("email"))) for one in recipients or () if isinstance(one, dict))
    sent_at = raw.get("sendAt")
    subject = shown(str(subjects.get(str(raw.get("emailId"))) or ""))
    return Held(str(raw.get("id")), seconds(sent_at) if isinstance(sent_at, str) else 0, subject, named)
