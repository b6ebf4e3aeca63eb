"""Drive both sides of Sieve scripts by the acts of `tests.storage.sides`."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any, TypeVar

from jmapsync.demo import DemoServer
from jmapsync.formats.message import digest_of
from jmapsync.formats.scripts import HOME, tags_of
from jmapsync.jmap.auth import BasicCredential
from jmapsync.jmap.client import Client
from jmapsync.kinds import SIEVE
from jmapsync.ledger import Ledger, Record
from jmapsync.planner.model import NO_TAGS, NOTHING, Order, Side, Verb, Version
from jmapsync.storage.jmap.scripts.side import ScriptSide
from jmapsync.storage.port import Body, Created, DiskFolders, Filed, ItemPage, Job
from jmapsync.storage.sieve.side import ScriptFiles
from jmapsync.sync.context import ContainerContext
from tests.storage.sides import DrivenSide, News

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from jmapsync.storage.port import Receipt

T = TypeVar("T")


def script(text: str) -> bytes:
    """Return a script with a comment."""
    return f"# {text}\r\nkeep;\r\n".encode()


def comment(data: bytes) -> str:
    """Return the comment of such a script."""
    return data.partition(b"\r\n")[0].decode().removeprefix("# ")


class DrivenScriptFiles(DrivenSide):
    """A directory of scripts, with a ledger that is kept as a run keeps it."""

    def __init__(self, base: Path) -> None:
        self.ledger = Ledger.open(base / "ledger.sqlite")
        self.side = ScriptFiles(base / "sieve", clock=lambda: 4e9)
        for name, note in self.side.open(self.ledger, "a").notes.items():
            self.ledger.set_note(name, note)
        assert isinstance(self.side.observe_folders(self.ledger), DiskFolders)
        self._home = self.ledger.add(Record(0, SIEVE.containers.kind, HOME, HOME, local=Version(HOME, HOME)))
        self.ledger.put_folders([self.side.adopt_folder(self._home, HOME, HOME)])
        self.observe()

    def _write(self, *jobs: Job) -> list[Receipt]:
        receipts = self.side.write(jobs, self.ledger).receipts
        for receipt in receipts:
            if isinstance(receipt, Filed):
                [record] = self.ledger.records([receipt.key]).values()
                self.ledger.drop_places(receipt.moved)
                self.ledger.put_places(receipt.places)
                self.ledger.save([record.with_side(Side.LOCAL, receipt.version)])
        return receipts

    def create(self, text: str) -> int:
        body, home = script(text), frozenset({self._home})
        source = Version(digest_of(body), digest_of(body), tags_of(text, active=False), home)
        key = self.ledger.add(Record(0, SIEVE.items.kind, f"ref {text}", text, digest=text, remote=source))
        order = Order(Side.LOCAL, Verb.CREATE, key, None, source, source.tags, home, "new on the server")
        assert isinstance(self._write(Job(order, None, 0, Body(str(key), body)))[0], Filed)
        return key

    def delete(self, *items: int) -> list[Receipt]:
        records, places = self.ledger.records(items), self.ledger.places_of(items)
        orders = [Order(Side.LOCAL, Verb.DELETE, one, records[one].local, None, NO_TAGS, NOTHING, "deleted") for one in items]
        return self._write(*(Job(order, None, 0, None, places.get(order.key, ())) for order in orders))

    def text(self, item: int) -> str | None:
        data = self.side.read(item, self.ledger.places_of([item]).get(item, ())).data
        return comment(data) if data is not None else None

    def observe(self, *, whole: bool = False) -> News:  # a scan is of everything
        seen = self.side.observe_items(self.ledger)
        records = self.ledger.records([*(one.key or 0 for one in seen.items), *seen.gone])
        self.ledger.drop_places(seen.moved)
        self.ledger.put_places(seen.places)
        self.ledger.save(records[one.key or 0].with_side(Side.LOCAL, one.version) for one in seen.items)
        self.ledger.save(records[key].with_side(Side.LOCAL, None) for key in seen.gone)
        return News({one.key for one in seen.items}, set(seen.gone), seen.problems)

    def _file(self, item: int) -> Path:
        [place] = self.ledger.places_of([item])[item]
        return self.side.root / place.name

    def change_elsewhere(self, item: int) -> None:
        self._file(item).write_bytes(b"# edited\nkeep;\n")

    def delete_elsewhere(self, item: int) -> None:
        self._file(item).unlink()

    def close(self) -> None:
        self.ledger.close()


class _Anything:
    """A disk that agrees with whatever is active."""

    def note_active(self, ref: str) -> None:
        pass

    def may_activate(self, key: int, now: str) -> bool:
        return bool(key) or not now

    def has_other(self, key: int) -> bool:
        return not key

    def is_off(self) -> bool:
        return True


class DrivenScripts(DrivenSide):
    """Scripts of a server."""

    def __init__(self, dialect: str) -> None:
        self.server = DemoServer(dialect=dialect).__enter__()
        self._runner = asyncio.Runner()
        self._numbers = itertools.count(100)
        self._client = Client(self.server.url, BasicCredential("demo", "demo"), max_wait=2.0)
        self._side = ScriptSide(self._client, self._run(self._client.session()).account_for(SIEVE.capabilities[0]), _Anything())
        self._context = ContainerContext()
        self._context.keys[HOME] = 1
        self._side.open(self._context)
        self._cursor = ""
        self._held: dict[str, Version] = {}
        self.observe()

    def _run(self, act: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(act)

    def create(self, text: str) -> str:
        tags, home = tags_of(text, active=False), frozenset({1})
        order = Order(Side.REMOTE, Verb.CREATE, next(self._numbers), None, Version("B"), tags, home, "new here")
        [receipt] = self._run(self._side.write([Job(order, None, 0, Body("", script(text)))]))
        assert isinstance(receipt, Created)
        assert receipt.version is not None
        self._held[receipt.ref] = receipt.version
        return receipt.ref

    def delete(self, *items: str) -> list[Receipt]:
        orders = [
            Order(Side.REMOTE, Verb.DELETE, next(self._numbers), self._held[one], None, NO_TAGS, NOTHING, "deleted here")
            for one in items
        ]
        jobs = [Job(order, ref, 0) for order, ref in zip(orders, items, strict=True)]
        receipts = {receipt.key: receipt for receipt in self._run(self._side.write(jobs))}
        for ref in items:
            if ref not in self.server.account.scripts.scripts:
                del self._held[ref]
        return [receipts[order.key] for order in orders]

    def text(self, item: str) -> str | None:
        body = self._run(self._side.read([Record(1, SIEVE.items.kind, item, remote=self._held[item])]))[1]
        return comment(body.data) if body.data is not None else None

    def observe(self, *, whole: bool = False) -> News:
        news = News(set(), set(), [])

        async def take() -> None:
            async for page in self._side.observe(self._cursor, lambda: set(self._held), whole=whole):
                if isinstance(page, ItemPage):
                    news.items.update(seen.ref for seen in page.items if self._held.get(seen.ref) != seen.version)
                    self._held |= {seen.ref: seen.version for seen in page.items}
                    news.gone.update(ref for ref in page.gone if self._held.pop(ref, None) is not None)
                    news.problems.extend(page.problems)
                    self._cursor = page.cursor

        self._run(take())
        return news

    def change_elsewhere(self, item: str) -> None:
        self.server.account.scripts.edit(item, script("edited"))

    def delete_elsewhere(self, item: str) -> None:
        self.server.account.scripts.delete(item)

    def close(self) -> None:
        self._run(self._client.__aexit__(None, None, None))
        self._runner.close()
        self.server.__exit__(None, None, None)
