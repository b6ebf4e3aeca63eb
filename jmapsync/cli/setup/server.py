"""Find the server of an address, show what each way of the search led to, and have its host approved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jmapsync.cli.layout import entry, message
from jmapsync.cli.output import say
from jmapsync.cli.questions import Choice
from jmapsync.errors import DiscoveryError, HostRefusedError
from jmapsync.jmap.autodiscovery.providers import Provider, provider_at, provider_of
from jmapsync.jmap.autodiscovery.search import Way, search
from jmapsync.jmap.hosts import Approval, Origin

if TYPE_CHECKING:
    from jmapsync.cli.questions import Questions
    from jmapsync.cli.setup.answers import Interview
    from jmapsync.jmap.autodiscovery.search import Discovery, Finding
    from jmapsync.jmap.autodiscovery.well_known import Server


@dataclass(frozen=True, slots=True)
class Found:
    """The server that was chosen and approved."""

    url: str
    user: str
    """The user name that the server's configuration gives, or nothing."""
    provider: Provider | None
    trusted: tuple[str, ...]
    """Further hosts that were approved."""


def find_server(target: str, interview: Interview) -> Found:
    """Return the server of an address or at a URL, approved by the user.

    Raise `DiscoveryError` where there is none, `HostRefusedError` where it is not approved.
    """
    answers, questions = interview.answers, interview.questions
    while True:
        found = interview.runner.run(_search(target))
        choices = found.servers()
        if choices:
            break
        if not questions.terminal or answers.url:
            raise _none(found, target)
        say(*message(f"No JMAP server was found for {target}."))
        target = questions.text("URL of its JMAP session", "--url", wrong=_wrong_url)
    chosen = _choose(choices, questions)
    server = chosen.server
    assert server is not None  # noqa: S101  # `servers` lists no others
    if found.needs_approval(chosen):
        _approve(found, chosen, server, interview)
    provider = provider_of(found.domain) or provider_at(server.url)
    return Found(server.url, server.user, provider, provider.trusted_hosts if provider is not None else ())


async def _search(target: str) -> Discovery:
    say(*message(f"Searching for the JMAP server of {target}:"))
    return await search(target, on_finding=_show)


def _show(finding: Finding) -> None:
    say(*entry(finding.way.value, finding.server.url if finding.server is not None else finding.why))


def _none(found: Discovery, target: str) -> DiscoveryError:
    if len(found.findings) == 1:
        [only] = found.findings
        return DiscoveryError(f"{target} is no JMAP server: {only.why}.")
    return DiscoveryError(
        f"No JMAP server was found for {target}.",
        advice="If you know where its JMAP session is, give --url; its provider's help pages may name it.",
    )


def _choose(choices: list[Finding], questions: Questions) -> Finding:
    if len(choices) == 1 or not questions.terminal or questions.yes:
        return choices[0]
    shown = [Choice(str(number), f"{one.server.url} ({one.way.value})") for number, one in enumerate(choices) if one.server]
    return choices[int(questions.choose("Which server is it?", "--url", shown, default=shown[0].value))]


def _approve(found: Discovery, chosen: Finding, server: Server, interview: Interview) -> None:
    """Have a person approve a host outside the domain of the address; raise `HostRefusedError` if they do not."""
    host, questions = str(server.origin), interview.questions
    if Approval(interview.answers.trusted).trusts(server.origin):
        return
    named = "It redirects there" if chosen.way is Way.URL else f"{chosen.way.value} says so"
    if not questions.terminal:
        raise HostRefusedError(
            f"{found.domain} is served by {host}, a host outside it ({named}).",
            advice=f"If you know that host as your provider's, approve it with --trust-host {host}.",
        )
    say(*message(f"{found.domain} is served by {host}, a host outside it. {named}."))
    if not questions.confirm(f"Send your sign-in to {host}?", f"--trust-host {host}", default=None):
        raise HostRefusedError(f"{host} was not approved.", advice="Nothing was sent to it and nothing was written.")


def _wrong_url(url: str) -> str:
    try:
        Origin.of(url)
    except HostRefusedError:
        return "a URL begins with https:// and a host"
    return ""
