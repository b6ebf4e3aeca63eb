"""Generate Cards and vCards at random."""

from __future__ import annotations

import base64
import copy
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from jmapsync.formats.vcard.components import ADDRESS, NAME

from .cards import UID

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from jmapsync.formats.vcard.components import Structure

# Text as people and their programs write it: what has a meaning in vCard comes up often. CR counts as LF (see the package).
SIGNS = "\\,;:\n\"^'=. \tnNaZ0é漢😀\u2028\x0b_-/~<>$!"
texts = st.text(
    st.one_of(st.sampled_from(SIGNS), st.characters(exclude_categories=["Cs"], exclude_characters="\r")), min_size=1, max_size=20
)
keys = st.text("abAB01-_", min_size=1, max_size=4)
words = st.text("abcXYZ 12é", min_size=1, max_size=6).map(str.strip).filter(bool)
uris = st.text("abcXYZ12/?=&%,;.-_~", min_size=1, max_size=20).flatmap(
    lambda rest: st.sampled_from(["https", "urn", "mailto", "xmpp", "geo", "tel"]).map(lambda scheme: f"{scheme}:{rest}")
)
data = st.binary(min_size=1, max_size=60).map(lambda octets: base64.b64encode(octets).decode())
contexts = st.dictionaries(st.sampled_from(["private", "work", "example.com:x"]), st.just(value=True), max_size=2)
pref = st.integers(1, 100)
stamps = st.datetimes().map(lambda moment: moment.replace(microsecond=0).isoformat() + "Z")
vendor = st.one_of(texts, st.integers(), st.lists(texts, max_size=2), st.dictionaries(texts, texts, max_size=2))
kept = st.dictionaries(
    st.sampled_from(["x-foo", "pid", "altid", "type", "x-a"]), st.one_of(words, st.lists(words, min_size=2, max_size=3))
)


def some(mandatory: dict[str, SearchStrategy[Any]], **optional: SearchStrategy[Any]) -> SearchStrategy[dict[str, Any]]:
    """Make objects, now and then with a vendor's property and kept parameters."""
    return st.fixed_dictionaries(mandatory, optional={**optional, "example.com:v": vendor, "vCardParams": kept})


def entries(entry: SearchStrategy[dict[str, Any]]) -> SearchStrategy[dict[str, Any]]:
    """Make maps of objects."""
    return st.dictionaries(keys, entry, min_size=1, max_size=3)


def structured(structure: Structure, **optional: SearchStrategy[Any]) -> SearchStrategy[dict[str, Any]]:
    """Make names or addresses, ordered or not."""
    part = st.fixed_dictionaries({"kind": st.sampled_from(structure.kinds), "value": texts}, optional={"phonetic": texts})
    separator = st.fixed_dictionaries({"kind": st.just("separator"), "value": texts})
    ordered = some(
        {"isOrdered": st.just(value=True), "components": st.lists(st.one_of(part, part, separator), min_size=1, max_size=6)},
        defaultSeparator=texts,
        phoneticSystem=st.sampled_from(["ipa", "piny"]),
        **optional,
    )
    loose = some({"components": st.lists(part, min_size=1, max_size=6)}, phoneticScript=st.just("Latn"), **optional)
    return st.one_of(
        ordered, loose, some({"full": texts}, **{name: value for name, value in optional.items() if name not in {"full", "sortAs"}})
    )


labelled = {"contexts": contexts, "pref": pref, "label": texts}
resource = {**labelled, "mediaType": st.sampled_from(["image/png", "text/x;charset=utf-8"])}
dates = st.one_of(
    st.fixed_dictionaries({"year": st.integers(0, 9999)}, optional={"calendarScale": words.map(str.lower)}),
    st.fixed_dictionaries({"month": st.integers(1, 12), "day": st.integers(1, 28)}, optional={"year": st.integers(1, 9999)}),
    st.fixed_dictionaries({"year": st.integers(1, 9999), "month": st.integers(1, 12)}),
    st.fixed_dictionaries({"@type": st.just("Timestamp"), "utc": stamps}),
)
places = st.one_of(some({"full": texts}), some({"coordinates": uris}), structured(ADDRESS))
relation = st.fixed_dictionaries(
    {"relation": st.dictionaries(st.sampled_from(["friend", "spouse", "x.org:y"]), st.just(value=True))}
)
kept_property = st.tuples(
    st.sampled_from(["x-foo", "x-bar", "gender", "xml", "agent"]),
    st.dictionaries(st.sampled_from(["x-p", "group", "language"]), st.text("abc1", min_size=1, max_size=3), max_size=2),
    st.just("unknown"),
    st.text("abc\\,;:é=", max_size=9),
).map(lambda entry: list(entry) if entry[0] in {"x-foo", "x-bar", "agent"} else [entry[0], entry[1], "text", "F"])

properties: dict[str, SearchStrategy[Any]] = {
    "kind": st.sampled_from(["individual", "group", "org", "location", "device", "application", "x.org:y"]),
    "created": stamps,
    "updated": stamps,
    "language": st.sampled_from(["de", "en-US"]),
    "prodId": texts,
    "members": st.dictionaries(uris, st.just(value=True), min_size=1, max_size=3),
    "relatedTo": st.dictionaries(st.one_of(texts, uris), relation, min_size=1, max_size=2),
    "name": structured(NAME, full=texts, sortAs=st.dictionaries(st.sampled_from(["surname", "given", "title"]), texts)),
    "nicknames": entries(some({"name": texts}, contexts=contexts, pref=pref)),
    "organizations": entries(
        some(
            {"name": texts},
            units=st.lists(st.fixed_dictionaries({"name": texts}, optional={"sortAs": texts}), min_size=1, max_size=2),
            sortAs=texts,
            contexts=contexts,
        )
    ),
    "speakToAs": some({"grammaticalGender": st.just("neuter")}, pronouns=entries(some({"pronouns": texts}, pref=pref))),
    "titles": entries(some({"name": texts, "kind": st.sampled_from(["title", "role"])}, organizationId=keys)),
    "emails": entries(some({"address": texts}, **labelled)),
    "onlineServices": entries(
        st.one_of(
            some({"uri": uris}, user=texts, service=texts, **labelled),
            some({"user": texts, "service": texts}, **labelled),
            some({"uri": uris, "vCardName": st.sampled_from(["impp", "socialprofile", "x-foo"])}),
            some({"user": texts, "service": st.just("Skype"), "vCardName": st.just("x-skype")}),
        )
    ),
    "phones": entries(
        some(
            {"number": st.one_of(texts, uris)},
            features=st.dictionaries(st.sampled_from(["mobile", "voice", "text", "fax", "a.b:c"]), st.just(value=True)),
            **labelled,
        )
    ),
    "preferredLanguages": entries(some({"language": st.sampled_from(["de", "en-US"])}, contexts=contexts, pref=pref)),
    "calendars": entries(some({"kind": st.sampled_from(["calendar", "freeBusy"]), "uri": uris}, **resource)),
    "schedulingAddresses": entries(some({"uri": uris}, **labelled)),
    "addresses": entries(
        structured(
            ADDRESS,
            full=texts,
            countryCode=st.just("IT"),
            coordinates=uris,
            timeZone=st.just("Europe/Rome"),
            contexts=contexts,
            pref=pref,
        )
    ),
    "cryptoKeys": entries(
        some({"uri": st.one_of(uris, data.map(lambda text: f"data:application/pgp-keys;base64,{text}"))}, **resource)
    ),
    "directories": entries(
        some({"kind": st.sampled_from(["directory", "entry"]), "uri": uris}, listAs=st.integers(1, 9), **resource)
    ),
    "links": entries(some({"uri": uris}, kind=st.just("contact"), **resource)),
    "media": entries(
        some(
            {
                "kind": st.sampled_from(["photo", "logo", "sound", "a.b:c"]),
                "uri": st.one_of(uris, data.map(lambda text: f"data:image/jpeg;base64,{text}")),
            },
            **resource,
        )
    ),
    "anniversaries": entries(some({"kind": st.sampled_from(["birth", "death", "wedding", "a.b:c"]), "date": dates}, place=places)),
    "keywords": st.dictionaries(texts, st.just(value=True), min_size=1, max_size=3),
    "notes": entries(
        some(
            {"note": texts},
            created=stamps,
            author=st.fixed_dictionaries({"name": texts}, optional={"uri": uris}),
        )
    ),
    "personalInfo": entries(
        some(
            {"kind": st.sampled_from(["expertise", "hobby", "interest"]), "value": texts},
            level=st.sampled_from(["high", "medium", "low"]),
            listAs=st.integers(1, 9),
            label=texts,
        )
    ),
    "vCardProps": st.lists(kept_property, min_size=1, max_size=3),
    "example.com:thing": vendor,
}
cards = st.fixed_dictionaries(
    {"@type": st.just("Card"), "version": st.just("1.0"), "uid": st.one_of(st.just(UID), texts, uris)}, optional=properties
)
few = st.sets(st.sampled_from(sorted(properties)), min_size=1, max_size=4).flatmap(
    lambda names: st.fixed_dictionaries(
        {
            "@type": st.just("Card"),
            "version": st.just("1.0"),
            "uid": st.just(UID),
            **{name: properties[name] for name in sorted(names)},
        }
    )
)

NAMES = (
    *("FN", "N", "NICKNAME", "PHOTO", "BDAY", "ANNIVERSARY", "GENDER", "ADR", "TEL", "EMAIL", "IMPP", "LANG", "TZ", "GEO", "TITLE"),
    *(
        "ROLE",
        "LOGO",
        "ORG",
        "MEMBER",
        "RELATED",
        "CATEGORIES",
        "NOTE",
        "PRODID",
        "REV",
        "SOUND",
        "UID",
        "CLIENTPIDMAP",
        "URL",
        "KEY",
    ),
    *("FBURL", "CALADRURI", "CALURI", "KIND", "SOURCE", "XML", "BIRTHPLACE", "DEATHPLACE", "DEATHDATE", "EXPERTISE", "HOBBY"),
    *(
        "INTEREST",
        "ORG-DIRECTORY",
        "CONTACT-URI",
        "CREATED",
        "GRAMGENDER",
        "LANGUAGE",
        "PRONOUNS",
        "SOCIALPROFILE",
        "JSPROP",
        "LABEL",
    ),
    *("SORT-STRING", "AGENT", "CLASS", "X-ABLABEL", "X-ABDATE", "X-ABRELATEDNAMES", "X-SOCIALPROFILE", "X-SKYPE", "X-ANNIVERSARY"),
    *("X-ADDRESSBOOKSERVER-KIND", "X-ADDRESSBOOKSERVER-MEMBER", "X-PHONETIC-FIRST-NAME", "X-PHONETIC-LAST-NAME", "X-FOO"),
)
PARAMS = (
    *("TYPE=home", "TYPE=work,voice", 'TYPE="cell,pref"', "TYPE=x-a", "PREF=1", "PREF=x", "VALUE=uri", "VALUE=text", "VALUE=x-b"),
    *("LANGUAGE=de", "LANGUAGE=en", "ALTID=1", "ALTID=2", "PROP-ID=k1", "PROP-ID=k2", "PHONETIC=ipa", "SCRIPT=Latn", "SORT-AS=a"),
    *('SORT-AS="a,b"', 'JSCOMPS=";0;1"', 'JSCOMPS="s,-;1;0"', 'JSPTR="phones/k1/x"', 'JSPTR="name"', 'JSPTR="a.b:c"', "CC=IT"),
    *('LABEL="x\\ny"', 'GEO="geo:1,2"', "TZ=+0100", "MEDIATYPE=a/b", "INDEX=1", "LEVEL=expert", "ENCODING=b", "CALSCALE=gregorian"),
    *("DERIVED=TRUE", "SERVICE-TYPE=a", "USERNAME=b", "X-Q=1,2", "CREATED=20221122T151823Z", 'AUTHOR="mailto:a@b"', "HOME"),
    *("X-APPLE-OMIT-YEAR=1604", "ENCODING=QUOTED-PRINTABLE", "CHARSET=UTF-8", "VALUE=date"),
)
VALUES = (
    *(
        "a",
        "a;b;c;d;e",
        "a,b;c",
        ";;54321 Oak St;Reston;;;;;;;54321;Oak St;;;;;;",
        "19530415",
        "--0415",
        "1953",
        "20211031T222710Z",
    ),
    *(
        "geo:1,2",
        "1;2",
        "-0500",
        "+0530",
        "https://a.example/b,c",
        "data:image/png;base64,AAAA",
        "AAAA",
        "group",
        "true",
        '{"a":{}}',
    ),
    *(
        "[1]",
        "null",
        '"x"',
        "1604-05-09",
        "a\\nb\\,c\\;d\\\\e",
        "_$!<Home>!$_",
        "Spouse",
        "=C3=A9=",
        "",
        ";;;;",
        "urn:uuid:1",
        "neuter",
    ),
)
raw_lines = st.builds(
    lambda group, name, params, value: f"{group}{name}{''.join(f';{param}' for param in params)}:{value}",
    st.sampled_from(["", "", "", "item1.", "item2."]),
    st.sampled_from(NAMES),
    st.lists(st.sampled_from(PARAMS), max_size=3),
    st.one_of(st.sampled_from(VALUES), texts.map(lambda text: text.replace("\n", ""))),
)
vcards = st.builds(
    lambda version, lines: "\r\n".join(["BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD", ""]).encode(),
    st.sampled_from(["2.1", "3.0", "4.0"]),
    st.lists(raw_lines, max_size=10),
)


WRONG: tuple[Any, ...] = (
    *(True, 0, -1, 1.5, "", "x\ny", [], {}, [1], {"a": 1}, {"": {}}, "\ud800", [[]], {"kind": 5}, 10**30),
    *([["x-a", {}, "text", "b"]], [["photo", {}, "uri", "https://a"]], [["begin", {}, "text", "b"]], {"0": {"name": "a"}}),
)
"""Values that are out of place nearly everywhere."""


@st.composite
def _junk(draw: st.DrawFn) -> dict[str, Any]:
    card: dict[str, Any] = copy.deepcopy(draw(few))
    for _ in range(draw(st.integers(1, 2))):
        node: Any = card
        while True:
            keys = sorted(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(node[key], (dict, list)) and node[key] and draw(st.booleans()):
                node = node[key]
                continue
            node[key] = copy.deepcopy(draw(st.sampled_from(WRONG)))
            break
    return card


junk = _junk().filter(lambda card: isinstance(card.get("vCardProps", []), list))
"""Cards of which a part is something else than it should be."""
