"""HTTP: credentials, media types, uploads, downloads (RFC 8620, sections 2, 3.1 and 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urljoin

import httpx

from tests.live.agreement.probes import script

if TYPE_CHECKING:
    from tests.live.agreement.account import Account


@script()
def credentials(a: Account) -> None:
    with httpx.Client(timeout=60, headers=a.headers) as other_host:
        for label, headers in {
            "no credentials": {},
            "wrong password": {"Authorization": httpx.BasicAuth(a.user, "wrong")._auth_header},
            "unknown user": {"Authorization": httpx.BasicAuth("nobody", "wrong")._auth_header},
            "an unknown scheme": {"Authorization": "Frobnicate abc"},
            "Basic without a value": {"Authorization": "Basic"},
            "a token that is none": {"Authorization": "Bearer nonsense"},
        }.items():
            session = other_host.get(a.base, headers=headers)
            a.record(f"{label}: session", [session.status_code, _schemes(session)])
            api = other_host.post(urljoin(a.base, a.session["apiUrl"]), json={"using": [], "methodCalls": []}, headers=headers)
            a.record(f"{label}: API", api.status_code)
        well_known = other_host.get(urljoin(a.base, "/.well-known/jmap"))
        a.record("well-known", [well_known.status_code, urljoin(a.base, well_known.headers.get("location", "")) == a.base])


def _schemes(response: httpx.Response) -> list[str]:
    return sorted({value.partition(" ")[0].lower() for value in response.headers.get_list("www-authenticate")})


@script()
def media_types(a: Account) -> None:
    body = b'{"using": ["urn:ietf:params:jmap:core"], "methodCalls": [["Core/echo", {"a": "\xc3\xa9"}, "0"]]}'
    for kind in (
        "application/json",
        "application/json; charset=utf-8",
        "APPLICATION/JSON",
        "text/plain",
        "application/jmap+json",
        "",
    ):
        response = a.post_body(body, kind)
        a.record(f"Content-Type {kind or 'missing'}", [response.status_code, "methodResponses" in response.text])
    a.record("media type of an answer", a.post_body(body).headers.get("content-type", "").replace(" ", "").lower())
    session = a.http.get(a.base)
    a.record("media type of the session", session.headers.get("content-type", "").partition(";")[0])
    a.record("session is not kept by caches", "no-cache" in session.headers.get("cache-control", ""))
    a.record("an unknown path", a.http.get(urljoin(a.base, "/jmap/nothing/here")).status_code)
    a.record("GET of the API", a.http.get(urljoin(a.base, a.session["apiUrl"])).status_code)
    a.record("DELETE of the session", a.http.delete(a.base).status_code)


@script()
def uploads_and_downloads(a: Account) -> None:
    content = a.message()
    response = a.post_blob(content)
    blob_id = str(response.json()["blobId"])
    a.names.name(blob_id, "blob")
    a.record("upload", a.reported(response))
    again = a.post_blob(content)
    a.record("the same upload again", a.reported(again))
    a.names.name(again.json()["blobId"], "again")
    for kind in ("text/plain", "text/plain; charset=utf-8", "application/octet-stream", "image/x-nothing"):
        a.record(f"upload as {kind}", {**a.reported(a.post_blob(b"x" + kind.encode(), kind))["body"], "blobId": "<blob>"})
    bare = a.http.post(_upload_url(a), content=b"untyped", headers={"Content-Type": ""})
    a.record("upload without a type", a.reported(bare) if not bare.is_success else [bare.status_code, bare.json()["type"]])
    empty = a.post_blob(b"", "application/octet-stream")
    a.record("upload of nothing", [empty.status_code, empty.json().get("size") if empty.is_success else None])
    a.record("upload to an unknown account", a.post_blob(b"x", account="nobody").status_code)
    found = a.download(blob_id)
    a.record(
        "download",
        [found.status_code, found.content == content, found.headers["content-type"], found.headers.get("content-length")],
    )
    a.record("download's name", found.headers.get("content-disposition", "").partition(";")[0])
    typed = a.download(blob_id, kind="message/rfc822", name="b c.eml")
    a.record("download as a message", [typed.status_code, typed.headers["content-type"]])
    a.record("download as HTML", a.download(blob_id, kind="text/html").headers["content-type"])
    a.record("download of an unknown blob", a.download("G" + "0" * 40).status_code)
    a.record("download of an id that is none", a.download("nothing at all").status_code)
    part = a.http.get(str(found.request.url), headers={"Range": "bytes=0-3"})
    a.record("a part of a download", [part.status_code, len(part.content)])


def _upload_url(a: Account) -> str:
    return urljoin(a.base, str(a.session["uploadUrl"]).replace("{accountId}", a.id))
