"""Drive each side by the same few acts, for what all of them have to do (`tests.storage.test_contract`)."""

from __future__ import annotations

import asyncio
import itertools
import json
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from jmapsync.demo import DemoServer
from jmapsync.jmap.auth import BasicCredential
from jmapsync.jmap.client import Client
from jmapsync.ledger import Record
from jmapsync.planner.model import NO_TAGS, NOTHING, Order, Side, Verb, Version
from jmapsync.storage.jmap.mail.side import MailSide
from jmapsync.storage.port import Body, FolderPage, Imported, ItemPage, Job, ListingEnd, Success
from jmapsync.sync.context import ContainerContext
from tests.kit.maildir_driver import MaildirDriver
from tests.kit.object_side_driver import ObjectSideDriver
from tests.kit.vdir_driver import VdirDriver, item
from tests.storage.jmap.objects.things import added, thing, title_of

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from jmapsync.storage.port import Observation, Receipt

T = TypeVar("T")


class News(NamedTuple):
    """What one observation reported."""

    items: set[Any]
    gone: set[Any]
    problems: list[Any]


SILENCE = News(set(), set(), [])


class DrivenSide(ABC):
    """One side with what a run knows of it. Items are known by their keys, or by the server's ids."""

    @abstractmethod
    def create(self, text: str) -> Any:  # noqa: ANN401 # a key or an id
        """Have the side make an item, and keep what came of it."""

    @abstractmethod
    def delete(self, *items: Any) -> list[Receipt]:  # noqa: ANN401
        """Have the side delete items as they were last seen, and return the receipts in the order of the items."""

    @abstractmethod
    def text(self, item: Any) -> str | None:  # noqa: ANN401
        """Return what the side reads of an item; None where it has nothing to read."""

    @abstractmethod
    def observe(self, *, whole: bool = False) -> News:
        """Observe the side and keep what it holds."""

    @abstractmethod
    def change_elsewhere(self, item: Any) -> None:  # noqa: ANN401
        """Let somebody else change an item so that an order to delete it must not be carried out."""

    @abstractmethod
    def delete_elsewhere(self, item: Any) -> None:  # noqa: ANN401
        """Let somebody else delete an item."""

    def close(self) -> None:  # noqa: B027 # files need no end
        """End it."""


class DrivenMaildir(DrivenSide):
    """A Maildir."""

    def __init__(self, base: Path) -> None:
        self.room = MaildirDriver(base)
        self.inbox = self.room.folder("INBOX")

    def create(self, text: str) -> int:
        return self.room.create(letter(text), [self.inbox])

    def delete(self, *items: int) -> list[Receipt]:
        return self.room.write(*map(self.room.to_delete, items))

    def text(self, item: int) -> str | None:
        data = self.room.read(item)
        return subject(data) if data is not None else None

    def observe(self, *, whole: bool = False) -> News:  # a scan is of everything
        seen = self.room.observe()
        return News({one.key for one in seen.items}, set(seen.gone), seen.problems)

    def change_elsewhere(self, item: int) -> None:
        self.room.paths(item)[0].write_bytes(letter("edited").replace(b"\r\n", b"\n"))

    def delete_elsewhere(self, item: int) -> None:
        self.room.paths(item)[0].unlink()


class DrivenVdir(DrivenSide):
    """A vdir."""

    def __init__(self, base: Path) -> None:
        self.room = VdirDriver(base)
        self.work = self.room.folder("Work")

    def create(self, text: str) -> int:
        return self.room.create(item(text, text), self.work)

    def delete(self, *items: int) -> list[Receipt]:
        return self.room.write(*map(self.room.to_delete, items))

    def text(self, item: int) -> str | None:
        found = self.room.read(item)
        return str(found["title"]) if found is not None else None

    def observe(self, *, whole: bool = False) -> News:  # a scan is of everything
        seen = self.room.observe()
        return News({one.key for one in seen.items}, set(seen.gone), seen.problems)

    def change_elsewhere(self, item_key: int) -> None:
        [path] = self.room.paths(item_key)
        self.room.save(path, item(str(self.room.record(item_key).digest), "edited"))

    def delete_elsewhere(self, item: int) -> None:
        self.room.paths(item)[0].unlink()


class DrivenObjects(DrivenSide):
    """Cards or events of a server."""

    def __init__(self, kind: str, dialect: str) -> None:
        self.server = DemoServer(dialect=dialect).__enter__()
        self.store = self.server.account.contacts if kind == "contacts" else self.server.account.calendars
        self.room = ObjectSideDriver(self.server.url, kind)
        self.room.observe()

    def create(self, text: str) -> str:
        return self.room.done(self.room.to_create(thing(self.room.kind, f"uid-{text}", text)))[0]

    def delete(self, *items: str) -> list[Receipt]:
        return self.room.write(*map(self.room.to_delete, items))

    def text(self, item: str) -> str | None:
        [body] = self.room.read(item)
        return title_of(self.room.kind, json.loads(body.data)) if body.data is not None else None

    def observe(self, *, whole: bool = False) -> News:
        seen = self.room.observe(whole=whole)
        return News(set(seen.items), set(seen.gone), seen.problems)

    def change_elsewhere(self, item: str) -> None:
        edited = added(self.room.kind, "uid", "edited")
        self.store.edit(item, {name: edited[name] for name in ("name", "title") if name in edited})

    def delete_elsewhere(self, item: str) -> None:
        self.store.delete(item)

    def close(self) -> None:
        self.room.__exit__(None, None, None)
        self.server.__exit__(None, None, None)


class DrivenMail(DrivenSide):
    """Mail of a server."""

    def __init__(self, base: Path, dialect: str) -> None:
        self.server = DemoServer(dialect=dialect).__enter__()
        self._runner = asyncio.Runner()
        self._numbers = itertools.count(100)
        self._client = Client(self.server.url, BasicCredential("demo", "demo"), max_wait=2.0)
        account = self._run(self._client.session()).account_for("urn:ietf:params:jmap:mail")
        self._side = MailSide(self._client, account, base / "spool")
        self._context = ContainerContext()
        self._side.open(self._context)
        self._cursor = ""
        self._held: dict[str, Version] = {}
        self.observe()

    def _run(self, act: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(act)

    def create(self, text: str) -> str:
        inbox = self._context.keys[self._context.roles["inbox"]]
        order = Order(Side.REMOTE, Verb.CREATE, next(self._numbers), None, Version("B"), NO_TAGS, frozenset({inbox}), "new here")
        [receipt] = self._run(self._side.write([Job(order, None, 1_700_000_000, Body("", letter(text)))]))
        assert isinstance(receipt, Imported)
        self._held[receipt.ref] = receipt.version
        return receipt.ref

    def delete(self, *items: str) -> list[Receipt]:
        orders = [
            Order(Side.REMOTE, Verb.DELETE, next(self._numbers), self._held[one], None, NO_TAGS, NOTHING, "deleted here")
            for one in items
        ]
        jobs = [Job(order, ref, 0) for order, ref in zip(orders, items, strict=True)]
        receipts = {receipt.key: receipt for receipt in self._run(self._side.write(jobs))}
        for order, ref in zip(orders, items, strict=True):
            if isinstance(receipt := receipts[order.key], Success):
                assert receipt.version is None or receipt.version.homes.isdisjoint(self._held[ref].homes)
                del self._held[ref]
                if receipt.version is not None:
                    self._held[ref] = receipt.version  # it is in the Trash
        return [receipts[order.key] for order in orders]

    def text(self, item: str) -> str | None:
        record = Record(1, "messages", item, "", remote=self._held[item])
        body = self._run(self._side.read([record]))[1]
        return subject(body.data) if body.data is not None else None

    def observe(self, *, whole: bool = False) -> News:
        news = News(set(), set(), [])

        async def take() -> None:
            async for page in self._side.observe(self._cursor, lambda: set(self._held), whole=whole):
                self._take(page, news)

        self._run(take())
        return news

    def _take(self, page: Observation, news: News) -> None:
        match page:
            case FolderPage():
                for folder in page.folders:
                    self._context.keys.setdefault(folder.ref, next(self._numbers))
                    if folder.role:
                        self._context.roles[folder.role] = folder.ref
            case ItemPage():
                news.items.update(seen.ref for seen in page.items if not same(self._held.get(seen.ref), seen.version))
                self._held |= {seen.ref: seen.version for seen in page.items}
                news.problems.extend(page.problems)
        if isinstance(page, ItemPage | ListingEnd):
            news.gone.update(ref for ref in page.gone if self._held.pop(ref, None) is not None)
            self._cursor = page.cursor or self._cursor

    def change_elsewhere(self, item: str) -> None:
        self.server.account.move(item, "INBOX", "Archive")

    def delete_elsewhere(self, item: str) -> None:
        self.server.account.destroy(item)

    def close(self) -> None:
        self._run(self._client.__aexit__(None, None, None))
        self._runner.close()
        self.server.__exit__(None, None, None)


def same(one: Version | None, other: Version) -> bool:
    """Return whether a message is seen as it was; the digest of its bytes is known only of what we sent."""
    return one is not None and (one.body, one.tags, one.homes) == (other.body, other.tags, other.homes)


def letter(text: str) -> bytes:
    """Return a message with a subject."""
    return f"From: a@example.com\r\nSubject: {text}\r\n\r\nbody of {text}\r\n".encode()


def subject(data: bytes) -> str:
    """Return the subject of such a message."""
    return data.partition(b"Subject: ")[2].partition(b"\r\n")[0].decode()
