"""What is passed between the engine and the sides."""

from __future__ import annotations

import base64
import hashlib
import tracemalloc
from typing import TYPE_CHECKING

from jmapsync.storage.port import Body

if TYPE_CHECKING:
    from pathlib import Path


def test_the_digest_of_a_body_is_that_of_its_bytes_wherever_they_lie(tmp_path: Path) -> None:
    content = b"0123456789\r\n" * 100_000
    (tmp_path / "body").write_bytes(content)
    expected = base64.b64encode(hashlib.sha256(content).digest()).decode()
    assert Body("E1", content).digest == Body("E1", path=tmp_path / "body").digest == expected


def test_a_large_body_is_hashed_without_being_held_in_memory(tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(bytes(8 << 20))
    tracemalloc.start()
    assert Body("E1", path=tmp_path / "body").digest
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2 << 20
