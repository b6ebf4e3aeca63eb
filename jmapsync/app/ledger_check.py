"""Check the ledger after an unexpected exception, so that a corrupt ledger is reported as such."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from jmapsync.app.state_paths import LEDGER
from jmapsync.errors import JmapsyncError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jmapsync.errors import LedgerError


def ledger_error(state_dir: Path) -> LedgerError | None:
    """Return what is wrong with an account's ledger; None if all of it can be read."""
    from jmapsync.ledger.database import corrupt  # noqa: PLC0415  # only after an unexpected exception
    from jmapsync.ledger.inspection import find_corruption  # noqa: PLC0415

    why = find_corruption(state_dir / LEDGER)
    return corrupt(state_dir / LEDGER, why) if why else None


@contextmanager
def checking_ledger(state_dir: Path) -> Iterator[None]:
    """Raise LedgerError instead of an unexpected exception if the ledger is corrupt: a wrong row may cause any."""
    try:
        yield
    except JmapsyncError:
        raise
    except Exception as error:
        if (found := ledger_error(state_dir)) is not None:
            raise found from error
        raise
