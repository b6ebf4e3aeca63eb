"""Show and change the vacation reply of an account."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from jmapsync.app.own_account import own_account
from jmapsync.app.seen import VACATION as SEEN
from jmapsync.app.seen import local, moment_of, vacation_as_seen, write_seen
from jmapsync.app.signin import credential_for, patient_client
from jmapsync.directories import make_private
from jmapsync.errors import ExitCode, JmapsyncError, UnsupportedError
from jmapsync.jmap.failures import MethodError
from jmapsync.storage.jmap.vacation import VACATION, Vacation, VacationError, read_vacation, write_vacation

if TYPE_CHECKING:
    from jmapsync.config import AccountConfig
    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account

_ATTEMPTS = 3
"""How often the reply is read and written where another client changes it at the same time."""
_DATE_ONLY = len("2026-12-24")


class UsageError(JmapsyncError):
    """What was asked for makes no sense."""

    exit_code = ExitCode.USAGE


class Wish(Struct, frozen=True):
    """What is to change; None keeps what there is, an empty string removes it."""

    enable: bool | None = None
    begins: str | None = None
    """In the local zone unless it names another one; a date alone means its beginning, as the `ends` one means its end."""
    ends: str | None = None
    subject: str | None = None
    text: str | None = None
    html: str | None = None
    replaces_script: bool = False
    """The user allowed that the reply takes the place of the active Sieve script."""

    def apply(self, seen: Vacation) -> Vacation:
        """Return the vacation reply as it is to be. Raises UsageError."""
        if self.subject is not None and len(self.subject.splitlines()) > 1:
            raise UsageError("--subject is a line of a message's header: it cannot have a line break.")
        given: dict[str, Any] = {} if self.enable is None else {"is_enabled": self.enable}
        for name, value in (("subject", self.subject), ("text", self.text), ("html", self.html)):
            if value is not None:
                given[name] = value or None
        if self.begins is not None:
            given["begins"] = utc_of(self.begins, "--from") if self.begins else None
        if self.ends is not None:
            given["ends"] = utc_of(self.ends, "--until", at_end=True) if self.ends else None
        wanted = replace(seen, **given)
        begins, ends = moment_of(wanted.begins), moment_of(wanted.ends)
        if begins is not None and ends is not None and begins >= ends and ("begins" in given or "ends" in given):
            raise UsageError(
                f"The reply would end ({local(ends)}) before it begins ({local(begins)}).",
                advice='Give both --from and --until, or remove one of them with an empty value, such as --from "".',
            )
        return wanted


def utc_of(text: str, option: str, *, at_end: bool = False) -> str:
    """Return the UTCDate of a date or time in the local zone. Raises UsageError.

    A date alone is the beginning of that day, or with `at_end` of the next one.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        if at_end and len(text.strip()) <= _DATE_ONLY:
            moment += timedelta(days=1)
        # Not `astimezone`, which takes a time that summer time skips for one an hour before it.
        utc = datetime.fromtimestamp(moment.timestamp(), UTC)
        return f"{utc.replace(microsecond=0, tzinfo=None).isoformat()}Z"
    except (ValueError, OverflowError, OSError):
        raise UsageError(f"{option} {text!r} is not a time such as 2026-12-24 or 2026-12-24T18:00.") from None


async def show_vacation(account: AccountConfig) -> Vacation:
    """Return the vacation reply. Raises UnsupportedError where the server has none, and what reaching it raises."""
    async with patient_client(account, await credential_for(account)) as client:
        return _noted(account, await _read(client, await _account_of(account, client)))


async def change_vacation(account: AccountConfig, wish: Wish) -> Vacation:
    """Change the vacation reply and return it as the server holds it then.

    Raises UsageError, VacationError where the server refuses it or an active Sieve script is in the way, UnsupportedError
    where it has none, and what reaching it raises.
    """
    async with patient_client(account, await credential_for(account)) as client:
        theirs = await _account_of(account, client)
        if theirs.is_read_only:
            raise UnsupportedError("The vacation reply cannot be changed: the server lets you only read this account.")
        for number in range(_ATTEMPTS):
            seen = await _read(client, theirs)
            wanted = wish.apply(seen)
            _check_scripts(seen, wanted, wish)
            try:
                return _noted(account, await write_vacation(client, theirs, seen, wanted))
            except MethodError as error:
                if error.type != "stateMismatch" or number == _ATTEMPTS - 1:
                    raise
    raise AssertionError  # the loop returns or raises


def _check_scripts(seen: Vacation, wanted: Vacation, wish: Wish) -> None:
    """Raise VacationError where switching the reply on would switch the user's filters off (Cyrus, Stalwart)."""
    if wanted.is_enabled and not seen.is_enabled and seen.active_script and not wish.replaces_script:
        raise VacationError(
            f"The Sieve script {seen.active_script!r} is active. The server runs one script at a time, and may switch your filters"
            " off where the vacation reply is switched on; nothing was changed.",
            advice="Put a vacation action into that script, or allow this with --replace-script.",
        )


async def _account_of(account: AccountConfig, client: Client) -> Account:
    session = await client.session()
    try:
        return own_account(account, session, VACATION)
    except UnsupportedError as error:
        if error.advice:  # it is offered, in several accounts
            raise
        raise UnsupportedError(f"{urlsplit(session.url).netloc} offers no vacation reply.") from error


async def _read(client: Client, theirs: Account) -> Vacation:
    try:
        return await read_vacation(client, theirs)
    except MethodError as error:
        if error.type not in {"unknownMethod", "accountNotSupportedByMethod"}:
            raise
        raise UnsupportedError("The server lists vacation replies among what it offers, and has none.") from error


def _noted(account: AccountConfig, found: Vacation) -> Vacation:
    """Store for `status` what was seen; where that cannot be written, it shows what was seen before, with its time."""
    with suppress(OSError):
        make_private(account.state_dir)
        write_seen(account.state_dir, **{SEEN: vacation_as_seen(found)})
    return found
