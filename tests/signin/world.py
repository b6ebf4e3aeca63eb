"""An authorization server and a JMAP server in this process, which record what they are asked; the clock is set by hand."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from jmapsync.jmap.certificates import Certificates
from jmapsync.jmap.transport import Transport
from jmapsync.signin.grant import Grant, OAuthClient

if TYPE_CHECKING:
    from collections.abc import Callable

MAIL = "https://mail.example.com"
AUTH = "https://auth.example.com"
SESSION = f"{MAIL}/jmap/session"
MAIL_SCOPE = "urn:ietf:params:oauth:scope:mail"


_CERTIFICATES = Certificates()
"""Read once: that takes 25 ms."""


class Died(BaseException):  # no error of the product
    """The process ends here."""


@dataclass(frozen=True)
class Asked:
    """One request that reached a host."""

    method: str
    host: str
    path: str
    form: dict[str, str]
    authorization: str


@dataclass
class Client:
    """A registered client."""

    wanted: dict[str, Any]
    """What the registration asked for."""


@dataclass
class Family:
    """The tokens of one sign-in: all of them end when a used refresh token comes again."""

    refresh: str = ""
    used: set[str] = field(default_factory=set)
    access: dict[str, float] = field(default_factory=dict)
    """Access tokens with the time when they expire."""
    is_revoked: bool = False


class World:
    """Both servers, a clock, and what was asked."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.asked: list[Asked] = []
        self.clients: dict[str, Client] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.families: list[Family] = []
        self.lifetime: int | None = 3600
        self.rotates = True
        self.resource: dict[str, Any] | None = {
            "resource": SESSION,
            "authorization_servers": [AUTH],
            "scopes_supported": [MAIL_SCOPE, "urn:ietf:params:oauth:scope:contacts", "openid", "offline_access"],
        }
        self.metadata: dict[str, Any] = {
            "issuer": AUTH,
            "authorization_endpoint": f"{AUTH}/authorize",
            "token_endpoint": f"{AUTH}/token",
            "registration_endpoint": f"{AUTH}/register",
            "revocation_endpoint": f"{AUTH}/revoke",
            "device_authorization_endpoint": f"{AUTH}/device",
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
        }
        self.challenge = f'Bearer resource_metadata="{MAIL}/.well-known/oauth-protected-resource/jmap/session"'
        self.interval = 5
        """Seconds between two polls."""
        self.device_answers: list[str] = []
        """The errors that polls get before the tokens."""
        self.refusal: tuple[int, dict[str, str]] | None = None
        """What the token endpoint answers instead of tokens."""
        self.lost = 0
        """Answers of the token endpoint that do not arrive."""
        self.before: Callable[[Asked], httpx.Response | None] = lambda _: None
        """Called first with each request; may answer it, raise, or do anything else."""
        self.after: Callable[[Asked], None] = lambda _: None
        """Called when the authorization server has done what it was asked."""
        self.transport = Transport(user_agent="tests", inner=httpx.MockTransport(self._handle), certificates=_CERTIFICATES)
        self._numbers = itertools.count(1)

    def clock(self) -> float:
        return self.now

    @property
    def hosts(self) -> set[str]:
        return {one.host for one in self.asked}

    def grant(self, **more: Any) -> Grant:  # noqa: ANN401  # properties of a Grant
        """Sign in without a person."""
        self.clients["client"] = Client({})
        tokens = json.loads(b"".join(self._issue(Family()).stream))  # type: ignore[arg-type]  # a ByteStream is both
        given = {
            "server": "alice@example.com",
            "issuer": AUTH,
            "token_endpoint": f"{AUTH}/token",
            "revocation_endpoint": f"{AUTH}/revoke",
            "client": OAuthClient("client"),
            "resource": SESSION,
            "access_token": tokens["access_token"],
            "refresh_token": tokens["refresh_token"],
            "expires_at": self.now + 3600,
            "lifetime": 3600.0,
        }
        return Grant(**{**given, **more})

    def posts(self, path: str) -> list[Asked]:
        return [one for one in self.asked if one.method == "POST" and one.path == path]

    def accepts(self, token: str) -> bool:
        return any(not one.is_revoked and one.access.get(token, 0.0) > self.now for one in self.families)

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        body = (await request.aread()).decode()
        kind = request.headers.get("content-type", "")
        form = {name: values[0] for name, values in parse_qs(body).items()} if "form" in kind else {}
        host = f"{request.url.scheme}://{request.url.netloc.decode()}"
        asked = Asked(request.method, host, request.url.path, form, request.headers.get("authorization", ""))
        self.asked.append(asked)
        if (instead := self.before(asked)) is not None:
            return instead
        if host == MAIL:
            return self._mail(asked)
        reply = self.authority(asked, body) if host == AUTH else answer(404)
        self.after(asked)
        return reply

    def _mail(self, asked: Asked) -> httpx.Response:
        if asked.path == "/.well-known/jmap":
            return answer(301, location="/jmap/session")
        if asked.path.startswith("/.well-known/oauth-protected-resource"):
            return _json(self.resource) if self.resource is not None else _json({}, 404)
        if asked.path != "/jmap/session":
            return answer(404)
        if self.accepts(asked.authorization.removeprefix("Bearer ")):
            return _json({"apiUrl": "/jmap/", "username": "alice", "accounts": {"a": {}}, "capabilities": {}})
        return answer(401, www_authenticate=self.challenge) if self.challenge else answer(401)

    def authority(self, asked: Asked, body: str) -> httpx.Response:
        """Answer as the authorization server."""
        if asked.path in {"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"}:
            return _json(self.metadata)
        if asked.path == "/register":
            return self._register(json.loads(body))
        if asked.path == "/device":
            page = f"{self.metadata['issuer']}/enter"
            code = {"device_code": "device-code-1", "user_code": "ABCD-EFGH", "verification_uri": page, "interval": self.interval}
            return _json({**code, "verification_uri_complete": f"{page}?code=ABCD-EFGH", "expires_in": 600})
        if asked.path == "/revoke":
            for one in self.families:
                one.is_revoked = one.is_revoked or asked.form["token"] in {one.refresh, *one.access}
            return answer(200)
        if asked.path == "/token":
            return self._token(asked)
        return answer(404)

    def _register(self, wanted: dict[str, Any]) -> httpx.Response:
        name = f"client-{next(self._numbers)}"
        self.clients[name] = Client(wanted)
        return _json({**wanted, "client_id": name, "redirect_uris": ["http://localhost/callback"]}, 201)  # as Fastmail answers

    def _token(self, asked: Asked) -> httpx.Response:
        form = asked.form
        if form.get("client_id") not in self.clients and not asked.authorization:
            return _json({"error": "invalid_client"}, 401)
        if self.refusal is not None:
            status, content = self.refusal
            return _json(content, status)
        if form["grant_type"] == "authorization_code":
            return self._issue(Family()) if self._redeems(form) else _json({"error": "invalid_grant"}, 400)
        if form["grant_type"] == "refresh_token":
            return self._refresh(form["refresh_token"])
        return _json({"error": self.device_answers.pop(0)}, 400) if self.device_answers else self._issue(Family())

    def _redeems(self, form: dict[str, str]) -> bool:
        """Return whether a code and its PKCE verifier are right."""
        wanted = self.codes.pop(form["code"], None)
        digest = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        return wanted is not None and (wanted["code_challenge"], wanted["redirect_uri"]) == (digest, form["redirect_uri"])

    def _refresh(self, token: str) -> httpx.Response:
        family = next((one for one in self.families if token == one.refresh or token in one.used), None)
        if family is None or family.is_revoked or token in family.used:
            if family is not None:
                family.is_revoked = True  # reuse
            return _json({"error": "invalid_grant", "error_description": "refresh token already used"}, 400)
        return self._issue(family)

    def _issue(self, family: Family) -> httpx.Response:
        if family not in self.families:
            self.families.append(family)
        access = f"access-{secrets.token_hex(8)}"
        family.access[access] = self.now + (self.lifetime or 3600)
        issued: dict[str, Any] = {"access_token": access, "token_type": "Bearer"}
        if self.lifetime is not None:
            issued["expires_in"] = self.lifetime
        if self.rotates or not family.refresh:
            if family.refresh:
                family.used.add(family.refresh)
            family.refresh = issued["refresh_token"] = f"refresh-{secrets.token_hex(8)}"
        if self.lost:
            self.lost -= 1
            raise httpx.ReadError("connection reset")
        return _json(issued)

    def authorize(self, url: str) -> str:
        """Return where a browser is sent whose user allows everything."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert asked["code_challenge_method"] == "S256"
        code = f"code-{next(self._numbers)}"
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state'], 'iss': self.metadata['issuer']})}"


def answer(status: int, content: bytes = b"", **headers: str) -> httpx.Response:
    """Return an answer whose body was not read yet, as one from the network."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, headers={"Content-Length": str(len(content)), **named}, stream=httpx.ByteStream(content))


def _json(content: object, status: int = 200) -> httpx.Response:
    return answer(status, json.dumps(content).encode(), content_type="application/json")
