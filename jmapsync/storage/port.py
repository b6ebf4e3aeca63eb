"""Define what the engine may ask of a side, and what it gets back.

A side is asked to `observe` (what is there?), to `read` bodies, and to `write` orders. What it saw comes as observations; only a
*whole* listing, or the server's explicit list of destroyed ids, makes anything vanish. What it did comes as receipts, one an order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias
from urllib.parse import quote, unquote

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from jmapsync.errors import Remedy
from jmapsync.formats.message import digest_of
from jmapsync.formats.unconverted import convert, is_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from jmapsync.errors import LocalError
    from jmapsync.formats.codec import Codec
    from jmapsync.formats.message import Measure
    from jmapsync.formats.objects import Patch
    from jmapsync.formats.quota import Quota
    from jmapsync.ledger.record import Record
    from jmapsync.ledger.rows import FolderRow, Listed, Place
    from jmapsync.planner.model import Order, Version
    from jmapsync.storage.known import Known
    from jmapsync.storage.notmuch.observe import ShownTags, TagPage

LARGE = 4 << 20
"""Octets from which a body goes to a file of its own instead of through memory."""
_PIECE = 1 << 18
"""Octets of a file in memory at a time."""


class Seen(Struct, frozen=True):
    """One item as a side was seen to hold it."""

    ref: str
    """The server's id; for a local item, where its first copy lies (for people)."""
    version: Version
    size: int = 0
    """Octets on the wire."""
    stamp: int = 0
    """receivedAt, seconds since the epoch."""
    digest: str = ""
    """Of the wire's bytes, as far as known; of an object its uid."""
    key: int | None = None
    """The item it is known to be."""
    places: tuple[Place, ...] = ()
    """Where its copies lie, when it is a local item."""
    content: bytes = b""
    """The normal form of an object (`formats.codec`), or the file that stands for it (`formats.unconverted`)."""
    file: bytes = b""
    """The object's file beside its normal form, where the server's can stand on the disk as it is, and is not large."""
    outside: bool = False
    """Whether it lies in a container that is left out by the user's wish."""
    label: str = ""
    """What people know it by, where that shows in the listing."""
    adrift: str = ""
    """Why it is not known where on the server it lies, or not for all of its places; or nothing."""

    def converted(self) -> Seen:
        """Return it with its normal form, if its file stood for that. Raises MalformedError."""
        if not is_file(self.content):
            return self
        content, sense = convert(self.content)
        version = replace(self.version, body=sense, sense=sense)
        return replace(self, version=version, size=len(content), content=content, file=self.content)


DESCRIPTION = "description:"
"""What a tag of a container that is its description, without white space by %XX, begins with; one without is its colour."""
_LONGEST_DESCRIPTION = 4000
"""Octets."""


def described(text: str) -> str:
    """Return a description as both sides show it: lines without white space at its ends; nothing for one that is too long."""
    text = "\n".join(text.split("\r\n")).replace("\r", "\n").replace("\0", "").strip()
    text = text.encode("utf-8", "replace").decode("utf-8")
    return text if len(text.encode()) <= _LONGEST_DESCRIPTION else ""


def tags_of(color: str, description: str) -> frozenset[str]:
    """Return the tags of a container."""
    return frozenset([*([color] if color else []), *([DESCRIPTION + quote(description)] if description else [])])


def color_in(tags: Iterable[str]) -> str:
    """Return the colour among the tags of a container; of two that came of edits on both sides, the same one everywhere."""
    return min((tag for tag in tags if not tag.startswith(DESCRIPTION)), default="")


def description_in(tags: Iterable[str]) -> str:
    """Return the description among the tags of a container; of two, the same one everywhere."""
    return unquote(min((tag for tag in tags if tag.startswith(DESCRIPTION)), default=DESCRIPTION).removeprefix(DESCRIPTION))


class Folder(Struct, frozen=True):
    """One container as a side was seen to hold it."""

    ref: str
    """The server's id, or the path below the root."""
    name: str
    parent: str
    """The parent's ref, or nothing at the top."""
    role: str = ""
    key: int | None = None
    rights: frozenset[str] = frozenset()
    """On the server: the names in `myRights` that are true (RFC 8621, 2)."""
    marker: str = ""
    """On the disk: the server's id that the folder is marked with, if no other folder is."""
    color: str = ""
    """#RRGGBB, of an address book or calendar."""
    description: str = ""
    """Of an address book or calendar, as `described` writes it."""
    default: bool = False
    """On the server: whether it is the address book or calendar that new items go to (`isDefault`)."""
    shares: frozenset[str] | None = None
    """On the server: whom it is shared with and for what, in words; None where the server does not say."""
    bare: bool = False
    """On the disk: whether it is left out by the user's wish, and there only for what lies in it."""
    hidden: bool = False
    """On the server: whether the user is not subscribed to the address book or calendar, or other programs do not show it."""


class Trouble(Struct, frozen=True):
    """One thing that could not be observed, by name."""

    item: str
    why: str
    ref: str = ""
    """The server's id to ask for again by the next run, because no list of changes would name it once more."""


class FolderPage(Struct):
    """Containers of the server, as far as one request showed them."""

    folders: list[Folder] = []
    whole: bool = False
    """True when these are all there are, but for the `unread` ones."""
    gone: list[str] = []
    """Ids that the server says are destroyed."""
    unread: set[str] = set()
    """Ids of containers that are there and could not be read."""
    problems: list[Trouble] = []
    """What is wrong with containers: all of them are asked for again."""
    covered: bool = True
    """False where one of them may have been made after the state that the next cursor names."""


class ItemPage(Struct):
    """Items of the server, as far as one request showed them."""

    items: list[Seen] = []
    gone: list[str] = []
    """Ids that the server says are destroyed; unknown ones mean nothing."""
    others: list[str] = []
    """Ids of what turned out to be of another kind."""
    problems: list[Trouble] = []
    suspicious: str = ""
    """Why it must not be believed without a person that items are gone, or nothing."""
    refuted: str = ""
    """Words of what was suspicious in an earlier run and is not any more, or nothing."""
    cursor: str = ""
    """What to observe the changes from once this page is kept; nothing leaves it as it is."""


class ListingEnd(Struct):
    """The end of a listing of everything on the server."""

    gone: list[str] = []
    """Ids that the server was believed to have and says that it has not."""
    unlisted: str = ""
    """Why the listing may have missed something, so that it is done again; nothing when every item was listed."""
    suspicious: str = ""
    """Why it must not be believed without a person that items are gone, or nothing."""
    cursor: str = ""
    """What to observe the changes from once this is kept; nothing leaves it as it is."""


Observation: TypeAlias = FolderPage | ItemPage | ListingEnd
"""One page of what was observed of the server."""


class Learnt(Struct):
    """What a side learnt and wants to know in later runs; it means nothing to anybody else."""

    notes: dict[str, str] = {}
    """By name."""
    folders: list[FolderRow] = []
    """Where containers lie by now."""
    listed: list[Listed] = []
    """With which stamps folders were listed."""
    unlisted: list[str] = []
    """The folders of which no stamps are to be kept."""


class SameFolders(Struct, frozen=True):
    """The folders of the disk are as the ledger has them."""


class DiskFolders(Struct):
    """All folders of the disk."""

    folders: list[Folder] = []
    detached: dict[str, str] = {}
    """The paths of folders that are left alone, by the ids of the containers that they are marked with."""
    unwanted: list[str] = []
    """The paths of collections that somebody made here and that are left alone, because the patterns leave out their names."""
    learnt: Learnt = msgspec.field(default_factory=Learnt)


class DiskItems(Struct):
    """What one scan of the disk found to be otherwise than the ledger has it."""

    items: list[Seen] = []
    gone: list[int] = []
    """Keys of items of which no file is left."""
    moved: list[tuple[int, str]] = []
    """Places (folder, name) that are no longer there."""
    places: list[Place] = []
    """Places whose row changes although the version does not."""
    problems: list[Trouble] = []
    suspicious: str = ""
    """Why it must not be believed without a person that items are gone, or nothing."""
    refuted: str = ""
    """Words of what was suspicious in an earlier run and is not any more, or nothing."""
    undecided: set[int] = set()
    """Keys of items with a file that cannot be ingested as it is: neither side of them is written until it can be."""
    withheld: bool = False
    """True when folders changed during the scan, so that something that was seen could not be decided."""
    more: bool = False
    """True when there is more than one scan reads: once this is kept, the next scan finds the rest."""
    learnt: Learnt = msgspec.field(default_factory=Learnt)


class Done(Struct, frozen=True):
    """An order was carried out, and gave the item neither an id nor files."""

    key: int
    version: Version | None = None
    """What the side holds after the write, others' changes included; None when the item is no longer there."""
    content: bytes = b""
    """The normal form of an object as the server holds it after the write, if it has changed."""


class Filed(Struct, frozen=True):
    """An order on an item was carried out on the disk."""

    key: int
    version: Version | None
    """What the disk holds after the write; None when the item is no longer there."""
    places: tuple[Place, ...]
    """Where its files lie."""
    moved: tuple[tuple[int, str], ...]
    """Where (folder, name) no file of it lies any more."""
    digest: str = ""
    """Of what was written: of the wire's bytes, of an object its uid; nothing where no body was."""
    content: bytes = b""
    """The normal form of an object as the files hold it, if one was written."""


class Placed(Struct, frozen=True):
    """An order on a container was carried out on the disk."""

    key: int
    version: Version | None
    """What the disk holds after the write; None when the container is no longer there."""
    folders: tuple[FolderRow, ...] = ()
    """Where containers lie by now: it, and those that moved with it."""


class Created(Struct, frozen=True):
    """An object or a container was made on the server."""

    key: int
    version: Version | None
    """What the server holds after the write."""
    ref: str
    """The server's id."""
    size: int = 0
    content: bytes = b""
    """The normal form of an object as the server holds it."""


class Imported(Struct, frozen=True):
    """A message was imported, as a new email."""

    key: int
    version: Version
    """What the server was read to hold."""
    ref: str
    """The server's id."""
    size: int
    stamp: int
    """receivedAt, seconds since the epoch."""
    digest: str = ""
    """Of its bytes, where the server is known to keep these very ones."""
    lost: str = ""
    """What the server did not keep of it, or nothing."""
    retired: str = ""
    """The id of the email that it replaces, where that may still be there: moved elsewhere, or where it was."""
    left: str = ""
    """The id of the email that it replaces, where that stays by the user's wish."""


class Bound(Struct, frozen=True):
    """Nothing was written: the server has an email of this very content already, and the two are one (RFC 8621, 4.8)."""

    key: int
    version: Version
    ref: str
    """The server's id of that email."""
    size: int
    stamp: int
    """receivedAt, seconds since the epoch."""


class Kept(Struct, frozen=True):
    """Nothing was written: the item stays on the server by the user's wish and is no longer mirrored."""

    key: int


class Stale(Struct, frozen=True):
    """Nothing was written, or it is not known what was: the side is not in the state that was expected. It is observed again."""

    key: int
    why: str


class Refused(Struct, frozen=True):
    """The side did not carry an order out."""

    key: int
    why: str
    remedy: Remedy = Remedy.NEVER
    version: Version | None = None
    """What the side holds, where it accepted the order and was read after that."""


Success: TypeAlias = Done | Filed | Placed | Created | Imported
"""How an order ended that was carried out."""
Receipt: TypeAlias = Success | Bound | Kept | Stale | Refused
"""How an order ended."""


class Body(Struct):
    """The wire's bytes of one item, in memory or in a file of their own."""

    ref: str
    data: bytes | None = None
    path: Path | None = None
    why: str = ""
    """Why there are none."""
    remedy: Remedy = Remedy.LATER
    whole: bool = True
    """False when the number of octets is not the one that the server gave, although it sent the same bytes in two ways."""
    vanished: bool = False
    """True when the side no longer has the item."""
    file: bytes = b""
    """Of an object, the very file that reads as `data`, where there is one that can stand on the disk as it is."""
    sense: str = ""
    """The digest of what `file` means, or that of `file` itself where `data` is that file, unconverted."""

    @property
    def size(self) -> int:
        """Return the number of octets."""
        if self.path is not None:
            return self.path.stat().st_size
        return len(self.data or b"")

    @property
    def digest(self) -> str:
        """Return the SHA-256 as `digest_of` writes it; a file is read in pieces. Raises OSError."""
        if self.path is None:
            return digest_of(self.data or b"")
        with self.path.open("rb") as file:
            return digest_of(iter(lambda: file.read(_PIECE), b""))


class Job(Struct, frozen=True):
    """One order with all that is needed to carry it out."""

    order: Order
    ref: str | None
    stamp: int
    body: Body | None = None
    places: Sequence[Place] = ()
    superseded: bool = False
    """True when an edited successor of the item is on the side already: what goes is an old version."""
    patch: Patch | None = None
    """What is to change in an object; None for one that is new, or for a message."""
    held: bytes = b""
    """The normal form that the side is known to hold of an object."""
    same_as: str = ""
    """The server's name for this very content of a message, where `ref` may be an email that still holds it."""


class Written(Struct):
    """What came of a batch of orders on the disk."""

    receipts: list[Receipt]
    """In the order of the jobs."""
    folders: list[FolderRow] = []
    """Folders that have another keyword table by now."""


class Local(Protocol):
    """The disk side of one kind. `known` is always what the ledger has; a side writes nothing there."""

    def open(self, known: Known, account: str) -> Learnt:
        """Check that the root is this mirror's, or make it so. Raises RootError, LocalError."""

    def observe_folders(self, known: Known) -> DiskFolders | SameFolders:
        """Return every folder. Raises LocalError."""

    def observe_items(
        self, known: Known, folders: Collection[str] | None = None, examined: Collection[str] | None = None
    ) -> DiskItems:
        """Return the items that changed since they were last observed. Raises LocalError.

        `folders` names those in which alone anything may have changed, by path. In folders that are not `examined` (None
        for all) the files may count as they were while their directories are: an edit in place shows in no directory.
        """

    def read(self, key: int, places: Sequence[Place]) -> Body:
        """Return the wire's bytes of an item."""

    def adopt_folder(self, key: int, path: str, ref: str) -> FolderRow:
        """Make a folder of the disk the one of a container; `ref` is the server's id as soon as it is known."""

    def write(self, jobs: Sequence[Job], known: Known) -> Written:
        """Carry out orders on items. Raises nothing for a single item."""

    def write_folder(self, job: Job, role: str, known: Known) -> Receipt:
        """Carry out one order on a container."""

    def make_folders(self, jobs: Sequence[tuple[Job, str]], known: Known) -> list[Receipt]:
        """Carry out orders that each make one container, given with its role, and make them durable together.

        Receipts come in the order of the jobs. A container comes after the one that it lies in.
        """

    def failure(self) -> LocalError | None:
        """Return why the last write had to stop, when the whole disk is to blame."""


class MailLocal(Local, Protocol):
    """The disk side of mail, whose files hold the wire's bytes."""

    def measure(self, place: Place, algorithm: str = "sha256") -> Measure | None:
        """Return the digests of one file, by hashlib's name of an algorithm; None when it cannot be read."""

    def measure_bare(self, place: Place, algorithm: str = "sha256") -> Measure | None:
        """Return the digests of one file without the line that mbsync added; None when it has none or cannot be read."""

    def head(self, place: Place) -> bytes:
        """Return the first octets of one file of a message; nothing when it cannot be read."""

    def key_in(self, place: Place) -> int:
        """Return the key of the item that a file was made for, as far as its name shows; 0 for others' files. A hint only."""


class TagIndex(Protocol):
    """A database beside the disk side in which keywords and containers of items are tags."""

    def observe(self, known: Known, archive: int | None) -> Iterator[TagPage]:
        """Yield what somebody changed there since it was last read. Raises TagsError.

        `archive` is the container for items that are taken out of their last one, if there is one.
        """

    def are_all_due(self, known: Known) -> bool:
        """Return whether the tags of all messages are to be compared with what the items hold, as other tags stand for it now."""

    def show(self, known: Known) -> Iterator[ShownTags]:
        """Write there what changed here since, and yield what was written once it is durable. Raises TagsError."""


class Context(Protocol):
    """What the engine knows of the server's containers. A side only reads it; it follows what was ingested."""

    @property
    def keys(self) -> Mapping[str, int]:
        """Return the ledger's key of each container by the server's id."""

    @property
    def roles(self) -> Mapping[str, str]:
        """Return the server's id of a container by its role."""

    @property
    def outside(self) -> AbstractSet[str]:
        """Return the server's ids of the containers that are left out by the user's wish."""

    @property
    def returned(self) -> AbstractSet[str]:
        """Return the server's ids of the containers that came in during this run although they were left out before."""

    @property
    def has_unread(self) -> bool:
        """Return whether an earlier run met containers that could not be read, so that all are asked for again."""


class Traits(Struct, frozen=True):
    """What a server side declares of itself."""

    is_read_only: bool = False
    """Whether the server takes no writes at all."""
    most_homes: int = 0
    """The most containers that the server has one item in; 0: any number."""
    policy: str = ""
    """What of the configuration decides how orders are carried out: a refusal under another one is worth another try."""
    is_shared: bool = False
    """Whether the account is another user's or a group's, who may withdraw any of its containers."""


class Remote(Protocol):
    """The server side of one kind."""

    @property
    def traits(self) -> Traits:
        """Return what the side declares of itself, by what it last read of the server."""

    def open(self, context: Context) -> None:
        """Begin a run: from now on the containers are those of the context."""

    def observe(
        self, cursor: str, known: Callable[[], set[str]], again: Sequence[str] = (), *, whole: bool = False
    ) -> AsyncIterator[Observation]:
        """Yield what changed since a cursor; everything there is when `whole`, or when the cursor is empty or cannot be used.

        `known` returns the ids that the ledger believes to be there; `again` are those that an earlier run got no answer for.
        """

    async def read(self, wanted: Sequence[Record]) -> dict[int, Body]:
        """Return the wire's bytes of items, by key."""

    async def write(self, jobs: Sequence[Job]) -> list[Receipt]:
        """Carry out orders on items; receipts come in any order."""

    async def quotas(self) -> Sequence[Quota] | None:
        """Return the quotas of the account; None where the server states none."""

    async def finish(self) -> None:
        """Complete what an interrupted run was seen to have left half done; called in runs that may write.

        That is before an observation is recorded, as a run that dies after it sees the same no more, and at the end.
        """

    async def write_folder(self, job: Job) -> Receipt:
        """Carry out one order on a container."""

    async def rename_folders(self, jobs: Sequence[Job]) -> list[Receipt]:
        """Rename containers at once, some of which may have the names that others are to get; receipts come in their order."""


class MailRemote(Remote, Protocol):
    """The server side of mail."""

    async def digests(self, wanted: Sequence[Record]) -> dict[int, str]:
        """Return the content digests of items as the server computes them, by key; those it cannot compute are left out."""

    async def names(self, refs: Sequence[str]) -> dict[str, str]:
        """Return what people know items by, such as a subject and a sender, by the server's ids."""


class ObjectRemote(Remote, Protocol):
    """The server side of a kind whose bodies are objects."""

    async def mails(self, order: Order, before: bytes | None, after: bytes | None) -> bool:
        """Return whether the server would mail others about an order; the normal forms are of before and after, None is no item."""


class MailPair(Struct, frozen=True):
    """Both sides of mail, or of another kind whose bodies are bytes."""

    local: MailLocal
    remote: MailRemote
    by_content: bool = True
    """Whether items that only one side is known to hold are matched by their bytes; else each side knows them by their names."""


class ObjectPair(Struct, frozen=True):
    """Both sides of a kind whose bodies are objects."""

    local: Local
    remote: ObjectRemote
    codec: Codec
    """Knows these bodies."""


async def resumed(first: Observation | None, rest: AsyncIterator[Observation]) -> AsyncIterator[Observation]:
    """Yield an observation that was taken from an iterator ahead, and what follows it."""
    if first is not None:
        yield first
    async for page in rest:
        yield page
