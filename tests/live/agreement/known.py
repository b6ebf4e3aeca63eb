"""List where a profile answers differently from the real server, each probe with the reason why that is accepted."""

from __future__ import annotations

from typing import Final

KNOWN: Final[dict[str, dict[str, str]]] = {"cyrus36": {}, "cyrus312": {}, "james": {}}
"""By profile, then by probe."""
