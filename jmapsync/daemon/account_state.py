"""Name how an account stands with the daemon."""

from __future__ import annotations

from enum import StrEnum


class Standing(StrEnum):
    """How an account stands with the daemon."""

    STARTING = "starting"
    AT_WORK = "at work"
    IN_STEP = "in step"
    TROUBLE = "in trouble, trying again"
    SUSPENDED = "suspended"
    SIGN_IN = "needs sign-in"
    STOPPED = "stopped"
