"""Match messages by blob ids that contain their SHA-1, without a request.

A blob id is opaque (RFC 8620, 1.2), so it is never taken for a digest by itself. But a blob id that contains all 160 bits of
the SHA-1 of a local file does not do so by chance. Cyrus has such blob ids: `G` and 40 hexadecimal digits.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

from jmapsync.formats.message import Form

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from jmapsync.formats.message import Measure
    from jmapsync.ledger import Place, Record
    from jmapsync.storage.port import MailLocal

_SHA1 = re.compile(r"[A-Za-z]?([0-9a-f]{40})")


def spelled(blob: str) -> str:
    """Return the SHA-1 in a blob id, in base64; empty where it has none."""
    found = _SHA1.fullmatch(blob)
    return base64.b64encode(bytes.fromhex(found[1])).decode("ascii") if found else ""


def known_by_name(
    local: MailLocal,
    here: Sequence[Record],
    bare: Mapping[int, Measure],
    places: Mapping[int, Sequence[Place]],
    there: Iterable[Record],
) -> dict[int, str]:
    """Return the SHA-256, in base64, by key of those items `there` whose blob id spells the SHA-1 of a file `here`.

    `bare`: by key, the measures of files without the line that mbsync added.
    """
    named: dict[str, list[int]] = {}
    sizes: set[int] = set()
    for one in there:
        if one.remote is not None and (name := spelled(one.remote.body)):
            named.setdefault(name, []).append(one.key)
            sizes.add(one.size)
    digests: dict[int, str] = {}
    for record in here:
        for place in places.get(record.key, ())[:1]:
            for sha1, sha256 in _names(local, record, place, bare.get(record.key), sizes):
                digests.update(dict.fromkeys(named.get(sha1, ()), sha256))
    return digests


def _names(local: MailLocal, record: Record, place: Place, bare: Measure | None, sizes: set[int]) -> Iterator[tuple[str, str]]:
    """Yield the SHA-1 beside the SHA-256 of what a file may be on the server, read only where something there has its size."""
    form = Form(place.form)
    if record.size in sizes and form in {Form.LF, Form.RAW, Form.MIXED} and (whole := local.measure(place, "sha1")) is not None:
        yield whole.digest(form), record.digest
    if bare is not None and bare.wire_size in sizes and (shorter := local.measure_bare(place, "sha1")) is not None:
        yield shorter.wire, bare.wire
