"""Test that docs/configuration.md is what the declarations say, and that the program reads exactly these keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jmapsync.config import DaemonConfig, HooksConfig, MailConfig, NotmuchConfig, SafetyConfig, load
from jmapsync.config.declared import NAME, tables
from jmapsync.config.reader import Reader
from jmapsync.config.values import TIMEOUT
from tests.docs.configuration import PAGE, example, page

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.docs.configuration"


def test_the_example_has_every_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    file = tmp_path / "config.toml"
    file.write_text(example())
    config = load(file)
    assert (config.daemon, config.safety, config.hooks) == (DaemonConfig(), SafetyConfig(), HooksConfig())
    assert config.accounts["home"].mail == MailConfig(path=tmp_path / "Mail/home", notmuch=NotmuchConfig())
    assert config.accounts["home"].timeout == TIMEOUT


def test_every_key_that_is_read_is_on_the_page_and_the_reverse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: dict[tuple[str, ...], set[str]] = {}
    close = Reader.close

    def record(reader: Reader) -> None:
        read.setdefault(reader.at, set()).update(reader._known)
        close(reader)

    monkeypatch.setattr(Reader, "close", record)
    file = tmp_path / "config.toml"
    file.write_text(re.sub(r"^# ", "", example(), count=1))
    load(file)
    described = {
        tuple("home" if part == NAME else part for part in table.path): {key.name for key in table.keys} for table in tables()
    }
    tables_of = {path: {other[-1] for other in described if other and other[:-1] == path} for path in described}
    tables_of[()] = {path[0] for path in described if path}
    assert {path: read[path] - tables_of[path] for path in described} == described
