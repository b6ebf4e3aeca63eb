"""Ask an authorization server's endpoints: register a client, redeem and refresh tokens, revoke them (RFC 7591, 6749, 7009)."""

from __future__ import annotations

import base64
import json
import math
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jmapsync.errors import ServerError, SignInError
from jmapsync.jmap.hosts import Origin
from jmapsync.signin.grant import LIFETIME, OAuthClient
from jmapsync.signin.metadata import CODE, DEVICE, REFRESH
from jmapsync.signin.requests import post_form, post_json
from jmapsync.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jmapsync.jmap.transport import Transport
    from jmapsync.signin.metadata import Provider
    from jmapsync.signin.requests import Document

CLIENT_NAME = "jmapsync"
REDIRECT_PATH = "/callback"
_LONGEST_TOKEN = 1 << 16
_LONGEST_LIFETIME = 366 * 86_400.0
_SAID = 200
_TEMPORARY = {"temporarily_unavailable", "server_error"}
_TOO_MANY = 429


class RefusedError(SignInError):
    """The authorization server refused a request for tokens (RFC 6749, section 5.2); `code` is the error it names."""

    def __init__(self, host: str, code: str, said: str) -> None:
        code, said = one_line(code, _SAID), one_line(said, _SAID).rstrip(".")
        super().__init__(f"{host} refused the sign-in ({code}{': ' if said else ''}{said}).")
        self.code = code


class Tokens:
    """The answer of a token endpoint (RFC 6749, section 5.1)."""

    __slots__ = ("access", "lifetime", "refresh", "scopes")

    def __init__(self, access: str, refresh: str, lifetime: float, scopes: tuple[str, ...]) -> None:
        """Store the answer; `lifetime` is in seconds, and `scopes` is empty where the server granted what was asked for."""
        self.access, self.refresh, self.lifetime, self.scopes = access, refresh, lifetime, scopes


async def register(transport: Transport, provider: Provider, redirect_uri: str, scopes: Sequence[str]) -> OAuthClient:
    """Register this installation as a public client and return it; raise what `ask_tokens` raises.

    The redirect URI that the answer names is not compared: Fastmail answers with another one, and accepts ours.
    """
    grants = [CODE, REFRESH, *([DEVICE] if provider.device_endpoint else [])]
    wanted: dict[str, Any] = {
        "client_name": CLIENT_NAME,
        "application_type": "native",
        "redirect_uris": [redirect_uri],
        "grant_types": [one for one in grants if provider.grants is None or one in provider.grants],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    }
    if scopes:
        wanted["scope"] = " ".join(scopes)
    answer = await post_json(transport, provider.registration_endpoint, wanted)
    _check(answer)
    identity, secret = answer.text("client_id"), answer.text("client_secret")
    if not identity or not identity.isprintable():
        raise ServerError(f"{provider.host} registered a client without a name.")
    method = answer.text("token_endpoint_auth_method") or ("client_secret_basic" if secret else "none")
    return OAuthClient(identity, secret, method if secret else "none")


def configured_client(provider: Provider, identity: str, secret: str) -> OAuthClient:
    """Return the client that the configuration names."""
    methods = provider.client_auth or ("client_secret_basic",)  # RFC 8414, section 2, on the default
    method = next((one for one in ("client_secret_basic", "client_secret_post") if one in methods), "client_secret_basic")
    return OAuthClient(identity, secret, method if secret else "none")


async def ask_tokens(transport: Transport, endpoint: str, client: OAuthClient, fields: Mapping[str, str]) -> Tokens:
    """Send a request to the token endpoint and return the tokens.

    Raise `RefusedError`, or `NetworkError` and `ServerError`, after which the same may be tried again.
    """
    form = _form(client, fields)
    answer = await post_form(transport, endpoint, form, authorization=_basic(client))
    _check(answer)
    return _tokens(answer)


async def ask_device_code(transport: Transport, provider: Provider, client: OAuthClient, fields: Mapping[str, str]) -> Document:
    """Return the answer of the device authorization endpoint (RFC 8628, section 3.2); raise what `ask_tokens` raises."""
    form = _form(client, fields)
    answer = await post_form(transport, provider.device_endpoint, form, authorization=_basic(client))
    _check(answer)
    return answer


async def revoke(transport: Transport, endpoint: str, client: OAuthClient, token: str, kind: str) -> None:
    """Revoke a token (RFC 7009); one that the server does not know is as good as revoked. Raise what `ask_tokens` raises."""
    form = _form(client, {"token": token, "token_type_hint": kind})
    answer = await post_form(transport, endpoint, form, authorization=_basic(client))
    if answer.status != 200:  # noqa: PLR2004
        _check(answer)


def _form(client: OAuthClient, fields: Mapping[str, str]) -> dict[str, str]:
    """Return the fields that are not empty, with those by which the client names itself."""
    form = {name: value for name, value in fields.items() if value}
    if client.auth != "client_secret_basic":
        form["client_id"] = client.id
    if client.auth == "client_secret_post":
        form["client_secret"] = client.secret
    return form


def _basic(client: OAuthClient) -> str:
    if client.auth != "client_secret_basic":
        return ""
    pair = f"{quote(client.id, safe='')}:{quote(client.secret, safe='')}"  # RFC 6749, section 2.3.1
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _check(answer: Document) -> None:
    """Raise an error unless an answer is one of success."""
    if answer.is_success:
        return
    host = str(Origin.of(answer.url))
    code, said = answer.text("error"), answer.text("error_description")
    if answer.status >= 500 or answer.status == _TOO_MANY or code in _TEMPORARY:  # noqa: PLR2004
        raise ServerError(f"{host} could not answer a request of the sign-in (status {answer.status}).")
    if 400 <= answer.status < 500 and code:  # noqa: PLR2004
        raise RefusedError(host, code, said)
    raise ServerError(f"{host} answered a request of the sign-in with status {answer.status}, without a reason.")


def _tokens(answer: Document) -> Tokens:
    from oauthlib.oauth2 import OAuth2Error  # noqa: PLC0415  # 70 ms, of use once an hour
    from oauthlib.oauth2.rfc6749.parameters import parse_token_response  # noqa: PLC0415

    host = str(Origin.of(answer.url))
    try:
        # Without lifetime and scope, which are read below: oauthlib fails for some that make no sense.
        found = parse_token_response(json.dumps({**answer.content, "expires_in": None, "scope": ""}))
    except OAuth2Error as error:  # an error with status 200, as GitHub sends it
        raise RefusedError(host, str(error.error), str(error.description or "")) from None
    except (ValueError, TypeError, AttributeError):  # its text may quote the answer
        raise ServerError(f"{host} answered without a token that can be used.") from None
    access, refresh = _token(found.get("access_token")), _token(found.get("refresh_token"))
    if not access:
        raise ServerError(f"{host} answered without a token that can be used.")
    if str(found.get("token_type")).lower() != "bearer":
        raise ServerError(f"{host} issues tokens of a type other than Bearer.")
    return Tokens(access, refresh, _lifetime(answer.content.get("expires_in")), tuple(answer.text("scope").split()))


def _token(value: object) -> str:
    """Return a token that a header can hold; empty for anything else."""
    if not isinstance(value, str) or len(value) > _LONGEST_TOKEN or " " in value:
        return ""
    return value if value.isascii() and value.isprintable() else ""


def _lifetime(seconds: object) -> float:
    if isinstance(seconds, str) and seconds.isascii() and seconds.isdigit():  # as Facebook and others send it
        seconds = int(seconds[:20])
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < math.inf:
        return LIFETIME
    return min(float(seconds), _LONGEST_LIFETIME)
