"""Convert online services: IMPP and SOCIALPROFILE, and what was used before there were such (RFC 9555, 2.7.2, 2.7.5; RFC 4770)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.formats.vcard.draft import Draft, keyed, write_common
from jmapsync.formats.vcard.state import CONTEXTS, Reading, read_common
from jmapsync.formats.vcard.values import escape, is_uri, unescape, uri_value

if TYPE_CHECKING:
    from jmapsync.formats.codec import Object
    from jmapsync.formats.contentline import Line, Params

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
"""Properties of Apple, Evolution, KDE and Android that hold a user's name; they are written back under the same name."""
PROFILE, OLD_PROFILE = "SOCIALPROFILE", "X-SOCIALPROFILE"
CYRUS_PROFILE = "X-SOCIAL-PROFILE"
"""What Cyrus makes of every service that it does not know, with all of the value in X-USER; it is read, but never written."""
_SCHEMES = frozenset({"aim", "gadugadu", "gg", "gtalk", "icq", "im", "irc", "matrix", "msnim", "sip", "skype", "xmpp", "ymsgr"})
_PREFIX = "OS"
_USED = frozenset({"service-type", "username"})
_USED_OLD = frozenset({"x-service-type", "x-user"})
_NOT_SERVICES = frozenset({*CONTEXTS, "pref", "other"})


def read_service(reading: Reading, line: Line) -> None:
    """Read a line of any of the properties."""
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
    """Return a line of Cyrus as one of Apple that has its value where it belongs."""
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
    """Write a service under the name that it came with, or else the one that the version of the format has for it."""
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
