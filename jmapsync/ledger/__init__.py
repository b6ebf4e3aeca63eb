"""The ledger: what was seen of both sides, and what they agreed on, in one SQLite file an account."""

from jmapsync.ledger.ledger import Ledger
from jmapsync.ledger.lock import AccountLock
from jmapsync.ledger.rows import ConflictCopy, Intent, Listed, Place, Quarantined, Record, Suspended

__all__ = ["AccountLock", "ConflictCopy", "Intent", "Ledger", "Listed", "Place", "Quarantined", "Record", "Suspended"]
