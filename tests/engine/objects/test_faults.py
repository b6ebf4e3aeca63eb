"""What servers do wrong, over contacts and events (hard cases 18 to 33, 63): nothing lost, nothing twice, both sides equal."""

from __future__ import annotations

import os
import time
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import Answer, DemoServer, MethodError, SetError
from jmapsync.demo.dialect import CYRUS_CALENDARS
from jmapsync.engine.report import KindReport
from jmapsync.errors import AccountGoneError, ExitCode, NetworkError, ServerError, UnsupportedError
from tests.engine.objects.desk import writes
from tests.engine.objects.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from jmapsync.demo import Faults

CASES = [("contacts", "rfc"), ("calendars", "stalwart"), ("calendars", "cyrus312")]
if os.environ.get("JMAPSYNC_SIM") == "night":
    CASES += [("contacts", "stalwart"), ("calendars", "rfc")]


@pytest.fixture(params=CASES, ids="-".join)
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    with DemoServer(dialect=request.param[1]) as server:
        if request.param[1] == "cyrus312":  # with `jmap_nonstandard_extensions: no`
            server.faults.hidden_capabilities.arm({CYRUS_CALENDARS})
        yield Scene(server, request.param[0], tmp_path)


def rewritten(item: dict[str, object]) -> dict[str, object]:
    return {**item, "keywords": {"seen-by-server": True}}


PASSING: dict[str, Callable[[Faults, Scene], None]] = {
    "the first part of a set is done": lambda faults, scene: faults.partial_fail.arm(1, only={f"{scene.type}/set"}, times=1),
    "no part of a set is done": lambda faults, scene: faults.partial_fail.arm(0, only={f"{scene.type}/set"}, times=1),
    "a set times out after it is done": lambda faults, scene: faults.drop_after.arm(only={f"{scene.type}/set"}, times=1),
    "a set never arrives": lambda faults, scene: faults.drop_before.arm(only={f"{scene.type}/set"}, times=1),
    "the answer of a set is cut": lambda faults, scene: faults.cut_body.arm(20, only={f"{scene.type}/set"}, times=1),
    "changes cannot be calculated": lambda faults, scene: faults.method_error.arm(
        MethodError("cannotCalculateChanges"), only={f"{scene.type}/changes"}, times=1
    ),
    "changes of collections cannot be calculated": lambda faults, scene: faults.method_error.arm(
        MethodError("cannotCalculateChanges"), only={f"{scene.store.model.collection}/changes"}, times=1
    ),
    "changes fail": lambda faults, scene: faults.method_error.arm(
        MethodError("serverFail"), only={f"{scene.type}/changes"}, times=1
    ),
    "changes do not move": lambda faults, scene: faults.stuck_changes.arm(only={scene.type}, times=1),
    "changes are of another state": lambda faults, scene: faults.foreign_old_state.arm(only={scene.type}, times=1),
    "ids are missing from a get": lambda faults, scene: faults.missing_in_get.arm(1, only={scene.type}, times=2),
    "the server is busy for a moment": lambda faults, scene: faults.answer.arm(
        Answer.too_many_requests("0"), only={"api"}, times=2
    ),
}
"""What passes by itself."""

LASTING: dict[str, Callable[[Faults, Scene], None]] = {
    "no paths are taken": lambda faults, scene: faults.refuse_patches.arm(only={scene.type}),
    "what is written is rewritten": lambda faults, scene: faults.rewrite_items.arm(rewritten, only={scene.type}),
    "collections are cut": lambda faults, scene: faults.truncated_get.arm(1, only={scene.store.model.collection}),
    "listings are cut": lambda faults, scene: (
        faults.truncated_query.arm(2, only={scene.type}),
        faults.missing_total.arm(),
        scene.server.account.logs[scene.type].forget(),
    )[-1],
    "destroyed ids are created too": lambda faults, scene: faults.created_and_destroyed.arm(only={scene.type}),
    "a living id is destroyed too": lambda faults, scene: faults.created_and_destroyed.arm(
        [scene.refs["theirs"]], only={scene.type}
    ),
    "ids are repeated in a get": lambda faults, scene: faults.repeated_in_get.arm(3, only={scene.type}),
    "pages begin with the newest": lambda faults, scene: (
        setattr(scene.server.limits, "max_changes", 2),
        faults.newest_first.arm(),
    )[-1],
    "the session flaps": lambda faults, scene: faults.flapping_session_state.arm(),
}
"""What a server does all the time, and a mirror has to live with."""


@pytest.mark.parametrize("fault", PASSING)
def test_what_passes_leaves_no_trace(scene: Scene, fault: str) -> None:
    scene.act()
    PASSING[fault](scene.server.faults, scene)
    for _ in range(2):
        scene.sync()
        scene.assert_nothing_lost()
    scene.assert_ended()
    assert sum(getattr(scene.server.faults, name).fired for name in vars(scene.server.faults) if name != "foreign_origin") > 0


@pytest.mark.parametrize("fault", LASTING)
def test_what_lasts_is_lived_with(scene: Scene, fault: str) -> None:
    scene.act()
    LASTING[fault](scene.server.faults, scene)
    for _ in range(3):
        found = scene.sync()
        assert isinstance(found, KindReport)
        assert (found.exit_code, found.problems) == (ExitCode.IN_SYNC, []), found.sentences
        scene.assert_nothing_lost()
    assert writes({scene.kind: found}) == 0
    assert scene.here() == scene.there()
    scene.server.faults.clear()
    scene.assert_ended()
