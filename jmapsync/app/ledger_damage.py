"""Name a damaged ledger as what it is, whatever a command stumbled over in it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from jmapsync.app.state_paths import LEDGER
from jmapsync.errors import JmapsyncError
from jmapsync.ledger.database import damaged
from jmapsync.ledger.inspection import find_damage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jmapsync.errors import LedgerError


def damage_of(state_dir: Path) -> LedgerError | None:
    """Return what is wrong with an account's ledger; None where all of it can be read."""
    why = find_damage(state_dir / LEDGER)
    return damaged(state_dir / LEDGER, why) if why else None


@contextmanager
def naming_damage(state_dir: Path) -> Iterator[None]:
    """Raise LedgerError for what nobody expected, where the account's ledger is damaged: a row that lies leads anywhere."""
    try:
        yield
    except JmapsyncError:
        raise
    except Exception as error:
        if (damage := damage_of(state_dir)) is not None:
            raise damage from error
        raise
