from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.daemon.watcher_recorder import make_maildir

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "mail"
    make_maildir(root / "INBOX")
    return root


@pytest.fixture
def inbox(root: Path) -> Path:
    return root / "INBOX"
