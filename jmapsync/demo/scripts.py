"""Keep the Sieve scripts of one account (RFC 9661): the acts of its methods, and those of another client."""

from __future__ import annotations

import itertools
from email.header import Header
from typing import TYPE_CHECKING

import msgspec

from jmapsync.demo.content import blob_id_of, read_content
from jmapsync.demo.freedoms import form_id

if TYPE_CHECKING:
    from jmapsync.demo.account import Account
    from jmapsync.demo.problems import JsonObject

TYPE = "SieveScript"


class Script(msgspec.Struct):
    """One script."""

    id: str
    name: str
    content: bytes
    writes: int = 0
    """How often it was written: on servers like Cyrus its blob has another id then, whatever its bytes."""


class ScriptStore:
    """The scripts of an account. The acts of another client name a script by id or by name."""

    def __init__(self, account: Account) -> None:
        """Hold nothing."""
        self.account = account
        self.scripts: dict[str, Script] = {}
        self.active = ""
        """The id of the active script."""
        self._serial = itertools.count(1)

    # Records, as the methods of the server change them.

    def put(self, script: Script) -> None:
        """Keep a script as it is now."""
        with self.account.transaction():
            script.writes += 1
            self.scripts[script.id] = script
            self.account.record(TYPE, script.id)

    def remove(self, script_id: str) -> None:
        """Destroy a script."""
        with self.account.transaction():
            del self.scripts[script_id]
            self.active = "" if self.active == script_id else self.active
            self.account.record(TYPE, script_id, dead=True)

    def switch(self, script_id: str) -> list[str]:
        """Let a script be the active one, or none; return the ids of those that changed by it."""
        with self.account.transaction():
            changed = [one for one in (self.active, script_id) if one] if self.active != script_id else []
            self.active = script_id
            quiet = self.account.dialect.scripts == "stalwart" and not script_id
            for one in changed:
                if not quiet:
                    self.account.record(TYPE, one)
            return changed

    def new_id(self) -> str:
        """Return an id for a script."""
        return form_id(self.account.freedoms.id_form, "s", next(self._serial))

    def shown(self, script: Script) -> JsonObject:
        """Return a script as `/get` gives it."""
        return {
            "id": script.id,
            "name": _as_header(script.name) if self.is_of_cyrus else script.name,
            "blobId": self.blob(script),
            "isActive": script.id == self.active,
        }

    def blob(self, script: Script, *, made: bool = False) -> str:
        """Return the id of a script's blob, from which it can be downloaded; `made`: the one that Cyrus gives at once."""
        blob_id = blob_id_of(script.content)
        if self.is_of_cyrus:
            blob_id = f"{blob_id}-{script.writes}{'-made' if made else ''}"
        self.account.blobs[blob_id] = script.content
        return blob_id

    @property
    def is_of_cyrus(self) -> bool:
        """Return whether scripts are as on Cyrus."""
        return self.account.dialect.scripts in {"cyrus36", "cyrus312"}

    # The acts of another client.

    def script(self, name: str) -> Script:
        """Return a script by id or by name. Raise KeyError without one."""
        found = self.scripts.get(name) or next((one for one in self.scripts.values() if one.name == name), None)
        if found is None:
            raise KeyError(name)
        return found

    def add(self, name: str, content: bytes | str, *, active: bool = False) -> str:
        """Add a script, whatever it says, and return its id."""
        with self.account.transaction():
            script = Script(self.new_id(), name, content.encode() if isinstance(content, str) else content)
            self.put(script)
            if active:
                self.switch(script.id)
            return script.id

    def edit(self, name: str, content: bytes | str) -> None:
        """Give a script another content."""
        with self.account.transaction():
            script = self.script(name)
            script.content = content.encode() if isinstance(content, str) else content
            self.put(script)

    def rename(self, name: str, new: str) -> None:
        """Give a script another name."""
        with self.account.transaction():
            script = self.script(name)
            script.name = new
            self.put(script)

    def activate(self, name: str) -> None:
        """Activate a script; deactivate the active one where the name is empty."""
        with self.account.transaction():
            self.switch(self.script(name).id if name else "")

    def delete(self, name: str) -> None:
        """Destroy a script, active or not."""
        self.remove(self.script(name).id)

    def listing(self) -> dict[str, bytes]:
        """Return the content of each script, by name."""
        with self.account.lock:
            return {one.name: one.content for one in self.scripts.values()}

    @property
    def active_name(self) -> str:
        """Return the name of the active script, or nothing."""
        with self.account.lock:
            return self.scripts[self.active].name if self.active else ""

    def backup(self) -> tuple[dict[str, Script], str]:
        """Return all the store holds."""
        return {one.id: msgspec.structs.replace(one) for one in self.scripts.values()}, self.active

    def restore(self, backup: tuple[dict[str, Script], str]) -> None:
        """Set everything back."""
        self.scripts, self.active = {one.id: msgspec.structs.replace(one) for one in backup[0].values()}, backup[1]


def content_of(account: Account, blob_id: str) -> bytes | None:
    """Return the bytes of a blob, if the account has it."""
    found = account.blobs.get(blob_id)
    return None if found is None else read_content(found)


def _as_header(name: str) -> str:
    """Return a name as Cyrus keeps it in a header (RFC 2047)."""
    return name if name.isascii() and name.isprintable() else Header(name, "utf-8", maxlinelen=10_000).encode()
