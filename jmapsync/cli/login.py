"""`jmapsync login` and `logout`: sign an account in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from jmapsync.cli.output import say
from jmapsync.cli.parameters import ACCOUNT
from jmapsync.cli.settings import Settings, pass_settings

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.signin.store import Place


@click.command()
@click.argument("account", type=ACCOUNT)
@click.option("--browser", "how", flag_value="browser", help="By OAuth, in a browser of this machine.")
@click.option("--device", "how", flag_value="device", help="By OAuth, with a code that is typed in a browser anywhere.")
@click.option("--token", "how", flag_value="token", help="With a password or an API token, typed here without echo.")
@pass_settings
def login(settings: Settings, account: str, how: str | None) -> None:
    """Sign ACCOUNT in, and store the sign-in in the keyring, or in a private file where there is none.

    With auth = "oauth", a browser is opened; over ssh or without a display, a code is shown instead. Any other account, which needs
    keyring = true, is asked for its password or API token; without a terminal, the first line of standard input is used.
    """
    import asyncio  # noqa: PLC0415  # `--help` must be fast

    from jmapsync.app.login import How, login  # noqa: PLC0415
    from jmapsync.cli.visitor import Terminal  # noqa: PLC0415

    [chosen] = settings.app().logins([account])
    ways: dict[str | None, How] = {None: "auto", "browser": "browser", "device": "device", "token": "token"}
    done = asyncio.run(login(chosen, ways[how], Terminal()))
    as_whom = f" as {done.user}" if done.user else ""
    say(f"{done.account}: signed in to {done.url}{as_whom}")
    print_place(settings, done.place, done.path)


def print_place(settings: Settings, place: Place, path: Path) -> None:
    """Print where a sign-in is stored; with a warning where that is a file that is not encrypted."""
    if place == "keyring":
        settings.inform("It is stored in the keyring.")
    elif place == "systemd-creds":
        settings.inform(f"It is stored in {path}, encrypted for this machine.")
    else:
        say(f"jmapsync: no keyring can be used; the sign-in is stored unencrypted in {path}, which only you can read.", err=True)


@click.command()
@click.argument("account", type=ACCOUNT)
@pass_settings
def logout(settings: Settings, account: str) -> int:
    """Revoke the sign-in of ACCOUNT at the server and forget it here; mail and other files stay."""
    import asyncio  # noqa: PLC0415  # `--help` must be fast

    from jmapsync.app.login import logout  # noqa: PLC0415

    [chosen] = settings.app().logins([account])
    done = asyncio.run(logout(chosen))
    say(f"{account}: signed out")
    if done.remark:
        settings.inform(f"{account}: {done.remark}")
    if done.problem:
        say(f"{account}: {done.problem}", err=True)
    return 1 if done.problem else 0
