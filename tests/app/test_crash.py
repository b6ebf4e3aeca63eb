"""Reports of what nobody expected: each in a file of its own, however many are written at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.app.crash import report_crash

if TYPE_CHECKING:
    from pathlib import Path


def test_reports_of_one_second_lie_in_files_of_their_own(tmp_path: Path) -> None:
    advice = [report_crash(kind("a secret"), tmp_path).advice for kind in (ValueError, KeyError, TypeError, OSError)]
    files = sorted(tmp_path.iterdir())
    assert len(files) == 4
    assert all(any(str(file) in reported for reported in advice) for file in files)
    texts = [file.read_text() for file in files]
    assert [sum(name in text for text in texts) for name in ("ValueError", "KeyError", "TypeError", "OSError")] == [1, 1, 1, 1]
    assert "secret" not in "".join(texts)
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
