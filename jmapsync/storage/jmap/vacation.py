"""Read and write the vacation response of an account (RFC 8621, section 8).

Servers that answer by Sieve run one script at a time: Cyrus 3.12 switches the active script off, without a word, where the response
is switched on, and Stalwart does too. So the active script is part of what is read here, and the caller decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from jmapsync.errors import JmapsyncError, Remedy
from jmapsync.jmap.failures import MethodError, SetError, set_errors
from jmapsync.jmap.wire import Call
from jmapsync.storage.jmap.caller import Caller

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account
    from jmapsync.jmap.wire import Response

VACATION = "urn:ietf:params:jmap:vacationresponse"
_SIEVE = ("urn:ietf:params:jmap:sieve", "https://cyrusimap.org/ns/jmap/sieve")
_OWN_SCRIPTS = frozenset({VACATION, "vacation"})
"""What the script of the response is called, on Cyrus and on Stalwart."""
_SINGLETON = "singleton"
_PROPERTIES = {
    "is_enabled": "isEnabled",
    "begins": "fromDate",
    "ends": "toDate",
    "subject": "subject",
    "text": "textBody",
    "html": "htmlBody",
}


class Vacation(Struct, frozen=True):
    """The vacation response; what is not set is None."""

    is_enabled: bool = False
    begins: str | None = None
    """A UTCDate, as `ends`."""
    ends: str | None = None
    subject: str | None = None
    text: str | None = None
    html: str | None = None
    state: str = ""
    """Of the server's data, to write only what nobody changed since."""
    active_script: str = ""
    """The Sieve script of the user's own that is active, by name."""
    idle_scripts: tuple[str, ...] = ()
    """Those that are not."""


class VacationError(JmapsyncError):
    """The server does not change the vacation response."""

    remedy = Remedy.HUMAN


async def read_vacation(client: Client, account: Account, *, scripts: bool = True) -> Vacation:
    """Return the vacation response, with the Sieve scripts unless they are not wanted: then nobody waits for it.

    It is asked for once: Debian's Cyrus 3.6.1 dies of the request. Raises MethodError, and what `Client.call` raises.
    """
    get = _get(account)
    caller = Caller(client, account, VACATION)
    send = caller.call if scripts else caller.try_once
    found = _vacation((await send([get], repeatable=False)).get(get))
    return await _with_scripts(client, account, found) if scripts else found


async def ask_vacation_ahead(client: Client, account: Account) -> None:
    """Have the vacation response of an account read by the next request."""
    await Caller(client, account, VACATION).ride(_name(account), [_get(account)])


def vacation_ahead(client: Client, account: Account) -> Vacation | None:
    """Return the vacation response as it was read with another request of this run; None where it was not.

    Raises MethodError, and what `Response.get` raises.
    """
    rider = client.ridden(_name(account))
    return _vacation(rider.response.get(_get(account))) if rider is not None and rider.response is not None else None


async def write_vacation(client: Client, account: Account, seen: Vacation, wanted: Vacation) -> Vacation:
    """Write what differs from what was seen, and return what the server holds then.

    Raises VacationError where it refuses, or holds something else than it was sent; MethodError (stateMismatch where another
    client changed it since), and what `Client.call` raises.
    """
    patch = {wire: getattr(wanted, name) for name, wire in _PROPERTIES.items() if getattr(wanted, name) != getattr(seen, name)}
    # Cyrus refuses an update without it.
    patch["isEnabled"] = wanted.is_enabled
    arguments: dict[str, Any] = {"accountId": account.id, "update": {_SINGLETON: patch}}
    if seen.state:
        arguments["ifInState"] = seen.state
    call, get = Call("VacationResponse/set", arguments, "set"), _get(account)
    response = await Caller(client, account, VACATION).call([call, get], repeatable=False)
    errors = set_errors(response.get(call), "notUpdated")
    if error := errors.get(_SINGLETON):
        raise VacationError(f"The server does not change the vacation reply ({error}).", advice=_advice(error, wanted))
    found = _vacation(response.get(get))
    if lost := [name for name in _PROPERTIES if not _is_same(getattr(found, name), getattr(wanted, name))]:
        named = ", ".join(_PROPERTIES[name] for name in lost)
        raise VacationError(f"The server accepted the vacation reply, and holds another {named} than it was sent.")
    return await _with_scripts(client, account, found)


def _get(account: Account) -> Call:
    return Call("VacationResponse/get", {"accountId": account.id, "ids": [_SINGLETON]}, "ahead-vacation")


def _name(account: Account) -> str:
    return f"vacation response of {account.id}"


def _vacation(answer: dict[str, Any]) -> Vacation:
    """Return the response of an answer to `/get`; members that are missing are null (Cyrus leaves them out)."""
    raw: dict[str, Any] = next((one for one in answer.get("list") or () if isinstance(one, dict)), {})
    begins, ends, subject, text, html = (_text(raw.get(wire)) for name, wire in _PROPERTIES.items() if name != "is_enabled")
    return Vacation(raw.get("isEnabled") is True, begins, ends, subject, text, html, _text(answer.get("state")) or "")


def _advice(error: SetError, wanted: Vacation) -> str:
    """Return what to do about a refusal: Cyrus up to 3.12 writes subject and text into a Sieve script as they are."""
    lines = (wanted.text or "").splitlines() + (wanted.html or "").splitlines()
    is_special = any(mark in (wanted.subject or "") for mark in '"\\') or any(line.startswith(".") for line in lines)
    if error.type not in {"serverError", "serverFail"} or not is_special:
        return ""
    return "Try it without quotation marks and backslashes in the subject, and without lines that begin with a dot."


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _is_same(found: object, wanted: object) -> bool:
    """Return whether a server holds what it was sent, with the line breaks of another system perhaps."""
    if isinstance(found, str) and isinstance(wanted, str):
        return found.replace("\r\n", "\n").rstrip("\n") == wanted.replace("\r\n", "\n").rstrip("\n")
    return found == wanted


async def _with_scripts(client: Client, account: Account, found: Vacation) -> Vacation:
    """Return the response with the names of the user's own scripts; none where the server does not list any."""
    session = await client.session()
    offered = next((name for name in _SIEVE if name in session.capabilities and account.offers(name)), "")
    if not offered:
        return found
    call = Call("SieveScript/get", {"accountId": account.id, "ids": None}, "scripts")
    try:
        scripts = list(_scripts_in(await Caller(client, account, offered).call([call]), call))
    except MethodError:
        return found
    active = next((name for name, is_active in scripts if is_active), "")
    return replace(found, active_script=active, idle_scripts=tuple(name for name, is_active in scripts if not is_active))


def _scripts_in(response: Response, call: Call) -> Iterable[tuple[str, bool]]:
    for one in response.get(call).get("list") or ():
        if isinstance(one, dict) and one.get("name") not in _OWN_SCRIPTS:
            yield str(one.get("name") or one.get("id")), one.get("isActive") is True
