"""Answer the methods of `SieveScript` (RFC 9661, 2), as the RFC has them, and as Stalwart and Cyrus do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from jmapsync.demo.dialect import CYRUS_SIEVE, SIEVE
from jmapsync.demo.patch import apply_patch
from jmapsync.demo.problems import JsonObject, MethodError, SetError, invalid_properties
from jmapsync.demo.script_check import EXTENSIONS, check_script
from jmapsync.demo.scripts import TYPE, Script, content_of
from jmapsync.demo.standard import (
    GetArguments,
    QueryArguments,
    SetArguments,
    SetRun,
    checked_properties,
    get_result,
    query_window,
    requested_ids,
)
from jmapsync.demo.wire import Arguments, Context, Method

if TYPE_CHECKING:
    from jmapsync.demo.account import Account
    from jmapsync.demo.dialect import Dialect

LIMITS: dict[str, JsonObject] = {
    "rfc": {"maxSizeScriptName": 512, "maxSizeScript": 65_536, "maxNumberScripts": None},
    "stalwart": {"maxSizeScriptName": 512, "maxSizeScript": 102_400, "maxNumberScripts": 100},
    "cyrus312": {"maxSizeScriptName": 1013, "maxSizeScript": 32_768, "maxNumberScripts": 5},
    "cyrus36": {"maxSizeScript": 32_768, "maxNumberScripts": 5},
}
"""What the capability of an account says, by the rules of a dialect."""
_RESERVED = "vacation"
"""The script of Stalwart that its VacationResponse is."""
_LONGEST_OF_CYRUS = 200
_PROPERTIES = ("id", "name", "blobId", "isActive")


class ScriptSetArguments(SetArguments):
    """The arguments of `SieveScript/set`."""

    on_success_activate_script: str | None = None
    on_success_deactivate_script: bool | None = None


class Cyrus312SetArguments(SetArguments):
    """Those of Cyrus 3.12, which misspells one and takes no null."""

    on_success_activate_script: str | msgspec.UnsetType = msgspec.UNSET
    on_success_deactivatescript: bool | None = None


class Cyrus36SetArguments(SetArguments):
    """Those of Cyrus 3.6, where null deactivates."""

    on_success_activate_script: str | msgspec.UnsetType | None = msgspec.UNSET


class ValidateArguments(Arguments):
    """The arguments of `SieveScript/validate`."""

    blob_id: str


def script_capabilities(dialect: Dialect) -> dict[str, JsonObject]:
    """Return the capabilities by which scripts are offered, with their server-wide values."""
    about = {"implementation": dialect.program or "jmapsync demo"}
    offers: dict[str, dict[str, JsonObject]] = {
        "": {},
        "cyrus36": {CYRUS_SIEVE: {}},
        "cyrus312": {SIEVE: about, CYRUS_SIEVE: {}},
    }
    return offers.get(dialect.scripts or "", {SIEVE: about})


def script_details(dialect: Dialect) -> dict[str | None, JsonObject]:
    """Return the values of those capabilities in an account."""
    more = {"sieveExtensions": list(EXTENSIONS), "notificationMethods": None, "externalLists": None, "maxNumberRedirects": 1}
    details = more | LIMITS.get(dialect.scripts or "", {})
    return {SIEVE: details, CYRUS_SIEVE: details}


def script_methods(dialect: Dialect) -> dict[str, Method]:
    """Return the methods; none where a dialect has no scripts."""
    if dialect.scripts is None:
        return {}
    capability = CYRUS_SIEVE if dialect.scripts == "cyrus36" else SIEVE
    kinds: dict[str, type[SetArguments]] = {"cyrus312": Cyrus312SetArguments, "cyrus36": Cyrus36SetArguments}
    return {
        f"{TYPE}/get": Method(capability, GetArguments, get_scripts),
        f"{TYPE}/query": Method(capability, QueryArguments, query_scripts),
        f"{TYPE}/set": Method(capability, kinds.get(dialect.scripts, ScriptSetArguments), set_scripts),
        f"{TYPE}/validate": Method(capability, ValidateArguments, validate_script),
    }


def get_scripts(context: Context, arguments: GetArguments) -> JsonObject:
    """Answer `/get`."""
    account = context.account(arguments.account_id)
    names = checked_properties(arguments.properties, _PROPERTIES)
    with account.lock:
        scripts = account.scripts.scripts
        ids, not_found = requested_ids(context, arguments.ids, TYPE, scripts)
        shown = [account.scripts.shown(scripts[one]) for one in ids if one in scripts]
        found = [{name: one[name] for name in names} for one in shown]
        return get_result(context, account, TYPE, found, not_found + [one for one in ids if one not in scripts])


def query_scripts(context: Context, arguments: QueryArguments) -> JsonObject:
    """Answer `/query`: by name and by being active (RFC 9661, 2.5)."""
    account = context.account(arguments.account_id)
    wanted = arguments.filter or {}
    with account.lock:
        store = account.scripts
        chosen = [
            one
            for one in store.scripts.values()
            if wanted.get("name", one.name) in one.name
            and wanted.get("isActive", one.id == store.active) == (one.id == store.active)
        ]
        return query_window(context, arguments, [one.id for one in chosen], TYPE, account.state(TYPE))


def validate_script(context: Context, arguments: ValidateArguments) -> JsonObject:
    """Answer `/validate` (RFC 9661, 2.6)."""
    account = context.account(arguments.account_id)
    data = content_of(account, arguments.blob_id)
    if data is None:
        raise MethodError("blobNotFound", notFound=[arguments.blob_id])
    why = check_script(data)
    return {"accountId": account.id, "error": SetError(_invalid(account), why).body if why else None}


def set_scripts(context: Context, arguments: SetArguments) -> JsonObject:
    """Answer `/set`; what is to be active changes once all of it succeeded (RFC 9661, 2.4)."""
    account = context.writable_account(arguments.account_id)
    with account.transaction():
        run = _ScriptSetRun(context, account, arguments, TYPE)
        run.carry_out()
        if not any(run.refused.values()):
            run.switch(arguments)
        return run.result()


def _invalid(account: Account) -> str:
    return "invalidSieve" if account.dialect.scripts == "rfc" else "invalidScript"


class _ScriptSetRun(SetRun):
    """One `SieveScript/set`."""

    @property
    def _limits(self) -> JsonObject:
        return LIMITS[self.account.dialect.scripts or "rfc"]

    def add(self, key: str, value: JsonObject) -> None:
        """Create a script."""
        store = self.account.scripts
        most = self._limits["maxNumberScripts"]
        if most is not None and len(store.scripts) >= most:
            raise SetError("overQuota")
        if unknown := sorted(value.keys() - {"name", "blobId"}):
            raise invalid_properties(*unknown)
        script_id = store.new_id()
        name = value.get("name") or f"script {script_id}"
        self._check_name(name, "")
        script = Script(script_id, name, self._content(value.get("blobId")))
        store.put(script)
        self.created[key] = {"id": script_id, "blobId": store.blob(script, made=True), "isActive": False}
        self.context.created_ids[key] = script_id

    def change(self, key: str, patch: JsonObject) -> None:
        """Give a script another name or content."""
        store = self.account.scripts
        script = self._find(key)
        before = store.shown(script)
        after = apply_patch(before, patch)
        if changed := [name for name in ("id", "isActive") if after.get(name) != before[name]]:
            raise invalid_properties(*changed)
        self._refuse_reserved(script)
        name = script.name if after["name"] == before["name"] else after["name"]
        self._check_name(name, script.id)
        content = self._content(after["blobId"]) if "blobId" in patch else script.content
        if not (store.is_of_cyrus and "blobId" not in patch):  # Cyrus changes a name only together with the content
            script.name = name
            script.content = content
            store.put(script)
        self.updated[key] = {"blobId": store.blob(script)} if store.is_of_cyrus and "blobId" in patch else None

    def remove(self, key: str) -> None:
        """Destroy a script that is not active."""
        script = self._find(key)
        self._refuse_reserved(script)
        if script.id == self.account.scripts.active:
            raise SetError("sieveIsActive" if self.account.dialect.scripts == "rfc" else "scriptIsActive")
        self.account.scripts.remove(script.id)
        self.destroyed.append(key)

    def switch(self, arguments: SetArguments) -> None:
        """Activate or deactivate as the arguments say; an unknown id changes nothing (RFC 9661, 2.4)."""
        store = self.account.scripts
        wanted = getattr(arguments, "on_success_activate_script", None)
        off = getattr(arguments, "on_success_deactivate_script", None) or getattr(arguments, "on_success_deactivatescript", None)
        off = off or (isinstance(arguments, Cyrus36SetArguments) and wanted is None)
        if off and not isinstance(wanted, str):
            self._note(store.switch(""))
        elif isinstance(wanted, str):
            script_id = self.context.resolve_id(wanted)
            if script_id in store.scripts:
                self._note(store.switch(script_id))
                if self.account.dialect.scripts == "stalwart" and store.scripts[script_id].name != _RESERVED:
                    self.account.vacation = {**self.account.vacation, "isEnabled": False}
            elif store.is_of_cyrus:
                raise MethodError("serverFail")

    def _note(self, changed: list[str]) -> None:
        """Report what is active by now in the answer; Stalwart reports nothing of it."""
        store, created = self.account.scripts, {one["id"]: one for one in self.created.values()}
        for script_id in changed:
            if script_id in created:
                created[script_id]["isActive"] = store.active == script_id
            elif self.account.dialect.scripts != "stalwart" and script_id in store.scripts:
                self.updated[script_id] = {**(self.updated.get(script_id) or {}), "isActive": store.active == script_id}

    def _find(self, key: str) -> Script:
        script = self.account.scripts.scripts.get(self.context.resolve_id(key) or "")
        if script is None:
            raise SetError("notFound")
        return script

    def _refuse_reserved(self, script: Script) -> None:
        if self.account.dialect.scripts == "stalwart" and script.name == _RESERVED:
            raise SetError("forbidden", "The vacation script is changed by VacationResponse/set.")

    def _check_name(self, name: object, own: str) -> None:
        store = self.account.scripts
        longest = self._limits.get("maxSizeScriptName", 512)
        if not isinstance(name, str) or not name or len(name.encode()) > longest:
            raise invalid_properties("name")
        if store.is_of_cyrus and len(name.encode()) > _LONGEST_OF_CYRUS:
            raise SetError("serverFail", "Sieve script compilation failure")
        if any(ord(letter) < ord(" ") for letter in name) or (store.is_of_cyrus and "/" in name):
            raise invalid_properties("name")
        if self.account.dialect.scripts == "stalwart" and name.casefold() == _RESERVED:
            raise invalid_properties("name", description="The name is reserved.")
        twin = next((one for one in store.scripts.values() if one.name == name and one.id != own), None)
        if twin is not None:
            raise SetError("alreadyExists", existingId=twin.id)

    def _content(self, blob_id: object) -> bytes:
        data = content_of(self.account, blob_id) if isinstance(blob_id, str) else None
        if data is None:
            raise SetError("blobNotFound", notFound=[blob_id])
        if len(data) > self._limits["maxSizeScript"]:
            raise SetError("tooLarge")
        if why := check_script(data):
            raise SetError(_invalid(self.account), why)
        return data
