"""Parse the Session object (RFC 8620, section 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import msgspec

from jmapsync.errors import AccountGoneError, ConfigError, DiscoveryError, SignInError, UnsupportedError
from jmapsync.jmap.bounds import URL_OCTETS
from jmapsync.jmap.decoding import DecodeError, decode_json
from jmapsync.jmap.shapes import MOST
from jmapsync.jmap.wire import CORE, describe, split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ENVELOPE = 2_000
"""Octets of a request that are not its objects: capabilities, method names, arguments; a generous guess."""

SILENTLY_CUT = 500
"""Stalwart truncates Foo/get with ids null at this number without an error."""


class Limits(msgspec.Struct, frozen=True):
    """The limits of the core capability; what is absent or 0 is RFC 8620's suggested minimum (section 2)."""

    max_size_upload: int = 50_000_000
    """Octets of one uploaded file."""
    max_concurrent_upload: int = 4
    max_size_request: int = 10_000_000
    """Octets of one encoded request."""
    max_concurrent_requests: int = 4
    max_calls_in_request: int = 16
    max_objects_in_get: int = 500
    max_objects_in_set: int = 500
    """Creations, updates and destructions of one call together."""

    def gets(self, ids: Iterable[str]) -> Iterator[list[str]]:
        """Split ids into batches that one `/get` each may ask for, by their number and their encoded size."""
        return split(ids, self.max_objects_in_get, self.room, lambda ref: len(ref) + 3)

    @property
    def room(self) -> int:
        """Return the octets of a request that are left for the objects of one call."""
        return max(1, self.max_size_request - ENVELOPE)

    @classmethod
    def parse(cls, core: dict[str, Any]) -> Limits:
        """Read the value of the core capability."""
        least = cls()
        # RFC 8620's own example of section 2.1 misspells the name, and servers copied it.
        concurrent = core.get("maxConcurrentRequests", core.get("maxConcurrentRequest"))
        return cls(
            max_size_upload=_limit(core.get("maxSizeUpload"), least.max_size_upload),
            max_concurrent_upload=_limit(core.get("maxConcurrentUpload"), least.max_concurrent_upload),
            max_size_request=_limit(core.get("maxSizeRequest"), least.max_size_request),
            max_concurrent_requests=_limit(concurrent, least.max_concurrent_requests),
            max_calls_in_request=_limit(core.get("maxCallsInRequest"), least.max_calls_in_request),
            max_objects_in_get=_limit(core.get("maxObjectsInGet"), least.max_objects_in_get),
            max_objects_in_set=_limit(core.get("maxObjectsInSet"), least.max_objects_in_set),
        )


class Account(msgspec.Struct, frozen=True):
    """One account of a session."""

    id: str
    name: str
    is_personal: bool
    is_read_only: bool
    capabilities: dict[str, Any]

    def limit_of(self, capability: str, name: str) -> int:
        """Return a limit from the value of a capability; 0 where there is none, or it is no positive number."""
        value = self.capabilities.get(capability)
        limit = value.get(name) if isinstance(value, dict) else None
        return limit if isinstance(limit, int) and not isinstance(limit, bool) and limit > 0 else 0

    def offers(self, capability: str) -> bool:
        """Return whether the capability can be used in this account."""
        return capability in self.capabilities


class Session(msgspec.Struct, frozen=True):
    """A parsed Session object; can be stored between runs as JSON."""

    url: str
    """Its URL, after redirects."""
    capabilities: dict[str, Any]
    accounts: dict[str, Account]
    primary_accounts: dict[str, str]
    username: str
    api_url: str
    download_url: str
    """Empty, as `upload_url`, when the server names no valid one."""
    upload_url: str
    event_source_url: str | None
    """None when the server offers no push (Cyrus with `jmap_pushpoll: 0` leaves it out)."""
    state: str
    limits: Limits
    flawed: bool = False
    """Whether anything in it was malformed and left out: its state then does not show whether fetching it again would help."""

    @classmethod
    def parse(cls, body: bytes, url: str) -> Session:
        """Parse a Session object fetched from `url`, against which relative URLs are resolved (Cyrus sends such).

        Raise `DiscoveryError` if it is not a Session, `SignInError` if it is that of an unauthenticated user.
        """
        host = urlsplit(url).netloc
        try:
            raw: object = decode_json(body)
        except DecodeError as error:
            raise DiscoveryError(
                f"{host} answered at {url}, but not with a JMAP session ({describe(body)}).",
                advice="Check the address, or set url to the server's JMAP session.",
            ) from error
        if not isinstance(raw, dict) or not isinstance(raw.get("apiUrl"), str):
            raise DiscoveryError(
                f"{host} answered at {url}, but not with a JMAP session (it has no apiUrl).",
                advice="Check the address, or set url to the server's JMAP session.",
            )
        api_url = resolve(url, raw["apiUrl"])
        if not api_url:
            raise DiscoveryError(
                f"{host} answered at {url} with a JMAP session whose address for requests (apiUrl) cannot be used.",
                advice="Its administrator has to correct the server's base URL.",
            )
        capabilities = _object(raw.get("capabilities"))
        accounts = {id_: _account(id_, _object(value), capabilities) for id_, value in _object(raw.get("accounts")).items()}
        username = _text(raw.get("username"))
        if not username and not accounts:  # Stalwart answers an unauthenticated request so, with status 200.
            raise SignInError(f"{host} did not accept the user name or the secret.")  # the advice is the credential's
        downloads, uploads = resolve(url, raw.get("downloadUrl")), resolve(url, raw.get("uploadUrl"))
        return cls(
            url=url,
            capabilities=capabilities,
            accounts=accounts,
            primary_accounts={key: value for key, value in _object(raw.get("primaryAccounts")).items() if isinstance(value, str)},
            username=username,
            api_url=api_url,
            download_url=downloads,
            upload_url=uploads,
            event_source_url=resolve(url, raw.get("eventSourceUrl")) or None,
            state=_text(raw.get("state")),
            limits=Limits.parse(_object(capabilities.get(CORE))),
            flawed=_is_flawed(raw) or not (downloads and uploads),
        )

    def to_json(self) -> bytes:
        """Return the session as JSON, to be stored between runs; it holds no secret."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, kept: bytes) -> Session:
        """Parse the result of `to_json`; raise `ValueError` for anything else, then the session has to be fetched."""
        kept_session: Session = decode_json(kept, cls)
        return kept_session

    def find(self, wanted: str) -> Account | None:
        """Return the account of an id, else of a name, first as it is written and then in any case; None where there is none.

        Raise `ConfigError` that lists them where several accounts have the name.
        """
        if wanted in self.accounts:
            return self.accounts[wanted]
        named = [account for account in self.accounts.values() if account.name == wanted]
        named = named or [account for account in self.accounts.values() if account.name.casefold() == wanted.casefold()]
        if len(named) > 1:
            ids = ", ".join(f"{account.id} ({account.name})" for account in named)
            raise ConfigError(
                [f"account_id: {len(named)} accounts have the name {wanted!r}; set account_id to one of the ids: {ids}"]
            )
        return named[0] if named else None

    def account_for(self, capability: str, wanted: str = "") -> Account:
        """Choose the account for a capability: the wanted one, by id or name, else the primary one, else the only one offering it.

        Raise what `find` raises, `AccountGoneError` if the wanted account is not there, `UnsupportedError` if none or several
        could be meant.
        """
        host = urlsplit(self.url).netloc
        if wanted:
            pinned = self.find(wanted)
            if pinned is None:
                raise AccountGoneError(
                    f"{host} no longer offers the account {wanted}.",
                    advice="Nothing was deleted; check account_id, and whether the account was closed or its share revoked.",
                )
            if not pinned.offers(capability):
                raise UnsupportedError(f"{host} does not offer {capability} in the account {wanted}.")
            return pinned
        primary = self.accounts.get(self.primary_accounts.get(capability, ""))
        if primary is not None and primary.offers(capability):
            return primary
        offering = [account for account in self.accounts.values() if account.offers(capability)]
        named_elsewhere = set(self.primary_accounts.values())
        for choice in (offering, [account for account in offering if account.id in named_elsewhere]):
            if len(choice) == 1:
                return choice[0]
        if not offering:
            raise UnsupportedError(f"{host} does not offer {capability} to {self.username or 'this user'}.")
        ids = ", ".join(sorted(f"{account.id} ({account.name})" if account.name else account.id for account in offering))
        raise UnsupportedError(
            f"{host} offers {capability} in several accounts and names none of them as the primary one.",
            advice=f"Set account_id to one of {ids}.",
        )

    def using(self, *wanted: str, account: Account) -> list[str]:
        """Return core and those wanted capabilities that both session and account offer, for a request's `using`.

        Core is included even if the session does not list it, as Fastmail's once did not.
        """
        return [CORE, *(name for name in wanted if name != CORE and name in self.capabilities and account.offers(name))]


def _is_flawed(raw: dict[str, Any]) -> bool:
    """Return whether a Session object has a property of another type than RFC 8620, section 2, gives it."""
    texts = ("username", "apiUrl", "downloadUrl", "uploadUrl", "eventSourceUrl", "state")
    if not all(isinstance(raw.get(name, ""), str) for name in texts):
        return True
    maps = [raw.get(name, {}) for name in ("capabilities", "accounts", "primaryAccounts")]
    if not all(isinstance(one, dict) for one in maps):
        return True
    offered, accounts, primary = maps
    offers = [account.get("accountCapabilities", {}) for account in accounts.values() if isinstance(account, dict)]
    if len(offers) < len(accounts) or not all(isinstance(one, dict) for one in offers):
        return True
    details = [value for one in (offered, *offers) for value in one.values()]
    core = _object(offered.get(CORE))
    limits = [value for name, value in core.items() if name.startswith("max")]
    return not (
        all(isinstance(value, dict) for value in details)
        and all(isinstance(value, str) for value in primary.values())
        and all(_limit(value, 0) for value in limits)
    )


def _account(id_: str, raw: dict[str, Any], session_capabilities: dict[str, Any]) -> Account:
    offered = raw.get("accountCapabilities")
    return Account(
        id=id_,
        name=_text(raw.get("name")),
        is_personal=raw.get("isPersonal") is not False,
        is_read_only=raw.get("isReadOnly") is True,
        capabilities=offered if isinstance(offered, dict) else session_capabilities,
    )


def resolve(base: str, url: object) -> str:
    """Return a URL or URL template of a session as an absolute one; empty if it is invalid."""
    if not isinstance(url, str) or not url or len(url) > URL_OCTETS or not url.isprintable():
        return ""
    try:
        full = urljoin(base, url)
        parts = urlsplit(full)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return ""
    return full if usable else ""


def _limit(value: object, least: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MOST else least


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
