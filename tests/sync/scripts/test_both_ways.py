"""Every act on scripts, from both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kit.script_mirror import BROKEN, KEEP, STOP

if TYPE_CHECKING:
    from jmapsync.demo import DemoServer
    from jmapsync.demo.scripts import ScriptStore
    from tests.kit.script_mirror import ScriptMirror


@pytest.fixture
def pair(store: ScriptStore, mirror: ScriptMirror) -> ScriptMirror:
    """Two scripts on both sides, of which `main` is active."""
    store.add("main", "keep;\r\n", active=True)
    store.add("other", "stop;\r\n")
    mirror.sync_until_quiet()
    return mirror


class TestFromTheServer:
    def test_scripts_become_files_and_the_active_one_the_link(self, pair: ScriptMirror) -> None:
        assert pair.files == {"main": KEEP, "other": STOP}
        assert pair.active == "main"
        assert (pair.root / "main.sieve").stat().st_mode & 0o777 == 0o600

    def test_an_edit(self, pair: ScriptMirror, store: ScriptStore) -> None:
        store.edit("main", "discard;\r\n")
        pair.sync_until_quiet()
        assert pair.files["main"] == "discard;\n"
        assert pair.active == "main"

    def test_a_rename(self, pair: ScriptMirror, store: ScriptStore) -> None:
        store.rename("main", "renamed")
        pair.sync_until_quiet()
        assert pair.files == {"renamed": KEEP, "other": STOP}
        assert pair.active == "renamed"

    def test_a_deletion(self, pair: ScriptMirror, store: ScriptStore) -> None:
        store.delete("other")
        pair.sync_until_quiet()
        assert pair.files == {"main": KEEP}

    def test_another_one_is_activated(self, pair: ScriptMirror, store: ScriptStore) -> None:
        store.activate("other")
        pair.sync_until_quiet()
        assert pair.active == "other"

    def test_the_active_one_is_deactivated(self, pair: ScriptMirror, store: ScriptStore) -> None:
        store.activate("")
        pair.sync_until_quiet()
        assert pair.active == ""
        assert pair.files == {"main": KEEP, "other": STOP}

    def test_line_ends_and_octets_that_no_text_has_are_kept(self, pair: ScriptMirror, store: ScriptStore) -> None:
        odd = b"# caf\xe9\r\nkeep;\n# \xf0\x9f\x98\x80 bare\rends"
        store.edit("other", odd)
        pair.sync_until_quiet()
        assert (pair.root / "other.sieve").read_bytes() == odd

    def test_an_empty_script(self, pair: ScriptMirror, store: ScriptStore) -> None:
        store.edit("other", b"")
        pair.sync_until_quiet()
        assert pair.files["other"] == ""


class TestFromTheDisk:
    def test_a_new_file(self, pair: ScriptMirror, store: ScriptStore) -> None:
        pair.write("new", "if true {\n  discard;\n}\n")
        pair.sync_until_quiet()
        assert store.listing()["new"] == b"if true {\r\n  discard;\r\n}\r\n"
        assert store.active_name == "main"

    def test_a_new_file_that_the_link_leads_to(self, pair: ScriptMirror, store: ScriptStore) -> None:
        pair.write("new", "discard;\n")
        pair.link("new")
        pair.sync_until_quiet()
        assert store.active_name == "new"
        assert (set(pair.files), pair.active) == ({"main", "other", "new"}, "new")

    def test_an_edit(self, pair: ScriptMirror, store: ScriptStore) -> None:
        pair.write("main", "discard;\n")
        pair.sync_until_quiet()
        assert store.listing() == {"main": b"discard;\r\n", "other": b"stop;\r\n"}
        assert store.active_name == "main"

    def test_a_rename_with_its_link(self, pair: ScriptMirror, store: ScriptStore) -> None:
        before = store.script("main").id
        (pair.root / "main.sieve").rename(pair.root / "first.sieve")
        pair.link("first")
        pair.sync_until_quiet()
        assert set(store.listing()) == {"first", "other"}
        assert (store.script("first").id, store.active_name) == (before, "first")

    def test_a_rename_without_its_link_which_follows(self, pair: ScriptMirror, store: ScriptStore) -> None:
        (pair.root / "main.sieve").rename(pair.root / "first.sieve")
        pair.sync_until_quiet()
        assert (set(store.listing()), store.active_name, pair.active) == ({"first", "other"}, "first", "first")

    def test_names_that_are_exchanged(self, pair: ScriptMirror, store: ScriptStore) -> None:
        for one, other in (("main", "third"), ("other", "main"), ("third", "other")):
            (pair.root / f"{one}.sieve").rename(pair.root / f"{other}.sieve")
        pair.sync_until_quiet()
        assert pair.files == {"main": STOP, "other": KEEP}
        assert store.listing() == {"main": b"stop;\r\n", "other": b"keep;\r\n"}
        assert store.active_name == "main"  # what the link leads to

    def test_a_deletion(self, pair: ScriptMirror, store: ScriptStore) -> None:
        (pair.root / "other.sieve").unlink()
        pair.sync_until_quiet()
        assert store.listing() == {"main": b"keep;\r\n"}

    def test_the_link_is_moved(self, pair: ScriptMirror, store: ScriptStore) -> None:
        pair.link("other")
        pair.sync_until_quiet()
        assert store.active_name == "other"

    def test_the_link_is_removed(self, pair: ScriptMirror, store: ScriptStore) -> None:
        pair.link("")
        pair.sync_until_quiet()
        assert store.active_name == ""
        assert set(store.listing()) == {"main", "other"}

    def test_the_active_one_gives_way_to_another_and_is_deleted(self, pair: ScriptMirror, store: ScriptStore) -> None:
        pair.write("next", "discard;\n")
        pair.link("next")
        (pair.root / "main.sieve").unlink()
        pair.sync_until_quiet()
        assert (set(store.listing()), store.active_name) == ({"next", "other"}, "next")

    def test_a_link_with_a_whole_path(self, pair: ScriptMirror, store: ScriptStore) -> None:
        (pair.root / "active").unlink()
        (pair.root / "active").symlink_to(pair.root / "other.sieve")
        pair.sync_until_quiet()
        assert store.active_name == "other"

    def test_touched_files_are_no_edits(self, pair: ScriptMirror, store: ScriptStore) -> None:
        store.edit("other", b"keep;\nstop;\n")
        pair.sync_until_quiet()
        (pair.root / "other.sieve").touch()
        report = pair.sync()
        assert report.to_server.total == 0
        assert store.listing()["other"] == b"keep;\nstop;\n"


class TestARefusedScript:
    def test_stays_on_the_disk_and_the_server_keeps_its_own(self, pair: ScriptMirror, store: ScriptStore) -> None:
        pair.write("main", BROKEN)
        for _ in range(2):
            report = pair.sync()
            [problem] = report.problems
            assert problem.item.endswith("main.sieve") or problem.item == "script main"
            assert "line 3: syntax error" in problem.why
            assert pair.files["main"] == BROKEN
            assert (store.listing()["main"], store.active_name) == (b"keep;\r\n", "main")
        pair.write("main", "discard;\n")
        pair.sync_until_quiet()
        assert store.listing()["main"] == b"discard;\r\n"

    def test_that_is_to_be_active_leaves_the_active_one_active(self, pair: ScriptMirror, store: ScriptStore) -> None:
        pair.write("bad", BROKEN)
        pair.link("bad")
        for _ in range(3):
            report = pair.sync()
            assert any("line 3" in one.why for one in report.problems)
            assert any("stays active" in one.why for one in report.problems)
            assert (store.active_name, pair.active) == ("main", "bad")
        pair.write("bad", "discard;\n")
        pair.sync_until_quiet()
        assert store.active_name == "bad"

    def test_that_is_to_be_active_instead_of_a_deleted_one_leaves_that_on_the_server(
        self, pair: ScriptMirror, store: ScriptStore
    ) -> None:
        pair.write("bad", BROKEN)
        pair.link("bad")
        (pair.root / "main.sieve").unlink()
        for _ in range(2):
            pair.sync()
            assert (store.active_name, set(store.listing())) == ("main", {"main", "other"})
        pair.write("bad", "discard;\n")
        pair.sync_until_quiet()
        assert (store.active_name, set(store.listing())) == ("bad", {"bad", "other"})

    def test_whose_edit_comes_with_the_removal_of_the_link(self, pair: ScriptMirror, store: ScriptStore) -> None:
        pair.write("main", BROKEN)
        pair.link("")
        report = pair.sync()
        assert any("line 3" in one.why for one in report.problems)
        assert pair.files["main"] == BROKEN

    def test_does_not_keep_others_from_being_sent(self, pair: ScriptMirror, store: ScriptStore) -> None:
        pair.write("bad", BROKEN)
        pair.write("good", KEEP)
        pair.sync()
        assert set(store.listing()) == {"main", "other", "good"}


class TestConflicts:
    def test_two_edits_keep_both(self, pair: ScriptMirror, store: ScriptStore) -> None:
        pair.write("main", "# mine\nkeep;\n")
        store.edit("main", "# theirs\r\nkeep;\r\n")
        report = pair.sync()
        assert report.conflicts == 1
        assert (pair.files["main"], pair.active) == ("# theirs\nkeep;\n", "main")
        [(copy, data)] = pair.conflict_copies()
        assert data == b"# mine\r\nkeep;\r\n"
        assert "main" in copy.item
        assert store.listing()["main"] == b"# theirs\r\nkeep;\r\n"

    def test_the_same_edit_is_none(self, pair: ScriptMirror, store: ScriptStore) -> None:
        pair.write("main", "discard;\n")
        store.edit("main", "discard;\r\n")
        pair.sync_until_quiet()

    def test_a_rename_and_an_edit_are_merged(self, pair: ScriptMirror, store: ScriptStore) -> None:
        pair.write("main", "discard;\n")
        store.rename("main", "first")
        pair.sync_until_quiet()
        assert store.listing()["first"] == b"discard;\r\n"
        assert (pair.files["first"], pair.active) == ("discard;\n", "first")

    def test_of_two_renames_the_servers_wins(self, pair: ScriptMirror, store: ScriptStore) -> None:
        (pair.root / "main.sieve").rename(pair.root / "mine.sieve")
        store.rename("main", "theirs")
        pair.sync()
        pair.sync_until_quiet()
        assert set(pair.files) == {"theirs", "other"}
        assert (store.active_name, pair.active) == ("theirs", "theirs")

    def test_each_side_activates_another_one(self, pair: ScriptMirror, store: ScriptStore) -> None:
        store.add("third", "discard;\r\n")
        pair.sync_until_quiet()
        pair.link("other")
        store.activate("third")
        pair.sync()
        pair.sync_until_quiet()
        assert (store.active_name, pair.active) == ("third", "third")

    def test_one_is_activated_here_while_the_server_deactivates(self, pair: ScriptMirror, store: ScriptStore) -> None:
        pair.link("other")
        store.activate("")
        for _ in range(2):
            pair.sync()
            assert (store.active_name, pair.active) == ("", "")

    def test_an_edit_beats_a_deletion(self, pair: ScriptMirror, store: ScriptStore) -> None:
        pair.write("other", "discard;\n")
        store.delete("other")
        pair.sync_until_quiet()
        assert store.listing()["other"] == b"discard;\r\n"


class TestTheActiveScriptVanishes:
    def test_here(self, pair: ScriptMirror, store: ScriptStore) -> None:
        (pair.root / "main.sieve").unlink()
        for _ in range(2):
            report = pair.sync()
            assert report.state.value == "suspended"
            assert (store.active_name, set(store.listing())) == ("main", {"main", "other"})
        report = pair.sync(allow_deletes=True)
        assert set(store.listing()) == {"other"}

    def test_here_with_its_link(self, pair: ScriptMirror, store: ScriptStore) -> None:
        pair.link("")
        (pair.root / "main.sieve").unlink()
        report = pair.sync()
        assert report.state.value == "suspended"
        assert "the active script main disappeared" in report.messages[-1].lower() or "active script main" in str(report.messages)
        pair.write("main", KEEP)
        pair.link("main")
        pair.sync_until_quiet()
        assert store.active_name == "main"

    @pytest.mark.parametrize("later", ["other", "new"])
    def test_here_and_another_one_is_linked_later(self, pair: ScriptMirror, store: ScriptStore, later: str) -> None:
        (pair.root / "main.sieve").unlink()
        assert pair.sync().state.value == "suspended"
        if later == "new":
            pair.write("new", KEEP)
        pair.link(later)
        pair.sync_until_quiet()
        assert (store.active_name, set(store.listing())) == (later, {"other", later})

    def test_here_and_is_renamed_on_the_server_before_a_file_has_its_old_name_again(
        self, pair: ScriptMirror, store: ScriptStore
    ) -> None:
        (pair.root / "main.sieve").unlink()
        assert pair.sync().state.value == "suspended"
        store.rename("main", "renamed")
        pair.write("main", "discard;\n")
        pair.sync()
        pair.sync_until_quiet()
        assert store.listing() == {"main": b"discard;\r\n", "other": b"stop;\r\n"}
        assert (set(pair.files), pair.active, store.active_name) == ({"main", "other"}, "main", "main")

    def test_on_the_server_and_another_one_is_activated_later(self, pair: ScriptMirror, store: ScriptStore) -> None:
        store.delete("main")
        assert pair.sync().state.value == "suspended"
        store.activate("other")
        pair.sync_until_quiet()
        assert (set(pair.files), pair.active) == ({"other"}, "other")

    def test_with_all_others_and_a_new_one_is_linked_later(self, pair: ScriptMirror, store: ScriptStore) -> None:
        for name in ("third", "fourth"):
            store.add(name, "keep;\r\n")
        pair.sync_until_quiet()
        for file in pair.root.glob("*.sieve"):
            file.unlink()
        assert pair.sync().state.value == "suspended"
        pair.write("new", KEEP)
        pair.link("new")
        assert pair.sync().state.value == "suspended"
        assert len(store.scripts) == 4

    @pytest.mark.parametrize("link", ["main", "nothing"])
    def test_on_each_side_another_one(self, pair: ScriptMirror, store: ScriptStore, link: str) -> None:
        store.activate("other")
        store.delete("main")
        (pair.root / "other.sieve").unlink()
        pair.link(link)
        assert pair.sync().state.value == "suspended"
        assert (store.active_name, set(pair.files)) == ("other", {"main"})

    def test_on_the_server(self, pair: ScriptMirror, store: ScriptStore) -> None:
        store.delete("main")
        for _ in range(2):
            assert pair.sync().state.value == "suspended"
            assert (set(pair.files), pair.active) == ({"main", "other"}, "main")
        pair.sync(allow_deletes=True)
        pair.sync_until_quiet()
        assert (set(pair.files), pair.active) == ({"other"}, "")

    def test_on_the_server_for_another_one(self, pair: ScriptMirror, store: ScriptStore) -> None:
        store.activate("other")
        store.delete("main")
        pair.sync_until_quiet()
        assert (set(pair.files), pair.active) == ({"other"}, "other")


class TestAnUnclearLink:
    @pytest.mark.parametrize("target", ["nothing.sieve", "../main.sieve", "/etc/passwd", "README"])
    def test_changes_nothing(self, pair: ScriptMirror, store: ScriptStore, target: str) -> None:
        (pair.root / "active").unlink()
        (pair.root / "active").symlink_to(target)
        report = pair.sync()
        assert [one.item for one in report.problems] == ["active"]
        assert store.active_name == "main"
        pair.link("other")
        pair.sync_until_quiet()
        assert store.active_name == "other"

    def test_leads_to_the_script_that_the_server_activates(self, pair: ScriptMirror, store: ScriptStore) -> None:
        pair.link("nothing")
        store.activate("other")
        pair.sync()
        pair.sync_until_quiet()
        assert (store.active_name, pair.active) == ("other", "other")

    def test_stays_where_the_active_script_is_edited_on_the_server(self, pair: ScriptMirror, store: ScriptStore) -> None:
        pair.link("nothing")
        store.edit("main", "discard;\r\n")
        for _ in range(2):
            assert [one.item for one in pair.sync().problems] == ["active"]
        assert (pair.files["main"], pair.active, store.active_name) == ("discard;\n", "nothing", "main")

    def test_is_filled_again_by_the_active_script_that_was_edited_on_the_server(
        self, pair: ScriptMirror, store: ScriptStore
    ) -> None:
        (pair.root / "main.sieve").unlink()
        store.edit("main", "discard;\r\n")
        pair.sync()
        pair.sync_until_quiet()
        assert (pair.files["main"], pair.active, store.active_name) == ("discard;\n", "main", "main")

    def test_a_file_in_its_place_is_left_alone(self, pair: ScriptMirror, store: ScriptStore) -> None:
        (pair.root / "active").unlink()
        (pair.root / "active").write_text("keep;")
        store.activate("other")
        report = pair.sync()
        assert "active" in {one.item for one in report.problems}
        assert (store.active_name, (pair.root / "active").read_text()) == ("other", "keep;")

    def test_an_emptied_file_is_no_edit(self, pair: ScriptMirror, store: ScriptStore) -> None:
        (pair.root / "main.sieve").write_text("")
        report = pair.sync()
        assert [one.item for one in report.problems] == ["main.sieve", "active"] or report.problems
        assert (store.listing()["main"], store.active_name) == (b"keep;\r\n", "main")


def test_an_unmounted_root_deletes_nothing(pair: ScriptMirror, store: ScriptStore) -> None:
    pair.root.rename(pair.root.with_name("away"))
    assert pair.sync().state.value == "failed"
    pair.root.mkdir()
    assert pair.sync().state.value == "failed"
    assert set(store.listing()) == {"main", "other"}


def test_a_dry_run_says_what_a_run_would_do(pair: ScriptMirror, store: ScriptStore, server: DemoServer) -> None:
    pair.write("new", KEEP)
    pair.link("other")
    store.edit("main", "discard;\r\n")
    before = server.account.version
    messages = pair.sync(dry=True).messages
    assert server.account.version == before
    assert pair.files["main"] == KEEP
    assert any(one.startswith("create new.sieve on the server: new here") for one in messages), messages
    assert "update script other on the server: activated here" in messages
    assert "deactivated here" in next(one for one in messages if one.startswith("replace script main on"))
    assert any(one.startswith("replace script main on disk: edited on the server") for one in messages), messages


def test_a_dry_run_names_a_rename_and_an_activation_as_what_they_are(pair: ScriptMirror) -> None:
    (pair.root / "other.sieve").rename(pair.root / "new name.sieve")
    pair.link("new name")
    assert "update script new name on the server: activated here; renamed here: new name" in pair.sync(dry=True).messages


class TestADeletionMeetsAnActivation:
    def test_what_is_deleted_here_was_activated_on_the_server(self, pair: ScriptMirror, store: ScriptStore) -> None:
        store.activate("other")
        pair.link("")
        (pair.root / "other.sieve").unlink()
        for _ in range(2):
            assert pair.sync().state.value == "suspended"
            assert (store.active_name, set(store.listing())) == ("other", {"main", "other"})
        pair.sync(allow_deletes=True)
        assert (store.active_name, set(store.listing())) == ("", {"main"})

    def test_what_is_deleted_on_the_server_was_activated_here(self, pair: ScriptMirror, store: ScriptStore) -> None:
        pair.link("other")
        store.delete("other")
        for _ in range(2):
            pair.sync()
        pair.sync_until_quiet()
        assert (store.active_name, pair.active) == ("main", "main")
        assert set(pair.files) == {"main"}
