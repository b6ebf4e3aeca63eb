"""Log each step of a run with the sentence that a dry run prints: `-v` shows them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from jmapsync.storage.port import Stale, Success
from jmapsync.sync.plan_round import describe
from jmapsync.sync.threads import complete

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.sync.channel import Channel
    from jmapsync.sync.commit import Work

_log = logging.getLogger("jmapsync.steps")


def log_step(account: str, kind: str, what: str) -> None:
    """Log what a run does now."""
    _log.info("%s %s: %s", account, kind, what)


async def log_works(channel: Channel, works: Sequence[Work]) -> None:
    """Log what was done to items, by name; and what was found in another state than expected."""
    if not _log.isEnabledFor(logging.INFO):
        return
    names = await complete(lambda: {work.change.key: channel.names.of(work.record) for work in works})
    for work in works:
        for order, receipt in ((work.remote, work.remote_receipt), (work.local, work.local_receipt)):
            if order is None or receipt is None:
                continue
            text = describe(names[work.change.key], order)
            if isinstance(receipt, Stale):
                text += f" (not done, it is planned again: {receipt.why})"
            elif not isinstance(receipt, Success):
                text += " (not done)"
            log_step(channel.account, channel.kind.name, text)
