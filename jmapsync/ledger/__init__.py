"""The ledger: what was seen of both sides, and what they agreed on, in one SQLite file an account."""

from jmapsync.ledger.ledger import Ledger
from jmapsync.ledger.lock import AccountLock
from jmapsync.ledger.rows import HeldBack, Intent, Listed, Place, Record, Shelved, Suspended

__all__ = ["AccountLock", "HeldBack", "Intent", "Ledger", "Listed", "Place", "Record", "Shelved", "Suspended"]
