"""One account on a server of any make, seen through the raw client: the acts that the contract tests are written in."""

from __future__ import annotations

import functools
import itertools
import ssl
from typing import TYPE_CHECKING

import httpx

from tests.live.jmapraw import BLOB, CORE, MAIL, Jmap, Json

if TYPE_CHECKING:
    from collections.abc import Callable

CONTACTS = "urn:ietf:params:jmap:contacts"
CALENDARS = "urn:ietf:params:jmap:calendars"
CYRUS_CALENDARS = "https://cyrusimap.org/ns/jmap/calendars"
_numbers = itertools.count(1)
_tls = functools.cache(ssl.create_default_context)  # made once: it takes longer than a test


def message(text: str = "", *, header: str = "") -> bytes:
    """Return a small sound message that differs from every other one."""
    number = next(_numbers)
    return (
        f"From: ada@example.org\r\nTo: bob@example.org\r\nSubject: message {number}\r\n{header}"
        f"Message-ID: <{number}@contract.example.org>\r\nDate: Mon, 02 Nov 2026 08:00:00 +0000\r\n\r\n{text or number}\r\n"
    ).encode()


class Peer(Jmap):
    """An account of its own for one test; `flavour` names a dialect, or the Cyrus version whose behaviour is expected."""

    mark_deleted: Callable[[bool], None]
    """Marks the account's only message `\\Deleted` as an IMAP client does, or takes the mark away."""

    def __init__(self, url: str, user: str, password: str, flavour: str) -> None:
        self.http = httpx.Client(auth=(user, password), timeout=120, follow_redirects=True, verify=_tls())
        answer = self.http.get(url)
        self.session: Json = answer.raise_for_status().json()
        self.base = str(answer.url)
        self.account: str = self.session["primaryAccounts"][MAIL]
        self.flavour = flavour
        self.blob = BLOB.get(flavour, BLOB["3.12"])
        self.using = [CORE, MAIL, self.blob, *({CONTACTS, CALENDARS} & self.session["capabilities"].keys())]

    @property
    def is_cyrus(self) -> bool:
        return self.flavour in BLOB

    def call_raw(self, calls: list[tuple[str, Json]], using: list[str] | None = None) -> list[tuple[str, Json, str]]:
        """Send calls; what a server leaves out of the answer to `/set` because it is null stands in it (RFC 8620, 5.3)."""
        answers = super().call_raw(calls, self.using if using is None else using)
        left_out = dict.fromkeys(("created", "updated", "destroyed", "notCreated", "notUpdated", "notDestroyed"))
        return [(name, {**left_out, **each} if name.endswith("/set") else each, id_) for name, each, id_ in answers]

    def error(self, method: str, arguments: Json) -> str:
        """Return the type of the error that a call is answered with."""
        ((name, answer, _),) = self.call_raw([(method, arguments)])
        assert name == "error", answer
        return str(answer["type"])

    def state(self, type_name: str = "Email") -> str:
        return str(self.one(f"{type_name}/get", {"ids": []})["state"])

    def mailbox_id(self, role: str) -> str:
        return next(str(box["id"]) for box in self.mailboxes().values() if box.get("role") == role)

    def create_mailbox(self, name: str, **more: object) -> str:
        answer = self.one("Mailbox/set", {"create": {"new": {"name": name, **more}}})
        return str(answer["created"]["new"]["id"])

    def import_blob(self, blob_id: str, mailbox_id: str, **more: object) -> Json:
        """Import one blob and return the answer."""
        return self.one("Email/import", {"emails": {"new": {"blobId": blob_id, "mailboxIds": {mailbox_id: True}, **more}}})

    def deliver(self, content: bytes | None = None, role: str = "inbox", **more: object) -> str:
        """Import a message and return its id."""
        answer = self.import_blob(self.upload(content or message()), self.mailbox_id(role), **more)
        return str(answer["created"]["new"]["id"])

    def refusal(self, content: bytes, **more: object) -> Json:
        """Import a message that is refused and return the SetError."""
        answer = self.import_blob(self.upload(content), self.mailbox_id("inbox"), **more)
        assert not answer["created"]
        return dict(answer["notCreated"]["new"])

    def email(self, email_id: str, *properties: str) -> Json:
        answer = self.one("Email/get", {"ids": [email_id], "properties": list(properties or ("keywords", "mailboxIds"))})
        return dict(answer["list"][0])

    def exists(self, email_id: str) -> bool:
        return not self.one("Email/get", {"ids": [email_id], "properties": ["id"]})["notFound"]

    def patch(self, email_id: str, patch: Json) -> Json:
        """Update one message and return None, or the SetError it is refused with."""
        answer = self.one("Email/set", {"update": {email_id: patch}})
        if answer["notUpdated"]:
            assert not answer["updated"]
            return dict(answer["notUpdated"][email_id])
        assert answer["updated"] == {email_id: None}
        return {}

    def changes(self, since: str, type_name: str = "Email", **more: object) -> Json:
        return self.one(f"{type_name}/changes", {"sinceState": since, **more})

    def listed(self, since: str, type_name: str = "Email") -> tuple[list[str], list[str], list[str]]:
        """Return what was created, updated and destroyed since a state."""
        answer = self.changes(since, type_name)
        assert answer["oldState"] == since
        assert answer["hasMoreChanges"] is False
        return answer["created"], answer["updated"], answer["destroyed"]
