"""`jmapsync check`: reach the servers and list what they offer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from jmapsync.cli.output import say
from jmapsync.cli.parameters import ACCOUNT
from jmapsync.cli.settings import Settings, pass_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jmapsync.app.checkup import Checkup, Mailbox
    from jmapsync.storage.jmap.identities import Identity


@click.command()
@click.argument("accounts", metavar="[ACCOUNT]...", nargs=-1, type=ACCOUNT)
@pass_settings
def check(settings: Settings, accounts: tuple[str, ...]) -> int:
    """Check the configuration, reach the server, list what it offers; changes nothing."""
    import asyncio  # noqa: PLC0415  # `--help` must be fast

    from jmapsync.sync.report import worst  # noqa: PLC0415

    app = settings.app()
    say(f"The configuration {app.config.path} is valid.")
    found = asyncio.run(app.check(accounts))
    for one in found:
        print_checkup(one)
    return worst([one.exit_code for one in found])


def print_checkup(found: Checkup) -> None:
    """Print what a check found out about one account."""
    say("", found.name)
    if found.server:
        as_whom = f" as {found.user}" if found.user else ""
        say(f"  server     {found.server}{as_whom}")
        say(f"  offers     {_offers(found, there=True)}; push: {'yes' if found.push else 'no'}")
        say(f"  offers no  {_offers(found, there=False)}")
        say(f"  limits     {', '.join(f'{name} {value:,}' for name, value in found.limits.items())}")
    if found.mailboxes:
        say(f"  mailboxes  {len(found.mailboxes)} in account {found.account_id}; messages, unread:")
        width = max(len(box.path) for box in found.mailboxes)
        for box in found.mailboxes:
            say(f"    {box.path:{width}} {box.total:>8,} {box.unread:>7,}  {_remarks(box)}".rstrip())
    _print_account(found)
    _print_collections(found)
    _print_accounts(found)
    for kind, remarks in found.disks.items():
        for remark in remarks:
            say(f"  disk       the file system of {kind} {remark}")
    if found.adoption:
        say(f"  adoption   {found.adoption}")
    for problem in found.problems:
        say(f"{found.name}: {problem}", err=True)


def _print_collections(found: Checkup) -> None:
    """Print the address books, calendars and scripts of the account, and what of the disk is left alone."""
    for kind, names in found.collections.items():
        say(f"  {kind:10} {len(names)}: {', '.join(names)}")
        if left_out := found.left_out.get(kind):
            say(f"             only here, and not created on the server, because they are excluded: {', '.join(left_out)}")
        if kind == "calendars":
            say(f"             {found.invitations}")


def _print_accounts(found: Checkup) -> None:
    """Print the accounts of the session: of the user's own only what cannot be written, of others every container."""
    if found.accounts:
        say(f"  accounts   {len(found.accounts)}:")
    for one in found.accounts:
        whose = "yours" if one.is_personal else "shared with you"
        read_only = ", read-only" if one.is_read_only else ""
        say(f"    {one.name or one.id} (id {one.id}): {whose}{read_only}; {', '.join(one.kinds) or 'nothing that is mirrored'}")
        for kind, containers in one.kinds.items():
            for container in containers:
                if container.is_restricted or not one.is_personal:
                    say(f"      {kind:10} {container.name}: {container.rights}")
        for problem in one.problems:
            say(f"      {problem}")


def _offers(found: Checkup, *, there: bool) -> str:
    return ", ".join(kind for kind, how in found.kinds.items() if bool(how) is there) or "nothing"


def _print_account(found: Checkup) -> None:
    """Print what is the account's as a whole: identities, quotas, the vacation reply while it is on."""
    if found.identities:
        say(f"  send as    {len(found.identities)}:")
    for one in found.identities:
        say(f"    {'; '.join([one.label, *_settings(one)])}")
    for quota in found.quotas:
        say(f"  quota      {quota}")
    if found.vacation:
        say(f"  vacation   the reply is {found.vacation}")


def _settings(one: Identity) -> Iterator[str]:
    """Yield what an identity gives to a new message, and whether the user may delete it."""
    if one.reply_to:
        yield f"replies to {', '.join(map(str, one.reply_to))}"
    if one.bcc:
        yield f"copies to {', '.join(map(str, one.bcc))}"
    if one.may_delete:
        yield "may be deleted"


def _remarks(box: Mailbox) -> str:
    remarks = [box.role, "" if box.mirrored else "not mirrored", "" if box.writable else "read only"]
    return ", ".join(remark for remark in remarks if remark)
