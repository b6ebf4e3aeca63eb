"""Find the JMAP server of a mail address by every known way at once, without sending a credential or the address itself.

`search` runs the ways and ranks what they find, `visit` fetches pages, `well_known` recognises a session's URL, `pacc` and
`autoconfig` read the two configuration formats, `providers` lists servers that are known.
"""

from jmapsync.jmap.autodiscovery.providers import Provider, provider_of
from jmapsync.jmap.autodiscovery.search import Discovery, Finding, Way, search
from jmapsync.jmap.autodiscovery.well_known import Server

__all__ = ["Discovery", "Finding", "Provider", "Server", "Way", "provider_of", "search"]
