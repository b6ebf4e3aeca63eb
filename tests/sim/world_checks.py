"""Say whether a world of a legal server is as it must be, without a model of the server: at rest, nothing lost, nothing false."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from jmapsync.errors import ExitCode
from tests.sim.chance import word_in
from tests.sim.script_checks import assert_scripts_rest
from tests.sim.world import Ways, writes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.sync.report import KindReport
    from tests.sim.legal import LegalServer
    from tests.sim.legal_player import LegalPlayer
    from tests.sim.script_checks import ScriptPlayer
    from tests.sim.world import World

MOST_RUNS = 12
"""Runs after which a world must be at rest."""
ENOUGH_CALLS = 6
"""Calls in one request that let a run with nothing to do be one request."""
LONGER_THAN_HELD = 3601
"""Seconds after which a refused item is tried again."""
PUT_OFF = ("refused_objects", "unavailable", "partial_fails", "loses_uploads")
"""Choices for which what was refused is tried again later."""
WRITING = ("Email/set", "Email/import", "Mailbox/set", "Blob/upload", "upload")


def assert_true(world: World, report: KindReport) -> None:
    """Fail unless a run that reports success did all there was to do."""
    if world.unseen:
        return
    if report.exit_code == 0 and report.state.value == "synced" and not report.withheld and not _may_be_marked(world):
        _assert_same(world)


def _may_be_marked(world: World) -> bool:
    """Return whether a message may have a keyword until the next run: the server's own, or what James wants at import."""
    if world.server.freedoms.marks_new:
        return True
    return world.server.service.dialect.import_rules == "james" and world.server.freedoms.unavailable > 0


def assert_unwritten(world: World) -> None:
    """Fail if a mirror that only pulls, or one of an account that may only be read, asked the server to change anything."""
    if world.ways.direction == "pull" or world.account.is_read_only:
        counts = world.server.requests.counts
        assert not any(counts.get(name) for name in WRITING), f"a mirror that may only read wrote: {counts}"


def assert_rest(world: World, player: LegalPlayer, server: LegalServer, *, proved: bool) -> None:
    """Run until nothing is left to do, and fail unless all is there and nothing else. `proved`: a verification says so too."""
    if player.scripts is not None:
        _assert_scripts_rest(world, player.scripts)
    player.posting.assert_emptied(can_send=server.choices.get("roles", True) and _can_send(server))
    reports = _come_to_rest(world, player, server)
    problems = reports[-1].problems
    if not problems:
        _assert_same(world)
        if world.ways == Ways():
            world.assert_same_folders()
    assert_unwritten(world)
    found = Counter(word_in(data) for places, data, tags, _ in world.on_server() if not _is_stray_draft(player, places, data, tags))
    kept = found.keys() | {word_in(file.read_bytes()) for file in (world.state / "shelf").glob("*")}
    kept |= {word_in(data) for _, data, _ in world.on_disk()} if problems or world.ways.direction == "pull" else set()
    mirrored = world.mirrored()
    kept |= {word_in(data) for folder, data, _ in world.on_disk() if folder not in mirrored}
    assert player.safe <= kept, f"missing: {sorted(player.safe - kept)}"
    # What lies in a folder that was left out may be new mail of another mailbox; the server has both then.
    covers = world.patterns.covers
    mirrored_there = Counter(word_in(data) for places, data, _, _ in world.on_server() if any(map(covers, places)))
    doubled = {word for word, count in (found & mirrored_there).items() if count > 1} - player.unseen
    assert not doubled, f"doubled: {sorted(doubled)}"
    assert found.keys() <= player.safe | player.doomed, f"from nowhere: {sorted(found.keys() - player.safe - player.doomed)}"
    may_conflict = server.denied() or world.account.is_read_only or world.ways.direction == "pull"
    assert may_conflict or not reports[-1].conflicts, "a conflict over messages"
    assert world.leftovers() == []
    before = world.picture()
    _assert_silent(world, reports[-1])
    assert world.picture() == before
    if proved and not problems and world.ways.on_delete != "keep" and world.ways.direction != "pull":
        differences = world.verify().differences
        assert not differences, f"a verification at rest: {differences[0].item}: {differences[0].why}"
        assert world.picture() == before
    assert_unwritten(world)


def _assert_scripts_rest(world: World, scripts: ScriptPlayer) -> None:
    def sync(meant: bool) -> KindReport:
        world.now += LONGER_THAN_HELD
        world.sync(allow_deletes=meant)
        assert world.script_report is not None
        return world.script_report

    assert_scripts_rest(scripts, sync, world.state, read_only=world.account.is_read_only)


def _can_send(server: LegalServer) -> bool:
    """Return whether the account lets the user send: a read-only one does not, nor does somebody else's on Cyrus."""
    return server.holder != "read only" and (server.holder, server.dialect().mailbox_rules) != ("shared", "cyrus")


def _is_stray_draft(player: LegalPlayer, places: Sequence[str], data: bytes, tags: Sequence[str]) -> bool:
    """Return whether this is the draft of a sending that died, which somebody moved out of Drafts: another one was sent."""
    return "$draft" in tags and "Drafts" not in places and player.posting.sent()[word_in(data)] == 1


def _come_to_rest(world: World, player: LegalPlayer, server: LegalServer) -> list[KindReport]:
    reports: list[KindReport] = []
    if world.unseen:
        world.audit()
    for _ in range(MOST_RUNS):
        # The guard may ask where folders went with their mail, or most of it did: somebody says that it was meant.
        meant = player.deleted and bool(reports) and reports[-1].exit_code is ExitCode.SUSPENDED
        reports.append(world.sync(allow_deletes=meant))
        if any(server.choices.get(name) for name in PUT_OFF):
            world.now += LONGER_THAN_HELD  # what the server refused for now is tried again later
        if not writes(reports[-1]) and not reports[-1].folders.total and _is_well(world, reports[-1], player, server):
            return reports
    reported = [(one.exit_code.name, one.problems, one.messages) for one in reports[-1:]]
    raise AssertionError(f"not at rest after {MOST_RUNS} runs: {reported}")


def _is_well(world: World, report: KindReport, player: LegalPlayer, server: LegalServer) -> bool:
    """Return whether a report names nothing but what this server cannot do, or what it let nobody do."""
    expected = ["no Trash mailbox"] if not server.choices.get("roles", True) else []
    # A restore asks the server itself; and a hidden mailbox, as which James refuses it, may have the name that another wants.
    expected += ["does not allow", "forbidden"] if server.denied() or server.holder == "read only" else []
    # What is filed into a mailbox that may be filled and not read is not shown there: the report says just that.
    expected += ["but does not show it"] if any(right == "mayReadItems" for _, right in server.denied()) else []
    expected += ["the server refused it: invalidArguments"] if server.denied() and server.dialect().set_errors == "james" else []
    asked = ["the server has another mailbox of this name there by now", "they want each other's names"]
    expected += asked if player.swapped else []
    # A folder that was removed here may have mailboxes in it that are not mirrored.
    expected += ["the mailbox still has mailboxes below it"] if world.ways.exclude else []
    expected += server.refused()
    problems = [one for one in report.problems if not any(words in one.why for words in expected)]
    return not problems and report.state.value == "synced" and (report.exit_code == 0 or bool(report.conflicts or report.problems))


def _assert_same(world: World) -> None:
    """Fail unless both sides hold the same; where nothing is deleted on the server, it may hold more."""
    if world.ways.on_delete != "keep":
        world.assert_same()


def _assert_silent(world: World, last: KindReport) -> None:
    """Fail unless further runs do nothing, and ask once where the server lets them."""
    counts: list[int] = []
    enough = world.server.limits.max_calls_in_request >= ENOUGH_CALLS
    once = enough and not world.server.freedoms.cannot_calculate and not last.problems
    once = once and not world.server.freedoms.changes_lacking and world.scripts is None
    while len(counts) < 1 + once and counts != [1]:
        report = world.sync()
        assert (writes(report), report.folders.total, report.problems) == (0, 0, last.problems), report
        counts.append(world.requests)
    assert not once or counts[-1] == 1, f"{counts} requests with nothing to do"
