"""Declare what real servers refuse beyond the RFCs, as values that the embedded server follows.

The defaults refuse what the RFCs say and nothing more. Values that no profile has are permitted by the RFCs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from jmapsync.demo.problems import MethodError, SetError, invalid_properties

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from jmapsync.demo.records import Mailbox

_PLAIN_KEYWORD = re.compile(r"[A-Za-z0-9$_-]+")
_LOOSE_LINE = re.compile(rb"[\x21-\x39\x3b-\x7e]+[ \t]*:")
_STRICT_LINE = re.compile(rb"[\x21-\x39\x3b-\x7e\x80-\xff]+:")


REASONS = (
    *("has a character that no name has", "are too long together", "is deeper than", "is the server's own"),
    *("is no keyword here", "A message has at most"),
)
"""What the SetErrors say of it, in part."""


@dataclass(frozen=True, kw_only=True)
class Refusals:
    """What one server refuses."""

    lacking: tuple[str, ...] = ()
    """Methods that are unknownMethod (Cyrus: those that change identities)."""
    text_filters: bool = True
    """False: a filter by words is serverFail, as there is no index of them (Cyrus without a search engine)."""

    # Mailboxes (RFC 8621, 2: a server may refuse any name; 2.5)
    name_signs: str = ""
    """Characters that no name has: a slash or a dot where it parts names in IMAP, wildcards (James: `.%*&#`)."""
    name_error: Literal["invalidProperties", "invalidArguments", "serverFail", "forbidden"] = "invalidProperties"
    """How a wrong name is refused (James: invalidArguments; Cyrus: serverFail)."""
    longest_path: int | None = None
    """The most characters of a mailbox's names and those of the ones it is in, joined; not in the session (James: 200)."""
    inbox_in_any_case: bool = False
    """At the top, no name is `inbox` in whatever case, as in IMAP (Cyrus, Stalwart, James)."""
    taken_name: Literal["alreadyExists", "invalidProperties", "invalidArguments"] = "alreadyExists"
    """How a name that a sibling has is refused (James: invalidArguments)."""
    guarded: Literal["inbox", "inbox, junk, trash", "all roles"] = "inbox"
    """Mailboxes that are not destroyed, whatever `myRights` say (Stalwart: three; James: all that have a role)."""
    guarded_error: Literal["forbidden", "invalidArguments"] = "forbidden"
    guards_names: bool = False
    """Those mailboxes are not renamed or moved either (James)."""
    gives_roles: bool = True
    """False: a role is given by the server alone (James: by the name)."""
    top_level: bool = True
    """False: `mayCreateTopLevelMailbox` is false."""

    # Messages
    plain_keywords: bool = False
    """A keyword has letters, digits, `$`, `_` and `-` only (James)."""
    keyword_error: Literal["invalidProperties", "invalidPatch", "invalidArguments"] = "invalidProperties"
    """How a wrong keyword in an update is refused (James: invalidPatch)."""
    strict_header: bool = False
    """A header line with a blank before its colon, or without an end, makes a message invalidEmail (Cyrus)."""
    needs_header: bool = False
    """A message without any header field is invalidEmail (Stalwart)."""
    largest_email: int | None = None
    """More octets of a message are tooLarge, although the upload takes them."""
    empty_uploads: bool = True
    """False: an upload of nothing that calls itself a message is answered by 500 (Cyrus)."""

    def check_name(self, draft: Mailbox, path: str) -> None:
        """Raise SetError for a name that a mailbox must not have; `path` joins it with those it is in."""
        if set(self.name_signs) & set(draft.name):
            raise self._wrong("name", self.name_error, "The name has a character that no name has.")
        if self.longest_path is not None and len(path) > self.longest_path:
            raise self._wrong("name", self.name_error, "The names are too long together.")
        if self.inbox_in_any_case and draft.parent_id is None and draft.role != "inbox" and draft.name.casefold() == "inbox":
            raise self.name_is_taken(None)

    def name_is_taken(self, existing: str | None) -> SetError:
        """Return the refusal of a name that another mailbox has."""
        if self.taken_name == "alreadyExists" and existing is not None:
            return SetError("alreadyExists", "A sibling has this name.", existingId=existing)
        kind = "invalidProperties" if self.taken_name == "alreadyExists" else self.taken_name
        return self._wrong("name", kind, "Another mailbox has this name.")

    def check_guard(self, role: str | None, changed: Collection[str]) -> None:
        """Raise SetError where a mailbox of a role is not to be changed so; nothing `changed` means that it is destroyed."""
        if "role" in changed and not self.gives_roles:
            raise self._wrong("role", "invalidArguments", "The role is the server's to give.")
        is_guarded = role is not None and (self.guarded == "all roles" or role in self.guarded.split(", "))
        if is_guarded and (not changed or (self.guards_names and {"name", "parentId"} & set(changed))):
            raise SetError(self.guarded_error, "The mailbox is the server's own.")

    def check_keywords(self, keywords: Iterable[str], *, whole_call: bool = False) -> None:
        """Raise SetError for a keyword that a message must not have; MethodError where one refuses the `whole_call`."""
        wrong = [one for one in keywords if not _PLAIN_KEYWORD.fullmatch(one)] if self.plain_keywords else []
        if wrong and whole_call:
            raise MethodError("invalidArguments", f"{wrong[0]!r} is no keyword here.")
        if wrong and self.keyword_error == "invalidProperties":
            raise invalid_properties(*(f"keywords/{one}" for one in wrong))
        if wrong:
            raise SetError(self.keyword_error, f"{wrong[0]!r} is no keyword here.")

    def check_size(self, octets: int) -> None:
        """Raise SetError for a message that is too large."""
        if self.largest_email is not None and octets > self.largest_email:
            raise SetError("tooLarge", f"A message has at most {self.largest_email} octets.")

    def check_header(self, header: bytes, *, is_all: bool) -> None:
        """Raise SetError for a header with an invalid line; `is_all`: the message has no body."""
        lines = header.removesuffix(b"\r\n").split(b"\r\n") if header else []
        if lines and lines[0].startswith(b"From "):
            del lines[0]
        shape = _STRICT_LINE if self.strict_header else _LOOSE_LINE
        unended = self.strict_header and is_all and bool(header) and not header.endswith(b"\r\n")
        if (
            unended
            or (self.needs_header and not lines)
            or not all(line.startswith((b" ", b"\t")) or shape.match(line) for line in lines)
        ):
            raise SetError("invalidEmail", "Message contains invalid header")

    def _wrong(self, name: str, kind: str, description: str) -> SetError:
        if kind in ("invalidProperties", "invalidArguments"):
            return SetError(kind, description, properties=[name])
        return SetError(kind, description)


NO_MORE = Refusals()
"""What the RFCs say."""
