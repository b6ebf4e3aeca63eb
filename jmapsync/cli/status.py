"""`jmapsync status`: print the state of accounts and of the daemon."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from jmapsync.cli.output import say, say_json
from jmapsync.cli.parameters import ACCOUNT
from jmapsync.cli.settings import Settings, pass_settings
from jmapsync.sync.progress import described
from jmapsync.text import command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jmapsync.app.health import AccountHealth, KindHealth


@click.command()
@click.argument("accounts", metavar="[ACCOUNT]...", nargs=-1, type=ACCOUNT)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--watch", "watches", is_flag=True, help="Show it until Ctrl-C: redrawn on a terminal, else what changed.")
@pass_settings
def status(settings: Settings, accounts: tuple[str, ...], *, as_json: bool, watches: bool) -> int:
    """Show the last run, counts, conflicts, problems and the daemon; works during a run, and without network.

    The exit code is that of the worst account, as after a run.
    """
    from jmapsync.sync.report import worst  # noqa: PLC0415

    if watches and as_json:
        raise click.UsageError("--watch and --json exclude each other.")
    if watches:
        from jmapsync.cli.status_watch import watch  # noqa: PLC0415  # imports rich

        return watch(settings.app().health_watch(accounts))
    found = settings.app().status(accounts)
    code = worst([one.exit_code for one in found])
    if as_json:
        say_json({"ok": not code, "accounts": {one.name: one.to_json() for one in found}})
        return code
    for one in found:
        _print(one)
        for message in one.outbox:
            say(f"  waits to be sent: {message.item}: {message.why}")
        for message in one.scheduled:
            say(f"  to be sent later: {message.item}: {message.why}")
        for message in one.unconfirmed:
            say(f"  not known whether it was sent: {message.item}: {message.why}")
        if one.error:
            say(f"{one.name}: {one.error}", err=True)
    return code


def _print(health: AccountHealth) -> None:
    from jmapsync.app.health import SILENT  # noqa: PLC0415

    say(f"{health.name}{' (a run is active)' if health.running and not health.live else ''}")
    for line in _live(health.live) if health.live else map(_progress, health.progress):
        say(f"  {line}")
    if health.waiting:
        say(f"  waiting {health.waiting}")
    if health.is_silent:
        say(f"  {SILENT}")
    from jmapsync.app.seen import lines_of  # noqa: PLC0415

    for line in lines_of(health.seen):
        say(f"  {line}")
    for kind, found in health.kinds.items():
        _print_kind(kind, found)


def _print_kind(kind: str, found: KindHealth) -> None:
    say(f"  {kind}: {_last_run(found)}")
    if found.why and found.last_attempt:
        say(f"    last success: {_local(found.last_success) if found.last_success else 'never'}")
    if found.last_success or found.here or found.on_server:  # without a run that listed both sides nothing is known of them
        waiting = f", {found.waiting:,} waiting" if found.waiting else ""
        say(f"    {found.here:,} here, {found.on_server:,} on the server{waiting}")
    if found.suspended:
        say(f"    suspended: {found.suspended}")
    if found.conflicts:
        from jmapsync.sync.report import counted  # noqa: PLC0415

        say(f"    {counted(found.conflicts, 'version')} lost a conflict; see: {command('conflicts')}")
    for path in found.detached:
        say(f"    detached: {path}: excluded from the mirror; its files stay")
    for path in found.withdrawn:
        say(f"    suspended: {path}: no longer in the account of its owner; its files stay")
    for problem in found.problems:
        say(f"    quarantined: {problem.item}: {problem.why}")


def _live(live: dict[str, Any]) -> Iterator[str]:
    """Yield what the daemon reports, as text."""
    yield f"daemon: {live['standing']}{': ' + live['why'] if live['why'] else ''}"
    for one in live["progress"]:
        yield f"  {_progress(one)}"
    push, watch = live["push"], live["watch"]
    if push:
        yield f"  push: {push['mode'] + ', connected' if push['connected'] else push['why']}"
    if watch:
        yield f"  disk: {watch['mode']}{': ' + watch['why'] if watch['why'] else ''}"
    for fault in live["faults"]:
        yield f"  restarted: {fault}"
    if live["next_poll"]:
        yield f"  next poll: {datetime.fromisoformat(live['next_poll']).astimezone():%Y-%m-%d %H:%M:%S}"
    if live["look_due_in"] is not None:
        yield f"  next run: {datetime.now().astimezone() + timedelta(seconds=live['look_due_in']):%Y-%m-%d %H:%M:%S}"


def _progress(one: dict[str, Any]) -> str:
    """Return what is under way, as text."""
    speed = f", {one['bytes_per_second'] / 1e6:.1f} MB/s" if one["bytes"] else ""
    left = f", {timedelta(seconds=one['seconds_left'])} left" if one["seconds_left"] is not None else ""
    return f"{described(one)}{speed}{left}"


def _last_run(found: KindHealth) -> str:
    if found.last_run is None:
        return "not known" if found.why else "never synchronized"
    why = f": {found.why}" if found.why and found.why != found.suspended else ""  # that has a line of its own
    return f"{found.last_state or 'ran'} {_local(found.last_run)}{why}"


def _local(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"
