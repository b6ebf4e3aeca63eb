"""What servers do wrong, over contacts and events: nothing lost, nothing twice, both sides equal."""

from __future__ import annotations

import os
import time
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import Answer, DemoServer, MethodError, SetError
from jmapsync.demo.dialect import CYRUS_CALENDARS
from jmapsync.errors import ExitCode
from jmapsync.storage.jmap.objects import changes as observed
from jmapsync.sync.report import KindReport
from tests.kit.object_mirror import writes
from tests.sync.objects.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from jmapsync.demo import Faults

CASES = [("contacts", "stalwart"), ("calendars", "cyrus312")]
if os.environ.get("JMAPSYNC_SIM") == "night":
    CASES += [("contacts", "rfc"), ("calendars", "rfc"), ("calendars", "stalwart")]


@pytest.fixture(params=CASES, ids="-".join)
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    with DemoServer(dialect=request.param[1]) as server:
        # Cyrus with `jmap_nonstandard_extensions: no`
        yield Scene(server, request.param[0], tmp_path, hidden={CYRUS_CALENDARS} if request.param[1] == "cyrus312" else ())


def fail(faults: Faults, method: str, error: str) -> None:
    faults.method_error.arm(MethodError(error), only={method}, times=1)


def cut_listings(faults: Faults, scene: Scene) -> None:
    scene.server.account.logs[scene.type].forget()
    faults.missing_total.arm()
    faults.truncated_query.arm(2, only={scene.type})


def begin_with_the_newest(faults: Faults, scene: Scene) -> None:
    scene.server.limits.max_changes = 2
    faults.newest_first.arm(only={scene.type})


PASSING: dict[str, Callable[[Faults, Scene], None]] = {
    "the first part of a set is done": lambda faults, scene: faults.partial_fail.arm(1, only={f"{scene.type}/set"}, times=1),
    "no part of a set is done": lambda faults, scene: faults.partial_fail.arm(0, only={f"{scene.type}/set"}, times=1),
    "a set times out after it is done": lambda faults, scene: faults.drop_after.arm(only={f"{scene.type}/set"}, times=1),
    "a set never arrives": lambda faults, scene: faults.drop_before.arm(only={f"{scene.type}/set"}, times=1),
    "the answer of a set is cut": lambda faults, scene: faults.cut_body.arm(20, only={f"{scene.type}/set"}, times=1),
    "changes cannot be calculated": lambda faults, scene: fail(faults, f"{scene.type}/changes", "cannotCalculateChanges"),
    "changes of collections cannot be calculated": lambda faults, scene: fail(
        faults, f"{scene.store.model.collection}/changes", "cannotCalculateChanges"
    ),
    "changes fail": lambda faults, scene: fail(faults, f"{scene.type}/changes", "serverFail"),
    "changes do not move": lambda faults, scene: faults.stuck_changes.arm(only={scene.type}, times=1),
    "changes are of another state": lambda faults, scene: faults.foreign_old_state.arm(only={scene.type}, times=1),
    "ids are missing from a get": lambda faults, scene: faults.missing_in_get.arm(1, only={scene.type}, times=2),
    "the server is busy for a moment": lambda faults, _: faults.answer.arm(
        Answer.too_many_requests(formatdate(time.time() + 1, usegmt=True)), only={"api"}, times=1
    ),
}
"""What passes by itself."""

LASTING: dict[str, Callable[[Faults, Scene], None]] = {
    "no paths are taken": lambda faults, scene: faults.refuse_patches.arm(only={scene.type}),
    "what is written is rewritten": lambda faults, scene: faults.rewrite_items.arm(
        lambda item: {**item, "keywords": {"seen-by-server": True}}, only={scene.type}
    ),
    "listings are cut": cut_listings,
    "destroyed ids are created too": lambda faults, scene: faults.created_and_destroyed.arm(only={scene.type}),
    "a living id is destroyed too": lambda faults, scene: faults.created_and_destroyed.arm(
        [scene.refs["theirs"]], only={scene.type}
    ),
    "ids are repeated in a get": lambda faults, scene: faults.repeated_in_get.arm(3, only={scene.type}),
    "pages begin with the newest": begin_with_the_newest,
    "the session flaps": lambda faults, _: faults.flapping_session_state.arm(),
}
"""What a server does all the time, and a mirror has to live with."""

BARRING: dict[str, Callable[[Faults, Scene], None]] = {
    "a page instead of an answer": lambda faults, _: faults.answer.arm(Answer.html(), only={"api"}),
    "nothing but half answers": lambda faults, _: faults.cut_body.arm(30, only={"api"}),
    "no answer": lambda faults, _: faults.drop_before.arm(only={"api"}),
    "the account is gone": lambda faults, _: faults.vanished_account.arm(""),
    "a date far away": lambda faults, _: faults.answer.arm(
        Answer.too_many_requests(formatdate(time.time() + 3600, usegmt=True)), only={"api"}
    ),
}
"""What leaves nothing to do."""


def fired(scene: Scene) -> int:
    return sum(getattr(switch, "fired", 0) for switch in vars(scene.server.faults).values())


@pytest.mark.parametrize("fault", PASSING)
def test_what_passes_leaves_no_trace(scene: Scene, fault: str) -> None:
    scene.act()
    before = fired(scene)
    PASSING[fault](scene.server.faults, scene)
    for _ in range(2):
        scene.sync()
        scene.assert_nothing_lost()
    assert fired(scene) > before
    scene.assert_ended()


@pytest.mark.parametrize("fault", LASTING)
def test_what_lasts_is_lived_with(scene: Scene, fault: str) -> None:
    scene.act()
    before = fired(scene)
    LASTING[fault](scene.server.faults, scene)
    for _ in range(3):
        found = scene.sync()
        assert isinstance(found, KindReport)
        assert (found.exit_code, found.problems) == (ExitCode.IN_SYNC, []), found.messages
        scene.assert_nothing_lost()
        silent = writes({scene.kind: found}) == 0
    assert silent
    assert fired(scene) > before or fault == "no paths are taken"  # Cyrus is given none
    assert scene.here() == scene.there()
    scene.clear()
    scene.assert_ended()


@pytest.mark.parametrize("fault", BARRING)
def test_what_bars_the_way_changes_nothing_on_either_side(scene: Scene, fault: str) -> None:
    scene.act()
    sides = scene.here(), scene.there()
    BARRING[fault](scene.server.faults, scene)
    scene.desk.max_wait = 0.2
    for kept in (True, False):
        scene.desk.session = scene.desk.session if kept else None
        found = scene.sync()
        # The session that was kept lists the account, so that the server withdrew it; a new one never did.
        is_withdrawn = fault == "the account is gone" and kept
        assert (found.exit_code if isinstance(found, KindReport) else found) is (
            ExitCode.SUSPENDED if is_withdrawn else ExitCode.FAILED
        )
        assert (scene.here(), scene.there()) == sides
    scene.clear()
    scene.desk.max_wait = 5.0
    scene.assert_ended()


def test_what_is_refused_is_quarantined_by_name_and_the_rest_goes_on(scene: Scene) -> None:
    scene.act()
    scene.server.faults.set_error.arm(SetError("forbidden"), only={f"{scene.type}/set"}, times=1)
    found = scene.sync()
    assert isinstance(found, KindReport)
    assert (found.exit_code, len(found.problems)) == (ExitCode.QUARANTINED, 1), found.problems
    scene.assert_nothing_lost()
    assert len(scene.desk.sync()[scene.kind].problems) == 1
    scene.desk.sync(full=True)
    scene.assert_ended()


def test_what_is_never_answered_for_is_quarantined_by_name_and_not_gone(scene: Scene) -> None:
    scene.act()
    scene.server.faults.missing_in_get.arm(1, only={scene.type})
    here = scene.here().keys() - {"gone-there"}
    for _ in range(2):
        found = scene.sync()
        assert isinstance(found, KindReport)
        assert found.exit_code is ExitCode.QUARANTINED
        assert found.problems
        assert here <= scene.here().keys()
        scene.assert_nothing_lost()
    scene.clear()
    scene.assert_ended()


def test_collections_that_are_left_out_of_a_list_that_was_cut_are_not_gone(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stalwart cuts `/get` with `ids: null` at 500 without a word."""
    monkeypatch.setattr(observed, "SILENTLY_CUT", 2)
    scene.act()
    scene.store.create_collection("More")
    scene.server.faults.truncated_get.arm(2, only={scene.store.model.collection})
    for _ in range(2):
        scene.sync()
        scene.assert_nothing_lost()
    assert scene.server.faults.truncated_get.fired
    scene.clear()
    scene.desk.sync(full=True)
    scene.assert_ended()


def test_what_the_server_forgot_to_report_is_found_by_a_full_run(scene: Scene) -> None:
    scene.act()
    scene.server.faults.omit_destroyed.arm()
    scene.sync()
    assert "gone-there" in scene.here()
    scene.clear()
    scene.desk.sync(full=True)
    scene.assert_ended()


def test_a_restored_backup_deletes_nothing_here_unasked(scene: Scene) -> None:
    backup = scene.server.account.snapshot()
    scene.act()
    scene.assert_ended()
    before = {file: file.read_bytes() for file in scene.desk.files(scene.kind)}
    scene.server.account.restore(backup)
    scene.server.requests.clear()
    for _ in range(2):
        assert scene.desk.sync()[scene.kind].exit_code is ExitCode.SUSPENDED
        assert {file: file.read_bytes() for file in scene.desk.files(scene.kind)} == before
        assert scene.server.requests.calls(f"{scene.type}/set") == []
