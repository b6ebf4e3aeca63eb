"""`jmapsync vacation`: show and change the vacation reply."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from jmapsync.cli.output import say, say_json
from jmapsync.cli.parameters import ACCOUNT_OR_ACTION, FILE
from jmapsync.cli.settings import Settings, pass_settings

if TYPE_CHECKING:
    from jmapsync.app import App
    from jmapsync.config import AccountConfig
    from jmapsync.storage.jmap.vacation import Vacation

_ACTIONS = ("show", "on", "off")
_MOST = 1 << 20
"""Octets of a text."""


@click.command()
@click.argument("words", metavar="[ACCOUNT] [show | on | off]", type=ACCOUNT_OR_ACTION, nargs=-1)
@click.option("--subject", metavar="S", help='Subject of the reply; "" leaves it to the server.')
@click.option("--file", "text_file", type=FILE, metavar="F", help="File with the text of the reply; - is standard input.")
@click.option("--html", "html_file", type=FILE, metavar="F", help="File with the text as HTML.")
@click.option("--no-html", is_flag=True, help="Remove the text as HTML.")
@click.option("--from", "begins", metavar="D", help='When it begins, in the local zone; a date is its beginning, "" at once.')
@click.option("--until", "ends", metavar="D", help='When it ends, in the local zone; a date is its end, "" never.')
@click.option("--replace-script", is_flag=True, help="Allow the reply to take the place of the active Sieve script.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@pass_settings
def vacation(
    settings: Settings,
    words: tuple[str, ...],
    *,
    subject: str | None,
    text_file: str | None,
    html_file: str | None,
    no_html: bool,
    begins: str | None,
    ends: str | None,
    replace_script: bool,
    as_json: bool,
) -> None:
    """Show the vacation reply, switch it on or off, or change it. What is not given is kept.

    Options alone change the reply and leave it on or off, as it is.
    """
    import asyncio  # noqa: PLC0415  # `--help` must be fast

    from jmapsync.app.vacation import Wish, change_vacation, show_vacation  # noqa: PLC0415

    account, action = _meant(settings.app(), words)
    if no_html and html_file is not None:
        raise click.UsageError("--html and --no-html exclude each other.")
    wish = Wish(
        enable={"on": True, "off": False}.get(action),
        begins=begins,
        ends=ends,
        subject=subject,
        text=_text_of(text_file),
        html="" if no_html else _text_of(html_file),
        replaces_script=replace_script,
    )
    changes = wish != Wish(replaces_script=replace_script)
    if action == "show" and changes:
        raise click.UsageError("show changes nothing; leave it out, or give on or off.")
    found = asyncio.run(change_vacation(account, wish) if changes else show_vacation(account))
    if changes and wish.text and wish.html is None and found.html:
        settings.inform("The reply has its text as HTML too, which was kept; --html F replaces it, --no-html removes it.")
    if action == "off" and found.idle_scripts and not found.active_script:
        settings.inform(f"No Sieve script is active; yours: {', '.join(found.idle_scripts)}.")
    _print(account.name, found, as_json=as_json)


def _meant(app: App, words: tuple[str, ...]) -> tuple[AccountConfig, str]:
    """Return the account and the action that the words name."""
    from jmapsync.errors import ConfigError  # noqa: PLC0415

    action = words[-1] if words and words[-1] in _ACTIONS else ""
    names = words[:-1] if action else words
    if len(names) > 1:
        raise click.UsageError("Give at most one account, then show, on or off.")
    accounts = app.named_only(names)
    if len(accounts) != 1:
        raise ConfigError([f"Say which account is meant: {', '.join(one.name for one in accounts)}."])
    return accounts[0], action


def _text_of(path: str | None) -> str | None:
    """Return the text of a file, or of standard input."""
    if path is None:
        return None
    from pathlib import Path  # noqa: PLC0415

    from jmapsync.errors import ConfigError  # noqa: PLC0415
    from jmapsync.opening import open_given  # noqa: PLC0415

    try:
        if path == "-":
            data = sys.stdin.buffer.read(_MOST + 1)
        else:
            with open_given(Path(path)) as file:
                data = file.read(_MOST + 1)
        if len(data) > _MOST:
            raise ConfigError([f"{path} has more than {_MOST:,} octets."])
        return data.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError([f"{path} cannot be read: {error.strerror}."]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path} is not UTF-8 text."]) from error


def _print(name: str, found: Vacation, *, as_json: bool) -> None:
    from datetime import UTC, datetime  # noqa: PLC0415

    from jmapsync.app.seen import local, moment_of, state_of, vacation_as_seen  # noqa: PLC0415

    seen = vacation_as_seen(found)
    state = state_of(seen, datetime.now(UTC))
    if as_json:
        say_json({"account": name, **seen, "state": state, "text": found.text, "html": found.html})
        return
    say(f"{name}: vacation reply {state}")
    for what, value in (("from", found.begins), ("until", found.ends)):
        moment = moment_of(value)
        if moment is not None:
            say(f"  {what:8} {local(moment)}")
    say(f"  subject  {found.subject}" if found.subject is not None else "  subject  (the server's own)")
    if found.text is not None:
        say("  text", *(f"    {line}" for line in found.text.splitlines()))
    if found.html is not None:
        say("  html", *(f"    {line}" for line in found.html.splitlines()))
    if found.text is None and found.html is None:
        say("  text     (the server's own)")
    if found.active_script:
        say(f"  active Sieve script: {found.active_script}")
