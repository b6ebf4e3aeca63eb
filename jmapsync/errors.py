"""Classify every failure by its remedy (who can fix it, and when) and its scope (how much of the run it ends).

Every error that may reach a user derives from `JmapsyncError`: its text is a plain sentence, `advice` says what to do next,
and neither ever contains a secret. Foreign exceptions are translated into these at one border module each.
"""

from __future__ import annotations

import enum
from typing import ClassVar


class Remedy(enum.Enum):
    """Who can fix a failure, and when."""

    NOW = "now"
    """Observing and trying again at once may succeed."""
    LATER = "later"
    """Retry later: the network, the server or the disk has to recover."""
    HUMAN = "human"
    """Somebody has to act: sign in, free space, fix the configuration."""
    ROOM = "room"
    """The account is full: it may succeed once something is deleted there."""
    NEVER = "never"
    """This content is never accepted; it is quarantined by name."""


class Scope(enum.Enum):
    """How much of a run a failure ends."""

    ITEM = "item"
    KIND = "kind"
    ACCOUNT = "account"


class ExitCode(enum.IntEnum):
    """The exit codes that scripts rely on."""

    IN_SYNC = 0
    FAILED = 1
    USAGE = 2
    QUARANTINED = 3
    SUSPENDED = 4
    SIGN_IN = 5
    BUSY = 6


class JmapsyncError(Exception):
    """A failure as a message for users, with advice on what to do next."""

    remedy: Remedy = Remedy.HUMAN
    scope: Scope = Scope.ACCOUNT
    exit_code: ClassVar[ExitCode] = ExitCode.FAILED

    def __init__(self, message: str, *, advice: str = "") -> None:
        """Store the message and the advice."""
        super().__init__(message)
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        """Return the message followed by the advice."""
        return f"{self.message} {self.advice}".strip()


class ConfigError(JmapsyncError):
    """The configuration is invalid; `problems` lists every error with its place."""

    exit_code = ExitCode.USAGE

    def __init__(self, problems: list[str]) -> None:
        """Store the problems, one sentence each."""
        super().__init__("\n".join(problems))
        self.problems = problems


class SignInError(JmapsyncError):
    """The server refused the credential, or it could not be read."""

    exit_code = ExitCode.SIGN_IN


class ForbiddenError(SignInError):
    """The server accepts the credential, but does not allow it this request."""


class HostRefusedError(JmapsyncError):
    """The server named a host that was not approved to be sent the credential."""

    exit_code = ExitCode.SIGN_IN


class DiscoveryError(JmapsyncError):
    """No JMAP server was found for an address, or what answered is not one."""


class NetworkError(JmapsyncError):
    """The server could not be reached, or stopped answering, after the retries."""

    remedy = Remedy.LATER


class ServerError(JmapsyncError):
    """The server answered something that the protocol does not allow, or that it is failing."""

    remedy = Remedy.LATER


class OutcomeUnknownError(NetworkError):
    """A request that must not be repeated blindly was sent, and its answer never came."""

    remedy = Remedy.NOW


class UnsupportedError(JmapsyncError):
    """The server does not offer what a kind needs."""

    scope = Scope.KIND


class LocalError(JmapsyncError):
    """A local file operation failed: disk full, read-only, unreadable."""

    scope = Scope.KIND


class RootError(JmapsyncError):
    """A root of local files is missing, emptied, or belongs to something else; nothing may be deleted because of it."""

    scope = Scope.KIND
    exit_code = ExitCode.SUSPENDED


class LayoutError(RootError):
    """The folders of a root have another layout than the configured one; in that one, none of them would be found."""

    exit_code = ExitCode.USAGE


class SuspendedError(JmapsyncError):
    """The guard suspended a plan before any write."""

    scope = Scope.KIND
    exit_code = ExitCode.SUSPENDED


class AccountGoneError(SuspendedError):
    """The account is no longer offered by the server, or no longer shared; local files stay as they are."""

    scope = Scope.ACCOUNT


class BusyError(JmapsyncError):
    """Another run holds the account."""

    remedy = Remedy.LATER
    exit_code = ExitCode.BUSY


class LedgerError(JmapsyncError):
    """The ledger cannot be used: corrupt, or written by a newer version."""
