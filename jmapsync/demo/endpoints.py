"""Serve a `Service` over HTTP: session, API, uploads, downloads, events (RFC 8620, sections 2, 3, 6 and 7)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import re
import secrets
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec
from starlette.applications import Starlette
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute

from jmapsync.demo.blob_methods import UPLOADS_LAST
from jmapsync.demo.content import mask_8bit_header, read_content
from jmapsync.demo.faults import HTML
from jmapsync.demo.forms import in_form
from jmapsync.demo.journal import HttpRequest
from jmapsync.demo.problems import RequestProblem
from jmapsync.demo.push import Broadcast, known_states, stream_events
from jmapsync.demo.records import format_utc_date
from jmapsync.demo.shaping import own_blob_id
from jmapsync.demo.turning import check_url, turn_session
from jmapsync.demo.websocket import serve_socket
from jmapsync.demo.wire import decode_request, name_methods, run_request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send
    from starlette.websockets import WebSocket

    from jmapsync.demo.service import Service

RESOURCE_METADATA = "/.well-known/oauth-protected-resource"
_CHUNK = 256 * 1024
_FILE_TYPES = (None, "text/calendar", "application/octet-stream")  # as which Cyrus gives the file of an event
_INTERVAL = re.compile(r"\d+(\.\d+)?")  # RFC 8620 has whole seconds; tests have no time for that


@dataclass
class Credentials:
    """What the server lets in; an empty secret lets nobody in by that scheme. May be changed while it runs."""

    user: str
    password: str
    token: str
    issuer: str = ""
    """An authorization server whose tokens are accepted too; empty for none."""
    introspect: Callable[[str], bool] | None = None
    """Returns whether the authorization server says that a token is valid."""

    def accept(self, authorization: str) -> bool:
        """Return whether an Authorization header names the user (Basic) or the token (Bearer)."""
        scheme, _, value = authorization.partition(" ")
        if scheme.lower() == "bearer":
            known = bool(self.token) and secrets.compare_digest(value.strip().encode(), self.token.encode())
            return known or (self.introspect is not None and self.introspect(value.strip()))
        if scheme.lower() != "basic":
            return False
        with contextlib.suppress(binascii.Error, UnicodeDecodeError):
            user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
            right = secrets.compare_digest(password.encode(), self.password.encode())
            return bool(self.password) and user == self.user and right
        return False


class DroppedConnection(Response):
    """An answer that never comes: the connection is closed instead."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Close the connection with nothing sent."""
        scope["extensions"]["jmapsync.abort"]["abort"]()


class CutResponse(Response):
    """An answer whose body stops early: its Content-Length promises the whole."""

    def __init__(self, whole: Response, keep: int) -> None:
        """Keep `keep` octets of an answer's body."""
        super().__init__()
        self._whole, self._keep = whole, keep
        self.status_code, self.raw_headers = whole.status_code, whole.raw_headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what is kept, then close the connection."""
        left = self._keep

        async def send_part(message: dict[str, object]) -> None:
            nonlocal left
            if message["type"] == "http.response.body":
                body = bytes(message.get("body") or b"")  # type: ignore[call-overload]
                message = {"type": "http.response.body", "body": body[:left], "more_body": True}
                left -= min(left, len(body))
            await send(message)

        await self._whole(scope, receive, send_part)  # type: ignore[arg-type]
        await asyncio.sleep(0.01)  # the part has to leave before the connection is closed
        scope["extensions"]["jmapsync.abort"]["abort"]()


class Endpoints:
    """The HTTP face of one server."""

    def __init__(self, service: Service, credentials: Credentials) -> None:
        """Serve `service` to those whom `credentials` let in."""
        self.service = service
        self.credentials = credentials
        self.broadcast = Broadcast()
        self._running = {"api": 0, "upload": 0}
        self._busiest = {"api": 0, "upload": 0}

    @property
    def busiest(self) -> dict[str, int]:
        """The most requests that ran at one time, of the API and of uploads."""
        return dict(self._busiest)

    def application(self) -> Starlette:
        """Return the ASGI application."""
        session = self._route("session", self._session)
        return Starlette(
            routes=[
                Route("/.well-known/jmap", self._route("well-known", self._well_known)),
                Route(RESOURCE_METADATA, self._route("well-known", self._resource_metadata)),
                Route("/jmap/session", session),
                Route("/jmap/", session, methods=["GET"]),
                Route("/jmap/", self._route("api", self._api), methods=["POST"]),
                Route("/jmap/api/", self._route("api", self._api), methods=["POST"]),
                Route("/jmap/upload/{account}/", self._route("upload", self._upload), methods=["POST"]),
                Route("/jmap/download/{account}/{blob}/{name:path}", self._route("download", self._download)),
                Route("/jmap/events/", self._route("events", self._events)),
                WebSocketRoute("/jmap/ws", self._websocket),
            ]
        )

    def _route(
        self, endpoint: str, handle: Callable[[Request, HttpRequest], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return a handler with what all endpoints share: the journal, the faults of HTTP, who may enter, problems."""

        async def answer(request: Request) -> Response:
            authorization = request.headers.get("authorization", "")
            note = HttpRequest(endpoint, request.url.path, authorization.partition(" ")[0].lower())
            self.service.journal.note_request(note)
            body = b""
            scopes = {endpoint}
            faults = self.service.faults
            try:
                if endpoint == "api":
                    body = await self._read_body(request, "api", self.service.limits.max_size_request)
                    note.received = len(body)
                    scopes |= name_methods(body)
                    request.state.body = body
                if (wait := faults.latency.take(scopes)) is not None and endpoint != "api":
                    await asyncio.sleep(wait)
                request.state.latency = wait or 0.0
                crashes = self.service.dialect.vacation == "crashes" and "VacationResponse" in scopes
                if crashes or faults.drop_before.shows(scopes):
                    return DroppedConnection()
                if (fake := faults.answer.take(scopes)) is not None:
                    note.status = fake.status
                    return Response(fake.body, fake.status, dict(fake.headers))
                refusal = None if endpoint == "well-known" else self._turned_away(request, authorization)
                response = refusal or await handle(request, note)
            except RequestProblem as problem:
                response = self._refused(problem)
            response = self._formed(response)
            if faults.drop_after.shows(scopes):
                return DroppedConnection()
            note.status = response.status_code
            if (keep := faults.cut_body.take(scopes)) is not None:
                return CutResponse(response, keep)
            note.sent += len(response.body) if hasattr(response, "body") else 0
            return response

        return answer

    def _refused(self, problem: RequestProblem) -> Response:
        """Return the answer to a request that is refused as a whole."""
        headers = None if problem.retry_after is None else {"Retry-After": problem.retry_after}
        form = "jmap" if self.service.shape is None else self.service.shape.freedoms.problem_form
        if form == "jmap" or problem.status not in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
            return _json(problem.body, problem.status, self.service.dialect.problem_type, headers)
        if form == "bare":
            return Response(HTML, problem.status, headers, "text/html")
        return _json({"title": "Too many requests"}, problem.status, self.service.dialect.problem_type, headers)

    @contextmanager
    def _slot(self, kind: str, limit: int, name: str) -> Iterator[None]:
        """Count a request among those running; raise RequestProblem when they are too many."""
        if self.service.dialect.enforce_concurrency and self._running[kind] >= limit:
            raise RequestProblem("limit", f"More than {limit} requests at a time.", limit=name)
        self._running[kind] += 1
        self._busiest[kind] = max(self._busiest[kind], self._running[kind])
        try:
            yield
        finally:
            self._running[kind] -= 1

    async def _read_body(self, request: Request, kind: str, limit: int) -> bytes:
        parts, size = [], 0
        async for part in request.stream():
            size += len(part)
            if size <= limit or (kind == "api" and not self.service.dialect.limits_requests):
                parts.append(part)
        if size > limit and (kind != "api" or self.service.dialect.limits_requests):
            name = "maxSizeRequest" if kind == "api" else "maxSizeUpload"
            status = self.service.dialect.too_large_request_status if kind == "api" else 413
            raise RequestProblem("limit", f"More than {limit} octets.", limit=name, status=status)
        return b"".join(parts)

    def _turned_away(self, request: Request, authorization: str) -> Response | None:
        """Return the answer to a request that asks for another version of JMAP, or without the credentials; None for others."""
        if self.service.dialect.version not in request.headers.get("accept", "").partition(",")[0]:
            return Response(status_code=404)
        check_url(self.service, request)
        return None if self.credentials.accept(authorization) else self._refuse()

    def _formed(self, response: Response) -> Response:
        shape = self.service.shape
        return response if shape is None else in_form(response, shape.freedoms)

    def _refuse(self) -> Response:
        scheme = 'Basic realm="jmapsync demo"'
        if self.credentials.issuer:
            scheme = f'Bearer realm="jmapsync demo", resource_metadata="{RESOURCE_METADATA}", {scheme}'
        return Response(HTML, 401, {"WWW-Authenticate": scheme, "Content-Type": "text/html; charset=utf-8"})

    async def _resource_metadata(self, request: Request, _note: HttpRequest) -> Response:
        """Return the metadata of this resource (RFC 9728), where an authorization server issues tokens for it."""
        if not self.credentials.issuer:
            return _problem(404, "No authorization server issues tokens for this server.")
        scopes = [f"urn:ietf:params:oauth:scope:{name}" for name in ("mail", "contacts", "calendars")]
        return _json(
            {
                "resource": f"{request.url.scheme}://{request.url.netloc}",
                "authorization_servers": [self.credentials.issuer],
                "scopes_supported": [*scopes, "offline_access"],
                "bearer_methods_supported": ["header"],
            }
        )

    async def _well_known(self, _request: Request, _note: HttpRequest) -> Response:
        return RedirectResponse(self.service.dialect.session_path, 301)

    async def _session(self, request: Request, _note: HttpRequest) -> Response:
        origin = f"{request.url.scheme}://{request.url.netloc}"
        return _json(self.service.session(origin), headers={"Cache-Control": "no-cache, no-store, must-revalidate"})

    async def _api(self, request: Request, _note: HttpRequest) -> Response:
        with self._slot("api", self.service.limits.max_concurrent_requests, "maxConcurrentRequests"):
            if (wait := request.state.latency) > 0:
                await asyncio.sleep(wait)
            kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "application/json" and not self.service.dialect.any_content_type:
                if (status := self.service.dialect.wrong_content_type_status) != 400:  # noqa: PLR2004 - HTTP
                    return Response(HTML, status, {"Content-Type": "text/html"})
                raise RequestProblem("notJSON", "The content type is not application/json.")
            if (shape := self.service.shape) is not None:
                shape.check_request()
                if shape.is_turning():
                    turn_session(self.service, shape.chance)
            if not self.service.dialect.takes_nul and b"\\u0000" in request.state.body:
                raise RequestProblem("notJSON", "There is NUL in a string.")
            response = run_request(self.service, decode_request(request.state.body))
            if (octets := self.service.faults.padding.take(("api",))) is not None:
                return StreamingResponse(_pad(msgspec.json.encode(response), octets), media_type="application/json")
            if (rewrite := self.service.faults.rewrite_body.take()) is not None:
                return Response(rewrite(msgspec.json.encode(response)), media_type="application/json")
            return _json(response, media_type=self.service.dialect.json_type)

    async def _upload(self, request: Request, note: HttpRequest) -> Response:
        account = self.service.accounts.get(request.path_params["account"])
        if account is None or self.service.is_vanished(account.id):
            return _problem(404, "There is no such account.")
        if account.is_read_only:
            return _problem(403, "The account is read-only.")
        with self._slot("upload", self.service.limits.max_concurrent_upload, "maxConcurrentUpload"):
            data = await self._read_body(request, "upload", self.service.limits.max_size_upload)
        note.received = len(data)
        kind = request.headers.get("content-type", "application/octet-stream")
        if not (data or account.dialect.refusals.empty_uploads) and kind.startswith("message/rfc822"):
            return _problem(500, "There is nothing in the upload.")
        if account.dialect.masks_8bit_headers and kind.startswith("message/rfc822"):
            data = mask_8bit_header(data)
        blob_id = account.add_blob(data)
        if self.service.shape is not None:
            blob_id = self.service.shape.upload_blob_id(blob_id)
        answer = {"accountId": account.id, "blobId": blob_id, "type": kind, "size": len(data)}
        if account.dialect.upload_types == "bare":
            answer["type"] = kind.partition(";")[0].strip() or "application/octet-stream"
        if account.dialect.uploads_expire:
            answer["expires"] = format_utc_date(int(time.time()) + UPLOADS_LAST)
        return _json(answer, 201)

    async def _download(self, request: Request, note: HttpRequest) -> Response:
        account = self.service.accounts.get(request.path_params["account"])
        if account is None or self.service.is_vanished(account.id):
            return _problem(404, "There is no such account.")
        blob_id = request.path_params["blob"]
        content = account.blobs.get(blob_id if self.service.shape is None else own_blob_id(blob_id))
        if content is None or self.service.faults.missing_blob.shows(("download",)):
            return _problem(404, "There is no such blob.")
        accepted = request.query_params.get("accept")
        if request.path_params["blob"].startswith("I") and accepted not in _FILE_TYPES:
            return Response(HTML, 406, {"Content-Type": "text/html"})
        data = read_content(content)
        if (missing := self.service.faults.short_body.take(("download",))) is not None:
            data = data[: max(0, len(data) - missing)]
        note.sent = len(data)
        name = quote(request.path_params["name"], safe="")
        headers = {
            "Content-Type": accepted or "application/octet-stream",
            "Content-Length": str(len(data)),
            "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
            "Cache-Control": "private, immutable, max-age=31536000",
        }
        return StreamingResponse(_chunks(data), headers=headers)

    async def _events(self, request: Request, _note: HttpRequest) -> Response:
        if not self.service.dialect.event_source:
            return Response(status_code=204)
        wanted = request.query_params.get("types") or "*"
        types = frozenset() if wanted == "*" else frozenset(wanted.split(","))
        ping = request.query_params.get("ping") or "0"
        events = stream_events(
            self.service,
            self.broadcast,
            types=types,
            known=known_states(self.service, types=types, last_id=request.headers.get("last-event-id", "")),
            close_after=request.query_params.get("closeafter") == "state",
            ping=float(ping) if _INTERVAL.fullmatch(ping) else 0.0,
        )
        return StreamingResponse(events, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})

    async def _websocket(self, socket: WebSocket) -> None:
        authorization = socket.headers.get("authorization", "")
        note = HttpRequest("websocket", socket.url.path, authorization.partition(" ")[0].lower())
        self.service.journal.note_request(note)
        refusal = None if self.credentials.accept(authorization) else self._refuse()
        if (fake := self.service.faults.answer.take(("websocket",))) is not None:
            refusal = Response(fake.body, fake.status, dict(fake.headers))
        note.status = 101 if refusal is None else refusal.status_code
        if refusal is None:
            await serve_socket(self.service, self.broadcast, socket)
        else:
            await socket.send_denial_response(refusal)


def _json(
    value: object, status: int = 200, media_type: str = "application/json", headers: dict[str, str] | None = None
) -> Response:
    return Response(msgspec.json.encode(value), status, headers, media_type)


def _problem(status: int, detail: str) -> Response:
    return _json({"type": "about:blank", "status": status, "detail": detail}, status, "application/problem+json")


async def _chunks(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), _CHUNK):
        yield data[start : start + _CHUNK]


async def _pad(body: bytes, octets: int) -> AsyncIterator[bytes]:
    yield body
    blank = b" " * _CHUNK
    while octets > 0:
        yield blank[:octets]
        octets -= len(blank)
