"""Write scripts to the server: validate, create, replace, rename, activate, deactivate and destroy them (RFC 9661, 2.4 and 2.6).

Nothing replaces a script before the server validated it. A script is activated only where the one that is active there now is the
one that both sides agreed on: where the server's changed too, its own stays. None is deactivated while the disk has another one
to be active instead that the server did not accept: mail filtering is switched off only by who removes the link.

Names that scripts take over from one another are given in the order in which they become free. In a cycle one script gets a
temporary name. A name of a script that is deleted becomes free only after all others were written: the rest is written then, and
the name follows in the next round. The active script stays the active one by its id, whatever it is called in between.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Protocol

from msgspec.structs import replace

from jmapsync.errors import Remedy
from jmapsync.formats.message import digest_of
from jmapsync.formats.script_lexer import includes
from jmapsync.formats.scripts import ACTIVE, name_for, names_in
from jmapsync.jmap.blobs import upload
from jmapsync.jmap.failures import MethodError, RequestError, set_errors
from jmapsync.jmap.wire import Call
from jmapsync.planner.model import NO_TAGS, Verb
from jmapsync.storage.jmap.decoding import SILENT
from jmapsync.storage.jmap.scripts.names import first_in_cycle, temporary_name
from jmapsync.storage.jmap.scripts.validate import MEDIA_TYPE, TAKEN, refusal_of, validate
from jmapsync.storage.jmap.set import failed_call
from jmapsync.storage.port import Created, Done, Refused, Stale

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jmapsync.planner.model import Version
    from jmapsync.storage.jmap.scripts.listing import Script, Scripts
    from jmapsync.storage.port import Job, Receipt

_DEACTIVATIONS: tuple[dict[str, Any], ...] = (
    {"onSuccessDeactivateScript": True},
    {"onSuccessDeactivatescript": True},  # Cyrus 3.12 spells it so
    {"onSuccessActivateScript": None},  # Cyrus 3.6
)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""What no name of a script may have (RFC 5804, 1.6; RFC 9661, 2)."""
_OTHER = "another script was activated on the server since it was listed, and that one stays active"
_GAVE_WAY = "on the server it waited for another name than it has here by now"
_KEPT = "it stays active on the server, because the script that is to be active instead was not accepted there"


class Wish(Protocol):
    """What the disk side knows of the active script."""

    def note_active(self, ref: str) -> None:
        """Note the id of the script that is active on the server by now, or nothing."""

    def may_activate(self, key: int, now: str) -> bool:
        """Return whether a script may take the place of the one of this id, of none where it is empty, as the active one."""

    def has_other(self, key: int) -> bool:
        """Return whether the disk wants another script than this one to be active."""

    def is_off(self) -> bool:
        """Return whether the disk wants no script to be active."""


class _RefusedError(Exception):
    """An order ended with a receipt."""

    def __init__(self, receipt: Receipt) -> None:
        super().__init__()
        self.receipt = receipt


class ScriptSetter:
    """Carries out one batch of orders."""

    def __init__(self, scripts: Scripts, wish: Wish, version: Callable[[Script], Version]) -> None:
        """Prepare; `version` returns a script of which the bytes are known as the ledger has it."""
        self._scripts = scripts
        self._wish = wish
        self._version = version
        self._state = ""
        self._now: dict[str, Script] = {}
        """What the server held before, by id."""
        self._gone: set[str] = set()
        """Ids that the server no longer has."""
        self._ids: dict[int, str] = {}
        """The id of each script that was created or changed, by key."""
        self._wrote: dict[int, str] = {}
        """The digest of what was sent, by key."""
        self._names: dict[str, str] = {}
        """The names that scripts have on the server, by id."""
        self._switched: dict[int, bool] = {}
        """Whether scripts are active by what the server answered, by key."""
        self._taken: set[int] = set()
        """Keys of scripts that were not written because another script has their names."""
        self._instead: dict[int, str] = {}
        """The names that scripts get instead of their own, for the time being, by key."""

    async def write(self, jobs: Sequence[Job]) -> list[Receipt]:
        """Carry out orders, each by itself. Raises what concerns the whole account."""
        await self._list({str(job.ref) for job in jobs if job.ref})
        receipts: dict[int, Receipt] = {}
        ready = [job for job in jobs if self._is_expected(job, receipts)]
        content = [job for job in ready if job.order.verb is not Verb.DELETE]
        nameless = await self._write_all(_included_first(content), receipts)
        self._scripts.wait_for_names = bool(nameless) or (self._scripts.wait_for_names and not content)
        await self._activate([job for job in content if job.order.key not in receipts], receipts)
        for job in nameless:
            receipts.setdefault(job.order.key, Stale(job.order.key, TAKEN))
        for job in ready:
            if job.order.verb is Verb.DELETE:
                await self._attempt(job, receipts, self._destroy)
        await self._conclude([job for job in content if job.order.key not in receipts], receipts)
        return list(receipts.values())

    async def _list(self, refs: set[str]) -> None:
        """List the scripts; those of some ids that the list lacks are asked for, as a list may be cut."""
        found = await self._scripts.all()
        rest, _ = await self._scripts.missing(refs - {one.id for one in found.items})
        scripts = [*found.items, *rest.items]
        self._state, self._now, self._gone = found.state, {one.id: one for one in scripts}, set(rest.not_found)
        self._names = {one.id: one.held for one in scripts}
        await self._scripts.read(scripts)

    async def _attempt(self, job: Job, receipts: dict[int, Receipt], act: Callable[[Job], Any]) -> None:
        try:
            await act(job)
        except _RefusedError as refused:
            receipts[job.order.key] = refused.receipt
        except MethodError as error:
            receipts[job.order.key] = failed_call(job, error)
        except RequestError as error:
            if error.limit != "maxSizeUpload":
                raise
            receipts[job.order.key] = Refused(job.order.key, str(error), Remedy.NEVER)

    def _is_expected(self, job: Job, receipts: dict[int, Receipt]) -> bool:
        """Return whether the server holds what an order expects; otherwise note its receipt."""
        order, key = job.order, job.order.key
        if order.verb is Verb.CREATE:
            return True
        script = self._now.get(str(job.ref))
        if str(job.ref) in self._gone:
            receipts[key] = Done(key) if order.verb is Verb.DELETE else Stale(key, "it was deleted on the server")
        elif script is None:
            receipts[key] = Stale(key, SILENT)
        elif script.id not in self._scripts.known or self._scripts.known[script.id].blob != script.blob_id:
            receipts[key] = Stale(key, "its content cannot be read on the server")
        elif order.expect is None or not self._is_held(script, order.expect, deletes=order.verb is Verb.DELETE):
            receipts[key] = Stale(key, "it was changed on the server since it was listed")
        return key not in receipts

    def _is_held(self, script: Script, expect: Version, *, deletes: bool) -> bool:
        """Return whether a script is as expected; one to be deleted may have given way to another one as the active script."""
        version = self._version(script)
        tags = version.tags | (expect.tags & {ACTIVE} if deletes else NO_TAGS)
        return (version.body, tags) == (expect.body, expect.tags)

    # content and names

    async def _write_all(self, jobs: Sequence[Job], receipts: dict[int, Receipt]) -> list[Job]:
        """Write scripts as their names become free; return those that could not get theirs, the rest of which was written."""
        waiting = list(jobs)
        while waiting:
            blocked = [job for job in waiting if await self._is_blocked(job, receipts)]
            if len(blocked) == len(waiting):
                wanted = {job.order.key: _name_of(job) for job in blocked}
                held = {job.order.key: self._names[str(job.ref)] for job in blocked if job.order.verb is not Verb.CREATE}
                aside = first_in_cycle(wanted, {key: name for key, name in held.items() if key not in self._instead})
                if aside is None:
                    break
                await self._write_instead(
                    next(job for job in blocked if job.order.key == aside), temporary_name(wanted[aside]), receipts
                )
            waiting = [job for job in blocked if job.order.key not in receipts]
        for job in waiting:
            if job.order.verb is Verb.CREATE:
                receipts[job.order.key] = Stale(job.order.key, TAKEN)
            else:
                await self._write_instead(job, self._names[str(job.ref)], receipts)
        return waiting

    async def _is_blocked(self, job: Job, receipts: dict[int, Receipt]) -> bool:
        """Write a script; return whether that has to wait until another one gives up its name."""
        await self._attempt(job, receipts, self._write)
        if is_blocked := job.order.key in self._taken:
            self._taken.remove(job.order.key)
            del receipts[job.order.key]
        return is_blocked

    async def _write_instead(self, job: Job, name: str, receipts: dict[int, Receipt]) -> None:
        """Write a script under another name than its own."""
        self._instead[job.order.key] = name
        await self._attempt(job, receipts, lambda one: self._write(one, name))
        self._taken.discard(job.order.key)

    def _reserve(self, job: Job, name: str, own: str) -> None:
        """Raise _RefusedError where another script has a name: not every server minds."""
        if any(one == name for ref, one in self._names.items() if ref != own):
            self._taken.add(job.order.key)
            raise _RefusedError(Stale(job.order.key, TAKEN))

    async def _write(self, job: Job, instead: str = "") -> None:
        """Create a script, give it another content, or another name; `instead` of the one that it is to have, if given."""
        order, key = job.order, job.order.key
        name = instead or _name_of(job)
        if not name:
            raise _RefusedError(Stale(key, "nothing says how it is called"))
        if order.verb is Verb.CREATE:
            self._check_name(job, name)
            data = self._checked(job, await self._local(job))
            await self._make(job, name, data)
            return
        script = self._now[str(job.ref)]
        self._ids[key] = script.id
        renames = name != self._names[script.id]
        if not renames and (order.verb is Verb.UPDATE or key in self._wrote):
            return
        if renames:
            self._check_name(job, name)
            self._reserve(job, name, script.id)
        data = await self._local(job) if order.verb is Verb.REPLACE else await self._scripts.content(script)
        data = self._checked(job, data)
        # With its content, as Cyrus 3.6 to 3.12 changes a name only then, and says otherwise that it did.
        blob = await self._validated(job, data)
        patch = {"blobId": blob} | ({"name": name} if renames else {})
        await self._set(job, {"update": {script.id: patch}}, "notUpdated", script.id)
        self._names[script.id] = name
        self._wrote[key] = digest_of(data)

    async def _make(self, job: Job, name: str, data: bytes) -> None:
        limit = self._scripts.limit("maxNumberScripts")
        if limit and len({*self._now, *self._ids.values()}) >= limit:
            raise _RefusedError(Stale(job.order.key, f"the server keeps at most {limit} scripts"))  # one may be deleted in this run
        self._reserve(job, name, "")
        blob = await self._validated(job, data)
        answer = await self._set(job, {"create": {"new": {"name": name, "blobId": blob}}}, "notCreated", "new")
        made = (answer.get("created") or {}).get("new")
        if not isinstance(made, dict) or not isinstance(made.get("id"), str):
            raise _RefusedError(Stale(job.order.key, "the server did not answer for it"))
        self._ids[job.order.key], self._names[made["id"]] = made["id"], name
        self._wrote[job.order.key] = digest_of(data)

    async def _local(self, job: Job) -> bytes:
        body = job.body
        if body is None or body.data is None:
            raise _RefusedError(Stale(job.order.key, body.why if body is not None and body.why else "its file was not read"))
        return body.data

    def _check_name(self, job: Job, name: str) -> None:
        """Raise _RefusedError for a name that the server cannot hold."""
        key, longest, size = job.order.key, self._scripts.limit("maxSizeScriptName"), len(name.encode())
        if _CONTROL.search(name):
            raise _RefusedError(Refused(key, "its name has a control character, which no script may have; rename it", Remedy.NEVER))
        if longest and size > longest:
            why = f"its name has {size} octets, and the server takes names of at most {longest}"
            if name != _name_of(job):
                why = (
                    f"to take over the name of another script, it needs one of {size} octets for a moment, "
                    f"and the server takes names of at most {longest}; give one of them a shorter name first"
                )
            raise _RefusedError(Refused(key, why, Remedy.NEVER))

    def _checked(self, job: Job, data: bytes) -> bytes:
        """Return the content of a script that is within the server's limit."""
        key, limit = job.order.key, self._scripts.limit("maxSizeScript")
        if limit and len(data) > limit:
            why = f"it has {len(data):,} octets, and the server takes scripts of at most {limit:,}"
            raise _RefusedError(Refused(key, why, Remedy.NEVER))
        return data

    async def _validated(self, job: Job, data: bytes) -> str:
        """Upload a script and return its blob id once the server says that it is valid, if it can be asked.

        A server without the method refuses to keep a script that is not valid (RFC 9661, 2.4).
        """
        kept = await upload(self._scripts.client, self._scripts.account.id, data, MEDIA_TYPE)
        try:
            why = await validate(self._scripts, kept.blob_id)
        except MethodError as error:
            if error.type != "unknownMethod":
                raise
            why = ""
        if why:
            raise _RefusedError(Refused(job.order.key, f"the server does not accept the script: {why}", Remedy.NEVER))
        return kept.blob_id

    async def _set(self, job: Job, what: dict[str, Any], errors: str, name: str) -> dict[str, Any]:
        """Call `SieveScript/set`. Raises _RefusedError where the object was refused, MethodError."""
        state = {"ifInState": self._state} if self._state else {}
        call = Call("SieveScript/set", {"accountId": self._scripts.account.id, **state, **what}, "set")
        answer = (await self._scripts.caller.call([call], repeatable="create" not in what)).get(call)
        if isinstance(answer.get("newState"), str):
            self._state = answer["newState"]
        error = set_errors(answer, errors).get(name)
        if error is not None and error.type == "alreadyExists":
            self._taken.add(job.order.key)
        if error is not None:
            raise _RefusedError(refusal_of(job, error))
        return answer

    # what is active

    async def _activate(self, jobs: Sequence[Job], receipts: dict[int, Receipt]) -> None:
        """Activate the script that is to be active here by now, or deactivate the one that is not to be."""
        now = next((one.id for one in self._now.values() if one.is_active), "")
        for job in jobs:
            order = job.order
            if ACTIVE in order.tags and ACTIVE not in (order.expect.tags if order.expect is not None else NO_TAGS):
                if self._wish.may_activate(order.key, now):
                    await self._attempt(job, receipts, self._activate_one)
                    if order.key not in receipts:
                        return
                elif order.verb is not Verb.CREATE:
                    receipts[order.key] = Stale(order.key, _OTHER)
        for job in jobs:
            if ACTIVE in job.order.removed_tags and job.order.key not in receipts:
                if self._wish.is_off():
                    await self._attempt(job, receipts, self._deactivate)
                    self._switched[job.order.key] = False
                else:
                    receipts[job.order.key] = self._stays(job.order.key)

    async def _activate_one(self, job: Job) -> None:
        await self._set(job, {"onSuccessActivateScript": self._ids[job.order.key]}, "notUpdated", self._ids[job.order.key])
        self._switched[job.order.key] = True

    async def _deactivate(self, job: Job) -> None:
        """Deactivate the active script, in the first way that the server knows."""
        for number, way in enumerate(_DEACTIVATIONS):
            try:
                await self._set(job, way, "notUpdated", str(job.ref))
            except MethodError as error:
                if error.type != "invalidArguments" or number + 1 == len(_DEACTIVATIONS):
                    raise
            else:
                return

    async def _destroy(self, job: Job) -> None:
        """Destroy a script; the active one, which the guard let pass, is deactivated first (RFC 9661, 2.4)."""
        key, ref = job.order.key, str(job.ref)
        if self._now[ref].is_active and not await self._is_inactive_by_now(ref):
            if self._wish.has_other(key):
                raise _RefusedError(self._stays(key))
            await self._deactivate(job)
        await self._set(job, {"destroy": [ref]}, "notDestroyed", ref)
        raise _RefusedError(Done(key))

    def _stays(self, key: int) -> Receipt:
        """Return the receipt of a script that stays active; where the one that is to be so waits for its name, for the moment."""
        return Stale(key, _KEPT) if self._scripts.wait_for_names else Refused(key, _KEPT, Remedy.LATER)

    async def _is_inactive_by_now(self, ref: str) -> bool:
        return not any(one.is_active for one in (await self._scripts.some([ref])).items)

    # what came of it

    async def _conclude(self, jobs: Sequence[Job], receipts: dict[int, Receipt]) -> None:
        """Read what the server holds now of what was written: only that is what both sides agree on."""
        if not jobs:
            return
        answer = await self._scripts.some(sorted({self._ids[job.order.key] for job in jobs}))
        found = {one.id: one for one in answer.items}
        failed = await self._scripts.read(found.values())
        for job in jobs:
            key, script = job.order.key, found.get(self._ids[job.order.key])
            if script is None or script.id in failed:
                receipts[key] = Stale(key, "the server does not give what was written")
                continue
            version, size = self._version(script), self._scripts.known[script.id].size
            wrote = self._wrote.get(key) or (job.order.expect.body if job.order.expect is not None else version.body)
            if answer.state != self._state and version.body != wrote:
                version = replace(version, body=wrote, sense=wrote)  # somebody edited it since: the next listing shows that
            made = job.order.verb is Verb.CREATE
            if answer.state == self._state and script.is_active is not self._switched.get(key, script.is_active):
                why = "activate it" if self._switched[key] else "deactivate it"
                receipts[key] = Refused(key, f"the server was asked to {why}, and did not", Remedy.LATER)
                continue
            if _gives_way(job):
                receipts[key] = Stale(key, _GAVE_WAY)  # or the disk would take the name that it waited for
                continue
            receipts[key] = Created(key, version, script.id, size) if made else Done(key, version)


def _name_of(job: Job) -> str:
    """Return the name that a script is to have on the server."""
    return name_for(job.order.tags, job.order.expect.tags if job.order.expect is not None else NO_TAGS, keeps=not _gives_way(job))


def _gives_way(job: Job) -> bool:
    """Return whether a script only waits for its name on the server, and was renamed here since: that name counts then."""
    return job.order.expect is not None and job.order.expect.untidy and len(names_in(job.order.tags)) > 1


def _included_first(jobs: Sequence[Job]) -> list[Job]:
    """Return jobs so that a script comes after those that it includes, as far as they do not include one another."""
    named = {name_for(job.order.tags): job for job in jobs}
    ordered: dict[int, Job] = {}
    waiting = [(job, False) for job in reversed(jobs)]
    met: set[int] = set()
    while waiting:
        job, done = waiting.pop()
        key = job.order.key
        if done:
            ordered[key] = job
        elif key not in met:
            met.add(key)
            waiting.append((job, True))
            data = job.body.data if job.body is not None else None
            waiting += [(named[name], False) for name in includes(data or b"") if name in named]
    return list(ordered.values())
