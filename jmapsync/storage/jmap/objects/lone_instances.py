"""Write recurrences that have no master event: they are one item here, and an object each on the server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from jmapsync.errors import OutcomeUnknownError, Remedy
from jmapsync.formats.objects import INSTANCES, MalformedError, instances
from jmapsync.formats.patch import apply
from jmapsync.formats.pointer import escape, split
from jmapsync.jmap.failures import MethodError, RequestError, SetError, set_errors
from jmapsync.jmap.wire import Call
from jmapsync.planner.model import Verb
from jmapsync.storage.jmap.objects.changes import siblings
from jmapsync.storage.jmap.objects.forms import fitted_patch, with_own_alerts
from jmapsync.storage.jmap.objects.instances import instances_of, is_instances
from jmapsync.storage.jmap.objects.sending import Sent, UnsentError
from jmapsync.storage.jmap.set import concerns_one, failed_call, refusal, too_much
from jmapsync.storage.port import Done, Job, Receipt, Stale

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from jmapsync.formats.objects import Object, Patch
    from jmapsync.storage.jmap.objects.answer import Found
    from jmapsync.storage.jmap.objects.get import Reader
    from jmapsync.storage.jmap.objects.mailing import Mailing
    from jmapsync.storage.jmap.objects.sending import Sender

    Respect = Callable[[Job, Patch, Object, Object], Awaitable[None]]

TRIES = 3
"""Times an item is read and written anew when something else on the server changes during that."""
_UTC = "Etc/UTC"
_PROPERTY = f'"{INSTANCES}":'.encode()
_LOST = (
    "the server does not keep which occurrence of a series it is, and made an event of its own of it, which was taken back there;"
    " the file stays as it is. Ask for the whole series, or give it a UID of its own and no RECURRENCE-ID"
)
_DOUBLED = (
    "the server would keep the old version of the occurrence beside the new one, because its RECURRENCE-ID is {}, so this was not"
    " sent; the file stays as it is. {} or change it where it came from"
)


def holds_instances(job: Job) -> bool:
    """Return whether a job is about instances of a series without it."""
    if job.order.verb is Verb.CREATE:
        return job.body is not None and _PROPERTY in (job.body.data or b"")
    return is_instances(job.ref)


class _OtherwiseError(Exception):
    """What was sent was for another state, or another dialect, than the server turned out to have."""


class _Acts(Struct):
    """What is to happen to the objects of one item."""

    state: str = ""
    create: dict[str, Sent] = {}
    update: dict[str, Sent] = {}
    destroy: dict[str, bool] = {}
    """By id, whether participants may be mailed."""
    given: dict[str, Object] = {}
    """As the server writes the objects, by id."""

    def divided(self) -> Iterator[_Acts]:
        """Yield what goes into each /set: nothing is destroyed before the rest is done, and what mails nobody comes first."""
        for invites in (False, True):
            create = {name: sent for name, sent in self.create.items() if sent.invites is invites}
            update = {id_: sent for id_, sent in self.update.items() if sent.invites is invites and sent.body}
            if create or update:
                yield _Acts(create=create, update=update, given=self.given)
        for invites in (False, True):
            if doomed := {id_: mailed for id_, mailed in self.destroy.items() if mailed is invites}:
                yield _Acts(destroy=doomed)

    def call_of(self, sender: Sender) -> Call:
        """Return the /set that does it, where it is not to be divided."""
        every: dict[str, Any] = {
            "create": {name: sent.body for name, sent in self.create.items()},
            "update": {id_: sent.body for id_, sent in self.update.items()},
            "destroy": list(self.destroy),
        }
        mailed = [*self.destroy.values(), *(sent.invites for sent in (*self.create.values(), *self.update.values()))]
        return sender.set(self.state, **{name: value for name, value in every.items() if value}, invites=any(mailed))


class InstanceSetter:
    """Changes the instances of one uid."""

    def __init__(self, reader: Reader, sender: Sender, mailing: Mailing, respect: Respect) -> None:
        """Prepare; `respect` raises UnsentError for an edit that is not the user's to make."""
        self._reader = reader
        self._sender = sender
        self._mailing = mailing
        self._respect = respect

    async def write(self, jobs: Sequence[Job]) -> list[Receipt]:
        """Carry out orders, one after the other: such items are few."""
        return [await self._write(job) for job in jobs]

    async def _write(self, job: Job) -> Receipt:
        for _ in range(TRIES):
            try:
                acts = await (self._new(job) if job.order.verb is Verb.CREATE else self._acts(job))
                return await self._send(job, acts)
            except UnsentError as unsent:
                return unsent.receipt
            except _OtherwiseError:
                continue
        return Stale(job.order.key, "the server changes all the time")

    async def _new(self, job: Job) -> _Acts:
        """Return what makes a new item. Raises UnsentError."""
        item = _item(job)
        uid = str(item.get("uid") or "")
        if uid in await siblings(self._reader, [uid]):
            raise UnsentError.refused(job, f"the server has something else under its uid {uid}", Remedy.LATER)
        acts = _Acts()
        for number, part in enumerate(instances(item).values()):
            body = await self._sender.item(job, part)
            acts.create[f"k{job.order.key}-{number}"] = Sent(job, body, invites=await self._mailing.is_due_new(job.order, part))
        return acts

    async def _acts(self, job: Job) -> _Acts:
        """Return what an order on an item comes to. Raises UnsentError where that is nothing."""
        ref, order = str(job.ref), job.order
        found, form = await self._read(job)
        acts = _Acts(found.state, given=await self._given(found, ref))
        if order.verb is Verb.DELETE:
            await self._remove(job, acts, found, instances(form))
            return acts
        if order.verb is Verb.REPLACE and job.patch is None:
            raise UnsentError.stale(job, "its file could not be read")
        ids = {str(part.get("recurrenceId")): id_ for id_, part in found.parts[ref].items()}
        await self._edit(job, acts, instances(form), ids)
        if order.added_homes or order.removed_homes:
            whole = self._reader.dialect.whole_members
            for id_ in set(ids.values()) - set(acts.destroy):
                held = self._reader.boxes(found.parts[ref][id_])
                members = self._sender.members(job, held) if whole else self._sender.member_paths(job)
                acts.update.setdefault(id_, Sent(job, {})).body.update(members)
        return acts

    async def _read(self, job: Job) -> tuple[Found, Object]:
        """Return an item as the server holds it, and its normal form. Raises UnsentError where it is not what was expected."""
        found = await self._reader.fetch([str(job.ref)])
        form = self._sender.form(job, found)
        try:
            version = self._reader.one(str(job.ref), found).version
        except MalformedError as error:
            why = f"what the server holds of it cannot be converted: {error}"
            raise UnsentError.refused(job, why, Remedy.LATER) from error
        self._sender.check_body(job, version)
        self._sender.check_homes(job, version.homes, *([] if job.order.verb is Verb.DELETE else [job.order.homes]))
        return found, form

    async def _given(self, found: Found, ref: str) -> dict[str, Object]:
        """Return the objects of an item as the server writes them, by id."""
        reader, ids = self._reader, list(found.parts[ref])
        if not reader.dialect.raw:
            return found.parts[ref]
        call = Call(f"{reader.dialect.type}/get", {"accountId": reader.account, "ids": ids}, "given")
        answer = (await reader.call([call])).get(call)
        if str(answer.get("state") or "") != found.state:
            raise _OtherwiseError
        return {str(one["id"]): one for one in answer.get("list") or () if isinstance(one, dict) and "id" in one}

    async def _remove(self, job: Job, acts: _Acts, found: Found, forms: dict[str, Object]) -> None:
        """Destroy all objects of an item; those in a container that nobody mirrors only leave the others."""
        for id_, part in found.parts[str(job.ref)].items():
            paths = self._sender.leaving(self._reader.boxes(part))
            if paths is None:
                before = forms.get(str(part.get("recurrenceId")))
                acts.destroy[id_] = await self._mailing.is_due(job.order.key, before, None)
            else:
                acts.update[id_] = Sent(job, paths)

    async def _edit(self, job: Job, acts: _Acts, forms: dict[str, Object], ids: dict[str, str]) -> None:
        """Assign the parts of an edit to objects. Raises UnsentError."""
        held = instances(json.loads(job.held or b"{}"))
        inner: dict[str, Patch] = {}
        for path, value in (job.patch or {}).items():
            name, *rest = split(path)
            if name != INSTANCES or not rest:
                raise UnsentError.refused(job, "its file holds the series itself now, and the server holds instances of it")
            key = rest[0]
            if len(rest) > 1:
                inner.setdefault(key, {})["/".join(map(escape, rest[1:]))] = value
            elif value is not None:
                self._check_form(job, value)
                invites = await self._mailing.is_due(job.order.key, None, value)
                body = await self._sender.item(job, value)
                acts.create[f"k{job.order.key}-{len(acts.create)}"] = Sent(job, body, invites=invites)
            elif key in ids:
                acts.destroy[ids[key]] = await self._mailing.is_due(job.order.key, forms.get(key), None)
        for key, patch in inner.items():
            given = acts.given.get(ids.get(key, ""))
            if key not in forms or given is None:
                raise UnsentError.stale(job, f"the server does not have its instance of {key}")
            self._check_form(job, forms[key])
            fitted = fitted_patch(patch, held.get(key, {}), forms[key])
            await self._respect(job, fitted, forms[key], given)
            body = with_own_alerts(await self._sender.patch(job, fitted, forms[key], given), given)
            invites = await self._mailing.is_due(job.order.key, forms[key], apply(forms[key], fitted))
            acts.update[ids[key]] = Sent(job, body, invites=invites)

    def _check_form(self, job: Job, part: Object) -> None:
        """Raise UnsentError for an instance that the server would double: Cyrus 3.12 finds none by a DATE or a UTC time."""
        if not self._reader.dialect.raw:
            return
        if part.get("showWithoutTime") is True:
            raise UnsentError.refused(job, _DOUBLED.format("a date", "Ask for the whole series,"))
        if part.get("recurrenceIdTimeZone") == _UTC:
            raise UnsentError.refused(job, _DOUBLED.format("in UTC", "Write it with a time zone,"))

    async def _check_made(self, job: Job, made: dict[str, str], found: Found, ref: str) -> None:
        """Take back what a server made of instances where it lost which ones they are. Raises UnsentError then.

        Cyrus 3.12 does so where RECURRENCE-ID is a DATE; what it keeps cannot be distinguished from somebody else's edit.
        """
        if ref in found.items and len(found.parts.get(ref, ())) >= len(instances(_item(job))):
            return
        if ref not in found.items and ref not in found.lost:
            return  # it did not answer
        await self._reader.call([self._sender.set(destroy=sorted(made.values()))])
        raise UnsentError.refused(job, _LOST)

    async def _send(self, job: Job, acts: _Acts) -> Receipt:
        """Write the objects and return a receipt by what the server holds then. Raises _OtherwiseError."""
        made: dict[str, str] = {}
        state = acts.state
        parts = list(acts.divided())
        for number, part in enumerate(parts):
            part.state = state
            answer = await self._set(job, part)
            errors = set_errors(answer, "notCreated") | set_errors(answer, "notUpdated")
            errors |= {id_: each for id_, each in set_errors(answer, "notDestroyed").items() if each.type != "notFound"}
            some = {name: str(one["id"]) for name, one in (answer.get("created") or {}).items() if name in part.create}
            made |= some
            if errors:
                return await self._once_more(job, part, errors, made, parts[number + 1 :])
            if len(some) < len(part.create):
                raise UnsentError.stale(job, "the server did not answer for all of it")
            state = str(answer.get("newState") or "")
        if job.order.verb is Verb.DELETE:
            return Done(job.order.key)
        ref = job.ref or instances_of(str(_item(job).get("uid")))
        found = await self._reader.fetch([ref])
        if job.order.verb is Verb.CREATE:
            await self._check_made(job, made, found, ref)
        return self._sender.receipt(Sent(job, {}), ref, found)

    async def _set(self, job: Job, acts: _Acts) -> dict[str, Any]:
        """Return what /set answers. Raises UnsentError where it does nothing, _OtherwiseError where the state is another one."""
        call = acts.call_of(self._sender)
        try:
            # What is made must not be asked for twice; a change is read before it is sent again.
            return (await self._reader.call([call], repeatable=not acts.create)).get(call)
        except OutcomeUnknownError as error:
            raise UnsentError.stale(job, error.message) from error
        except MethodError as error:
            if error.type == "stateMismatch":
                raise _OtherwiseError from error
            raise UnsentError(failed_call(job, error)) from error
        except RequestError as error:
            if not concerns_one(error):
                raise
            raise UnsentError(too_much(job, error)) from error

    async def _once_more(
        self, job: Job, acts: _Acts, errors: dict[str, SetError], made: dict[str, str], rest: Sequence[_Acts]
    ) -> Receipt:
        """Send what was refused as the server takes it, and the `rest`, or return that it does not; what it made is destroyed."""
        sent = {name: acts.create.get(name) or acts.update.get(name) for name in errors}
        otherwise = [one for name, one in sent.items() if one is not None and self._sender.turns_out_otherwise(one, errors[name])]
        again = _Acts(given=acts.given)
        if not otherwise:
            for name, one in sent.items():
                narrower = self._sender.narrower(one, errors[name], acts.given.get(name, {})) if one is not None else None
                if narrower is not None:
                    (again.create if name in acts.create else again.update)[name] = narrower
        if len(again.create) + len(again.update) == len(errors):
            for part in rest:
                again.create |= part.create
                again.update |= part.update
                again.destroy |= part.destroy
            return await self._send(job, again)
        if made and job.order.verb is Verb.CREATE:
            await self._reader.call([self._sender.set(destroy=sorted(made.values()))])
        if otherwise:
            raise _OtherwiseError
        return refusal(job, next(iter(errors.values())))


def _item(job: Job) -> Object:
    """Return the normal form that a job has the content of."""
    item: Object = json.loads((job.body.data if job.body is not None else None) or b"{}")
    return item
