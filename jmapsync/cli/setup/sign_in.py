"""Choose how to sign in, get the secret, sign in, and have further hosts of the session approved."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from msgspec.structs import replace

from jmapsync.app.login import login, logout, offer_of
from jmapsync.app.setup.choices import written
from jmapsync.app.setup.survey import Survey, survey
from jmapsync.app.signin import credential_for, store_of
from jmapsync.cli.layout import message
from jmapsync.cli.output import say
from jmapsync.cli.questions import Choice
from jmapsync.cli.visitor import Terminal
from jmapsync.errors import HostRefusedError, SignInError
from jmapsync.jmap.hosts import Approval, Origin

if TYPE_CHECKING:
    from jmapsync.app.setup.config_file import Value
    from jmapsync.cli.setup.answers import Interview
    from jmapsync.cli.setup.server import Found
    from jmapsync.config import AccountConfig
    from jmapsync.signin.store import Place

Auth = Literal["basic", "bearer", "oauth"]
_ATTEMPTS = 3
"""Wrong passwords after which a person is not asked again: servers ban addresses (Cyrus and Stalwart by fail2ban or their own)."""
_WHAT = {"basic": "Password", "bearer": "API token"}
_TITLES = {
    "oauth": "OAuth: allow it on the provider's page",
    "basic": "a password, best an app password",
    "bearer": "an API token",
}


class _Lister(Terminal):
    """Approves every host that may sign users in, to list whether that is offered; no secret is sent for that."""

    def approve(self, server: str, issuer: str) -> bool:  # noqa: ARG002
        """Return that it may."""
        return True


@dataclass(slots=True)
class SignedIn:
    """A sign-in that the server accepted."""

    account: AccountConfig
    offered: Survey
    settings: dict[str, Value] = field(default_factory=dict)
    """Keys of the account's table."""
    secret: str = field(default="", repr=False)
    """What a person typed."""
    stored: bool = False
    """Whether something is stored that has to be forgotten if the account is not set up after all."""

    async def store(self) -> tuple[Place, Path] | None:
        """Store what was typed; return where a sign-in that was typed or given by OAuth is stored."""
        store = store_of(self.account)
        if self.secret:
            async with store.locked():
                self.stored = True
                return await store.store(self.secret), store.path
        place = store.place() if self.account.auth == "oauth" else None
        return (place, store.path) if place is not None else None

    async def forget(self) -> None:
        """Revoke and delete what is stored, as the account is not set up after all."""
        if self.stored:
            await logout(replace(self.account, keyring=bool(self.secret)))


def sign_in(account: AccountConfig, found: Found, interview: Interview) -> SignedIn:
    """Sign in to the server of an account that has a name and a URL, and no secret yet.

    Raise `SignInError` where the server refuses, `HostRefusedError` where a host that it needs was not approved.
    """
    answers, questions = interview.answers, interview.questions
    own = Origin.of(found.url)
    trusted = tuple(host for host in dict.fromkeys([*found.trusted, *answers.trusted]) if not Approval([host]).trusts(own))
    account = replace(account, trusted_hosts=trusted, account_id=answers.account_id)
    auth = _auth(account, found, interview)
    user = "" if auth == "oauth" else answers.user or found.user or account.address
    if auth == "basic" and not user:
        user = questions.text("User name", "--user")
    account = replace(account, auth=auth, user=user)
    settings: dict[str, Value] = {"user": user, "auth": auth} if user and user != account.address else {"auth": auth}
    if auth == "oauth":
        kept, offered = _by_oauth(account, interview)
        return SignedIn(kept, offered, settings | _approved(kept), stored=True)
    typed = _typed(account, found, interview)
    for left in reversed(range(_ATTEMPTS)):
        kept, source, secret = _secret(account, interview, typed=typed)
        try:
            kept, offered = _survey(kept, interview)
        except SignInError as error:
            if not secret or not left:
                raise
            say(*message(f"{error.message} Try again."))
            continue
        return SignedIn(kept, offered, settings | source | _approved(kept), secret)
    raise AssertionError  # the last attempt returns or raises


def _approved(account: AccountConfig) -> dict[str, Value]:
    """Return the keys for what was chosen and approved on the way."""
    found: dict[str, Value] = {"account_id": account.account_id} if account.account_id else {}
    return found | ({"trusted_hosts": list(account.trusted_hosts)} if account.trusted_hosts else {})


def _auth(account: AccountConfig, found: Found, interview: Interview) -> Auth:
    """Return how to sign in: what the server offers first is the default."""
    answers = interview.answers
    if answers.auth:
        return cast("Auth", answers.auth)
    offer = interview.runner.run(offer_of(account, _Lister()))
    offered = list(dict.fromkeys("oauth" if way in {"browser", "device"} else way for way in offer.ways))
    if found.provider is not None:
        offered = [auth for auth in found.provider.schemes if auth != "oauth" or auth in offered]
    if answers.has_secret:
        offered = [auth for auth in offered if auth != "oauth"] or ["basic"]
        # A server that names neither (Stalwart), or both (James), accepts both.
        return cast("Auth", offered[0] if len(offered) == 1 else "basic")
    if found.provider is None:
        # Stalwart asks for Bearer only, and accepts passwords.
        offered += [auth for auth in ("basic", "bearer") if auth not in offered]
    choices = [Choice(auth, _TITLES[auth]) for auth in offered]
    return cast("Auth", interview.questions.choose("Sign in with", "--auth", choices, default=choices[0].value))


def _by_oauth(account: AccountConfig, interview: Interview) -> tuple[AccountConfig, Survey]:
    try:
        interview.runner.run(login(account, "device" if interview.answers.device else "auto", Terminal()))
        return _survey(account, interview)
    except BaseException:
        if store_of(account).path.exists():
            interview.runner.run(logout(account))
        raise


def _typed(account: AccountConfig, found: Found, interview: Interview) -> bool:
    """Return whether a person types the secret: no option says where it is, and no command prints it."""
    if interview.answers.has_secret:
        return False
    provider = found.provider
    if provider is not None and provider.secrets_page:
        say(*message(f"{provider.name}: create an {provider.created} at {provider.secrets_page}"))
    ways = [Choice("typed", "type it now; it is stored safely"), Choice("command", "a command prints it, such as pass")]
    question, option = f"Where is the {_WHAT[account.auth].lower()}?", "--password-command or --password-file"
    return interview.questions.choose(question, option, ways, default="typed") == "typed"


def _secret(account: AccountConfig, interview: Interview, *, typed: bool) -> tuple[AccountConfig, dict[str, Value], str]:
    """Return the account with its secret, the key that says where that is, and the secret if it was typed."""
    answers, questions = interview.answers, interview.questions
    if typed:
        secret = questions.text(_WHAT[account.auth], "--password-command or --password-file", secret=True)
        return replace(account, password=secret), {"keyring": True}, secret
    if answers.password_file:
        place = written(answers.password_file)
        return replace(account, password_file=Path(place).expanduser()), {"password_file": place}, ""
    command = answers.password_command or questions.text(
        "Command", "--password-command", default=f"pass show mail/{account.user or account.name}"
    )
    return replace(account, password_command=command), {"password_command": command}, ""


def _survey(account: AccountConfig, interview: Interview) -> tuple[AccountConfig, Survey]:
    """Sign in; return the account with its id and the hosts that are trusted beside the server's own, and what there is."""
    say(*message("Signing in ..."))
    while True:
        offered = interview.runner.run(_attempt(account))
        asked = [str(origin) for origin in offered.refused]
        for host in asked:
            _approve(account, host, interview)
        account = replace(account, trusted_hosts=(*account.trusted_hosts, *asked))
        if offered.accounts and not account.account_id:
            choices = [Choice(id_, f"{name} ({id_})") for id_, name in offered.accounts.items()]
            account = replace(account, account_id=interview.questions.choose("Which account?", "--account-id", choices))
        elif offered.kinds or not asked:
            return account, offered


async def _attempt(account: AccountConfig) -> Survey:
    credential = await credential_for(account)
    try:
        return await survey(account, credential)
    except SignInError as error:
        if error.advice == credential.advice:  # it is for an account that is configured
            error.advice = "Nothing was written."
        raise


def _approve(account: AccountConfig, host: str, interview: Interview) -> None:
    """Have a person approve a further host that the session names; raise `HostRefusedError` if they do not."""
    advice = f"If you know that host as your provider's, approve it with --trust-host {host}."
    refused = HostRefusedError(f"The session of {account.url} names the host {host}, which was not approved.", advice=advice)
    if not interview.questions.terminal or not (host.isascii() and host.isprintable()):  # letters may be similar to others
        raise refused
    say(*message(f"Your server wants your sign-in to be sent to {host} too."))
    if not interview.questions.confirm(f"Trust {host}?", f"--trust-host {host}", default=None):
        raise refused
