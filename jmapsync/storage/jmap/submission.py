"""Send messages through the server: drafts, identities and submissions (RFC 8621, sections 4.8, 6 and 7)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from jmapsync.errors import JmapsyncError, Remedy, UnsupportedError
from jmapsync.jmap.blobs import upload
from jmapsync.jmap.failures import MethodError, RequestError, SetError, set_errors
from jmapsync.jmap.session import SILENTLY_CUT
from jmapsync.jmap.wire import Call
from jmapsync.storage.jmap.caller import Caller
from jmapsync.storage.jmap.decoding import listed
from jmapsync.storage.jmap.identities import SUBMISSION, get_identities, identities_in, names_of
from jmapsync.storage.jmap.mail.emails import MAIL, Email, Mailbox, emails_of, get_emails, get_mailboxes, utc_date
from jmapsync.storage.jmap.mail.imports import MEDIA_TYPE
from jmapsync.storage.jmap.scheduled import Schedule
from jmapsync.storage.jmap.smtp_parameters import Offer
from jmapsync.storage.outbox import Baseline

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jmapsync.formats.envelope import Envelope
    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account
    from jmapsync.jmap.wire import Response
    from jmapsync.storage.jmap.identities import Identity

_DRAFT = {"$draft": True, "$seen": True}
_SEND = "send"


class RefusedError(JmapsyncError):
    """The server refused a message; `remedy` says whether time may fix that."""

    def __init__(self, what: str, error: SetError, explanation: str = "") -> None:
        """Name what was refused, in the server's words; with an explanation in ours first, where there is one."""
        super().__init__(explanation or f"The server refused {what} ({error}).")
        self.remedy = error.remedy


class _Submission(msgspec.Struct, rename="camel"):
    id: str
    undo_status: str = ""


class _Ids(msgspec.Struct):
    ids: list[str] = msgspec.field(default_factory=list)


class _Submissions(msgspec.Struct):
    state: str = ""
    submissions: list[_Submission] = msgspec.field(name="list", default_factory=list)


class Desk(Struct, frozen=True):
    """What the account has to send with."""

    drafts: str
    """The id of the mailbox where a message lies until it is sent."""
    sent: str
    """The id of the mailbox where it lies afterwards; nothing where there is none and none could be made."""
    identities: tuple[Identity, ...]

    def has_filed(self, email: Email) -> bool:
        """Return whether an email was filed as sent: the server does that together with the sending."""
        moved = self.sent in {"", self.drafts} or self.drafts not in email.boxes
        return moved and "$draft" not in email.keywords

    def filing(self) -> dict[str, Any]:
        """Return the patch that makes of the draft a message that was sent."""
        patch: dict[str, Any] = {"keywords/$draft": None}
        if self.sent and self.sent != self.drafts:
            patch |= {f"mailboxIds/{self.drafts}": None, f"mailboxIds/{self.sent}": True}
        return patch


class Submitted(Struct, frozen=True):
    """A message that the server accepted."""

    id: str
    """The id of the submission."""
    is_held: bool
    """The server sends it later."""
    is_filed: bool


class Evidence(Struct, frozen=True):
    """What the server knows of a message that it may have been asked to send."""

    submitted: bool
    """There is a new submission of it that was not taken back."""
    held: str
    """The id of that submission while the server has not sent it."""
    unsent: bool
    """No submission was made since, or the server keeps the older ones and would have kept it."""
    email: Email | None
    """The message itself, while it is there."""


class Post:
    """The way out: one account that may send."""

    def __init__(self, client: Client, account: Account) -> None:
        """Prepare."""
        self._client = client
        self._account = account
        self.offer = Offer.of(account)
        self.schedule = Schedule(client, account)

    @property
    def is_offered(self) -> bool:
        """Return whether the server offered submissions when its Session was read last."""
        return not self._client.lacks(SUBMISSION)

    async def desk(self) -> Desk:
        """Read what there is to send with; make a mailbox for sent mail where there is none.

        Raises UnsupportedError where the account is read-only, or has no mailbox or no identity for it, and what `Client.call`
        raises.
        """
        if self._account.is_read_only:
            raise UnsupportedError("Mail cannot be sent from this account: the server lets you only read it.")
        identities = get_identities(self._account)
        roles, response = await self._roles([identities])
        offered = identities_in(response.get(identities))
        if not offered:
            raise UnsupportedError("The server has no identity to send as.", advice="Make one in your provider's settings.")
        sent = roles.get("sent") or await self._make_sent()
        drafts = roles.get("drafts") or sent
        if not drafts:
            raise UnsupportedError("The server has no mailbox for drafts or sent mail.", advice="Make one with that role.")
        return Desk(drafts, sent, offered)

    async def upload(self, path: Path) -> str:
        """Upload a message and return its blob id. Raises what `blobs.upload` raises."""
        return (await upload(self._client, self._account.id, path, MEDIA_TYPE)).blob_id

    async def find_draft(self, desk: Desk, envelope: Envelope, blob_id: str, size: int) -> str:
        """Return the id of a draft that is this message, or nothing."""
        wanted = {"inMailbox": desk.drafts, "header": ["Message-ID", envelope.message_id.strip("<>")]}
        query = Call("Email/query", {"accountId": self._account.id, "filter": wanted}, "query")
        get = get_emails(self._account.id, query.ref("/ids"), "get")
        response = await self._call([query, get])
        for email in emails_of(response, get).items:
            if "$draft" in email.keywords and (email.blob_id == blob_id or email.size == size):
                return email.id
        return ""

    async def make_draft(self, desk: Desk, blob_id: str) -> tuple[str, bool]:
        """Make a draft of an upload; return its id, and whether it is new. Raises RefusedError, OutcomeUnknownError."""
        # The default of receivedAt is the present (RFC 8621, 4.8), but James requires it.
        email = {
            "blobId": blob_id,
            "mailboxIds": {desk.drafts: True},
            "keywords": _DRAFT,
            "receivedAt": utc_date(int(time.time())),
        }
        call = Call("Email/import", {"accountId": self._account.id, "emails": {"draft": email}}, "import")
        answer = (await self._call([call], repeatable=False)).get(call)
        created = (answer.get("created") or {}).get("draft")
        if isinstance(created, dict):
            return str(created["id"]), True
        error = set_errors(answer, "notCreated").get("draft", SetError("serverPartialFail"))
        if error.type == "alreadyExists" and error.existing_id:
            return await self._revive(desk, error.existing_id), False
        raise RefusedError("the message", error)

    async def submit(self, desk: Desk, email_id: str, envelope: Envelope, identity: Identity, hold_until: int = 0) -> Submitted:
        """Send a draft and file it; with `hold_until`, have the server send it then, and leave it among the drafts until it has.

        Raises RefusedError, OutcomeUnknownError: then it may be sent.
        """
        submission: dict[str, Any] = {
            "emailId": email_id,
            "identityId": identity.id,
            "envelope": self.offer.envelope(envelope, hold_until),
        }
        arguments: dict[str, Any] = {"accountId": self._account.id, "create": {_SEND: submission}}
        if not hold_until:
            arguments["onSuccessUpdateEmail"] = {f"#{_SEND}": desk.filing()}
        call = Call("EmailSubmission/set", arguments, _SEND)
        response = await self._call([call], repeatable=False)
        answer = response.get(call)
        created = (answer.get("created") or {}).get(_SEND)
        if not created:
            error = set_errors(answer, "notCreated").get(_SEND, SetError("serverPartialFail"))
            why = _explanation(error, envelope.sender, desk.identities) or self.offer.lacking(envelope, str(error))
            raise RefusedError("to send the message", error, why)
        filed = [result for name, result in response.all(call) if name == "Email/set"]
        is_held = bool(hold_until) and created.get("undoStatus") != "final"
        return Submitted(str(created.get("id") or ""), is_held, any(email_id in (result.get("updated") or {}) for result in filed))

    async def file(self, desk: Desk, email_id: str) -> bool:
        """File a message that was sent, and return whether there is nothing more to do for it."""
        call = Call("Email/set", {"accountId": self._account.id, "update": {email_id: desk.filing()}}, "file")
        answer = (await self._call([call])).get(call)
        error = set_errors(answer, "notUpdated").get(email_id)
        return error is None or error.remedy is not Remedy.LATER

    async def baseline(self, email_id: str) -> Baseline:
        """Return what the server knows of submissions before it is asked to send a message."""
        state, of_message = self._submissions([]), self._query("of-message", {"emailIds": [email_id]})
        newest = self._query("newest", {"undoStatus": "final"}, sort=[{"property": "sentAt", "isAscending": False}], limit=1)
        response = await self._call([state, of_message, newest])
        kept = _ids(response, newest)
        return Baseline(_submissions_of(response, state).state, tuple(_ids(response, of_message)), kept[0] if kept else "")

    async def evidence(self, email_id: str, baseline: Baseline) -> Evidence:
        """Ask what became of a message."""
        older = self._submissions([baseline.newest] if baseline.newest else [])
        query = self._query("of-message", {"emailIds": [email_id]})
        found = Call("EmailSubmission/get", {"accountId": self._account.id, "ids": query.ref("/ids")}, "found")
        emails = get_emails(self._account.id, [email_id], "email")
        response = await self._call([older, query, found, emails])
        older_submissions = _submissions_of(response, older)
        try:
            new = [one for one in response.get_as(found, _Submissions).submissions if one.id not in baseline.of_message]
        except MethodError:  # a server that cannot search for submissions by their message
            new, is_answered = [], False
        else:
            is_answered = bool(older_submissions.submissions)
        email = next(iter(emails_of(response, emails).items), None)
        is_still = older_submissions.state == baseline.state != ""
        sent = [one for one in new if one.undo_status != "canceled"]
        held = sent[0].id if sent and all(one.undo_status == "pending" for one in sent) else ""
        return Evidence(bool(sent), held, is_answered or is_still, email)

    async def give_up(self, desk: Desk, email_id: str, *, ours: bool) -> None:
        """Take away a draft that was made to be sent and will not be; one that is in other mailboxes too stays there.

        One that is not `ours` was a draft before. Raises what `Client.call` raises.
        """
        get = get_emails(self._account.id, [email_id], "email")
        emails = emails_of(await self._call([get]), get).items
        if not emails or desk.drafts not in emails[0].boxes:
            return
        change: dict[str, Any]
        if len(emails[0].boxes) > 1:
            change = {"update": {email_id: {f"mailboxIds/{desk.drafts}": None, "keywords/$draft": None}}}
        elif ours:
            change = {"destroy": [email_id]}
        else:
            return
        call = Call("Email/set", {"accountId": self._account.id, **change}, "give-up")
        (await self._call([call])).get(call)

    async def _revive(self, desk: Desk, email_id: str) -> str:
        """Make a draft of a message that the server holds already (Cyrus: equal content is one email).

        One that is a draft, or was sent, goes from where it is if the server holds an email in one mailbox only.
        """
        error = await self._update(email_id, {f"mailboxIds/{desk.drafts}": True, "keywords/$draft": True})
        if error is not None and error.type == "tooManyMailboxes":
            get = get_emails(self._account.id, [email_id], "email")
            held = emails_of(await self._call([get]), get).items
            if held and ("$draft" in held[0].keywords or held[0].boxes == [desk.sent]):
                error = await self._update(email_id, {"mailboxIds": {desk.drafts: True}, "keywords/$draft": True})
        if error is not None:
            raise RefusedError("the message", error)
        return email_id

    async def _update(self, email_id: str, patch: dict[str, Any]) -> SetError | None:
        """Change an email; return why the server did not, or None."""
        call = Call("Email/set", {"accountId": self._account.id, "update": {email_id: patch}}, "revive")
        return set_errors((await self._call([call])).get(call), "notUpdated").get(email_id)

    async def _roles(self, calls: Sequence[Call]) -> tuple[dict[str, str], Response]:
        """Return the ids of the mailboxes for drafts and sent mail by role, and the response that answers other calls too."""
        boxes = get_mailboxes(self._account.id, None, "boxes")
        roles: dict[str, str] = {}
        is_whole = False
        try:
            response = await self._call([boxes, *calls])
            mailboxes = listed(response, boxes, Mailbox).items
            roles = _roles_of(mailboxes)
            is_whole = len(mailboxes) < min(SILENTLY_CUT, (await self._client.session()).limits.max_objects_in_get)
        except RequestError as error:  # Cyrus refuses the whole request where there are more mailboxes than it gives at once
            if error.type != "limit":
                raise
            response = await self._call(calls)
        except MethodError as error:
            if error.type != "requestTooLarge":
                raise
        for role in [] if is_whole else [one for one in ("drafts", "sent") if one not in roles]:
            roles |= _roles_of(await self._of_role(role))
        return roles, response

    async def _of_role(self, role: str) -> list[Mailbox]:
        """Return the mailbox of a role, where the server has more of them than it gives at once."""
        query = Call("Mailbox/query", {"accountId": self._account.id, "filter": {"role": role}}, "query")
        get = get_mailboxes(self._account.id, query.ref("/ids"), "boxes")
        return listed(await self._call([query, get]), get, Mailbox).items

    async def _make_sent(self) -> str:
        create = {"sent": {"name": "Sent", "parentId": None, "role": "sent", "isSubscribed": True}}
        call = Call("Mailbox/set", {"accountId": self._account.id, "create": create}, "make")
        try:
            made = ((await self._call([call])).get(call).get("created") or {}).get("sent")
        except MethodError:
            return ""
        return str(made["id"]) if isinstance(made, dict) else ""

    def _submissions(self, ids: list[str]) -> Call:
        return Call("EmailSubmission/get", {"accountId": self._account.id, "ids": ids}, "submissions")

    def _query(self, name: str, condition: dict[str, Any], **window: object) -> Call:
        return Call("EmailSubmission/query", {"accountId": self._account.id, "filter": condition, **window}, name)

    async def _call(self, calls: Sequence[Call], *, repeatable: bool = True) -> Response:
        return await Caller(self._client, self._account, MAIL, SUBMISSION).call(calls, repeatable=repeatable)


def _explanation(error: SetError, sender: str, identities: Sequence[Identity]) -> str:
    """Return in words why a sender was refused (RFC 8621, 7.5); nothing for another error."""
    match error.type:
        case "forbiddenMailFrom":
            whom = f"as {sender}"
        case "forbiddenFrom":
            whom = "with the From of this message"
        case "forbiddenToSend":
            return f"The server does not let you send mail ({error})."
        case _:
            return ""
    return f"The server does not let you send {whom} ({error}); it lets you send as {names_of(identities)}."


def _roles_of(mailboxes: list[Mailbox]) -> dict[str, str]:
    """Return the ids of the mailboxes that have a role, by role."""
    return {folder.role: folder.ref for folder in (box.folder() for box in mailboxes) if folder.role}


def _submissions_of(response: Response, get: Call) -> _Submissions:
    """Return what a server returns of submissions; nothing, not even a state, where it only takes them (James)."""
    try:
        return response.get_as(get, _Submissions)
    except MethodError as error:
        if error.remedy in {Remedy.LATER, Remedy.NOW}:
            raise
        return _Submissions()


def _ids(response: Response, query: Call) -> list[str]:
    """Return what a query found; nothing where the server cannot answer it."""
    try:
        return response.get_as(query, _Ids).ids
    except MethodError:
        return []
