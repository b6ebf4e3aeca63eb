"""Recognise the URL of a JMAP session (RFC 8620, section 2.2) by how it answers a request without a credential."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from jmapsync.errors import DiscoveryError, SignInError
from jmapsync.jmap.bounds import SESSION_OCTETS
from jmapsync.jmap.hosts import Origin
from jmapsync.jmap.media_types import JSON
from jmapsync.jmap.session import Session

if TYPE_CHECKING:
    from jmapsync.jmap.autodiscovery.visit import Visitor
    from jmapsync.jmap.replies import Reply


@dataclass(frozen=True, slots=True)
class Server:
    """A URL that answers as a JMAP session does."""

    url: str
    """The URL to configure: as it was named, or the last one where another origin serves it."""
    user: str = ""
    """The user name for sign-in, where the server's configuration gives one."""

    @property
    def origin(self) -> Origin:
        """Return the origin that would be sent the credential."""
        return Origin.of(self.url)


async def probe(visitor: Visitor, url: str, *, user: str = "") -> Server:
    """Return the server behind a URL; raise `DiscoveryError` if what answers is no JMAP session, and what `Transport` raises."""
    named = visitor.admit(url)
    reply = await visitor.get(url, accept=JSON, most=SESSION_OCTETS)
    origin = visitor.admit(reply.url)
    found = url if origin == named else reply.url
    require_session(reply)
    return Server(found, user)


def require_session(reply: Reply) -> None:
    """Raise `DiscoveryError` unless an answer to a request without a credential is that of a JMAP server.

    That is a refusal (401), or a session, without accounts too (so Stalwart answers anybody). Neither is a sign-in.
    """
    if reply.status == HTTPStatus.UNAUTHORIZED:
        return
    origin = Origin.of(reply.url)
    if not HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
        raise DiscoveryError(f"{origin} answers with status {reply.status}.")
    try:
        Session.parse(reply.body, reply.url)
    except SignInError:
        return
    except DiscoveryError as error:
        raise DiscoveryError(f"{origin} answers, but not with a JMAP session.") from error
