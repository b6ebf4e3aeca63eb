"""List providers whose JMAP server is known, and how one signs in to them."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from jmapsync.jmap.hosts import belongs_to


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider."""

    name: str
    domains: tuple[str, ...]
    """Domains of its mail addresses, with those inside them. Customers' own domains are found by their DNS."""
    url: str
    """The URL of the session; `{domain}` is the domain of the address."""
    hosts: tuple[str, ...]
    """Hosts of its servers."""
    schemes: tuple[str, ...]
    """How to sign in, best first: `oauth`, `bearer`, `basic`. What is not listed does not work."""
    trusted_hosts: tuple[str, ...] = ()
    """Further hosts that its sessions name, which need the credential too."""
    secrets_page: str = ""
    """Where a user creates the token or the app password."""
    created: str = "API token"
    """What is created there."""


PROVIDERS = (
    Provider(
        name="Fastmail",
        domains=(
            *("fastmail.com", "fastmail.fm", "fastmail.net", "fastmail.org", "fastmail.co.uk", "fastmail.com.au"),
            *("fastmail.de", "fastmail.us", "eml.cc", "mailbolt.com", "sent.com"),
        ),
        url="https://api.fastmail.com/jmap/session",
        hosts=("api.fastmail.com",),
        schemes=("oauth", "bearer"),
        trusted_hosts=("www.fastmailusercontent.com",),
        secrets_page="https://app.fastmail.com/settings/security/tokens",
    ),
    Provider(
        name="Thundermail",
        domains=("thundermail.com", "tb.pro"),
        url="https://mail.thundermail.com/.well-known/jmap",
        hosts=("mail.thundermail.com",),
        schemes=("oauth", "basic"),
        secrets_page="https://accounts.tb.pro",
        created="app password",
    ),
    Provider(
        name="Topicbox",
        domains=("topicbox.com",),
        url="https://{domain}/jmap",
        hosts=("topicbox.com",),
        schemes=("oauth", "bearer"),
    ),
)


def provider_of(domain: str) -> Provider | None:
    """Return the provider of a mail domain."""
    return next((one for one in PROVIDERS if any(belongs_to(domain, own) for own in one.domains)), None)


def provider_at(url: str) -> Provider | None:
    """Return the provider whose server a URL names."""
    host = urlsplit(url).hostname or ""
    return next((one for one in PROVIDERS if any(belongs_to(host, own) for own in one.hosts)), None)
