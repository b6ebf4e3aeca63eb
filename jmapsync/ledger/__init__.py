"""The ledger: what was seen of both sides, and what they agreed on, in one SQLite file an account.

Its classes are imported when they are asked for: `status` reads a ledger without its items, and so without the planner.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jmapsync.ledger.ledger import Ledger
    from jmapsync.ledger.lock import AccountLock
    from jmapsync.ledger.record import Record
    from jmapsync.ledger.rows import ConflictCopy, Intent, Listed, Place, Quarantined, Suspended
    from jmapsync.ledger.summary import Summary

__all__ = ["AccountLock", "ConflictCopy", "Intent", "Ledger", "Listed", "Place", "Quarantined", "Record", "Summary", "Suspended"]
_MODULES = {"Ledger": "ledger", "AccountLock": "lock", "Record": "record", "Summary": "summary"}


def __getattr__(name: str) -> Any:  # noqa: ANN401  # as PEP 562 has it
    """Return a class of the list above from its module."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'rows')}"), name)
