"""Define the errors of JMAP servers for requests, method calls and single objects (RFC 8620, sections 3.6.1, 3.6.2 and 5.3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jmapsync.errors import JmapsyncError, Remedy, Scope, ServerError
from jmapsync.text import shortened, some_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST = 1000
"""Characters kept of a server's description of an error."""
_MOST_NAMED = 20
_REQUEST_PREFIX = "urn:ietf:params:jmap:error:"

# serverFail changed nothing, serverPartialFail left the state unknown: LATER and NOW, as the state is fetched again first.
_METHOD_REMEDIES = {
    "serverPartialFail": Remedy.NOW,
    "stateMismatch": Remedy.NOW,
    "cannotCalculateChanges": Remedy.NOW,
    "tooManyChanges": Remedy.NOW,
    "anchorNotFound": Remedy.NOW,
    "requestTooLarge": Remedy.NOW,
    "unsupportedSort": Remedy.NOW,
    "unsupportedFilter": Remedy.NOW,
    "accountNotFound": Remedy.HUMAN,
    "accountNotSupportedByMethod": Remedy.HUMAN,
    "accountReadOnly": Remedy.HUMAN,
    "forbidden": Remedy.HUMAN,
    "unknownMethod": Remedy.NEVER,
    "invalidArguments": Remedy.NEVER,
    "invalidResultReference": Remedy.NEVER,
}

# RFC 8620 has serverFail for whole methods; Cyrus 3.12.4 says it of one object too, such as while a mailbox is locked.
_SET_REMEDIES = {
    "serverFail": Remedy.LATER,
    "serverUnavailable": Remedy.LATER,
    "serverPartialFail": Remedy.NOW,
    "notFound": Remedy.NOW,
    "willDestroy": Remedy.NOW,
    "invalidPatch": Remedy.NOW,
    "alreadyExists": Remedy.NOW,
    "blobNotFound": Remedy.NOW,
    "mailboxHasChild": Remedy.NOW,
    "mailboxHasEmail": Remedy.NOW,
    "rateLimit": Remedy.LATER,
    "overQuota": Remedy.ROOM,
    "forbidden": Remedy.HUMAN,
}


class RequestError(JmapsyncError):
    """A whole request was refused (RFC 8620, section 3.6.1), or would be: then `status` is 0 and it was not sent."""

    scope = Scope.KIND

    def __init__(
        self,
        type: str,  # noqa: A002  # the protocol's name
        *,
        status: int = 0,
        detail: str = "",
        limit: str = "",
        message: str = "",
    ) -> None:
        self.type = type.removeprefix(_REQUEST_PREFIX)
        self.status = status
        self.limit = limit
        self.detail = detail = shortened(detail, _LONGEST)
        named = f"{self.type} {limit}".strip()
        super().__init__(message or f"The server refused a request ({named}{': ' if detail else ''}{detail}).")

    @classmethod
    def too_large(cls, limit: str, size: int, allowed: int) -> RequestError:
        """Return the error of a request that would exceed a limit of the session."""
        return cls("limit", limit=limit, detail=f"{size} is more than the {allowed} that it allows")


class AnswerError(ServerError):
    """The answer to one method call has a shape that the protocol does not allow; other results in the response are valid."""

    scope = Scope.KIND


class MethodError(JmapsyncError):
    """One method call failed (RFC 8620, section 3.6.2); an unknown type is to be treated as serverFail."""

    scope = Scope.KIND

    def __init__(self, type: str, description: str, call: str, raw: Mapping[str, Any] | None = None) -> None:  # noqa: A002  # the protocol's name
        type = shortened(type, _LONGEST)  # noqa: A001
        self.type = type
        self.description = description = shortened(description, _LONGEST)
        self.call = call
        self.raw = dict(raw or {})
        super().__init__(f"The server refused {call} ({type}{': ' if description else ''}{description}).")
        self.remedy = _METHOD_REMEDIES.get(type, Remedy.LATER)

    @classmethod
    def parse(cls, raw: Mapping[str, Any], call: str) -> MethodError:
        """Read the arguments of an `error` response."""
        return cls(_text(raw.get("type")) or "serverFail", _text(raw.get("description")), call, raw)


@dataclass(frozen=True, slots=True)
class SetError:
    """One object was refused (RFC 8620, section 5.3; RFC 8621, sections 2.5, 4.6 and 4.8)."""

    type: str
    description: str = ""
    properties: tuple[str, ...] = ()
    existing_id: str = ""
    not_found: tuple[str, ...] = ()
    """The blob ids of a blobNotFound."""
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def parse(cls, raw: object) -> SetError:
        """Read a SetError object; what is missing or of another shape is left empty."""
        if not isinstance(raw, dict):
            return cls("serverFail")
        return cls(
            type=shortened(_text(raw.get("type")), _LONGEST) or "serverFail",
            description=shortened(_text(raw.get("description")), _LONGEST),
            properties=_texts(raw.get("properties")),
            existing_id=_text(raw.get("existingId")),
            not_found=_texts(raw.get("notFound")),
            raw=raw,
        )

    @property
    def lacks_blob(self) -> bool:
        """Return whether the server does not know, or no longer knows, what was uploaded (RFC 8620, 6; RFC 8621, 4.8)."""
        return self.type == "blobNotFound" or (self.type == "invalidProperties" and "blobId" in self.properties)

    @property
    def remedy(self) -> Remedy:
        """Return the remedy; an unknown type is permanent for this object. What was uploaded can be uploaded again."""
        return Remedy.NOW if self.lacks_blob else _SET_REMEDIES.get(self.type, Remedy.NEVER)

    def __str__(self) -> str:
        """Return the type and what the server said of it."""
        named = some_of(self.properties, _MOST_NAMED)
        return " ".join(part for part in (self.type, f"[{named}]" if named else "", self.description) if part)


def set_errors(args: Mapping[str, Any], which: str) -> dict[str, SetError]:
    """Read `notCreated`, `notUpdated` or `notDestroyed` of a `/set`, `/import` or `/copy` result; null means none."""
    found = args.get(which)
    return {id_: SetError.parse(raw) for id_, raw in found.items()} if isinstance(found, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()
