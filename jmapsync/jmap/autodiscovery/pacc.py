"""Read the configuration of draft-ietf-mailmaint-pacc: a JSON file at a host of the domain, with its digest in the DNS."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Any

from jmapsync.errors import DiscoveryError
from jmapsync.jmap.decoding import DecodeError, decode_json

OCTETS = 1 << 18
_TAG = re.compile(r"\s*(\w+)\s*=\s*(\S*)\s*")


def url_of(domain: str) -> str:
    """Return the address of a domain's configuration."""
    return f"https://ua-auto-config.{domain}/.well-known/user-agent-configuration.json"


def record_of(domain: str) -> str:
    """Return the name of the TXT record that holds its digest."""
    return f"_ua-auto-config.{domain}"


def check_digest(body: bytes, records: list[str]) -> None:
    """Raise `DiscoveryError` if the DNS publishes digests and none is that of the file."""
    digests = [digest for digest in map(_digest, records) if digest is not None]
    if digests and hashlib.sha256(body).digest() not in digests:
        raise DiscoveryError("the file differs from the one that the DNS record describes.")


def _digest(record: str) -> bytes | None:
    tags = {match[1]: match[2] for match in map(_TAG.fullmatch, record.split(";")) if match is not None}
    if tags.get("v", "").upper() != "UAAC1" or tags.get("a", "").lower() != "sha256":
        return None
    try:
        return base64.b64decode(tags.get("d", ""), validate=True)
    except binascii.Error:
        return None


def session_url(body: bytes) -> str:
    """Return the URL of the JMAP session; raise `DiscoveryError` if the file names none."""
    try:
        raw: object = decode_json(body)
    except DecodeError as error:
        raise DiscoveryError("the file is not JSON.") from error
    url = _member(_member(_member(raw, "protocols"), "jmap"), "url")
    if not isinstance(url, str) or not url:
        raise DiscoveryError("the file names no JMAP server.")
    return url


def _member(value: Any, name: str) -> Any:  # noqa: ANN401  # any JSON value
    return value.get(name) if isinstance(value, dict) else None
