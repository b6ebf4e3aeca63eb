"""Read the identities that a user may send as, and choose the one for a sender (RFC 8621, section 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from jmapsync.errors import JmapsyncError, Remedy
from jmapsync.formats.addresses import is_address
from jmapsync.jmap.wire import Call
from jmapsync.storage.jmap.caller import Caller
from jmapsync.text import some_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account

SUBMISSION = "urn:ietf:params:jmap:submission"
_MOST_NAMED = 10
_UNNAMED = 1
"""How well an identity fits for which the server states no address (Cyrus): it may be any."""


class Named(Struct, frozen=True):
    """A name and an address (EmailAddress; RFC 8621, section 4.1.2.3)."""

    address: str
    name: str = ""

    def __str__(self) -> str:
        """Return both as people write them."""
        return f"{self.name} <{self.address}>" if self.name else self.address


class Identity(Struct, frozen=True):
    """An address that the user may send as."""

    id: str
    email: str = ""
    """Empty if the server does not state it (Cyrus), `*@domain` for all of a domain."""
    name: str = ""
    reply_to: tuple[Named, ...] = ()
    """The Reply-To of a new message that has none."""
    bcc: tuple[Named, ...] = ()
    """Who else gets a new message that names nobody in Bcc."""
    may_delete: bool = False

    @property
    def label(self) -> str:
        """Return what people know it by."""
        return (
            str(Named(self.email, self.name)) if self.email else f"{self.name or self.id} (the server does not state its address)"
        )

    def fits(self, address: str) -> int:
        """Return how well it fits an address: the more the better, 0 not at all.

        The domain ignores case; the local part is the receiving host's to interpret (RFC 5321, 2.4), so the same letters come
        first, then those that differ in case only, then the whole domain.
        """
        if not self.email:
            return _UNNAMED
        mine, _, domain = self.email.rpartition("@")
        theirs, _, other = address.rpartition("@")
        if _folded(domain) != _folded(other):
            return 0
        if mine == theirs:
            return 4
        if mine == "*":
            return 2
        return 3 if mine.casefold() == theirs.casefold() else 0


class IdentityError(JmapsyncError):
    """No identity of the server fits the sender of a message."""

    remedy = Remedy.HUMAN

    def __init__(self, senders: Sequence[str], identities: Iterable[Identity]) -> None:
        """Name the sender and the identities that there are."""
        super().__init__(
            f"The server has no identity to send as {' or '.join(senders) or 'nobody'}.",
            advice=f"It lets you send as {names_of(identities)}; change the sender, or add one in your provider's settings.",
        )


def names_of(identities: Iterable[Identity]) -> str:
    """Return the identities in words."""
    return some_of(tuple(dict.fromkeys(one.email or one.label for one in identities)), _MOST_NAMED)


def choose(identities: Sequence[Identity], senders: Sequence[str], names: Collection[str] = ()) -> Identity:
    """Return the identity that fits the first of some senders that any fits. Raises IdentityError.

    Of several that fit as well, it is one that has one of the `names` that the message gives its senders.
    """
    for sender in senders:
        best = max(identities, key=lambda one: (one.fits(sender), one.name in names))
        if best.fits(sender):
            return best
    raise IdentityError(senders, identities)


async def read_identities(client: Client, account: Account) -> tuple[Identity, ...]:
    """Return the identities of an account. Raises MethodError, and what `Client.call` raises."""
    call = get_identities(account)
    return identities_in((await Caller(client, account, SUBMISSION).call([call])).get(call))


def get_identities(account: Account) -> Call:
    """Return the call for all identities of an account; the answer is for `identities_in`."""
    return Call("Identity/get", {"accountId": account.id, "ids": None}, "identities")


def identities_in(answer: dict[str, Any]) -> tuple[Identity, ...]:
    """Return the identities of an answer to `Identity/get`; what of them is malformed is left out."""
    found = answer.get("list")
    objects = found if isinstance(found, list) else []
    return tuple(_identity(one) for one in objects if isinstance(one, dict) and isinstance(one.get("id"), str))


def _identity(raw: dict[str, Any]) -> Identity:
    return Identity(
        raw["id"],
        _text(raw.get("email")),
        _text(raw.get("name")),
        _addresses(raw.get("replyTo")),
        _addresses(raw.get("bcc")),
        raw.get("mayDelete") is True,
    )


def _addresses(value: object) -> tuple[Named, ...]:
    """Return the addresses of an `EmailAddress[]`; invalid ones are left out: they would make the message undeliverable."""
    objects = [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
    return tuple(Named(address, _text(one.get("name"))) for one in objects if is_address(address := _text(one.get("email"))))


def _text(value: object) -> str:
    """Return a string without control characters; nothing for any other value."""
    return "".join(letter for letter in value if letter.isprintable()) if isinstance(value, str) else ""


def _folded(domain: str) -> str:
    """Return a domain in the form in which equal ones compare equal, also where one is written in A-labels (RFC 5890)."""
    try:
        return domain.encode("idna").decode("ascii").casefold()
    except UnicodeError:
        return domain.casefold()
