"""Define the states of an account in the daemon."""

from __future__ import annotations

from enum import StrEnum


class AccountState(StrEnum):
    """State of an account in the daemon, as `jmapsync status` shows it."""

    STARTING = "starting"
    AT_WORK = "at work"
    IN_STEP = "in step"
    TROUBLE = "in trouble, trying again"
    SUSPENDED = "suspended"
    SIGN_IN = "needs sign-in"
    STOPPED = "stopped"
