"""The embedded JMAP server: what `jmapsync demo` shows, and the double of a real server in fast tests."""

from jmapsync.demo.account import Account
from jmapsync.demo.dialect import CYRUS_36, CYRUS_312, RFC, STALWART, Dialect, Limits
from jmapsync.demo.faults import Answer, Faults
from jmapsync.demo.problems import MethodError, SetError
from jmapsync.demo.server import DemoServer
from jmapsync.demo.store import Store

__all__ = [
    "CYRUS_36",
    "CYRUS_312",
    "RFC",
    "STALWART",
    "Account",
    "Answer",
    "DemoServer",
    "Dialect",
    "Faults",
    "Limits",
    "MethodError",
    "SetError",
    "Store",
]
