"""Convert inline resources (PHOTO, LOGO, SOUND, KEY) and online services (IMPP, SOCIALPROFILE and their predecessors).

RFC 9555, 2.5.7, 2.7.2, 2.7.5, 2.9.2, 2.11.7, 2.12.1; RFC 4770. vCard 4.0 has data as `data:` URIs, vCard 2.1 and 3.0 as base64 with
a word for the media type.
"""

from __future__ import annotations

import base64
import binascii
import re
import urllib.parse
from typing import TYPE_CHECKING, NamedTuple

from jmapsync.formats.contentline import escape
from jmapsync.formats.vcard.draft import Draft, keyed, write_common
from jmapsync.formats.vcard.state import CONTEXTS, Reading, read_common
from jmapsync.formats.vcard.values import is_uri, unescape, uri_value

if TYPE_CHECKING:
    from jmapsync.formats.contentline import Line, Params
    from jmapsync.formats.objects import Object

_MEDIA_TYPES = {
    "JPG": "image/jpeg",
    "WAVE": "audio/wav",
    "PGP": "application/pgp-keys",
    "GPG": "application/pgp-keys",
    "X509": "application/pkix-cert",
}
_KNOWN = frozenset(
    {*_MEDIA_TYPES, *("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "SVG+XML", "HEIC", "BASIC", "MPEG", "OGG", "WAV")}
)
"""Words for media types, where TYPE has other values too."""
_WORDS = {"image/jpeg": "JPEG", "application/pgp-keys": "PGP", "application/pkix-cert": "X509"}
_DATA = re.compile(r"data:([^;,]*)((?:;[^;,]*)*),", re.IGNORECASE)
_SUBTYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]*\Z")
_NO_SUBTYPES = frozenset({"home", "work", "pref", "internet", "voice"})
_UNNAMED = "application/octet-stream"
OLD_SERVICES = {
    "X-AIM": "AIM",
    "X-GADUGADU": "Gadu-Gadu",
    "X-GADU-GADU": "Gadu-Gadu",
    "X-GOOGLE-TALK": "Google Talk",
    "X-GROUPWISE": "GroupWise",
    "X-GTALK": "Google Talk",
    "X-ICQ": "ICQ",
    "X-JABBER": "Jabber",
    "X-MASTODON": "Mastodon",
    "X-MSN": "MSN",
    "X-QQ": "QQ",
    "X-SKYPE": "Skype",
    "X-SKYPE-USERNAME": "Skype",
    "X-TWITTER": "Twitter",
    "X-YAHOO": "Yahoo",
}
"""Properties of Apple, Evolution, KDE and Android with a user name; they are written back under the same name."""
PROFILE, OLD_PROFILE = "SOCIALPROFILE", "X-SOCIALPROFILE"
CYRUS_PROFILE = "X-SOCIAL-PROFILE"
"""The property that Cyrus writes for unknown services, with the whole value in X-USER; it is read, but never written."""
_SCHEMES = frozenset({"aim", "gadugadu", "gg", "gtalk", "icq", "im", "irc", "matrix", "msnim", "sip", "skype", "xmpp", "ymsgr"})
_PREFIX = "OS"
_USED = frozenset({"service-type", "username"})
_USED_OLD = frozenset({"x-service-type", "x-user"})
_NOT_SERVICES = frozenset({*CONTEXTS, "pref", "other"})


class _Resource(NamedTuple):
    where: str
    prefix: str
    kind: str
    family: str
    """The media type for the subtype in TYPE of vCard 3.0."""


_RESOURCES = {
    "PHOTO": _Resource("media", "PHOTO", "photo", "image"),
    "LOGO": _Resource("media", "LOGO", "logo", "image"),
    "SOUND": _Resource("media", "SOUND", "sound", "audio"),
    "KEY": _Resource("cryptoKeys", "KEY", "", "application"),
}
NAMES = tuple(_RESOURCES)
_NAME_OF = {(resource.where, resource.kind): name for name, resource in _RESOURCES.items()}


def read_resource(reading: Reading, line: Line) -> None:
    """Read a line of a resource. Invalid base64 is kept."""
    resource = _RESOURCES[line.name]
    entry: Object = {"kind": resource.kind} if resource.kind else {}
    params = line.params
    used = {"mediatype"}
    if "encoding" in params:
        used |= {"encoding"}
        uri = _inline(line, resource, used)
    else:
        uri = unescape(line.value)
        if uri and not is_uri(uri):
            uri = _text_key(uri) if line.name == "KEY" else ""
    if not uri or not reading.understands(line):
        if line.value:
            reading.keep(line)
        return
    entry["uri"] = uri
    if "mediatype" in params and "encoding" not in params:
        entry["mediaType"] = ",".join(params["mediatype"])
    types = [text for text in params.get("type", ()) if f"type={text}" not in used]
    shown = line if len(types) == len(params.get("type", ())) else line._replace(params={**params, "type": types})
    read_common(reading, shown, entry, labelled=True, used=frozenset(used))
    reading.add(line, resource.where, resource.prefix, entry)


def _inline(line: Line, resource: _Resource, used: set[str]) -> str:
    """Return the `data:` URI of base64 in the line, its media type from MEDIATYPE or TYPE; None for invalid base64."""
    value = "".join(line.value.replace("\\n", "").split())
    if line.params["encoding"] != ["b"]:
        return ""
    try:
        binascii.a2b_base64(value, strict_mode=True)
    except ValueError:
        return ""
    media_type = ",".join(line.params.get("mediatype", ()))
    words = [text for text in line.params.get("type", ()) if text.lower() not in _NO_SUBTYPES]
    if media_type:
        used.update(f"type={word}" for word in words if word.upper() == _word(media_type))
    elif words:
        word = next((word for word in words if word.upper() in _KNOWN), words[0])
        media_type = _MEDIA_TYPES.get(word.upper(), word.lower() if "/" in word else f"{resource.family}/{word.lower()}")
        used.add(f"type={word}")
    return f"data:{media_type or _UNNAMED};base64,{value}" if value else ""


def _text_key(text: str) -> str:
    media_type = "application/pgp-keys" if "PGP" in text else "text/plain"
    return f"data:{media_type};base64,{base64.b64encode(text.encode('utf-8', 'replace')).decode('ascii')}"


def _word(media_type: str) -> str:
    """Return the word for a media type; None if it would be read as another one."""
    subtype = media_type.partition("/")[2]
    return _WORDS.get(media_type.lower(), subtype.upper() if _SUBTYPE.match(subtype) else "")


def write_resource(draft: Draft, where: str, key: str, entry: Object) -> None:
    """Write a resource that has a URI."""
    kind = entry.get("kind", "")
    name = _NAME_OF.get((where, kind)) if isinstance(kind, str) else None
    uri = entry.get("uri")
    if name is None or not isinstance(uri, str) or not uri:
        return
    params = keyed(key)
    if draft.four:
        write_common(draft, name, params, entry)
        media_type = entry.get("mediaType")
        if isinstance(media_type, str) and media_type:
            params["mediatype"] = [media_type]
        draft.put(name, uri_value(uri, bare=True), params, entry, (where, key))
        return
    value = _base64(uri)
    if value is None:
        params["value"] = ["uri"]
        write_common(draft, name, params, entry)
        draft.put(name, uri_value(uri, bare=False), params, entry, (where, key))
        return
    params["encoding"] = ["b"]
    write_common(draft, name, params, entry)
    media_type = uri[5 : uri.find(",")].partition(";")[0] or "text/plain"
    word = _word(media_type)
    if word:
        params["type"] = [word, *params.get("type", ())]
    if _MEDIA_TYPES.get(word, f"{_RESOURCES[name].family}/{word.lower()}") != media_type:
        params["mediatype"] = [media_type]
    draft.put(name, value, params, entry, (where, key))


def _base64(uri: str) -> str | None:
    """Return the base64 of a `data:` URI; None for other URIs and invalid data."""
    match = _DATA.match(uri[:200])
    if match is None:
        return None
    data = uri[match.end() :]
    if match[2].lower().endswith(";base64"):
        try:
            binascii.a2b_base64(data, strict_mode=True)
        except ValueError:
            return None
        return data or None
    octets = urllib.parse.unquote_to_bytes(data)
    return base64.b64encode(octets).decode("ascii") or None


def read_service(reading: Reading, line: Line) -> None:
    """Read a line of an online service."""
    if line.name == CYRUS_PROFILE:
        if line.value or not any(line.params.get("x-user", ())):
            reading.keep(line)
            return
        line = _in_full(line)
    value = unescape(line.value)
    if not value or not reading.understands(line):
        if line.value:
            reading.keep(line)
        return
    entry: Object = {}
    params = line.params
    used = _USED
    shown = line
    if line.name in OLD_SERVICES:
        entry = {"service": OLD_SERVICES[line.name], "user": value, "vCardName": line.name.lower()}
        used = frozenset()
    else:
        text = params.get("value", [""])[0].lower() == "text"
        entry["uri" if not text and (line.name != OLD_PROFILE or is_uri(value)) else "user"] = value
        if line.name == "IMPP":
            entry["vCardName"] = "impp"
        if "service-type" in params:
            entry["service"] = ",".join(params["service-type"])
        if "username" in params and "user" not in entry:
            entry["user"] = ",".join(params["username"])
        if line.name != PROFILE:
            used |= _USED_OLD
            shown = _read_old(line, entry)
    read_common(reading, shown, entry, labelled=True, used=used)
    reading.add(line, "onlineServices", _PREFIX, entry)


def _in_full(line: Line) -> Line:
    """Return a line of Cyrus as one of Apple with its value in the right place."""
    params = {name: values for name, values in line.params.items() if name != "x-user"}
    return line._replace(name=OLD_PROFILE, params=params, value=escape(",".join(line.params["x-user"])))


def _read_old(line: Line, entry: Object) -> Line:
    """Read Apple's parameters: X-SERVICE-TYPE of IMPP, X-USER of X-SOCIALPROFILE, whose TYPE names the service."""
    params = dict(line.params)
    if "x-service-type" in params:
        entry.setdefault("service", ",".join(params["x-service-type"]))
    if "x-user" in params and "user" not in entry:
        entry["user"] = ",".join(params["x-user"])
    if line.name == OLD_PROFILE and "type" in params:
        services = [text for text in params["type"] if text.lower() not in _NOT_SERVICES]
        if len(services) == 1 and "service" not in entry:
            entry["service"] = services[0]
            params["type"] = [text for text in params["type"] if text != services[0]]
    return line._replace(params=params)


def write_service(draft: Draft, key: str, entry: Object) -> None:
    """Write a service under the name that it was read from, or else that of this version."""
    uri, user, service = entry.get("uri"), entry.get("user"), entry.get("service")
    named = entry.get("vCardName")
    name = named.upper() if isinstance(named, str) else ""
    params = keyed(key)
    if name in OLD_SERVICES and uri is None and service == OLD_SERVICES[name] and isinstance(user, str):
        write_common(draft, name, params, entry)
        draft.put(name, escape(user), params, entry, ("onlineServices", key))
        return
    has_uri = isinstance(uri, str) and is_uri(uri)
    value = uri if has_uri else user
    if not isinstance(value, str) or not value or (name == "IMPP" and not has_uri):
        return
    scheme = value.partition(":")[0].lower() if has_uri else ""
    if name != "IMPP":
        name = "IMPP" if not draft.four and scheme in _SCHEMES else PROFILE
    if not draft.four and name == PROFILE:
        name = OLD_PROFILE
    if not has_uri and name == PROFILE:
        params["value"] = ["text"]
    write_common(draft, name, params, entry)
    _write_params(name, entry, params, four=draft.four, with_user=has_uri)
    draft.put(name, uri_value(value, bare=draft.four) if has_uri else escape(value), params, entry, ("onlineServices", key))


def _write_params(name: str, entry: Object, params: Params, *, four: bool, with_user: bool) -> None:
    service, user = entry.get("service"), entry.get("user")
    if isinstance(service, str) and service:
        if name == OLD_PROFILE:
            params["type"] = [service, *params.get("type", ())]
        else:
            params["service-type" if four else "x-service-type"] = [service]
    if with_user and isinstance(user, str) and user:
        params["username" if four else "x-user"] = [user]
