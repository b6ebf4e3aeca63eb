"""Find the IANA zone of a Windows or Exchange time zone name: its key, or a display name of any generation.

Keys come from CLDR's windowsZones (territory 001), as packaged by tzlocal. CLDR has no display names: those below are the English
ones of Windows and Exchange, with the key of each. The offset that a display name begins with is that of standard time, in the
rules of its own year, so it identifies nothing by itself. Names in other languages are found by the cities that they share with the
English ones.
"""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import datetime, timedelta
from functools import lru_cache
from html import unescape
from typing import Final
from zoneinfo import ZoneInfo

_PREFIX = re.compile(r"\s*\(?(?:UTC|GMT)\s*(?:([+-])\s*(\d\d?)(?:[:.]?(\d\d))?)?\)\s*(?=\S)", re.IGNORECASE)
_DASHES: Final = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-"))
_VARIANT = re.compile(r" \d$")
"""What Outlook adds to the name of a zone with other rules than the first of that name."""
_LISTED = re.compile(r"\s*[,;/]\s*")
_NOISE = re.compile(r"[^\w()+-]+")
_SEASON = re.compile(r"\b(?:daylight|summer) (?=time\b)")
_OTHER_KEYS: Final = {
    "Alberta Standard Time": "America/Edmonton",
    "British Columbia Standard Time": "America/Vancouver",
    "Manitoba Standard Time": "America/Winnipeg",
    "Armenian Standard Time": "Asia/Yerevan",
    "Kamchatka Standard Time": "Asia/Kamchatka",
    "Malay Peninsula Standard Time": "Asia/Singapore",
    "Mexico Standard Time": "America/Mexico_City",
    "Mexico Standard Time 2": "America/Chihuahua",
    "Mid-Atlantic Standard Time": "Etc/GMT+2",
    "Coordinated Universal Time": "Etc/UTC",
    "tzone://Microsoft/Utc": "Etc/UTC",
}
"""Keys that are in CLDR only since 2026, those that it dropped, and names of UTC."""
_NAMES: Final = """
Dateline Standard Time|International Date Line West|Eniwetok, Kwajalein, Dateline Time|Eniwetok, Kwajalein
UTC-11|Coordinated Universal Time-11|Midway Island|Midway Island, Samoa
Aleutian Standard Time|Aleutian Islands
Hawaiian Standard Time|Hawaii
Marquesas Standard Time|Marquesas Islands
Alaskan Standard Time|Alaska
UTC-09|Coordinated Universal Time-09
Pacific Standard Time (Mexico)|Baja California|Tijuana, Baja California
UTC-08|Coordinated Universal Time-08
Pacific Standard Time|Pacific Time (US & Canada)|Pacific Time|Pacific Time (US & Canada); Tijuana|Pacific Time; Tijuana
US Mountain Standard Time|Arizona
Mountain Standard Time (Mexico)|Chihuahua, La Paz, Mazatlan|La Paz, Mazatlan|Chihuahua, La Paz, Mazatlan - New|Mazatlan
Mexico Standard Time 2|Chihuahua, La Paz, Mazatlan - Old
Alberta Standard Time|Alberta|Alberta and Northwest Territories
British Columbia Standard Time|British Columbia
Mountain Standard Time|Mountain Time (US & Canada)|Mountain Time
Yukon Standard Time|Yukon
Central America Standard Time|Central America
Manitoba Standard Time|Manitoba
Central Standard Time|Central Time (US & Canada)|Central Time
Easter Island Standard Time|Easter Island
Central Standard Time (Mexico)|Guadalajara, Mexico City, Monterrey|Guadalajara, Mexico City, Monterrey - New\
|Mexico City, Tegucigalpa|Mexico City|Guadalajara, Mexico City, Monterrey - Old|Chihuahua, Guadalajara, Mexico City, Monterrey
Canada Central Standard Time|Saskatchewan
SA Pacific Standard Time|Bogota, Lima, Quito, Rio Branco|Bogota, Lima, Quito|Bogota, Lima
Eastern Standard Time (Mexico)|Chetumal
Eastern Standard Time|Eastern Time (US & Canada)|Eastern Time
Haiti Standard Time|Haiti
Cuba Standard Time|Havana
US Eastern Standard Time|Indiana (East)|Indiana
Turks And Caicos Standard Time|Turks and Caicos
Paraguay Standard Time|Asuncion
Atlantic Standard Time|Atlantic Time (Canada)|Atlantic Time
Venezuela Standard Time|Caracas
Central Brazilian Standard Time|Cuiaba|Manaus
SA Western Standard Time|Georgetown, La Paz, Manaus, San Juan|Georgetown, La Paz, San Juan|La Paz|Georgetown, La Paz|Caracas, La Paz
Pacific SA Standard Time|Santiago
Newfoundland Standard Time|Newfoundland
Tocantins Standard Time|Araguaina
E. South America Standard Time|Brasilia
SA Eastern Standard Time|Cayenne, Fortaleza|Cayenne|Buenos Aires, Georgetown|Georgetown
Argentina Standard Time|City of Buenos Aires|Buenos Aires
Greenland Standard Time|Greenland
Montevideo Standard Time|Montevideo
Magallanes Standard Time|Punta Arenas
Saint Pierre Standard Time|Saint Pierre and Miquelon
Bahia Standard Time|Salvador
UTC-02|Coordinated Universal Time-02
Mid-Atlantic Standard Time|Mid-Atlantic|Mid-Atlantic - Old
Azores Standard Time|Azores
Cape Verde Standard Time|Cabo Verde Is.|Cape Verde Is.|Cape Verde Islands|Cabo Verde Standard Time
UTC|Coordinated Universal Time|Universal Coordinated Time
GMT Standard Time|Dublin, Edinburgh, Lisbon, London|Greenwich Mean Time : Dublin, Edinburgh, Lisbon, London\
|Greenwich Mean Time; Dublin, Edinburgh, London|Greenwich Mean Time : Dublin, Edinburgh, London, Lisbon
Greenwich Standard Time|Monrovia, Reykjavik
Sao Tome Standard Time|Sao Tome
Morocco Standard Time|Casablanca|Casablanca, Monrovia|Casablanca, Monrovia, Reykjavik
W. Europe Standard Time|Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna|Amsterdam, Bern, Berlin, Rome, Stockholm, Vienna
Central Europe Standard Time|Belgrade, Bratislava, Budapest, Ljubljana, Prague|Belgrade, Pozsony, Budapest, Ljubljana, Prague\
|Prague, Central Europe
Romance Standard Time|Brussels, Copenhagen, Madrid, Paris|Paris, Madrid, Brussels, Copenhagen
Central European Standard Time|Sarajevo, Skopje, Warsaw, Zagreb|Sarajevo, Skopje, Sofija, Vilnius, Warsaw, Zagreb\
|Sarajevo, Skopje, Sofija, Warsaw, Zagreb
W. Central Africa Standard Time|West Central Africa
Jordan Standard Time|Amman
GTB Standard Time|Athens, Bucharest|Athens, Bucharest, Istanbul|Athens, Istanbul, Minsk|Bucharest|Athens, Beirut, Istanbul, Minsk
Middle East Standard Time|Beirut
Egypt Standard Time|Cairo
E. Europe Standard Time|Chisinau|E. Europe|Nicosia
Syria Standard Time|Damascus
West Bank Standard Time|Gaza, Hebron|West Bank Gaza Standard Time
South Africa Standard Time|Harare, Pretoria
FLE Standard Time|Helsinki, Kyiv, Riga, Sofia, Tallinn, Vilnius|Helsinki, Riga, Tallinn\
|Helsinki, Kiev, Riga, Sofia, Tallinn, Vilnius
Israel Standard Time|Jerusalem|Israel, Jerusalem Standard Time|Jerusalem Standard Time
South Sudan Standard Time|Juba
Kaliningrad Standard Time|Kaliningrad|Kaliningrad (RTZ 1)|Kaliningrad, Minsk|Russia TZ 1 Standard Time
Sudan Standard Time|Khartoum
Libya Standard Time|Tripoli
Namibia Standard Time|Windhoek
Arabic Standard Time|Baghdad
Turkey Standard Time|Istanbul
Arab Standard Time|Kuwait, Riyadh|Arab, Kuwait, Riyadh|Baghdad, Kuwait, Riyadh
Belarus Standard Time|Minsk
Russian Standard Time|Moscow, St. Petersburg|Moscow, St. Petersburg, Volgograd|Moscow, St. Petersburg, Volgograd (RTZ 2)\
|Russia TZ 2 Standard Time
E. Africa Standard Time|Nairobi|East Africa, Nairobi
Iran Standard Time|Tehran
Arabian Standard Time|Abu Dhabi, Muscat
Astrakhan Standard Time|Astrakhan, Ulyanovsk
Azerbaijan Standard Time|Baku|Azerbijan Standard Time
Russia Time Zone 3|Izhevsk, Samara|Izhevsk, Samara (RTZ 3)|Russia TZ 3 Standard Time
Mauritius Standard Time|Port Louis
Saratov Standard Time|Saratov
Georgian Standard Time|Tbilisi
Volgograd Standard Time|Volgograd
Caucasus Standard Time|Yerevan|Caucasus Standard Time|Baku, Tbilisi, Yerevan
Afghanistan Standard Time|Kabul
West Asia Standard Time|Ashgabat, Tashkent|Tashkent
Ekaterinburg Standard Time|Ekaterinburg|Ekaterinburg (RTZ 4)|Russia TZ 4 Standard Time
Pakistan Standard Time|Islamabad, Karachi|Islamabad, Karachi, Tashkent
Qyzylorda Standard Time|Qyzylorda
India Standard Time|Chennai, Kolkata, Mumbai, New Delhi|Kolkata, Chennai, Mumbai, New Delhi, India Standard Time\
|Calcutta, Chennai, Mumbai, New Delhi|Bombay, Calcutta, Madras, New Delhi
Sri Lanka Standard Time|Sri Jayawardenepura|Sri Jayawardenepura, Sri Lanka
Nepal Standard Time|Kathmandu|Kathmandu, Nepal
Central Asia Standard Time|Astana|Bishkek|Astana, Dhaka
Bangladesh Standard Time|Dhaka
Omsk Standard Time|Omsk
Myanmar Standard Time|Yangon (Rangoon)|Rangoon|Yangon
SE Asia Standard Time|Bangkok, Hanoi, Jakarta
Altai Standard Time|Barnaul, Gorno-Altaysk
W. Mongolia Standard Time|Hovd
North Asia Standard Time|Krasnoyarsk|Krasnoyarsk (RTZ 6)|Russia TZ 6 Standard Time
N. Central Asia Standard Time|Novosibirsk|Novosibirsk (RTZ 5)|Almaty, Novosibirsk, North Central Asia|Almaty, Novosibirsk\
|Novosibirsk Standard Time|Russia TZ 5 Standard Time
Tomsk Standard Time|Tomsk
China Standard Time|Beijing, Chongqing, Hong Kong, Urumqi|Beijing, Chongqing, Hong Kong SAR, Urumqi
North Asia East Standard Time|Irkutsk|Irkutsk (RTZ 7)|Irkutsk, Ulaan Bataar|Irkutsk, Ulaan Bator|Russia TZ 7 Standard Time
Singapore Standard Time|Kuala Lumpur, Singapore
W. Australia Standard Time|Perth|Perth, Western Australia
Taipei Standard Time|Taipei
Ulaanbaatar Standard Time|Ulaanbaatar
Aus Central W. Standard Time|Eucla
Transbaikal Standard Time|Chita
Tokyo Standard Time|Osaka, Sapporo, Tokyo
North Korea Standard Time|Pyongyang
Korea Standard Time|Seoul|Seoul, Korea Standard time
Yakutsk Standard Time|Yakutsk|Yakutsk (RTZ 8)|Russia TZ 8 Standard Time
Cen. Australia Standard Time|Adelaide|Adelaide, Central Australia
AUS Central Standard Time|Darwin
E. Australia Standard Time|Brisbane|Brisbane, East Australia
AUS Eastern Standard Time|Canberra, Melbourne, Sydney|Canberra, Melbourne, Sydney, Hobart (year 2000 only)\
|Canberra, Melbourne, Sydney, Hobart
West Pacific Standard Time|Guam, Port Moresby
Tasmania Standard Time|Hobart|Hobart, Tasmania
Vladivostok Standard Time|Vladivostok|Vladivostok, Magadan (RTZ 9)|Vladivostok, Magadan|Russia TZ 9 Standard Time
Lord Howe Standard Time|Lord Howe Island
Bougainville Standard Time|Bougainville Island
Russia Time Zone 10|Chokurdakh|Chokurdakh (RTZ 10)|Russia TZ 10 Standard Time
Magadan Standard Time|Magadan
Norfolk Standard Time|Norfolk Island
Sakhalin Standard Time|Sakhalin
Central Pacific Standard Time|Solomon Is., New Caledonia|Magadan, Solomon Is., New Caledonia
Russia Time Zone 11|Anadyr, Petropavlovsk-Kamchatsky|Anadyr, Petropavlovsk-Kamchatsky (RTZ 11)|Russia TZ 11 Standard Time
Kamchatka Standard Time|Petropavlovsk-Kamchatsky|Petropavlovsk-Kamchatsky - Old
New Zealand Standard Time|Auckland, Wellington
UTC+12|Coordinated Universal Time+12
Fiji Standard Time|Fiji|Fiji, Marshall Is.|Fiji, Kamchatka, Marshall Is.|Fiji Islands, Kamchatka, Marshall Is.
Chatham Islands Standard Time|Chatham Islands
UTC+13|Coordinated Universal Time+13
Tonga Standard Time|Nuku'alofa|Nuku'alofa, Tonga
Samoa Standard Time|Samoa
Line Islands Standard Time|Kiritimati Island
"""
"""A line a zone: its key, then its display names without the offset, and names of its standard time that are not its key."""


def zone_of_windows(name: str) -> str | None:
    """Return the IANA zone of a Windows key or display name, with or without its offset; None for other names."""
    known, name = _known(), unescape(name).translate(_DASHES)
    prefix = _PREFIX.match(name)
    rest = name if prefix is None else name[prefix.end() :]
    plain, bare = _folded(name), _folded(rest)
    tries = (  # Lotus Notes leaves out the words of the fourth
        *(plain, _SEASON.sub("standard ", plain), bare, f"{plain} standard time"),
        _VARIANT.sub("", plain),
    )
    found = next((known[each] for each in tries if each in known), None)
    return found if found is not None or prefix is None else _zone_of_cities(rest, prefix)


def _zone_of_cities(listed: str, prefix: re.Match[str]) -> str | None:
    """Return the zone of a list of cities in any language: that of all whose names are the English ones, if it is one zone.

    The offset before them must be the standard one of that zone in some year since 1995: there is a London in Ontario too.
    """
    cities, standard = _cities(), timedelta(hours=int(prefix[2] or 0), minutes=int(prefix[3] or 0))
    zones = [cities[city] for part in _LISTED.split(listed) if (city := _folded(part)) in cities]
    common = list(set.intersection(*map(set, zones))) if zones else []
    if len(common) != 1:
        return None
    zone = ZoneInfo(common[0])
    offsets = {
        min(datetime(year, month, 1, tzinfo=zone).utcoffset() or timedelta() for month in (1, 7)) for year in range(1995, 2031)
    }
    return common[0] if (-standard if prefix[1] == "-" else standard) in offsets else None


@lru_cache(maxsize=1)
def _cities() -> dict[str, set[str]]:
    """Return the cities in display names, each with the zones of the lists that it is in."""
    known = _known()
    found: defaultdict[str, set[str]] = defaultdict(set)
    for line in _NAMES.strip().splitlines():
        for name in line.split("|")[1:]:
            if "time" not in name.casefold() and (zone := known.get(_folded(name))) is not None:
                for city in _LISTED.split(name):
                    found[_folded(city)].add(zone)
    return dict(found)


def windows_zones() -> frozenset[str]:
    """Return the IANA zones that Windows has a name for."""
    return frozenset(_known().values())


@lru_cache(maxsize=1)
def _known() -> dict[str, str]:
    from tzlocal.windows_tz import win_tz  # noqa: PLC0415  # the package costs 10 ms, and is seldom needed

    keys = {**_OTHER_KEYS, **win_tz}
    found = {_folded(key): zone for key, zone in keys.items()}
    for line in _NAMES.strip().splitlines():
        key, *names = line.split("|")
        for name in names:
            if key in keys:
                found.setdefault(_folded(name), keys[key])
    return found


def _folded(name: str) -> str:
    plain = name.casefold().replace(" and ", " ").replace("co-ordinated", "coordinated")  # that of British English
    return _NOISE.sub(" ", plain).strip()
