"""Hold what one embedded server is made of: accounts, limits, faults, methods, and the session that lists them."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from jmapsync.demo.blob_methods import (
    BlobGetArguments,
    BlobUploadArguments,
    get_blobs,
    upload_blobs,
)
from jmapsync.demo.changes import ChangesArguments
from jmapsync.demo.collection_methods import (
    AddressBookSetArguments,
    CalendarSetArguments,
    change_collections,
    get_collections,
    set_collections,
)
from jmapsync.demo.copy_methods import BlobCopyArguments, CopyArguments, copy_blobs, copy_emails
from jmapsync.demo.dialect import (
    ABSENT,
    BLOB,
    CALENDARS,
    CONTACTS,
    CORE,
    CYRUS_BLOB,
    CYRUS_CALENDARS,
    CYRUS_SIEVE,
    MAIL,
    MAIL_SHARING,
    SIEVE,
    SUBMISSION,
    VACATION,
    WEBSOCKET,
    Dialect,
)
from jmapsync.demo.email_import import ImportArguments, import_emails
from jmapsync.demo.email_methods import EmailGetArguments, change_emails, get_emails
from jmapsync.demo.email_object import ParseArguments, parse_emails
from jmapsync.demo.email_query import EmailQueryArguments, EmailQueryChangesArguments, change_email_query, query_emails
from jmapsync.demo.email_set import set_emails
from jmapsync.demo.faults import Faults
from jmapsync.demo.identity_methods import (
    change_mail_identities,
    get_mail_identities,
    get_vacation,
    set_mail_identities,
    set_vacation,
)
from jmapsync.demo.item_methods import EventQueryArguments, change_items, get_identities, get_items, query_items
from jmapsync.demo.item_set import EventSetArguments, set_items
from jmapsync.demo.journal import Journal
from jmapsync.demo.mailbox_methods import (
    MailboxQueryArguments,
    MailboxQueryChangesArguments,
    change_mailbox_query,
    change_mailboxes,
    get_mailboxes,
    query_mailboxes,
)
from jmapsync.demo.mailbox_set import MailboxSetArguments, set_mailboxes
from jmapsync.demo.models import CALENDAR_MODEL, MODELS, Model, is_offered
from jmapsync.demo.quota_methods import change_quotas, get_quotas, query_quotas
from jmapsync.demo.script_methods import script_capabilities, script_details, script_methods
from jmapsync.demo.snippet_methods import SnippetArguments, get_snippets
from jmapsync.demo.standard import GetArguments, QueryArguments, SetArguments
from jmapsync.demo.submission_methods import (
    SubmissionSetArguments,
    change_submissions,
    get_submissions,
    query_submissions,
    set_submissions,
)
from jmapsync.demo.thread_methods import change_threads, get_threads
from jmapsync.demo.wire import Arguments, Context, Method

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from jmapsync.demo.account import Account
    from jmapsync.demo.problems import JsonObject
    from jmapsync.demo.shaping import Shape


OTHER_HOSTS = ("files", "uploads", "events")
"""What is before the host's name where the session has hosts of their own for these."""
MORE: dict[str, JsonObject] = {
    "urn:ietf:params:jmap:mdn": {},
    "urn:ietf:params:jmap:smimeverify": {},
    "https://example.com/jmap/more": {"maxThings": None, "kinds": ["one", 2, {}], "nested": {"": False}},
}
"""Capabilities that nobody here uses (RFC 9007, 1.3; RFC 9219, 3; RFC 8620, 9.4: a vendor's are URLs)."""


class Service:
    """One server's data and behaviour, without its sockets."""

    def __init__(self, dialect: Dialect, user: str) -> None:
        """Make a server with no accounts; `user` is the user name in the session."""
        self.dialect = dialect
        self.user = user
        self.limits = dataclasses.replace(dialect.limits)
        self.shape: Shape | None = None
        """Gives answers another legal form."""
        self.faults = Faults()
        self.journal = Journal()
        self.accounts: dict[str, Account] = {}
        """By id; the first is the primary one."""
        self.models = [model for model in MODELS if is_offered(model, dialect)]
        self.types = [
            "Mailbox",
            "Email",
            *(["SieveScript"] if dialect.scripts else []),
            *(name for model in self.models for name in (model.collection, model.item)),
        ]
        """The data types that have states."""
        self.methods = (
            _methods(dialect)
            | script_methods(dialect)
            | {name: method for model in self.models for name, method in _methods_of(model).items()}
        )
        self.listings: dict[bytes, tuple[int, list[str]]] = {}
        """The latest listing of `Email/query` and the account's version it is of."""
        self.withdrawn: set[str] = set()
        """Capabilities that are not offered at present."""
        self.moves = 0
        """How often the URLs of the session changed."""
        self._flaps = itertools.count(1)

    def is_vanished(self, account_id: str) -> bool:
        """Return whether a fault hides this account."""
        vanished = self.faults.vanished_account.active()
        return vanished is not None and vanished in ("", account_id)

    def capabilities(self) -> dict[str, JsonObject]:
        """Return the capabilities the server offers, with their server-wide values."""
        limits = self.limits
        core = {
            "maxSizeUpload": limits.max_size_upload,
            "maxConcurrentUpload": limits.max_concurrent_upload,
            "maxSizeRequest": limits.max_size_request,
            "maxConcurrentRequests": limits.max_concurrent_requests,
            "maxCallsInRequest": limits.max_calls_in_request,
            "maxObjectsInGet": limits.max_objects_in_get,
            "maxObjectsInSet": limits.max_objects_in_set,
            "collationAlgorithms": ["i;ascii-numeric", "i;ascii-casemap", "i;octet"],
        }
        offered: dict[str, JsonObject] = {CORE: core, MAIL: {}, SUBMISSION: {}, VACATION: {}} | {
            model.capability: {} for model in self.models
        }
        if self.dialect.calendars is not None and self.dialect.event_rules == "cyrus":
            offered[CYRUS_CALENDARS] = {"isRFC": True}
        if self.dialect.quota_capability:
            offered[self.dialect.quota_capability] = {}
        if self.dialect.blob_capability is not None:
            offered[self.dialect.blob_capability] = {}
        if self.dialect.offers_cyrus_blob:
            offered[CYRUS_BLOB] = {}
        if self.dialect.websocket:
            offered[WEBSOCKET] = {}
        if self.dialect.mail_sharing:
            offered[MAIL_SHARING] = {}
        offered |= script_capabilities(self.dialect)
        if self.shape is not None and self.shape.freedoms.more_capabilities:
            offered |= MORE
        hidden = {*(self.faults.hidden_capabilities.active() or ()), *self._withdrawn_now()}
        return {name: value for name, value in offered.items() if name not in hidden}

    def session(self, origin: str) -> JsonObject:
        """Return the Session object (RFC 8620, section 2), its URLs on `origin` such as `http://127.0.0.1:8080`."""
        offered = self.capabilities()
        accounts: dict[str, JsonObject] = {
            account.id: {
                "name": account.name,
                "isPersonal": account.is_personal,
                "isReadOnly": account.is_read_only,
                "accountCapabilities": self._details(account, offered),
            }
            | dict.fromkeys(self.dialect.account_members, account.is_personal)
            for account in self.accounts.values()
            if not self.is_vanished(account.id)
        }
        primary = next(iter(accounts), None)
        names_primary = self.shape is None or self.shape.freedoms.primary == "named"
        session: JsonObject = {
            "capabilities": offered,
            "accounts": accounts,
            "primaryAccounts": self._primary(accounts) if primary and names_primary else {},
            "username": self.user,
            **self._urls(origin),
        }
        session["state"] = self._state_of(session)
        if WEBSOCKET in offered:
            url = f"{origin.replace('http', 'ws', 1)}/jmap/ws"
            session["capabilities"] = {**offered, WEBSOCKET: {"url": url, "supportsPush": True}}
        return session

    def _withdrawn_now(self) -> set[str]:
        return set() if self.shape is not None and self.shape.quiet else self.withdrawn

    def _primary(self, accounts: dict[str, JsonObject]) -> dict[str, str]:
        """Return the primary account by capability: the first of all."""
        primary, details = next(iter(accounts.items()))
        left_out = () if self.dialect.primary_of_vendor else (CORE, CYRUS_BLOB)
        return {name: primary for name in details["accountCapabilities"] if name not in left_out}

    def _details(self, account: Account, offered: Collection[str]) -> dict[str, JsonObject]:
        """Return the capabilities of an account with their values in it."""
        limits = self.limits
        details: dict[str | None, JsonObject] = {
            **dict(MORE.items()),
            MAIL: self._mail_details(),
            SUBMISSION: {
                "maxDelayedSend": self.dialect.max_delayed_send,
                "submissionExtensions": {name: [] for name in self.dialect.submission_extensions},
            },
            VACATION: {},
            self.dialect.quota_capability: {},
            self.dialect.blob_capability: self.dialect.blob_details,
            CONTACTS: {
                "maxAddressBooksPerCard": limits.max_collections_per_item,
                "mayCreateAddressBook": account.contacts.may_create,
            },
            CALENDARS: {
                "maxCalendarsPerEvent": limits.max_collections_per_item,
                **self.dialect.calendar_details,
                "mayCreateCalendar": account.calendars.may_create,
            },
            CYRUS_CALENDARS: {},
            MAIL_SHARING: {},
            **script_details(self.dialect),
        }
        if self.dialect.core_of_account != "no":
            details[CORE] = self.capabilities().get(CORE, {}) if self.dialect.core_of_account == "whole" else {}
        if self.dialect.offers_cyrus_blob:
            details[CYRUS_BLOB] = {}
        details[MAIL] = {name: value for name, value in details[MAIL].items() if value is not ABSENT}
        return {name: details[name] for name in offered if name in details and self.is_offered_in(account, name)}

    def is_offered_in(self, account: Account, capability: str) -> bool:
        """Return whether an account offers a capability that the server has; of somebody else's, what is shared (seen on Cyrus)."""
        if not account.is_personal and self.dialect.mailbox_rules == "cyrus" and capability in {SUBMISSION, VACATION}:
            return False
        kinds = {MAIL: "mail", CONTACTS: "contacts", CALENDARS: "calendars", CYRUS_CALENDARS: "calendars"}
        kinds |= {SIEVE: "sieve", CYRUS_SIEVE: "sieve"}
        return account.kinds is None or kinds.get(capability, "") in {"", *account.kinds}

    def _mail_details(self) -> JsonObject:
        """Return the value of the capability of mail in an account (RFC 8621, section 1.3.1)."""
        limits = self.limits
        return {
            "maxMailboxesPerEmail": limits.max_mailboxes_per_email,
            "maxMailboxDepth": limits.max_mailbox_depth,
            "maxSizeMailboxName": limits.max_size_mailbox_name,
            "maxSizeAttachmentsPerEmail": limits.max_size_upload,
            "emailQuerySortOptions": list(self.dialect.email_sorts),
            "mayCreateTopLevelMailbox": self.dialect.refusals.top_level,
            **self.dialect.mail_details,
        }

    def session_state(self) -> str:
        """Return the session's present state, as each Response shows it."""
        state = str(self.session("")["state"])
        return state if self.shape is None else self.shape.session_state(state)

    def _urls(self, origin: str) -> dict[str, str]:
        style = self.faults.session_urls.active() or ("relative" if self.dialect.relative_urls else "absolute")
        base = {"relative": "", "absolute": origin, "foreign": self.faults.foreign_origin}[style]
        apart = self.shape is not None and self.shape.freedoms.hosts == "apart"
        files, uploads, events = (_apart(origin, place) if apart else base for place in range(3))
        moved = f"moved={self.moves}&" if self.moves else ""
        return {
            "apiUrl": f"{base}{self.dialect.api_path}{'?' + moved[:-1] if moved else ''}",
            "downloadUrl": f"{files}/jmap/download/{{accountId}}/{{blobId}}/{{name}}?{moved}accept={{type}}",
            "uploadUrl": f"{uploads}/jmap/upload/{{accountId}}/{'?' + moved[:-1] if moved else ''}",
            **self._event_source_url(events),
        }

    def _event_source_url(self, base: str) -> dict[str, str]:
        instead = self.faults.event_source_url.active()
        variables = "?types={types}&closeafter={closeafter}&ping={ping}"
        if self.shape is not None and not self.shape.freedoms.event_variables:
            variables = ""
        url = f"{base}/jmap/events/{variables}" if instead is None else instead
        return {"eventSourceUrl": url} if url else {}

    def _state_of(self, session: JsonObject) -> str:
        """Return a state that follows from the session's content save its URLs; the flapping fault makes it ever new."""
        if self.faults.flapping_session_state.shows(("session", "api")):
            return f"flap-{next(self._flaps)}"
        if self.dialect.fixed_session_state is not None:
            return self.dialect.fixed_session_state
        content = {name: value for name, value in session.items() if not name.endswith("Url")} | {"moves": self.moves}
        return hashlib.blake2b(msgspec.json.encode(content), digest_size=6).hexdigest()


def _apart(origin: str, place: int) -> str:
    """Return the origin of another host; it is a further address of this machine where the first one is."""
    scheme, _, host = origin.partition("://")
    loopback = "127.0.0."
    if host.startswith(f"{loopback}1"):
        return f"{scheme}://{loopback}{place + 2}{host.removeprefix(f'{loopback}1')}"
    return f"{scheme}://{OTHER_HOSTS[place]}.{host}"


def _quota_methods(dialect: Dialect) -> dict[str, Method]:
    """Return the methods of quotas in the form that a server has; 3.6 of Cyrus has one alone."""
    if not dialect.quota_capability:
        return {}
    get = {"Quota/get": Method(dialect.quota_capability, GetArguments, get_quotas)}
    if dialect.quota == "cyrus":
        return get
    return get | {
        "Quota/changes": Method(dialect.quota_capability, ChangesArguments, change_quotas),
        "Quota/query": Method(dialect.quota_capability, QueryArguments, query_quotas),
    }


def _echo(_context: Context, arguments: JsonObject) -> JsonObject:
    return arguments


def _methods(dialect: Dialect) -> dict[str, Method]:
    methods = {
        "Core/echo": Method(CORE, None, _echo),
        "Mailbox/get": Method(MAIL, GetArguments, get_mailboxes),
        "Mailbox/changes": Method(MAIL, ChangesArguments, change_mailboxes),
        "Mailbox/query": Method(MAIL, MailboxQueryArguments, query_mailboxes),
        "Mailbox/queryChanges": Method(MAIL, MailboxQueryChangesArguments, change_mailbox_query),
        "Mailbox/set": Method(MAIL, MailboxSetArguments, set_mailboxes),
        "Thread/get": Method(MAIL, GetArguments, get_threads),
        "Thread/changes": Method(MAIL, ChangesArguments, change_threads),
        "Email/get": Method(MAIL, EmailGetArguments, get_emails),
        "Email/changes": Method(MAIL, ChangesArguments, change_emails),
        "Email/query": Method(MAIL, EmailQueryArguments, query_emails),
        "Email/queryChanges": Method(MAIL, EmailQueryChangesArguments, change_email_query),
        "Email/set": Method(MAIL, SetArguments, set_emails),
        "Email/copy": Method(MAIL, CopyArguments, copy_emails),
        "Email/parse": Method(MAIL, ParseArguments, parse_emails),
        "SearchSnippet/get": Method(MAIL, SnippetArguments, get_snippets),
        "Blob/copy": Method(CORE, BlobCopyArguments, copy_blobs),
        "Email/import": Method(MAIL, ImportArguments, import_emails),
        "Identity/get": Method(SUBMISSION, GetArguments, get_mail_identities),
        "Identity/changes": Method(SUBMISSION, ChangesArguments, change_mail_identities),
        "Identity/set": Method(SUBMISSION, SetArguments, set_mail_identities),
        "VacationResponse/get": Method(VACATION, GetArguments, get_vacation),
        "VacationResponse/set": Method(VACATION, SetArguments, set_vacation),
        "EmailSubmission/get": Method(SUBMISSION, GetArguments, get_submissions),
        "EmailSubmission/changes": Method(SUBMISSION, ChangesArguments, change_submissions),
        "EmailSubmission/query": Method(SUBMISSION, QueryArguments, query_submissions),
        "EmailSubmission/set": Method(SUBMISSION, SubmissionSetArguments, set_submissions),
    }
    if dialect.query_rules == "james":
        del methods["Email/queryChanges"], methods["Mailbox/queryChanges"]
    if dialect.submission_methods == "set":
        del methods["EmailSubmission/get"], methods["EmailSubmission/changes"], methods["EmailSubmission/query"]
    methods |= _quota_methods(dialect)
    methods = {name: method for name, method in methods.items() if name not in dialect.refusals.lacking}
    if dialect.calendars is not None:
        methods["ParticipantIdentity/get"] = Method(CALENDARS, GetArguments, get_identities)
    if dialect.blob_capability is not None:
        methods["Blob/get"] = Method(dialect.blob_capability, BlobGetArguments, get_blobs)
    if dialect.blob_capability == BLOB:
        methods["Blob/upload"] = Method(BLOB, BlobUploadArguments, upload_blobs)
    return methods


def _methods_of(model: Model) -> dict[str, Method]:
    """Return the methods of a model's two types."""
    calendars = model is CALENDAR_MODEL
    table: dict[str, tuple[type[Arguments], Callable[..., JsonObject]]] = {
        f"{model.collection}/get": (GetArguments, get_collections),
        f"{model.collection}/changes": (ChangesArguments, change_collections),
        f"{model.collection}/set": (CalendarSetArguments if calendars else AddressBookSetArguments, set_collections),
        f"{model.item}/get": (GetArguments, get_items),
        f"{model.item}/changes": (ChangesArguments, change_items),
        f"{model.item}/query": (EventQueryArguments if calendars else QueryArguments, query_items),
        f"{model.item}/set": (EventSetArguments if calendars else SetArguments, set_items),
    }
    return {name: Method(model.capability, kind, partial(run, model=model)) for name, (kind, run) in table.items()}
