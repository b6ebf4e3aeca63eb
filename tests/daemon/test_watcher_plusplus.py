"""What the watcher reports of a Maildir++ root, which is a folder itself. By real inotify."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.daemon.test_watcher import put_in_place
from tests.daemon.watcher_recorder import RecordedWatcher, make_maildir

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "mail"
    for folder in (root, root / ".Lists.python"):
        make_maildir(folder)
    return root


@pytest.mark.parametrize("place", ["", ".Lists.python"])
async def test_a_delivery_is_a_hint_at_its_folder_and_no_other(root: Path, place: str) -> None:
    async with RecordedWatcher(root) as ear:
        put_in_place(root / place)
        assert await ear.silence() == [root / place]


async def test_a_folder_made_renamed_or_removed_is_a_hint_and_a_new_one_is_watched(root: Path) -> None:
    async with RecordedWatcher(root) as ear:
        make_maildir(root / ".New")
        assert root in await ear.silence()
        put_in_place(root / ".New")
        assert root / ".New" in await ear.silence()
        (root / ".New").rename(root / ".Newer")
        assert root in await ear.silence()
        put_in_place(root / ".Newer")
        assert root / ".Newer" in await ear.silence()


async def test_an_empty_directory_that_is_to_become_a_folder_is_a_hint(root: Path) -> None:
    async with RecordedWatcher(root) as ear:
        (root / ".New").mkdir()
        assert root in await ear.silence()
