"""Name the files of an account's state folder."""

LEDGER = "ledger.sqlite"
LOCK = "lock"
SPOOL = "spool"
"""Large bodies on their way."""
SHELF = "shelf"
"""Versions that lost a conflict, each under its number."""
