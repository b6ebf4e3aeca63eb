"""Drafts edited here, on the server and on both; what becomes of the old version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kit.letters import fill, keywords, letter, wire
from tests.kit.mirror import Mirror, assert_converges

if TYPE_CHECKING:
    from jmapsync.demo import DemoServer


class TestDrafts:
    @pytest.fixture
    def draft(self, server: DemoServer, mirror: Mirror) -> str:
        ref = server.account.deliver(wire(letter(1)), ["Drafts"], ["$draft"])
        mirror.sync()
        return ref

    def test_a_draft_edited_on_the_server_replaces_the_file(self, server: DemoServer, mirror: Mirror, draft: str) -> None:
        server.account.deliver(wire(letter(2)), ["Drafts"], ["$draft"])
        server.account.destroy(draft)
        assert_converges(server.account, mirror)
        assert [file.read_bytes() for file in mirror.files("Drafts")] == [letter(2)]

    def test_a_draft_edited_here_is_imported_before_the_old_one_goes(self, server: DemoServer, mirror: Mirror, draft: str) -> None:
        mirror.files("Drafts")[0].write_bytes(letter(2))
        server.requests.clear()
        mirror.sync()
        assert draft not in server.account.emails
        [ref] = server.account.emails
        assert server.account.raw(ref) == wire(letter(2))
        assert keywords(server, ref) == {"$draft"}
        assert_converges(server.account, mirror)

    def test_a_draft_edited_on_both_sides_is_kept_twice(self, server: DemoServer, mirror: Mirror, draft: str) -> None:
        mirror.files("Drafts")[0].write_bytes(letter(2))
        server.account.deliver(wire(letter(3)), ["Drafts"], ["$draft"])
        server.account.destroy(draft)
        mirror.sync()
        assert_converges(server.account, mirror)
        assert sorted(file.read_bytes() for file in mirror.files("Drafts")) == [letter(2), letter(3)]

    def test_an_edited_message_that_is_no_draft_leaves_its_old_version_in_trash(self, server: DemoServer, mirror: Mirror) -> None:
        [ref] = fill(server, 1)
        mirror.sync()
        mirror.files("INBOX")[0].write_bytes(letter(2))
        mirror.sync()
        assert server.account.listing()[ref][0] == {"Trash"}
        assert_converges(server.account, mirror)
