"""Offer the Sieve scripts of one account of a JMAP server as a remote side (RFC 9661; Cyrus' capability of its own before it)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from jmapsync.errors import JmapsyncError, Remedy, Scope
from jmapsync.formats.scripts import HOME, key_of, tags_of
from jmapsync.jmap.blobs import BlobNotFoundError
from jmapsync.jmap.hosts import Origin
from jmapsync.planner.model import Version
from jmapsync.storage.jmap.caller import with_rights
from jmapsync.storage.jmap.scripts.listing import Bytes, Script, Scripts
from jmapsync.storage.jmap.scripts.set import ScriptSetter
from jmapsync.storage.jmap.set import read_only
from jmapsync.storage.port import Body, Folder, FolderPage, ItemPage, Refused, Seen, Traits, Trouble

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Sequence

    from jmapsync.formats.quota import Quota
    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account
    from jmapsync.ledger.record import Record
    from jmapsync.storage.jmap.scripts.set import Wish
    from jmapsync.storage.port import Context, Job, Observation, Receipt

FEW = 3
"""Scripts a server may lose to the last one at once without a question."""

NO_OTHER = "disappeared on the server, and no other one is active"


class Cursor(msgspec.Struct, frozen=True):
    """What is known of the scripts of a server from the last listing."""

    server: str
    active: str = ""
    """The id of the active script."""
    scripts: dict[str, Bytes] = {}


class ScriptSide:
    """The remote side of Sieve scripts; see `storage.port.MailRemote`."""

    def __init__(self, client: Client, account: Account, wish: Wish) -> None:
        """Prepare; `wish` is what the disk wants to be active."""
        self.traits = Traits(account.is_read_only)
        self._client = client
        self._account = account
        self._scripts = Scripts(client, account)
        self._wish = wish
        self._context: Context | None = None
        self._read_whole: set[str] = set()
        """Ids of the scripts whose bytes were all read in this run."""

    def open(self, context: Context) -> None:
        """Begin a run."""
        self._context = context

    async def observe(
        self,
        cursor: str,
        known: Callable[[], set[str]],
        again: Sequence[str] = (),
        *,
        whole: bool = False,
    ) -> AsyncIterator[Observation]:
        """Yield all scripts; the bytes are read of those whose blobs are new, and of all when `whole`.

        Raises AccountGoneError when the server no longer has the account.
        """
        found = await self._scripts.all()
        server = Origin.of((await self._client.session()).url).url
        before = _decoded(cursor, server)
        if not whole:
            self._scripts.known = before.scripts | self._scripts.known
        yield FolderPage([Folder(HOME, HOME, "")], whole=True)
        listed = {one.id for one in found.items}
        here = known()
        rest, silent = await self._scripts.missing(here.union(again) - listed - found.malformed.keys())
        scripts = [*found.items, *rest.items]
        failed = {**found.malformed, **silent, **await self._scripts.read(scripts, anew=whole)}
        page = ItemPage(
            [self._seen(one) for one in scripts if one.id not in failed],
            gone=rest.not_found,
            problems=[Trouble(f"script {_label(scripts, ref)}", why, ref) for ref, why in sorted(failed.items())],
        )
        if self._scripts.doubt:
            page.problems.append(Trouble("scripts", f"{self._scripts.doubt}; some may be missing here"))
        active = next((one.id for one in scripts if one.is_active), "")
        self._wish.note_active(active)
        page.refuted = NO_OTHER if active else ""
        page.suspicious = _doubt(before, here.intersection(page.gone), active, left=len(scripts) + len(failed), known=len(here))
        self._read_whole = {one.id for one in scripts if one.id not in failed} if whole else set()
        ids = {one.id for one in scripts}
        kept = {ref: one for ref, one in self._scripts.known.items() if ref in ids}
        page.cursor = msgspec.json.encode(Cursor(server, active, kept)).decode()
        yield page
        self.traits = await with_rights(self._client, self._account, self.traits)

    def _seen(self, script: Script) -> Seen:
        known = self._scripts.known[script.id]
        label = f"script {script.label}"
        return Seen(script.id, self._version(script), known.size, 0, key_of(script.label), label=label)

    def _version(self, script: Script) -> Version:
        digest = self._scripts.known[script.id].digest
        assert self._context is not None  # noqa: S101 - a run was begun
        home = self._context.keys[HOME]
        tags = tags_of(script.label, active=script.is_active)
        return Version(digest, digest, tags, frozenset({home}), untidy=script.is_renaming)

    async def read(self, wanted: Sequence[Record]) -> dict[int, Body]:
        """Return the bytes of scripts by key; one that is another by now is to be observed again."""
        refs = {str(record.ref): record for record in wanted}
        found = {one.id: one for one in (await self._scripts.some(sorted(refs))).items}
        return {record.key: await self._body(record, found.get(ref)) for ref, record in refs.items()}

    async def _body(self, record: Record, script: Script | None) -> Body:
        name = str(record.key)
        if script is None:
            return Body(name, why="it was deleted on the server since it was listed", vanished=True)
        try:
            data = await self._scripts.content(script)
        except BlobNotFoundError as error:
            return Body(name, why=str(error), vanished=True)
        except JmapsyncError as error:
            if error.scope is Scope.ACCOUNT:
                raise
            return Body(name, why=str(error), remedy=error.remedy)
        if record.remote is not None and self._scripts.known[script.id].digest != record.remote.body:
            return Body(name, why="it is another now than the one that was listed", vanished=True)
        return Body(name, data)

    async def write(self, jobs: Sequence[Job]) -> list[Receipt]:
        """Create, change, activate and remove scripts."""
        if self.traits.is_read_only:
            return [read_only(job) for job in jobs]
        return await ScriptSetter(self._scripts, self._wish, self._version).write(jobs)

    async def digests(self, wanted: Sequence[Record]) -> dict[int, str]:
        """Return the digests of scripts by key whose bytes were all read in this run."""
        return {one.key: one.remote.body for one in wanted if one.remote is not None and one.ref in self._read_whole}

    async def names(self, refs: Sequence[str]) -> dict[str, str]:  # noqa: ARG002  # their names are known from the listing
        """Return nothing."""
        return {}

    async def quotas(self) -> Sequence[Quota] | None:
        """Return None: the number and the size of scripts are limits of the capability (RFC 9661, 1.3.1)."""
        return None

    async def finish(self) -> None:
        """Do nothing: what an interrupted run left is a script like any other."""

    async def write_folder(self, job: Job) -> Receipt:
        """Refuse: scripts have one container, which is always there."""
        return Refused(job.order.key, "scripts have no folders", Remedy.NEVER)

    async def rename_folders(self, jobs: Sequence[Job]) -> list[Receipt]:
        """Refuse."""
        return [await self.write_folder(job) for job in jobs]


def _decoded(cursor: str, server: str) -> Cursor:
    """Return what is known of this server; nothing of another one."""
    try:
        found = msgspec.json.decode(cursor or "{}", type=Cursor)
    except msgspec.DecodeError:
        return Cursor(server)
    return found if found.server == server else Cursor(server)


def _label(scripts: Sequence[Script], ref: str) -> str:
    return next((one.label for one in scripts if one.id == ref), ref)


def _doubt(before: Cursor, gone: Collection[str], active: str, *, left: int, known: int) -> str:
    """Return why a loss must not be believed without a person: following it would switch mail filtering off here."""
    if gone and not left and known > FEW:
        return "every script disappeared on the server at once"
    return f"the active script {NO_OTHER}" if before.active in gone and not active else ""
