"""A round plans once, the guard judges that plan and that plan is carried out; what both sides agree on is not planned at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.ledger.plan_table import Step
from jmapsync.planner.plan import plan
from jmapsync.storage.jmap.mail.side import MailSide
from jmapsync.sync import containers, plan_round
from jmapsync.sync.guard import Guard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.demo import DemoServer
    from jmapsync.planner.guard import Tally
    from jmapsync.storage.port import Job, Receipt
    from tests.kit.mirror import Mirror


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return how many items each call of the planner was given."""
    given: list[int] = []

    def counted(pairs: Any, *rest: Any, **named: Any) -> Any:  # noqa: ANN401
        every = list(pairs)
        given.append(len(every))
        return plan(every, *rest, **named)

    monkeypatch.setattr(plan_round, "plan", counted)
    monkeypatch.setattr(containers, "plan", counted)
    return given


def deliver(server: DemoServer, word: str) -> str:
    return server.account.deliver(f"Subject: {word}\r\n\r\nBody {word}.\r\n".encode())


def test_what_both_sides_agree_on_is_not_planned(server: DemoServer, mirror: Mirror, plans: list[int]) -> None:
    deliver(server, "one")
    mirror.sync()
    plans.clear()
    mirror.sync()
    assert plans == []


def test_one_change_is_planned_once(server: DemoServer, mirror: Mirror, plans: list[int]) -> None:
    ref = deliver(server, "one")
    deliver(server, "two")
    mirror.sync()
    plans.clear()
    server.account.set_keyword(ref, "$flagged")
    mirror.sync()
    assert plans == [1]


def test_one_flag_set_here_is_planned_once(server: DemoServer, mirror: Mirror, plans: list[int]) -> None:
    deliver(server, "one")
    mirror.sync()
    plans.clear()
    mirror.flag(mirror.files("INBOX")[0], "F")
    mirror.sync()
    assert plans == [1]


def test_nothing_is_carried_out_that_the_guard_did_not_judge(
    server: DemoServer, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What other clients do after the guard judged is found by the next round, and judged there."""
    refs = [deliver(server, word) for word in ("one", "two", "three")]
    mirror.sync()
    judged: list[dict[int, list[str]]] = []
    written: list[int] = []
    check, write = Guard.check, MailSide.write

    def watched(self: Guard, tally: Tally, **options: bool) -> None:
        rows = [row for step in Step for page in self.ledger.plan.pages(step) for row in page if row.change is not None]
        judged.append({row.key: [order.verb.value for order in row.change.orders] for row in rows if row.change is not None})
        check(self, tally, **options)

    async def writing(self: MailSide, jobs: Sequence[Job]) -> list[Receipt]:
        written.extend(job.order.key for job in jobs)
        if refs:
            server.account.destroy(refs.pop())
        return await write(self, jobs)

    monkeypatch.setattr(Guard, "check", watched)
    monkeypatch.setattr(MailSide, "write", writing)
    mirror.flag(mirror.files("INBOX")[0], "F")
    mirror.sync()
    assert written
    assert set(written) <= set().union(*judged)
