"""Bring both sides of one kind of one account to agree. This is the product: read it from the top to the bottom.

A round observes both sides, ingests what they hold, plans once, has the guard judge that plan, carries out that plan and commits
what came of it. What was found in another state than expected is stale: it is observed and planned again, in at most ROUNDS
rounds, and what is left then is quarantined by name. A crash needs no code of its own: the next run observes what was done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.errors import ExitCode
from jmapsync.ledger.plan_table import Step
from jmapsync.sync.containers import steps_of
from jmapsync.sync.execute import Executor, problems_of
from jmapsync.sync.plan_round import RoundPlan
from jmapsync.sync.report import State
from jmapsync.sync.steps import log_step
from jmapsync.sync.threads import complete

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.sync.channel import Channel
    from jmapsync.sync.observe import Observer
    from jmapsync.sync.report import KindReport

ROUNDS = 3


async def synchronize(channel: Channel, observer: Observer, begin: Callable[[], None] = lambda: None) -> KindReport:
    """Bring both sides to agree and return what was done.

    `begin` is called once it is known that a run for a hint of the disk has anything to do. Raises what stops the kind: the root is
    not there, no network, the disk refuses; SuspendedError when the guard suspended the plan, and then nothing was written.
    """
    observer.open()
    if channel.options.disk_only:
        if not await complete(observer.has_disk_changed):
            channel.report.partial = True
            return await _conclude(channel)
        begin()
    executor, containers = Executor.of(channel), channel.containers
    stale = executor.committer.stale
    for number in range(ROUNDS):
        if number == 0 or stale or containers.stale:
            observer.doubtful = set(stale)
            await observer.run(number)
            stale.clear()
            containers.stale.clear()
            if _may_delete(channel):
                channel.withdrawn.accept()
        channel.progress.start(channel.account, channel.kind.name, f"comparing {channel.kind.name}", 0, 0)
        planned = RoundPlan.of(channel)
        if channel.options.dry:
            await _describe(channel, planned)
            break
        channel.guard.check(planned.tally, allow=_may_delete(channel), dry=False)
        planned.keep_agreed()
        if not planned.has_work:
            break
        await _execute(channel, planned, executor)
    else:
        planned.quarantine(stale)
    if not channel.options.dry:
        await channel.remote.finish()
    return await _conclude(channel)


async def _describe(channel: Channel, planned: RoundPlan) -> None:
    """Put what a run would do into the report; raise SuspendedError after that if the guard would suspend it."""
    from jmapsync.sync.describe import describe_plan  # noqa: PLC0415  # other runs need none of it

    await describe_plan(channel, planned)
    channel.guard.check(planned.tally, allow=_may_delete(channel), dry=True)


async def _execute(channel: Channel, planned: RoundPlan, executor: Executor) -> None:
    """Carry out a plan: containers, what adds and changes, what deletes, and then the containers that go."""
    for what in steps_of(planned.containers):
        log_step(channel.account, channel.kind.name, what)
    await channel.containers.run(planned.containers, deletions=False)
    waiting, octets = channel.ledger.open_sizes(channel.kind.items.kind)
    if waiting:
        log_step(channel.account, channel.kind.name, f"{waiting:,} items to write")
        channel.progress.start(channel.account, channel.kind.name, f"fetching {channel.kind.name}", waiting, octets)
    for step in (Step.WRITE, Step.DELETE):
        await executor.run(planned.works(step, executor.committer.stale))
    channel.progress.start(channel.account, channel.kind.name, f"finishing {channel.kind.name}", 0, 0)
    await channel.containers.run(planned.containers, deletions=True)


def _may_delete(channel: Channel) -> bool:
    """Return whether a person allowed what the guard suspended."""
    options = channel.options
    return options.allow_deletes and (not options.kinds or channel.kind.name in options.kinds)


async def _conclude(channel: Channel) -> KindReport:
    """Show tags, and complete the report with what is left."""
    report, kind = channel.report, channel.kind.name
    if channel.tagger is not None and not channel.options.dry:
        await complete(channel.tagger.show)
    channel.quarantine.release_agreed()
    channel.quarantine.release_cut()
    await channel.names.name_problems()
    report.problems = problems_of(channel.ledger, kind)
    report.conflicts = len(channel.ledger.conflict_copies(kind))
    if report.problems or report.conflicts:
        report.exit_code = ExitCode.QUARANTINED
    report.describe_undone()
    report.withdrawn = channel.withdrawn.named()
    if report.withdrawn:
        report.messages.append(channel.withdrawn.message(channel.account))
        report.exit_code = ExitCode.SUSPENDED
    report.detached = channel.ledger.left_alone(kind)
    report.state = State.SYNCED
    return report
