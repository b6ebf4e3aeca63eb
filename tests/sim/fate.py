"""Count the steps of one run that reach outside of it, and end it at one of them as SIGKILL would: nothing runs after that.

A step is a change on disk, a send or an answer, a commit, or a call of the ledger or a port. A *quiet* step changes nothing that
a next process could see (a read, an fsync, a row that is not committed yet), so dying at it is dying at the next step that does:
it is counted only where a sweep asks for every call.
"""

# ruff: noqa: ANN401  # it stands in for functions of `os` and for any part of a run

from __future__ import annotations

import builtins
import contextlib
import functools
import inspect
import io
import os
import types
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import httpx

from jmapsync.jmap.exchange import Exchange
from jmapsync.ledger import Ledger
from jmapsync.storage.files import atomic
from jmapsync.storage.files.directories import shown
from tests.sim.instant import DirectTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

READS = frozenset({
    *("note", "cursor", "records", "by_ref", "by_digest", "all", "open_items", "unmatched", "refs", "counts", "open_sizes"),
    *("population", "places_in", "places_of", "taken_names", "folders", "intents", "conflict_copies", "problems"),
    *("suspension", "runs", "failure", "measure", "copy_of", "open_readonly"),
})  # fmt: skip
"""Calls of ledger and ports that only read."""


class DiedError(BaseException):
    """The process is dead. No handler in the project may catch this, and none does."""


class Fate:
    """One process's steps, in order, and the one it dies at."""

    def __init__(self, dies_at: int = 0, *, every_call: bool = False, slips: dict[int, Callable[[], None]] | None = None) -> None:
        """Die at the n-th step (0: never). `slips` are acts of others that happen right before a step, by its number."""
        self.dies_at = dies_at
        self.every_call = every_call
        self.slips = slips or {}
        self.trace: list[str] = []
        self.steps = 0
        self.dead = False
        self._slipping = False
        """Whether somebody else is acting: their steps are not ours."""
        self.trouble: Exception | None = None
        """What went wrong with a slip."""

    @property
    def is_last(self) -> bool:
        """Whether the next step is the one it dies at."""
        return not self.dead and not self._slipping and self.steps + 1 == self.dies_at

    def step(self, name: str, *, quiet: bool = False) -> None:
        """Take a step. Raises DiedError at the one it dies at, and at every one after that."""
        if self._slipping:
            return
        if self.dead:
            raise DiedError
        self.trace.append(name)
        if quiet and not self.every_call:
            return
        self.steps += 1
        slip = self.slips.pop(self.steps, None)
        if slip is not None:
            self._slipping = True
            try:
                slip()
            except Exception as error:  # noqa: BLE001  # the run might take it for its own
                self.trouble = error
            self._slipping = False
        if self.steps == self.dies_at:
            self.dead = True
            raise DiedError(f"at step {self.dies_at}, {name}")

    def wrap(self, part: Any) -> Any:
        """Return a ledger or a side of which every public method is a step before and after it."""
        return _Watched(part, self)

    def transport(self, app: Any) -> httpx.AsyncBaseTransport:
        """Return a way to an application in this very thread, with a step before each send and after each answer."""
        return _WatchedTransport(app, self)

    @contextmanager
    def over_requests(self) -> Iterator[Self]:
        """Make every request of the product's own transports a step before it and one after it, for the time being."""
        fetch = Exchange._fetch

        async def stepping(exchange: Exchange, request: Any, *args: Any, **kwargs: Any) -> Any:
            label = f"{request.method} {urlsplit(request.url).path}"
            self.step(f"send {label}")
            reply = await fetch(exchange, request, *args, **kwargs)
            self.step(f"answer {label}")
            return reply

        with contextlib.ExitStack() as stack:
            _replace(stack, Exchange, "_fetch", stepping)
            yield self

    @contextmanager
    def over(self, base: Path) -> Iterator[Self]:
        """Make every change on disk below a folder a step, for the time being."""
        with _watched_disk(self, os.fspath(base)):
            yield self


@functools.cache
def _shape_of(function: Any) -> tuple[bool, bool]:
    """Return whether a function yields pages, and whether it is to be awaited."""
    return inspect.isasyncgenfunction(function), inspect.iscoroutinefunction(function)


class _Watched:
    def __init__(self, part: Any, fate: Fate) -> None:
        self._part = part
        self._fate = fate
        self._is_ledger = isinstance(part, Ledger)
        self._depth = 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        if not isinstance(found, types.MethodType) or name == "close":
            return found
        label = f"{type(self._part).__name__}.{name}"
        if name == "transaction":
            return lambda: self._transaction(label)
        is_pages, is_awaited = _shape_of(found.__func__)
        if is_pages:
            return lambda *a, **k: self._pages(label, found(*a, **k))
        if is_awaited:
            return lambda *a, **k: self._awaited(label, found, a, k)
        return lambda *a, **k: self._called(label, found, a, k)

    def _called(self, label: str, method: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        kept = self._is_ledger and method.__name__ not in READS and not self._depth
        self._fate.step(label, quiet=not kept)
        result = method(*args, **kwargs)
        if not self._is_ledger:
            self._fate.step(f"{label} done", quiet=True)
        return result

    async def _awaited(self, label: str, method: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        self._fate.step(label, quiet=True)
        result = await method(*args, **kwargs)
        self._fate.step(f"{label} done", quiet=True)
        return result

    async def _pages(self, label: str, pages: AsyncIterator[Any]) -> AsyncIterator[Any]:
        self._fate.step(label, quiet=True)
        async for page in pages:
            self._fate.step(f"{label} page", quiet=True)
            yield page

    @contextmanager
    def _transaction(self, label: str) -> Iterator[None]:
        with self._part.transaction():
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
            self._fate.step(f"{label} about to commit")
        self._fate.step(f"{label} committed")


class _WatchedTransport(httpx.AsyncBaseTransport):
    def __init__(self, app: Any, fate: Fate) -> None:
        self._inner = DirectTransport(app)
        self._fate = fate

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        label = f"{request.method} {request.url.raw_path.decode()}"
        self._fate.step(f"send {label}")
        response = await self._inner.handle_async_request(request)
        self._fate.step(f"answer {label}")
        return response


class _TornFile:
    """A file of which a dying process has written only half of its last write."""

    def __init__(self, inner: IO[Any], fate: Fate, label: str) -> None:
        self._inner, self._fate, self._label = inner, fate, label

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._inner.close()

    def write(self, data: Any) -> int:
        if self._fate.is_last and not self._fate.dead:
            self._inner.write(data[: len(data) // 2])
        self._fate.step(f"write {self._label}")
        return self._inner.write(data)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)


_CHANGES = ("rename", "replace", "link", "unlink", "remove", "mkdir", "rmdir", "utime", "chmod", "truncate")
_WRITING = os.O_WRONLY | os.O_RDWR


class _Disk:
    """Stands in for the functions that change what is on disk; only paths below the base count."""

    def __init__(self, fate: Fate, base: str) -> None:
        self._fate, self._base = fate, base
        self._handles: dict[int, str] = {}
        self._open, self._fsync, self._open_file, self._syncfs = os.open, os.fsync, io.open, atomic._SYNCFS
        self._write, self._renameat2 = os.write, atomic._RENAMEAT2

    def _below(self, path: Any) -> str:
        """Return a path below the base, or nothing."""
        if isinstance(path, int):
            return self._handles.get(path, "")
        text = os.fspath(path)
        text = shown(text)  # most of what is done below a root goes by the handle of a directory
        return text[len(self._base) + 1 :] if text.startswith(self._base + "/") else ""

    def changing(self, name: str) -> Callable[..., Any]:
        original = getattr(os, name)

        def call(path: Any, *args: Any, **kwargs: Any) -> Any:
            where = self._below(path)
            if where:
                # Nothing comes of making what is there, and of changing what is not.
                quiet = not isinstance(path, int) and os.path.lexists(path) is (name == "mkdir")
                self._fate.step(f"{name} {where}", quiet=quiet)
            return original(path, *args, **kwargs)

        return call

    def open(self, path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        where = self._below(path)
        if where and flags & _WRITING:
            self._fate.step(f"open {where}")
        handle = self._open(path, flags, *args, **kwargs)
        self._handles[handle] = where
        return handle

    def fsync(self, handle: int) -> None:
        self._fate.step(f"fsync {self._handles.get(handle, '')}", quiet=True)
        self._fsync(handle)

    def open_file(self, path: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        where = self._below(path)
        if not where or not set(mode) & set("wxa+"):
            return self._open_file(path, mode, *args, **kwargs)
        if not isinstance(path, int):
            self._fate.step(f"open {where}")
        file = self._open_file(path, mode, *args, **kwargs)
        self._handles[file.fileno()] = where
        return _TornFile(file, self._fate, where)

    def syncfs(self, handle: Any) -> int:
        self._fate.step("syncfs", quiet=True)
        return int(self._syncfs(handle)) if self._syncfs is not None else 0

    def write(self, handle: int, data: Any) -> int:
        where = self._handles.get(handle, "")
        if where:
            if self._fate.is_last:
                self._write(handle, bytes(data)[: len(data) // 2])
            self._fate.step(f"write {where}")
        return self._write(handle, data)

    def exchange(self, here: int, one: bytes, there: int, other: bytes, flags: int) -> int:
        self._fate.step(f"exchange {self._below(one)}")
        return int(self._renameat2(here, one, there, other, flags)) if self._renameat2 is not None else -1


@contextmanager
def _watched_disk(fate: Fate, base: str) -> Iterator[None]:
    disk = _Disk(fate, base)
    with contextlib.ExitStack() as stack:
        for name in _CHANGES:
            _replace(stack, os, name, disk.changing(name))
        _replace(stack, os, "open", disk.open)
        _replace(stack, os, "write", disk.write)
        _replace(stack, os, "fsync", disk.fsync)
        _replace(stack, io, "open", disk.open_file)
        _replace(stack, builtins, "open", disk.open_file)
        _replace(stack, atomic, "_SYNCFS", disk.syncfs)
        if atomic._RENAMEAT2 is not None:
            _replace(stack, atomic, "_RENAMEAT2", disk.exchange)
        yield


def _replace(stack: contextlib.ExitStack, owner: Any, name: str, new: Any) -> None:
    stack.callback(setattr, owner, name, getattr(owner, name))
    setattr(owner, name, new)
