"""A small JMAP client that reads what the server holds; it shares no code with the project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urljoin

import httpx

if TYPE_CHECKING:
    from types import TracebackType

CORE = "urn:ietf:params:jmap:core"
MAIL = "urn:ietf:params:jmap:mail"
# RFC 9404 and the form Cyrus had before it.
BLOB = {"3.6": "https://cyrusimap.org/ns/jmap/blob", "3.12": "urn:ietf:params:jmap:blob"}

Json = dict[str, Any]


class JmapError(Exception):
    """The server answered a method with `error`, or the request with an HTTP status other than 2xx."""


class Jmap:
    """One account seen through Basic authentication. Method names and arguments are JMAP's own (RFC 8620, RFC 8621)."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.http = httpx.Client(auth=(user, password), timeout=120, follow_redirects=True)
        answer = self.http.get(url)
        _require_success(answer)
        self.session: Json = answer.json()
        self.base = str(answer.url)
        self.account: str = self.session["primaryAccounts"][MAIL]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.http.close()

    def call(self, calls: list[tuple[str, Json]], using: list[str] | None = None) -> list[Json]:
        """Send one request and return the arguments of each response; call ids are "0", "1" and so on.

        Each call gets the account's id unless it names one. Raise JmapError when any method answers `error`.
        """
        answers = self.call_raw(calls, using)
        for name, arguments, call_id in answers:
            if name == "error":
                raise JmapError(f"{calls[int(call_id)][0]}: {arguments}")
        return [arguments for _, arguments, _ in answers]

    def call_raw(self, calls: list[tuple[str, Json]], using: list[str] | None = None) -> list[tuple[str, Json, str]]:
        """Send one request and return its method responses as they are, errors among them."""
        answer = self.http.post(
            urljoin(self.base, self.session["apiUrl"]),
            json={
                "using": using or [CORE, MAIL],
                "methodCalls": [
                    [name, {"accountId": self.account} | arguments, str(index)] for index, (name, arguments) in enumerate(calls)
                ],
            },
        )
        _require_success(answer)
        return [(name, arguments, call_id) for name, arguments, call_id in answer.json()["methodResponses"]]

    def one(self, method: str, arguments: Json) -> Json:
        """Send one method call and return its response."""
        return self.call([(method, arguments)])[0]

    def mailboxes(self) -> dict[str, Json]:
        """Return every mailbox by its path, names joined with `/`."""
        by_id = {mailbox["id"]: mailbox for mailbox in self.one("Mailbox/get", {"ids": None})["list"]}

        def path(mailbox: Json) -> str:
            parent = mailbox.get("parentId")
            return (path(by_id[parent]) + "/" if parent else "") + str(mailbox["name"])

        return {path(mailbox): mailbox for mailbox in by_id.values()}

    def emails(self, properties: list[str] | None = None) -> dict[str, Json]:
        """Return every Email of the account by its id, with the properties a mirror needs unless others are named."""
        wanted = properties or ["id", "blobId", "threadId", "mailboxIds", "keywords", "receivedAt", "size"]
        ids: list[str] = []
        while True:
            page = self.one("Email/query", {"position": len(ids), "limit": 1000, "sort": [{"property": "receivedAt"}]})
            if not page["ids"]:
                break
            ids += page["ids"]
        found: dict[str, Json] = {}
        for start in range(0, len(ids), 500):
            answer = self.one("Email/get", {"ids": ids[start : start + 500], "properties": wanted})
            found |= {email["id"]: email for email in answer["list"]}
        return found

    def download(self, blob_id: str) -> bytes:
        """Return the bytes of a blob."""
        url = self.session["downloadUrl"]
        for name, value in {"accountId": self.account, "blobId": blob_id, "name": "blob", "type": "message/rfc822"}.items():
            url = url.replace("{" + name + "}", quote(value, safe=""))
        answer = self.http.get(urljoin(self.base, url))
        _require_success(answer)
        return answer.content

    def upload(self, content: bytes, media_type: str = "message/rfc822") -> str:
        """Upload bytes and return their blob id."""
        url = self.session["uploadUrl"].replace("{accountId}", quote(self.account, safe=""))
        answer = self.http.post(urljoin(self.base, url), content=content, headers={"Content-Type": media_type})
        _require_success(answer)
        return str(answer.json()["blobId"])


def _require_success(answer: httpx.Response) -> None:
    if not answer.is_success:
        raise JmapError(f"{answer.request.method} {answer.request.url}: HTTP {answer.status_code}: {answer.text[:500]}")
