"""Say what the configuration asks for and this version cannot do yet: never is it passed over in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jmapsync.config import AccountConfig, KindConfig

NOT_YET = {
    "sieve": "Sieve scripts cannot be synchronized yet by this version.",
}
"""By kind, by key and value, or by a key that differs from its default: the sentence for people."""


def missing_for_kind(account: AccountConfig, kind: str) -> str:
    """Return why a kind of an account cannot be synchronized yet, or nothing."""
    if kind in NOT_YET:
        return NOT_YET[kind]
    config = account.kinds[kind]
    said: list[str] = []
    default = type(config)(path=config.path)
    for name in config.__struct_fields__:
        value = getattr(config, name)
        if value != getattr(default, name):
            said += [f"{kind}.{name}", f"{kind}.{name}={value}"]
    return " ".join(NOT_YET[one] for one in said if one in NOT_YET)


def possible_kinds(account: AccountConfig) -> list[KindConfig]:
    """Return the kinds of an account that this version can synchronize."""
    return [config for kind, config in account.kinds.items() if not missing_for_kind(account, kind)]
