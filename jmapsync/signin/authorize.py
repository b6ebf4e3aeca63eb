"""Get tokens with a person's consent: in a browser (authorization code with PKCE) or by a code typed on another device."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from jmapsync.errors import NetworkError, ServerError, SignInError
from jmapsync.jmap.hosts import Origin, shown
from jmapsync.signin.grant import Grant
from jmapsync.signin.loopback import Listener, listening
from jmapsync.signin.metadata import CODE, DEVICE
from jmapsync.signin.scopes import scopes_for
from jmapsync.signin.token_requests import REDIRECT_PATH, RefusedError, ask_device_code, ask_tokens, configured_client, register

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from jmapsync.jmap.transport import Transport
    from jmapsync.signin.discover import Offer, Way
    from jmapsync.signin.grant import OAuthClient
    from jmapsync.signin.metadata import Provider
    from jmapsync.signin.token_requests import Tokens

PATIENCE = 900.0
"""Seconds that a person has to sign in in the browser."""
_INTERVAL, _SLOWER, _LONGEST_INTERVAL = 5.0, 5.0, 300.0
"""Seconds between two polls of the device grant where the server names none, what `slow_down` adds, and the most."""
_CODE_LIFETIME, _LONGEST_WAIT = 600.0, 3600.0
"""Seconds that a code of the device grant is valid where the server does not say, and the most."""
_LONGEST_CODE = 200


class Person(Protocol):
    """Whoever signs in."""

    def open(self, url: str, host: str) -> Awaitable[None]:
        """Open a URL of the host in a browser, or show it where there is none."""

    def show_code(self, url: str, code: str, complete_url: str) -> None:
        """Show the page to open on any device and the code to type there; `complete_url` holds both, or is empty."""

    def paste(self) -> Awaitable[str]:
        """Return the address that the browser was sent to, as a person typed it; never return where nobody can."""


class Wish(Struct, frozen=True, kw_only=True):
    """What to sign in for."""

    kinds: Sequence[str]
    client_id: str = ""
    """A client that the server's administrator registered; without it, one is registered."""
    client_secret: str = ""
    scopes: Sequence[str] = ()
    """The scopes to ask for; without them, those of the kinds."""


async def sign_in(
    offer: Offer,
    way: Way,
    wish: Wish,
    person: Person,
    transport: Transport,
    *,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Grant:
    """Sign in by OAuth, in a browser or by the device grant, and return the grant.

    Raise `SignInError` where the person or the server refuses or nobody answers in time, `HostRefusedError`, `NetworkError`,
    `ServerError`, and `LocalError` where no port can be listened on.
    """
    provider = offer.provider
    if provider is None:
        raise SignInError(offer.why_no_oauth or "The server offers no sign-in by OAuth.")
    scopes = tuple(wish.scopes) or scopes_for(wish.kinds, provider.resource.scopes, provider.scopes)
    asking = _Asking(provider, wish, scopes, person, transport)
    client, tokens = await (asking.by_device(sleep) if way == "device" else asking.in_browser())
    return Grant(
        server=offer.server,
        issuer=provider.issuer,
        token_endpoint=provider.token_endpoint,
        revocation_endpoint=provider.revocation_endpoint,
        client=client,
        resource=provider.resource.identifier,
        scopes=tokens.scopes or scopes,
        access_token=tokens.access,
        refresh_token=tokens.refresh,
        expires_at=clock() + tokens.lifetime,
        lifetime=tokens.lifetime,
    )


class _Asking(Struct, frozen=True):
    """One sign-in at an authorization server."""

    provider: Provider
    wish: Wish
    scopes: tuple[str, ...]
    person: Person
    transport: Transport

    async def in_browser(self) -> tuple[OAuthClient, Tokens]:
        """Get tokens by an authorization code with PKCE (RFC 6749, section 4.1, and RFC 7636)."""
        from oauthlib.oauth2 import WebApplicationClient  # noqa: PLC0415  # 70 ms, of use at sign-in only

        provider = self.provider
        async with listening() as listener:
            client = await self._client(listener.redirect_uri)
            library = WebApplicationClient(client.id)
            verifier = library.create_code_verifier(64)
            asked = {
                "response_type": "code",
                "client_id": client.id,
                "redirect_uri": listener.redirect_uri,
                "scope": " ".join(self.scopes),
                "state": listener.state,
                "code_challenge": library.create_code_challenge(verifier, "S256"),
                "code_challenge_method": "S256",
                "resource": provider.resource.identifier,
            }
            await self.person.open(_with_query(provider.authorization_endpoint, asked), provider.host)
            code = _code_of(await _answer(listener, self.person, provider), listener, provider)
            fields = {
                "grant_type": CODE,
                "code": code,
                "redirect_uri": listener.redirect_uri,
                "code_verifier": verifier,
                "resource": provider.resource.identifier,
            }
            return client, await ask_tokens(self.transport, provider.token_endpoint, client, fields)

    async def by_device(self, sleep: Callable[[float], Awaitable[None]]) -> tuple[OAuthClient, Tokens]:
        """Get tokens by a code that a person types on another device (RFC 8628)."""
        provider = self.provider
        client = await self._client(f"http://127.0.0.1{REDIRECT_PATH}")
        asked = {"scope": " ".join(self.scopes), "resource": provider.resource.identifier}
        answer = await ask_device_code(self.transport, provider, client, asked)
        device, code, url = answer.text("device_code"), answer.text("user_code"), answer.text("verification_uri")
        if not device or not 0 < len(code) <= _LONGEST_CODE:
            raise ServerError(f"{provider.host} gave no code for the sign-in.")
        Origin.of(url)  # https, or this machine
        complete = answer.text("verification_uri_complete")
        if complete and Origin.of(complete) != Origin.of(url):
            complete = ""
        left = _seconds(answer.content.get("expires_in"), _CODE_LIFETIME, _LONGEST_WAIT)
        interval = _seconds(answer.content.get("interval"), _INTERVAL, _LONGEST_INTERVAL)
        self.person.show_code(url, code, complete)
        while left > 0:
            await sleep(interval)
            left -= interval
            try:
                return client, await self._poll(client, device)
            except RefusedError as error:
                if error.code == "slow_down":
                    interval += _SLOWER
                elif error.code != "authorization_pending":
                    raise _explained(error, provider) from None
            except (NetworkError, ServerError):
                interval = min(2 * interval, _LONGEST_INTERVAL)  # RFC 8628, section 3.5
        raise _expired(provider)

    async def _poll(self, client: OAuthClient, device: str) -> Tokens:
        asked = {"grant_type": DEVICE, "device_code": device, "resource": self.provider.resource.identifier}
        return await ask_tokens(self.transport, self.provider.token_endpoint, client, asked)

    async def _client(self, redirect_uri: str) -> OAuthClient:
        if self.wish.client_id:
            return configured_client(self.provider, self.wish.client_id, self.wish.client_secret)
        return await register(self.transport, self.provider, redirect_uri, self.scopes)


def _with_query(url: str, fields: dict[str, str]) -> str:
    from oauthlib.common import add_params_to_uri  # noqa: PLC0415  # imported already

    return str(add_params_to_uri(url, [(name, value) for name, value in fields.items() if value]))


async def _answer(listener: Listener, person: Person, provider: Provider) -> str:
    """Return the URL that the browser was redirected to, or that a person pasted."""
    pasting = asyncio.ensure_future(_pasted(listener, person))
    try:
        async with asyncio.timeout(PATIENCE):
            return await listener.answer
    except TimeoutError as error:
        raise SignInError(f"Nobody signed in at {provider.host} within {PATIENCE / 60:g} minutes.", advice="Try again.") from error
    finally:
        pasting.cancel()
        await asyncio.wait([pasting])


async def _pasted(listener: Listener, person: Person) -> None:
    while not listener.accept((await person.paste()).strip()):
        pass


def _code_of(url: str, listener: Listener, provider: Provider) -> str:
    """Return the code of an authorization response (RFC 6749, section 4.1.2, and RFC 9207)."""
    from oauthlib.oauth2 import MismatchingStateError, MissingCodeError, OAuth2Error  # noqa: PLC0415  # as above
    from oauthlib.oauth2.rfc6749.parameters import parse_authorization_code_response  # noqa: PLC0415

    try:
        # oauthlib accepts https only; RFC 8252, section 8.3, wants http here, and the response is already on this machine.
        found = parse_authorization_code_response(url.replace("http://", "https://", 1), listener.state)
    except (MismatchingStateError, MissingCodeError):
        raise SignInError("The browser came back without an answer to this sign-in.", advice="Try again.") from None
    except OAuth2Error as error:
        raise _explained(RefusedError(provider.host, str(error.error), str(error.description or "")), provider) from None
    issuer = found.get("iss", "")
    if issuer != provider.issuer and (issuer or provider.names_issuer):
        raise SignInError(
            f"The answer to the sign-in came from {shown(issuer) or 'nobody'}, not from {provider.host}; it was not used.",
            advice="Try again; if that recurs, ask your provider.",
        )
    return str(found["code"])


def _explained(error: RefusedError, provider: Provider) -> SignInError:
    if error.code == "expired_token":
        return _expired(provider)
    if error.code == "access_denied":
        return SignInError(f"The sign-in was denied at {provider.host}.", advice="Try again and allow it.")
    return error


def _expired(provider: Provider) -> SignInError:
    return SignInError(f"The code was not entered at {provider.host} in time.", advice="Try again.")


def _seconds(value: object, default: float, most: float) -> float:
    """Return a number of seconds from an answer, at least 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return default
    return min(max(1.0, float(value)), most)
