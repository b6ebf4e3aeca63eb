"""Have scripts validated by the server (RFC 9661, 2.6), and report why it refused them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.errors import Remedy
from jmapsync.formats.scripts import name_for
from jmapsync.jmap.failures import SetError
from jmapsync.jmap.wire import Call
from jmapsync.storage.jmap.set import refusal
from jmapsync.storage.port import Refused, Stale

if TYPE_CHECKING:
    from jmapsync.storage.jmap.scripts.listing import Scripts
    from jmapsync.storage.port import Job, Receipt

MEDIA_TYPE = "application/sieve"
TAKEN = "the server has another script of this name"
_LONG_NAME = 150
"""Octets of a name that is not blamed for a failure: Cyrus 3.6 to 3.12 takes some 190, and says that longer ones do not compile."""
_LONGEST = 2000
"""Characters kept of what a server says of a script."""


async def validate(scripts: Scripts, blob: str) -> str:
    """Return why a server does not accept the script in a blob; nothing where it does (RFC 9661, 2.6)."""
    call = Call("SieveScript/validate", {"accountId": scripts.account.id, "blobId": blob}, "validate")
    error = (await scripts.caller.call([call])).get(call).get("error")
    if error is None:
        return ""
    found = SetError.parse(error)
    return " ".join(found.description.split())[:_LONGEST] or found.type


def refusal_of(job: Job, error: SetError) -> Receipt:
    """Return the receipt of a script that the server refused.

    By the RFC a script that is not valid is `invalidSieve` and one that is active `sieveIsActive`; Cyrus and Stalwart say
    `invalidScript` and `scriptIsActive`, as a draft did.
    """
    key = job.order.key
    if error.type in {"invalidSieve", "invalidScript"}:
        why = f"the server does not accept the script: {' '.join(error.description.split())[:_LONGEST] or error.type}"
        return Refused(key, why, Remedy.NEVER)
    if error.type in {"sieveIsActive", "scriptIsActive"}:
        return Stale(key, "it was activated on the server since it was listed")
    if error.type == "alreadyExists":
        return Refused(key, TAKEN, Remedy.HUMAN)
    if error.type == "invalidProperties" and error.properties == ("name",):
        return Refused(key, f"the server does not take its name ({error}); rename it", Remedy.NEVER)
    octets = len(name_for(job.order.tags).encode())
    if error.type == "serverFail" and octets > _LONG_NAME:
        return Refused(key, f"the server refused it: {error}; its name of {octets} octets may be too long", Remedy.LATER)
    return refusal(job, error)
