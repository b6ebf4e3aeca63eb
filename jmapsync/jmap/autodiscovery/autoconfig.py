"""Read the XML of draft-ietf-mailmaint-autoconfig (Thunderbird's), of which only JMAP servers are used."""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.parsers import expat

from jmapsync.errors import DiscoveryError
from jmapsync.jmap.discovery import WELL_KNOWN

OCTETS = 1 << 18
_DEPTH = 32
_LONGEST = 2_000
"""Characters of a value that is used."""
_MOST = 3
"""Servers that are tried."""


def urls_of(domain: str) -> list[str]:
    """Return the addresses of a domain's configuration, best first. The mail address is not sent: it is optional."""
    return [
        f"https://autoconfig.{domain}/mail/config-v1.1.xml",
        f"https://{domain}/.well-known/autoconfig/mail/config-v1.1.xml",
    ]


@dataclass(slots=True)
class Entry:
    """One JMAP server of the file."""

    url: str = ""
    user: str = ""
    host: str = ""
    port: str = ""
    """Host and port are the older form, without a URL."""

    @property
    def session_url(self) -> str:
        """Return the URL of the session."""
        if self.url or not self.host:
            return self.url
        return f"https://{self.host}{f':{self.port}' if self.port not in {'', '443'} else ''}{WELL_KNOWN}"


def servers(document: bytes, address: str) -> list[Entry]:
    """Return the JMAP servers of a file, in its order of preference, for a mail address.

    Raise `DiscoveryError` if it is not well-formed, has a document type (which could define entities that grow without
    bound or name other files), or names no JMAP server.
    """
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(document, True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # LookupError: an unknown encoding
        raise DiscoveryError("the file is not the XML that was expected.") from error
    found = [entry for entry in reader.found if entry.session_url][:_MOST]
    if not found:
        raise DiscoveryError("the file names no JMAP server.")
    for entry in found:
        entry.user = _filled(entry.user, address)
    return found


def _refuse(*_: object) -> None:
    raise ValueError("document type")


def _filled(user: str, address: str) -> str:
    """Return a user name with the address in place of its placeholders; nothing where it cannot be a user name."""
    local, _, domain = address.rpartition("@")
    if "%" in user and not local:
        return ""
    for placeholder, value in (("%EMAILADDRESS%", address), ("%EMAILLOCALPART%", local), ("%EMAILDOMAIN%", domain)):
        user = user.replace(placeholder, value)
    return user if user.isprintable() else ""


@dataclass(slots=True)
class _Reader:
    """Collects the elements of `<incomingServer type="jmap">`."""

    found: list[Entry] = field(default_factory=list)
    _path: list[str] = field(default_factory=list)
    _entry: Entry | None = None
    _level: int = 0
    _value: str = ""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._path) >= _DEPTH:
            raise ValueError("too deep")
        self._path.append(name)
        self._value = ""
        if name == "incomingServer" and attributes.get("type", "").lower() == "jmap" and self._entry is None:
            self._entry, self._level = Entry(), len(self._path)

    def text(self, data: str) -> None:
        if self._entry is not None and len(self._value) < _LONGEST:
            self._value += data

    def end(self, name: str) -> None:
        entry, value = self._entry, self._value.strip()
        if entry is not None and len(self._path) == self._level + 1 and len(value) < _LONGEST:
            if name in {"url", "serverURL"}:
                entry.url = entry.url or value
            elif name == "hostname":
                entry.host = entry.host or value
            elif name == "port":
                entry.port = entry.port or value
            elif name == "username":
                entry.user = entry.user or value
        elif entry is not None and len(self._path) == self._level:
            self.found.append(entry)
            self._entry = None
        self._path.pop()
        self._value = ""
