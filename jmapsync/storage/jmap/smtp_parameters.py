"""Write an envelope as EmailSubmission takes it, with the SMTP parameters that the server supports (RFC 8621, 1.3.2 and 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from msgspec import Struct

from jmapsync.storage.jmap.identities import SUBMISSION
from jmapsync.storage.jmap.mail.emails import utc_date

if TYPE_CHECKING:
    from jmapsync.formats.envelope import Envelope
    from jmapsync.jmap.session import Account

_DSN, _UTF8 = "DSN", "SMTPUTF8"


class Offer(Struct, frozen=True):
    """What the server does for a submission besides sending it."""

    extensions: frozenset[str]
    """The SMTP extensions that it passes parameters of, in capitals."""
    longest_hold: int
    """The most seconds that it holds a message before it sends it; 0 where it holds none."""

    @classmethod
    def of(cls, account: Account) -> Self:
        """Read the value of the capability in an account."""
        value = account.capabilities.get(SUBMISSION)
        extensions = value.get("submissionExtensions") if isinstance(value, dict) else None
        names = frozenset(str(name).upper() for name in extensions) if isinstance(extensions, dict) else frozenset()
        return cls(names, account.limit_of(SUBMISSION, "maxDelayedSend"))

    def envelope(self, envelope: Envelope, hold_until: int = 0) -> dict[str, Any]:
        """Return an envelope with its parameters; `hold_until` is in seconds since 1970, 0 for at once (RFC 4865, HOLDUNTIL).

        An address that needs SMTPUTF8 has it in any case: Cyrus passes it on and does not list it.
        """
        reports = envelope.reports
        mail: dict[str, str | None] = {}
        recipient: dict[str, str | None] = {}
        if hold_until:
            mail["HOLDUNTIL"] = utc_date(hold_until)
        if envelope.needs_utf8 or (envelope.is_utf8 and _UTF8 in self.extensions):
            mail[_UTF8] = None
        if _DSN in self.extensions:
            mail |= {name: value for name, value in (("RET", reports.ret), ("ENVID", reports.envid)) if value}
            recipient |= {"NOTIFY": reports.notify} if reports.notify else {}
        return {
            "mailFrom": {"email": envelope.sender, "parameters": mail or None},
            "rcptTo": [{"email": address, "parameters": recipient or None} for address in envelope.recipients],
        }

    def lacking(self, envelope: Envelope, refusal: str) -> str:
        """Return what a server that refused an envelope does not offer and that needs, in words; nothing where that is nothing."""
        if not envelope.needs_utf8 or _UTF8 in self.extensions:
            return ""
        return f"The server refused to send to or from an address beyond ASCII, for which it does not offer SMTPUTF8 ({refusal})."

    def ignored(self, envelope: Envelope) -> str:
        """Return what the envelope asks for and the server does not offer, in words; nothing where there is no such thing."""
        if envelope.reports == type(envelope.reports)() or _DSN in self.extensions:
            return ""
        return "The server passes on no request for delivery reports; -N, -R and -V had no effect."
