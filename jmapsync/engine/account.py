"""Run one account: its lock, its ledger, its kinds one after the other, and a report whatever happens."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jmapsync.engine.cycle import Cycle, Options
from jmapsync.engine.execute import problems_of
from jmapsync.engine.report import AccountReport, KindReport, State
from jmapsync.errors import JmapsyncError, Scope, SuspendedError
from jmapsync.ledger import Ledger, Shelved

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jmapsync.engine.commit import Work
    from jmapsync.engine.report import Progress
    from jmapsync.formats.codec import Codec
    from jmapsync.kinds import Kind
    from jmapsync.planner import Limits
    from jmapsync.storage.port import Local, Remote


@dataclass(frozen=True, slots=True)
class Sides:
    """One kind with its two sides."""

    kind: Kind
    local: Local
    remote: Remote
    codec: Codec | None = None
    """Of a kind whose bodies are objects."""


@dataclass(slots=True)
class AccountRun:
    """One run of one account."""

    name: str
    account_id: str
    state: Path
    """The account's state folder."""
    ledger: Ledger
    limits: Limits
    options: Options
    progress: Progress
    clock: Callable[[], float] = time.time
    report: AccountReport = field(init=False)

    def __post_init__(self) -> None:
        """Begin the report."""
        self.report = AccountReport(self.name)

    def pin(self) -> None:
        """Check that the server still means the same account as ever (hard case 30). Raises SuspendedError."""
        known = self.ledger.note("account")
        if known and known != self.account_id:
            raise SuspendedError(
                f"The server now offers account {self.account_id} where this mirror is of {known}; nothing was synchronised.",
                advice="If the provider moved your mail, set account_id; for a new mirror, give it a new path and name.",
            )
        if not known and not self.options.dry:
            self.ledger.set_note("account", self.account_id)

    async def run(self, sides: Sides) -> None:
        """Bring one kind to agree; a failure is told in the report, and what takes the account down is raised."""
        report = KindReport()
        self.report.kinds[sides.kind.name] = report
        cycle = Cycle(
            sides.kind,
            self.name,
            self.account_id,
            self.ledger,
            sides.local,
            sides.remote,
            self.limits,
            self.options,
            self.progress,
            self.clock,
            lambda work: self._shelve(sides, work),
            sides.codec,
            report,
        )
        try:
            await cycle.run()
        except JmapsyncError as error:
            report.state = State.SUSPENDED if isinstance(error, SuspendedError) else State.FAILED
            report.exit_code = error.exit_code
            report.sentences.append(str(error))
            report.problems = problems_of(self.ledger, sides.kind.name)
            if error.scope is Scope.ACCOUNT:
                raise
        finally:
            if not self.options.dry:
                self.ledger.record_run(sides.kind.name, int(self.clock()), report.to_json())

    def _shelve(self, sides: Sides, work: Work) -> None:
        """Put the local version of an item on the shelf before it is overwritten."""
        key = work.change.key
        body = sides.local.read(key, self.ledger.places_of([key]).get(key, ()))
        version = work.record.local
        shelved = Shelved(
            0,
            sides.kind.name,
            key,
            work.record.name,
            "local",
            work.change.reason,
            int(self.clock()),
            " ".join(map(str, sorted(version.homes))) if version else "",
            " ".join(sorted(version.tags)) if version else "",
        )
        folder = self.state / "shelf"
        folder.mkdir(mode=0o700, exist_ok=True)
        number = self.ledger.shelve(shelved)
        if body.data is not None:
            data = body.data if sides.codec is None else sides.codec.write(json.loads(body.data))
            (folder / str(number)).write_bytes(data)
        elif body.path is not None:
            shutil.move(body.path, folder / str(number))
