"""A Maildir tree keeps the promises of the port."""

from __future__ import annotations

from tests.storage.contract import LocalContract


class TestMaildir(LocalContract):
    pass
