"""Name the three kinds of refusal a JMAP server gives: of a request, of a method call, of one object."""

from __future__ import annotations

from typing import Any

JsonObject = dict[str, Any]
"""A decoded JSON object."""


class RequestProblem(Exception):  # noqa: N818 - RFC 8620 calls it a problem
    """The whole request is refused: HTTP 4xx with `application/problem+json` (RFC 8620, section 3.6.1)."""

    def __init__(
        self, kind: str, detail: str, *, limit: str | None = None, status: int = 400, retry_after: str | None = None
    ) -> None:
        """Keep `kind`, the last part of `urn:ietf:params:jmap:error:`, the limit's name where one was passed, and a header."""
        super().__init__(detail)
        self.status = status
        self.retry_after = retry_after
        self.body: JsonObject = {"type": f"urn:ietf:params:jmap:error:{kind}", "status": status, "detail": detail}
        if limit is not None:
            self.body["limit"] = limit


class MethodError(Exception):
    """One method call is refused (RFC 8620, section 3.6.2); nothing changed, save for `serverPartialFail`."""

    def __init__(self, kind: str, description: str = "", **more: object) -> None:
        """Keep the error's type and any further properties of it."""
        super().__init__(f"{kind}: {description}")
        self.body: JsonObject = {"type": kind, **more}
        if description:
            self.body["description"] = description


class SetError(Exception):
    """One object of a `/set` or an import is refused (RFC 8620, section 5.3)."""

    def __init__(self, kind: str, description: str = "", **more: object) -> None:
        """Keep the error's type and any further properties of it, such as `properties` or `existingId`."""
        super().__init__(f"{kind}: {description}")
        self.body: JsonObject = {"type": kind, **more}
        if description:
            self.body["description"] = description


def invalid_properties(*names: str, description: str = "") -> SetError:
    """Return the SetError that names the properties at fault."""
    return SetError("invalidProperties", description, properties=list(names))
