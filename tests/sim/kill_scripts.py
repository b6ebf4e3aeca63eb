"""Act on the Sieve scripts of an account that is mirrored by processes which get killed, and count what is not as it must be."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator
    from pathlib import Path

    from tests.live.jmapraw import Jmap

MOST = 5
"""Scripts that Cyrus keeps at most."""
CAPABILITIES = ("urn:ietf:params:jmap:sieve", "https://cyrusimap.org/ns/jmap/sieve")

State = tuple[dict[str, str], str]
"""The texts of scripts by name, and the name of the active one."""


class Scripts:
    """The scripts of one account, by JMAP and as files; nothing is done on both sides to one of them."""

    def __init__(self, jmap: Jmap, using: list[str], chance: random.Random) -> None:
        self._jmap = jmap
        self._using = [*using, next(one for one in CAPABILITIES if one in jmap.session["capabilities"])]
        self._chance = chance
        self._numbers = itertools.count(1)
        self.root: Path | None = None
        self.expected: State = {}, ""
        self.acts = 0

    def prepare(self) -> None:
        """Give the account scripts, of which one is active."""
        for number in range(MOST):
            self._set({"create": {"new": {"name": f"script {number}", "blobId": self._blob(_text(next(self._numbers)))}}})
        self._activate("script 0")
        self.expected = self.on_server()

    def act(self) -> None:
        """Exchange names, edit and delete here, rename, edit and create on the server, and activate on one side."""
        texts, active = self.expected
        names = sorted(texts, key=lambda name: (name != active, self._chance.random()))
        one, other, gone, edited, renamed = (*names, "", "")[:MOST]
        here = self._chance.random() < 0.5
        texts = self._exchange(one, other, dict(texts), keeps_link=here)
        active = one if here else other
        self._edit(one, texts)
        if edited:
            texts[edited] = _text(next(self._numbers))
            self._update(edited, texts[edited])
        if renamed:
            new = f"script {next(self._numbers)}"
            texts[new] = texts.pop(renamed)
            self._update(renamed, texts[new], new)
            if not here:
                self._activate(new)  # on disk nothing was activated: the link follows the name of its script
                active = new
        if self._chance.random() < 0.5:
            self._file(gone).unlink()
            del texts[gone]
        if len(texts) < MOST and self._chance.random() < 0.7:
            new = f"script {next(self._numbers)}"
            texts[new] = _text(next(self._numbers))
            self._file(new).write_text(texts[new])
        self.expected = texts, active
        self.acts += 1

    def faults(self) -> Iterator[str]:
        """Yield in which way a side is not as it must be."""
        for side, state in (("on disk", self.on_disk()), ("on the server", self.on_server())):
            if state != self.expected:
                yield f"scripts {side}: {state} instead of {self.expected}"
        assert self.root is not None
        left = [file.name for file in self.root.iterdir() if file.name.endswith(".tmp")]
        if left:
            yield f"scripts: {left} are left"

    def states(self) -> list[State]:
        """Return what both sides hold."""
        return [self.on_disk(), self.on_server()]

    def on_disk(self) -> State:
        """Return what the files and the link show."""
        assert self.root is not None
        link = self.root / "active"
        files = {file.name.removesuffix(".sieve"): file.read_text() for file in self.root.glob("[!.]*.sieve")}
        return files, os.readlink(link).removesuffix(".sieve") if link.is_symlink() else ""

    def on_server(self) -> State:
        """Return what the server holds."""
        found = self._all()
        texts = {one["name"]: self._jmap.download(one["blobId"]).decode().replace("\r\n", "\n") for one in found.values()}
        return texts, next((name for name, one in found.items() if one["isActive"]), "")

    # on disk

    def _file(self, name: str) -> Path:
        assert self.root is not None
        return self.root / f"{name}.sieve"

    def _exchange(self, one: str, other: str, texts: dict[str, str], *, keeps_link: bool) -> dict[str, str]:
        """Exchange the names of two files, of which the link leads to the first one; it stays, or follows its script."""
        assert self.root is not None
        moving = self.root / "moving"
        self._file(one).rename(moving)
        self._file(other).rename(self._file(one))
        moving.rename(self._file(other))
        if not keeps_link:
            (self.root / "active").unlink()
            (self.root / "active").symlink_to(f"{other}.sieve")
        texts[one], texts[other] = texts[other], texts[one]
        return texts

    def _edit(self, name: str, texts: dict[str, str]) -> None:
        texts[name] = _text(next(self._numbers))
        self._file(name).write_text(texts[name])

    # on the server

    def _all(self) -> dict[str, dict[str, str]]:
        properties = ["id", "name", "blobId", "isActive"]
        (answer,) = self._jmap.call([("SieveScript/get", {"ids": None, "properties": properties})], self._using)
        return {one["name"]: one for one in answer["list"]}

    def _set(self, arguments: dict[str, object]) -> None:
        (answer,) = self._jmap.call([("SieveScript/set", arguments)], self._using)
        refused = [answer[key] for key in ("notCreated", "notUpdated", "notDestroyed") if answer.get(key)]
        assert refused == []

    def _blob(self, text: str) -> str:
        return self._jmap.upload(text.replace("\n", "\r\n").encode(), "application/sieve")

    def _update(self, name: str, text: str, new: str = "") -> None:
        self._set({"update": {self._all()[name]["id"]: {"blobId": self._blob(text), **({"name": new} if new else {})}}})

    def _activate(self, name: str) -> None:
        self._set({"onSuccessActivateScript": self._all()[name]["id"]})


def _text(number: int) -> str:
    return f"# version {number}\nkeep;\n"
