"""Answer the methods of `Identity` and `VacationResponse` (RFC 8621, sections 6 and 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.demo.changes import ChangesArguments, run_changes
from jmapsync.demo.dialect import VACATION
from jmapsync.demo.patch import apply_patch
from jmapsync.demo.problems import JsonObject, SetError, invalid_properties
from jmapsync.demo.records import parse_utc_date
from jmapsync.demo.scripts import Script
from jmapsync.demo.standard import GetArguments, SetArguments, SetRun, checked_properties, get_result, requested_ids

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.demo.account import Account
    from jmapsync.demo.wire import Context


def _text(value: object) -> bool:
    return isinstance(value, str)


def _text_or_null(value: object) -> bool:
    return value is None or isinstance(value, str)


def _date_or_null(value: object) -> bool:
    try:
        return value is None or parse_utc_date(value) is not None
    except ValueError:
        return False


def _addresses_or_null(value: object) -> bool:
    """Take EmailAddress[] or null."""
    if value is None:
        return True
    return isinstance(value, list) and all(
        isinstance(one, dict) and _text(one.get("email")) and _text_or_null(one.get("name")) and one.keys() <= {"name", "email"}
        for one in value
    )


_IDENTITY: dict[str, tuple[object, Callable[[object], bool]]] = {
    "name": ("", _text),
    "replyTo": (None, _addresses_or_null),
    "bcc": (None, _addresses_or_null),
    "textSignature": ("", _text),
    "htmlSignature": ("", _text),
}
"""What of an identity can be changed, with its default; its address and `mayDelete` cannot."""
_VACATION: dict[str, tuple[object, Callable[[object], bool]]] = {
    "isEnabled": (False, lambda value: isinstance(value, bool)),
    "fromDate": (None, _date_or_null),
    "toDate": (None, _date_or_null),
    "subject": (None, _text_or_null),
    "textBody": (None, _text_or_null),
    "htmlBody": (None, _text_or_null),
}
_SINGLETON = "singleton"
VACATION_DEFAULTS: JsonObject = {"id": _SINGLETON, **{name: default for name, (default, _) in _VACATION.items()}}
"""The vacation response that every account starts with."""
CYRUS_TEXT = "I'm away at the moment.  I'll read your message and get back to you as soon as I can."
"""The text that it starts with on Cyrus."""


def get_mail_identities(context: Context, arguments: GetArguments) -> JsonObject:
    """Answer `Identity/get`."""
    account = context.account(arguments.account_id)
    defaults: JsonObject = {name: default for name, (default, _) in _IDENTITY.items()}
    identities = {one["id"]: {**defaults, **one} for one in account.identities}
    names = checked_properties(arguments.properties, ("id", "email", "mayDelete", *_IDENTITY))
    ids, not_found = requested_ids(context, arguments.ids, "Identity", identities)
    found = [{name: identities[one].get(name) for name in names} for one in ids if one in identities]
    return get_result(context, account, "Identity", found, not_found + [one for one in ids if one not in identities])


def change_mail_identities(context: Context, arguments: ChangesArguments) -> JsonObject:
    """Answer `Identity/changes`."""
    return run_changes(context, arguments, "Identity")


def set_mail_identities(context: Context, arguments: SetArguments) -> JsonObject:
    """Answer `Identity/set`; a new identity needs the address of an existing one."""
    account = context.writable_account(arguments.account_id)
    with account.transaction():
        run = _IdentityRun(context, account, arguments, "Identity")
        run.carry_out()
    return run.result()


class _IdentityRun(SetRun):
    """One `Identity/set`."""

    def add(self, key: str, value: JsonObject) -> None:
        """Create one identity."""
        wrong = value.keys() - _IDENTITY.keys() - {"email"}
        wrong |= _wrong({name: one for name, one in value.items() if name in _IDENTITY}, _IDENTITY)
        if wrong or not _text(value.get("email")):
            raise invalid_properties(*sorted(wrong or {"email"}))
        if str(value["email"]).casefold() not in {str(one["email"]).casefold() for one in self.account.identities}:
            raise SetError("forbiddenFrom")
        taken = {one["id"] for one in self.account.identities}
        new_id = next(name for number in range(1, len(taken) + 2) if (name := f"i{number}") not in taken)
        self.account.identities.append({**value, "id": new_id, "mayDelete": True})
        self.account.record("Identity", new_id)
        self.created[key] = {"id": new_id, "mayDelete": True}
        self.context.created_ids[key] = new_id

    def change(self, key: str, patch: JsonObject) -> None:
        """Change one identity."""
        index = self._index(key)
        if key in self.destroy:
            raise SetError("willDestroy")
        defaults: JsonObject = {name: default for name, (default, _) in _IDENTITY.items()}
        before = {**defaults, **self.account.identities[index]}
        after = {**defaults, **apply_patch(before, patch)}
        if changed := [name for name in sorted({*before, *after} - _IDENTITY.keys()) if after.get(name) != before.get(name)]:
            raise invalid_properties(*changed)
        if wrong := _wrong({name: after[name] for name in _IDENTITY}, _IDENTITY):
            raise invalid_properties(*sorted(wrong))
        if after != before:
            self.account.logs["Identity"].know(after["id"])
            self.account.identities[index] = after
            self.account.record("Identity", after["id"])
        self.updated[key] = None

    def remove(self, key: str) -> None:
        """Destroy one identity."""
        index = self._index(key)
        if not self.account.identities[index].get("mayDelete"):
            raise SetError("forbidden")
        self.account.logs["Identity"].know(self.account.identities[index]["id"])
        self.account.record("Identity", self.account.identities.pop(index)["id"], dead=True)
        self.destroyed.append(key)

    def _index(self, key: str) -> int:
        wanted = self.context.resolve_id(key)
        for index, one in enumerate(self.account.identities):
            if one["id"] == wanted:
                return index
        raise SetError("notFound")


def get_vacation(context: Context, arguments: GetArguments) -> JsonObject:
    """Answer `VacationResponse/get`."""
    account = context.account(arguments.account_id)
    names = checked_properties(arguments.properties, list(VACATION_DEFAULTS))
    ids, not_found = requested_ids(context, arguments.ids, "VacationResponse", [_SINGLETON])
    vacation = _shown(account)
    found = [{name: vacation[name] for name in names if name in vacation}] if _SINGLETON in ids else []
    return get_result(context, account, "VacationResponse", found, not_found + [one for one in ids if one != _SINGLETON])


def set_vacation(context: Context, arguments: SetArguments) -> JsonObject:
    """Answer `VacationResponse/set`: the only one can be neither created nor destroyed."""
    account = context.writable_account(arguments.account_id)
    with account.transaction():
        run = SetRun(context, account, arguments, "VacationResponse")
        for kind, keys in (("create", run.create), ("destroy", run.destroy)):
            for key in keys:
                run.attempt(kind, key, _refuse_second)
        for key, patch in run.update.items():
            run.attempt("update", key, lambda key=key, patch=patch: _change_vacation(run, key, patch))  # type: ignore[misc]
    return run.result()


def _change_vacation(run: SetRun, key: str, patch: JsonObject) -> None:
    if key != _SINGLETON:
        raise SetError("notFound")
    before = _shown(run.account)
    of_cyrus = run.account.dialect.vacation == "cyrus"
    if of_cyrus and not isinstance(patch.get("isEnabled"), bool):
        raise invalid_properties("isEnabled")
    after = {**VACATION_DEFAULTS, **apply_patch({**VACATION_DEFAULTS, **before}, patch)}
    wrong = after.keys() - VACATION_DEFAULTS.keys()
    wrong |= _wrong({name: after[name] for name in _VACATION}, _VACATION)
    if wrong or after["id"] != _SINGLETON:
        raise invalid_properties(*sorted(wrong or {"id"}))
    if of_cyrus:
        after = {name: value for name, value in after.items() if value is not None or name not in patch}
    if after != run.account.vacation or after["isEnabled"] != before["isEnabled"]:
        run.account.vacation = after
        run.account.record("VacationResponse", _SINGLETON)
    if run.account.dialect.scripts is not None:
        _write_script(run.account, was_enabled=before["isEnabled"])
    run.updated[key] = None


def _shown(account: Account) -> JsonObject:
    """Return the vacation response as `/get` gives it: Cyrus says that it is off where its script is not the active one."""
    if account.dialect.vacation == "cyrus" and account.scripts.active != VACATION:
        return {**account.vacation, "isEnabled": False}
    return account.vacation


def _write_script(account: Account, *, was_enabled: bool) -> None:
    """Write the script that answers, and activate it as the response is switched on: the user's own is then off."""
    name = {"cyrus": VACATION}.get(account.dialect.vacation, "vacation" if account.dialect.scripts == "stalwart" else "")
    if not name:
        return
    is_enabled = bool(account.vacation["isEnabled"])
    account.scripts.put(Script(name, name, f"# {is_enabled} {account.vacation.get('textBody')}\r\nkeep;\r\n".encode()))
    if is_enabled and not was_enabled:
        account.scripts.switch(name)


def _refuse_second() -> None:
    raise SetError("singleton")


def _wrong(values: JsonObject, table: dict[str, tuple[object, Callable[[object], bool]]]) -> set[str]:
    """Return the names of the values that have the wrong type."""
    return {name for name, value in values.items() if not table[name][1](value)}
