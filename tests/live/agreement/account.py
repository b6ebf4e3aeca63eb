"""An account that probes send requests to; what is answered is kept in a form that can be compared."""

from __future__ import annotations

import functools
import itertools
import json
import ssl
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urljoin

import httpx

from tests.live.agreement.normal import Json, Names

if TYPE_CHECKING:
    from types import TracebackType

CORE = "urn:ietf:params:jmap:core"
MAIL = "urn:ietf:params:jmap:mail"
BLOB = "urn:ietf:params:jmap:blob"
CYRUS_BLOB = "https://cyrusimap.org/ns/jmap/blob"
CONTACTS = "urn:ietf:params:jmap:contacts"
CALENDARS = "urn:ietf:params:jmap:calendars"
SUBMISSION = "urn:ietf:params:jmap:submission"
_WANTED = (CORE, MAIL, BLOB, CYRUS_BLOB, CONTACTS, CALENDARS, SUBMISSION)
JAMES_VERSION = "application/json; jmapVersion=rfc-8621"
_tls = functools.cache(ssl.create_default_context)


class Account:
    """A fresh account on one server. `ask` records what is answered under a label; the other methods prepare.

    Preparations do what every server takes, so that a probe shows one thing only: James imports with keywords and a date.
    """

    def __init__(self, url: str, user: str, password: str, *, headers: dict[str, str] | None = None) -> None:
        self.url, self.user, self.password = url, user, password
        self.headers = headers or {}
        self.http = httpx.Client(auth=(user, password), timeout=60, follow_redirects=True, verify=_tls(), headers=self.headers)
        answer = self.http.get(url)
        self.session: dict[str, Any] = answer.raise_for_status().json()
        self.base = str(answer.url)
        self.id: str = self.session["primaryAccounts"][MAIL]
        self.using = [name for name in _WANTED if name in self.session["capabilities"]]
        self.names = Names(shared_states=not self.headers)
        self.names.name(self.id, "account")
        self.steps: dict[str, Json] = {}
        """What was recorded, by label."""
        self._numbers = itertools.count(1)
        self._boxes: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.http.close()

    # Recording

    def record(self, label: str, value: Json) -> None:
        """Keep a value under a label, with names instead of ids."""
        self.names.begin()
        self._keep(label, self.names.normal(value))

    def ask(self, label: str, *calls: tuple[str, dict[str, Any]], **more: Json) -> list[dict[str, Any]]:
        """Send method calls, record what is answered and return the arguments of the answers."""
        response = self.send(list(calls), **more)
        if not response.is_success:
            self.record(label, self.reported(response))
            return [{} for _ in calls]
        answers = response.json()["methodResponses"]
        self.names.begin()
        kept = []
        for name, one, _ in answers:
            self.names.name_created(one)
            answered = self.names.normal(_without_nulls(name, one), name.partition("/")[0])
            kept.append([name, _in_order(answered) if self.headers else answered])
        self._keep(label, kept)
        return [one for _, one, _ in answers] + [{}] * (len(calls) - len(answers))

    def _keep(self, label: str, value: Json) -> None:
        assert label not in self.steps, f"two probes are called {label!r}"
        self.steps[label] = value

    def reported(self, response: httpx.Response) -> Json:
        """Return what can be compared of an HTTP answer: status, media type, the problem's members."""
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        body = response.json() if kind.endswith("json") and response.content else None
        if isinstance(body, dict) and "methodResponses" in body:
            body = [[name, one] for name, one, _ in body["methodResponses"]]
        return {"status": response.status_code, "media type": kind, "body": body}

    # Requests

    def send(self, calls: list[tuple[str, dict[str, Any]]], *, using: list[str] | None = None, **more: Json) -> httpx.Response:
        """Send calls with the account's id, where they do not name one (None: without any)."""
        wire = []
        for number, (name, arguments) in enumerate(calls):
            whole = {"accountId": self.id, **arguments}
            wire.append([name, {key: one for key, one in whole.items() if key != "accountId" or one is not None}, str(number)])
        return self.post({"using": self.using if using is None else using, "methodCalls": wire, **more})

    def post(self, body: Json, **headers: str) -> httpx.Response:
        return self.http.post(urljoin(self.base, self.session["apiUrl"]), json=body, headers=headers)

    def post_body(self, body: bytes, kind: str = "application/json") -> httpx.Response:
        """Send an API request as it is, and of any media type (an empty one: without)."""
        request = self.http.build_request("POST", urljoin(self.base, self.session["apiUrl"]), content=body)
        if kind:
            request.headers["Content-Type"] = kind
        return self.http.send(request)

    def call(self, method: str, **arguments: Json) -> dict[str, Any]:
        """Send one call without recording it and return its answer; an error fails the probe."""
        ((name, answer, _),) = self.send([(method, arguments)]).raise_for_status().json()["methodResponses"]
        assert name != "error", answer
        self.names.name_created(answer)
        self.names.normal(answer, method.partition("/")[0])
        return dict(answer)

    def state(self, type_name: str = "Email") -> str:
        return str(self.call(f"{type_name}/get", ids=[])["state"])

    def upload(self, content: bytes, kind: str = "message/rfc822", name: str = "") -> str:
        response = self.post_blob(content, kind)
        blob_id = str(response.raise_for_status().json()["blobId"])
        if name:
            self.names.name(blob_id, name)
        return blob_id

    def post_blob(self, content: bytes, kind: str = "message/rfc822", account: str = "") -> httpx.Response:
        url = self.session["uploadUrl"].replace("{accountId}", quote(account or self.id, safe=""))
        return self.http.post(urljoin(self.base, url), content=content, headers={"Content-Type": kind})

    def download(self, blob_id: str, *, kind: str = "application/octet-stream", name: str = "a.eml") -> httpx.Response:
        url = self.session["downloadUrl"]
        for key, value in {"accountId": self.id, "blobId": blob_id, "name": name, "type": kind}.items():
            url = url.replace("{" + key + "}", quote(value, safe=""))
        return self.http.get(urljoin(self.base, url))

    # Preparations

    def message(self, *, header: str = "", body: str = "", number: int | None = None) -> bytes:
        """Return a sound message; those of one account differ by their number, and are the same on each server."""
        number = next(self._numbers) if number is None else number
        return (
            f"From: ada@example.org\r\nTo: bob@example.org\r\nSubject: message {number}\r\n{header}"
            f"Message-ID: <{number}@agreement.example.org>\r\nDate: Mon, 02 Nov 2026 08:00:00 +0000\r\n\r\n{body or number}\r\n"
        ).encode()

    def box(self, role: str) -> str:
        """Return the id of the mailbox of a role, named after it."""
        if role not in self._boxes:
            for one in self.call("Mailbox/get", ids=None)["list"]:
                self._boxes.setdefault(one.get("role") or one["name"], one["id"])
                self.names.name(one["id"], one.get("role") or one["name"])
        return self._boxes[role] if role in self._boxes else self._boxes["spam"]  # as James calls its junk

    def create_box(self, name: str, **more: Json) -> str:
        """Create a mailbox; its creation id is its name."""
        return str(self.call("Mailbox/set", create={name: {"name": name, **more}})["created"][name]["id"])

    def deliver(
        self, name: str, role: str = "inbox", *, content: bytes | None = None, day: int = 1, keywords: tuple[str, ...] = ("$seen",)
    ) -> str:
        """Import a message into a mailbox and return its id, which is named."""
        wish = {
            "blobId": self.upload(content or self.message()),
            "mailboxIds": {self._boxes.get(role) or self.box(role): True},
            "keywords": dict.fromkeys(keywords, True),
            "receivedAt": f"2026-01-{day:02}T00:00:00Z",
        }
        return str(self.call("Email/import", emails={name: wish})["created"][name]["id"])


def _in_order(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer with its lists of ids and objects sorted, where they are sets to the server (James)."""
    names = ("created", "updated", "destroyed", "notFound")
    answered = {key: sorted(one) if key in names and isinstance(one, list) else one for key, one in answer.items()}
    return answered | ({"list": sorted(answered["list"], key=json.dumps)} if isinstance(answered.get("list"), list) else {})


def _without_nulls(name: str, answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer; what `/set` reports as null may as well be left out (RFC 8620, 5.3)."""
    if not name.endswith(("/set", "/import", "/copy", "/upload")):
        return answer
    return {key: one for key, one in answer.items() if one is not None or key not in _SET_RESULTS}


_SET_RESULTS = ("created", "updated", "destroyed", "notCreated", "notUpdated", "notDestroyed")
