"""Run one account: its lock, its ledger, its kinds one after the other, and a report whatever happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from jmapsync.app.identity import check_pin, pin_note, pin_of
from jmapsync.app.state_paths import CONFLICT_COPIES
from jmapsync.errors import ExitCode, JmapsyncError, Scope, SuspendedError
from jmapsync.formats.names import EVERYTHING, Patterns
from jmapsync.sync.channel import Channel
from jmapsync.sync.conflict_copies import ConflictCopyWriter
from jmapsync.sync.execute import problems_of
from jmapsync.sync.observe import Observer
from jmapsync.sync.report import AccountReport, KindReport, State
from jmapsync.sync.run import synchronize

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from jmapsync.backup.restore import Restored
    from jmapsync.backup.selection import ForeignTree, Selection
    from jmapsync.backup.verify import Proof
    from jmapsync.kinds import Kind
    from jmapsync.ledger import Ledger
    from jmapsync.planner.guard import Limits
    from jmapsync.storage.port import MailPair, ObjectPair, TagIndex
    from jmapsync.sync.options import Options
    from jmapsync.sync.report import Progress


class Sides(Struct, frozen=True):
    """One kind with its two sides."""

    kind: Kind
    account_id: str
    """The server's id of the account that offers it."""
    pair: MailPair | ObjectPair
    patterns: Patterns = EVERYTHING
    """Which containers are mirrored."""
    tags: TagIndex | None = None
    """Of mail, where its keywords are tags as well."""


class Bundle(Protocol):
    """A request that several kinds share."""

    def leave(self) -> None:
        """Say that one of them wants nothing more of it."""


Together = Callable[[int], AbstractContextManager[Bundle]]
"""Has the first calls of so many kinds sent as one request."""


@dataclass(slots=True)
class AccountRun:
    """One run of one account."""

    name: str
    state: Path
    """The account's state folder."""
    ledger: Ledger
    limits: Limits
    options: Options
    progress: Progress
    clock: Callable[[], float] = time.time
    report: AccountReport = field(init=False)
    _finished: set[str] = field(default_factory=set)
    """The kinds whose turn is over."""

    def __post_init__(self) -> None:
        """Begin the report."""
        self.report = AccountReport(self.name)

    def begin(self, kinds: Iterable[str]) -> None:
        """Note in the ledger that a run of these kinds begins, so that one that is killed shows."""
        if not self.options.dry:
            with self.ledger.transaction():
                for kind in kinds:
                    self.ledger.begin_run(kind, int(self.clock()))

    def skip(self, kind: str, why: JmapsyncError) -> None:
        """Report and record that a kind cannot be synchronized."""
        self.report.kinds[kind] = KindReport(messages=[str(why)])
        self.report.kinds[kind].fail(str(why), why.exit_code, State.SKIPPED)
        self._record(kind)

    def suspend(self, kind: str, why: SuspendedError) -> None:
        """Report and record that a kind is suspended before anything of it was read or written."""
        self.report.kinds[kind] = KindReport(messages=[str(why)])
        _note_failure(self.report.kinds[kind], why)
        self._record(kind)

    def fail_unfinished(self, kinds: Iterable[str], error: BaseException) -> None:
        """Report and record of the kinds whose turn did not come that they failed for the reason of the account."""
        for kind in kinds:
            if kind not in self._finished:
                _note_failure(self.report.kinds.setdefault(kind, KindReport()), error)
                with suppress(JmapsyncError):  # what took the account down may be the ledger itself
                    self._record(kind)

    def _record(self, kind: str) -> None:
        self._finished.add(kind)
        if not self.options.dry and not self.report.kinds[kind].partial:
            self.ledger.record_run(kind, int(self.clock()), self.report.kinds[kind].to_json())

    def _pin(self, kind: str, account_id: str) -> None:
        """Check that the server still means the same account as ever. Raises SuspendedError."""
        known = pin_of(self.ledger, kind)
        check_pin(known, account_id)
        if not known and not self.options.dry:
            self.ledger.set_note(pin_note(kind), account_id)

    async def run(self, kinds: Sequence[Sides], together: Together) -> None:
        """Bring kinds to agree, one after the other; the server is asked about all of them at once.

        A failure becomes part of the report of its kind; one that concerns the whole account is raised.
        """
        try:
            for sides in kinds:
                self._pin(sides.kind.name, sides.account_id)
            observers = [Observer(self._channel(sides)) for sides in kinds]
            ahead: Sequence[JmapsyncError | None] = [None] * len(observers)
            if len(observers) > 1:
                with together(len(observers)) as bundle:
                    ahead = await asyncio.gather(*(_ask_ahead(observer, bundle.leave) for observer in observers))
            for observer, failure in zip(observers, ahead, strict=True):
                await self._run(observer, failure)
        except BaseException as error:
            self.fail_unfinished((sides.kind.name for sides in kinds), error)
            raise

    async def verify(self, kinds: Sequence[Sides]) -> dict[str, Proof]:
        """Prove kinds complete, one after the other, in a dry run; a failure becomes part of the report of its kind."""
        from jmapsync.backup.verify import Verifier  # noqa: PLC0415  # a run needs none of it

        found = {}
        for sides in kinds:
            name = sides.kind.name
            try:
                self._pin(name, sides.account_id)
                found[name] = await Verifier(self._channel(sides)).run()
            except JmapsyncError as error:
                report = self.report.kinds.setdefault(name, KindReport())
                report.state, report.exit_code = State.FAILED, error.exit_code
                report.messages.append(str(error))
                if error.scope is Scope.ACCOUNT:
                    raise
            finally:
                self.progress.finish(self.name, name)
        return found

    async def restore(self, sides: Sides, selection: Selection, foreign: ForeignTree | None) -> Restored | None:
        """Put one kind back on the server; a failure becomes part of its report. `foreign` describes another tree."""
        from jmapsync.backup.restore import Restorer  # noqa: PLC0415  # a run needs none of it

        try:
            if foreign is None:
                self._pin(sides.kind.name, sides.account_id)
            return await Restorer(self._channel(sides), selection, foreign).run()
        except JmapsyncError as error:
            report = self.report.kinds.setdefault(sides.kind.name, KindReport())
            report.state, report.exit_code = State.FAILED, error.exit_code
            report.messages.append(str(error))
            if error.scope is Scope.ACCOUNT:
                raise
        finally:
            self.progress.finish(self.name, sides.kind.name)
        return None

    def _channel(self, sides: Sides) -> Channel:
        report = KindReport()
        self.report.kinds[sides.kind.name] = report
        return Channel(
            sides.kind,
            self.name,
            sides.account_id,
            self.ledger,
            sides.pair,
            self.limits,
            self.options,
            self.progress,
            self.clock,
            ConflictCopyWriter(self.ledger, self.state / CONFLICT_COPIES, sides.kind.name, sides.pair, self.clock).write,
            sides.patterns,
            sides.tags,
            report,
        )

    async def _run(self, observer: Observer, failure: JmapsyncError | None) -> None:
        """Run one kind, unless what was asked ahead failed already."""
        channel = observer.channel
        report, kind = channel.report, channel.kind.name
        try:
            if failure is not None:
                raise failure
            await synchronize(channel, observer, lambda: self.begin([kind]))
        except JmapsyncError as error:
            _note_failure(report, error)
            report.messages.append(str(error))
            if error.scope is not Scope.ACCOUNT:
                with suppress(JmapsyncError):  # what ended the run may keep names from being stored too
                    await channel.names.name_problems()
            with suppress(JmapsyncError) if error.scope is Scope.ACCOUNT else nullcontext():
                report.problems = problems_of(self.ledger, kind)
                self._record(kind)
            if error.scope is Scope.ACCOUNT:
                raise
        else:
            self._record(kind)
        finally:
            self.progress.finish(self.name, kind)


def _note_failure(report: KindReport, error: BaseException) -> None:
    """Note in the report of a kind what ended it."""
    if isinstance(error, JmapsyncError):
        report.fail(str(error), error.exit_code, State.SUSPENDED if isinstance(error, SuspendedError) else State.FAILED)
    elif isinstance(error, asyncio.CancelledError | KeyboardInterrupt):
        report.fail("the run was interrupted", ExitCode.FAILED)
    else:
        report.fail(f"the run ended with a fault of the program ({type(error).__name__})", ExitCode.FAILED)


async def _ask_ahead(observer: Observer, leave: Callable[[], None]) -> JmapsyncError | None:
    """Ask the server for what the run of one kind asks first; return what went wrong, to be reported when its turn comes."""
    try:
        await observer.ask_ahead()
    except JmapsyncError as error:
        return error
    finally:
        leave()
    return None
