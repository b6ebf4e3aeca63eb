"""What servers do with scripts that a mirror must not misread: races, limits, reserved names, listings that lack something."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.demo import RFC, DemoServer
from jmapsync.demo.problems import MethodError
from jmapsync.errors import NetworkError
from tests.kit.script_mirror import BROKEN, KEEP, STOP, ScriptMirror

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from jmapsync.demo.scripts import ScriptStore

    Make = Callable[[str], tuple[DemoServer, ScriptStore, ScriptMirror]]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Make a server of a dialect with two scripts, of which `main` is active, and their mirror."""
    servers: list[DemoServer] = []

    def make(dialect: str) -> tuple[DemoServer, ScriptStore, ScriptMirror]:
        server = DemoServer(dialect=dialect).__enter__()
        servers.append(server)
        store, mirror = server.account.scripts, ScriptMirror(server.url, tmp_path)
        store.add("main", "keep;\r\n", active=True)
        store.add("other", "stop;\r\n")
        mirror.sync_until_quiet()
        return server, store, mirror

    yield make
    for server in servers:
        server.__exit__(None, None, None)


@pytest.mark.parametrize("act", ["activate", "rename", "edit"])
def test_an_edit_by_others_right_after_our_write_comes_to_the_disk(make: Make, act: str) -> None:
    server, store, mirror = make("rfc")
    edits = iter([True])
    ref = store.script("other").id

    def slip() -> None:
        if next(edits, False):
            store.edit(ref, "discard;\r\n")

    server.faults.after_call.arm(slip, only=["SieveScript/set"])
    if act == "activate":
        mirror.link("other")
    elif act == "rename":
        (mirror.root / "other.sieve").rename(mirror.root / "renamed.sieve")
    else:
        mirror.write("other", "# mine\nstop;\n")
    mirror.sync()
    mirror.sync_until_quiet()
    assert "discard;\n" in mirror.files.values()
    assert store.script(ref).content == b"discard;\r\n"


def test_a_script_that_a_listing_lacks_is_asked_for_before_it_counts_as_gone(make: Make) -> None:
    server, _, mirror = make("rfc")
    server.faults.missing_in_get.arm(1, only=["SieveScript"], times=1)
    mirror.sync_until_quiet()
    assert set(mirror.files) == {"main", "other"}
    server.faults.missing_in_get.arm(1, only=["SieveScript"], times=2)
    assert mirror.sync().problems != []
    assert set(mirror.files) == {"main", "other"}
    mirror.sync_until_quiet()


def test_a_blob_with_another_id_and_the_same_bytes_is_no_edit(make: Make) -> None:
    _, store, mirror = make("cyrus312")
    before = (mirror.root / "other.sieve").stat()
    store.edit("other", "stop;\r\n")
    assert mirror.sync().to_disk.total == 0
    assert (mirror.root / "other.sieve").stat() == before


def test_names_that_cyrus_encodes_are_shown_as_they_are(make: Make) -> None:
    _, store, mirror = make("cyrus36")
    mirror.write("Grüße an alle", KEEP)
    mirror.sync_until_quiet()
    assert "Grüße an alle" in mirror.files
    assert store.shown(store.script("Grüße an alle"))["name"].startswith("=?utf-8?")
    assert set(store.listing()) == {"main", "other", "Grüße an alle"}


def test_limits_are_named_with_their_figures(make: Make) -> None:
    _, store, mirror = make("cyrus312")
    for number in range(4):
        mirror.write(f"number {number}", KEEP)
    mirror.write("number 0", f"# {'x' * 33_000}\n{KEEP}")
    [problem] = mirror.sync().problems
    assert problem.why == "it has 33,011 octets, and the server takes scripts of at most 32,768"
    mirror.write("number 0", KEEP)
    [problem] = mirror.sync().problems
    assert problem.why.startswith("the server keeps at most 5 scripts")
    assert len(store.listing()) == 5


@pytest.mark.parametrize(
    ("name", "said"), [("a%2Fb", "does not take its name"), ("n" * 201, "its name of 201 octets may be too long")]
)
def test_a_name_that_cyrus_cannot_hold_is_blamed(make: Make, name: str, said: str) -> None:
    _, store, mirror = make("cyrus312")
    (mirror.root / f"{name}.sieve").write_text(KEEP)
    [problem] = mirror.sync().problems
    assert said in problem.why
    assert set(store.listing()) == {"main", "other"}


def test_a_problem_names_a_script_by_the_name_that_its_file_has_now(make: Make) -> None:
    _, _, mirror = make("rfc")
    (mirror.root / "other.sieve").rename(mirror.root / "new.sieve")
    mirror.write("new", BROKEN)
    mirror.sync()
    (mirror.root / "new.sieve").rename(mirror.root / "newer.sieve")
    assert [one.item for one in mirror.sync().problems] == ["script newer"]


@pytest.mark.parametrize("name", ["%00", "a%00b", "bell%07", "tab\tname", "line\nname", "paragraph\u2029"])
def test_a_name_with_a_control_character_keeps_no_other_script_from_being_sent(make: Make, name: str) -> None:
    _, store, mirror = make("cyrus312")
    mirror.write(name, KEEP)
    mirror.write("fine", STOP)
    report = mirror.sync()
    assert (report.state.value, set(store.listing())) == ("synced", {"main", "other", "fine"})
    assert ["control character" in one.why for one in report.problems] == [True]
    assert mirror.files[name] == KEEP


def test_the_name_that_stalwart_reserves_is_refused_and_its_script_mirrored(make: Make) -> None:
    server, store, mirror = make("stalwart")
    mirror.write("vacation", KEEP)
    [problem] = mirror.sync().problems
    assert "reserved" in problem.why
    (mirror.root / "vacation.sieve").unlink()
    store.add("vacation", STOP, active=True)
    server.account.vacation = {**server.account.vacation, "isEnabled": True}
    mirror.sync_until_quiet()
    assert (mirror.active, mirror.files["vacation"]) == ("vacation", STOP)
    mirror.write("vacation", KEEP)
    [problem] = mirror.sync().problems
    assert "forbidden" in problem.why
    assert store.listing()["vacation"] == STOP.encode()


def test_included_scripts_are_sent_first(make: Make) -> None:
    _, store, mirror = make("rfc")
    mirror.write("a outer", 'require "include";\ninclude "z inner";\n')
    mirror.write("z inner", KEEP)
    mirror.sync_until_quiet()
    assert list(store.listing())[-2:] == ["z inner", "a outer"]
    assert store.active_name == "main"


@pytest.mark.parametrize("what", ["drop_before", "missing_blob"])
def test_content_that_cannot_be_read_is_reported_as_what_it_is(make: Make, what: str) -> None:
    server, store, mirror = make("rfc")
    for name in ("main", "other"):
        store.edit(name, "# new\r\nkeep;\r\n")
    store.add("third", "# new\r\nkeep;\r\n")
    before, fault = mirror.files, getattr(server.faults, what)
    fault.arm(only=["download"])
    if what == "drop_before":
        with pytest.raises(NetworkError):
            mirror.sync()
    else:
        assert {one.item for one in mirror.sync().problems} == {"script main", "script other", "script third"}
    assert mirror.files == before
    fault.disarm()
    mirror.sync_until_quiet()
    assert set(mirror.files) == {"main", "other", "third"}


@pytest.mark.parametrize("name", ["other", "third"])
def test_a_script_that_could_not_be_read_is_a_problem_no_more_once_it_is_deleted_there(make: Make, name: str) -> None:
    """Whether it was known before, or never was."""
    server, store, mirror = make("rfc")
    if name == "third":
        store.add(name, "# new\r\nkeep;\r\n")
    else:
        store.edit(name, "# new\r\nkeep;\r\n")
    server.faults.missing_blob.arm(only=["download"])
    assert {one.item for one in mirror.sync().problems} == {f"script {name}"}
    store.delete(name)
    mirror.sync_until_quiet()
    assert name not in mirror.files


@pytest.mark.parametrize("page", [1, 2, 3])
def test_a_server_that_gives_few_at_a_time_is_asked_page_by_page(make: Make, page: int) -> None:
    server, store, mirror = make("rfc")
    store.add("third", "keep;\r\n")
    store.add("fourth", "keep;\r\n")
    server.faults.method_error.arm(MethodError("requestTooLarge"), only=["SieveScript/get"], times=1)
    server.faults.truncated_query.arm(page, only=["SieveScript/query"])
    assert mirror.sync().problems == []
    assert set(mirror.files) == {"main", "other", "third", "fourth"}


@pytest.mark.parametrize("choice", [{"cuts_null_ids": True}, {"object_limits": "request"}, {"object_limits": "method"}])
def test_edits_and_deletions_reach_a_server_that_gives_one_script_at_a_time(tmp_path: Path, choice: dict[str, Any]) -> None:
    limits = dataclasses.replace(RFC.limits, max_objects_in_get=1)
    with DemoServer(dialect=dataclasses.replace(RFC, limits=limits, **choice)) as server:
        store, mirror = server.account.scripts, ScriptMirror(server.url, tmp_path)
        for name in ("a", "b", "c"):
            store.add(name, f"# {name}\r\nkeep;\r\n")
        mirror.sync_until_quiet(requests=0)
        assert set(mirror.files) == {"a", "b", "c"}
        mirror.write("b", STOP)
        (mirror.root / "c.sieve").unlink()
        mirror.sync_until_quiet(requests=0)
        assert store.listing() == {"a": b"# a\r\nkeep;\r\n", "b": b"stop;\r\n"}


@pytest.mark.parametrize("error", ["serverUnavailable", "serverFail"])
def test_nothing_is_written_that_cannot_be_validated_now(make: Make, error: str) -> None:
    server, store, mirror = make("rfc")
    mirror.write("main", STOP)
    mirror.write("new", KEEP)
    mirror.link("new")
    fault = server.faults.method_error
    fault.arm(MethodError(error), only=["SieveScript/validate"])
    assert {"new.sieve", "script main"} <= {one.item for one in mirror.sync().problems}
    assert (store.listing()["main"], store.active_name) == (b"keep;\r\n", "main")
    fault.disarm()
    assert mirror.sync(full=True).problems == []
    assert (store.listing()["main"], store.active_name) == (b"stop;\r\n", "new")


def test_a_server_that_cannot_validate_alone_refuses_what_is_not_valid(make: Make) -> None:
    server, store, mirror = make("rfc")
    server.faults.method_error.arm(MethodError("unknownMethod"), only=["SieveScript/validate"])
    mirror.write("main", BROKEN)
    mirror.write("other", KEEP)
    assert ["line 3" in one.why for one in mirror.sync().problems] == [True]
    assert store.listing() == {"main": b"keep;\r\n", "other": b"keep;\r\n"}


def test_a_name_that_becomes_free_late_is_given_without_a_person(make: Make) -> None:
    server, store, mirror = make("rfc")
    (mirror.root / "main.sieve").unlink()
    (mirror.root / "other.sieve").rename(mirror.root / "main.sieve")
    fault = server.faults.method_error
    fault.arm(MethodError("serverUnavailable"), only=["SieveScript/set"], times=3)
    mirror.sync()
    fault.disarm()
    for _ in range(2):
        mirror.sync(full=True)
    assert (store.listing(), store.active_name) == ({"main": b"stop;\r\n"}, "main")


@pytest.mark.parametrize(("link", "item"), [("other", "script other"), ("", "script main")])
def test_a_server_that_does_not_switch_scripts_is_named(make: Make, monkeypatch: pytest.MonkeyPatch, link: str, item: str) -> None:
    _, store, mirror = make("rfc")
    monkeypatch.setattr(store, "switch", lambda ref: [])
    mirror.link(link)
    assert [(one.item, "did not" in one.why) for one in mirror.sync().problems] == [(item, True)]
    assert store.active_name == "main"
