"""`jmapsync accounts`: list the accounts of the configuration."""

from __future__ import annotations

from typing import Any

import click

from jmapsync.cli.output import say, say_json
from jmapsync.cli.settings import Settings, pass_settings
from jmapsync.text import command


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@pass_settings
def accounts(settings: Settings, *, as_json: bool) -> None:
    """List the accounts, how each signs in, and what is synchronized where; reaches no server and reads no secret."""
    from jmapsync.app.login import describe  # noqa: PLC0415  # `--help` must be fast

    app = settings.app()
    found = {account.name: describe(account, app.title(account)) for account in app.select()}
    if as_json:
        say_json({"accounts": found})
        return
    for name, about in found.items():
        user = f" as {about['user']}" if about["user"] else ""
        if "shared" in about:
            theirs = f"{about['shared']['name']} (account {about['shared']['id']} of {about['server']})"
            say(f"{name}: {theirs}{user}")
        else:
            say(f"{name}: {about['server']}{user}", f"  signs in   {_sign_in(name, about)}")
        for kind, place in about["kinds"].items():
            say(f"  {kind:10} {place['path']}{' (pull)' if place['direction'] == 'pull' else ''}")


def _sign_in(name: str, about: dict[str, Any]) -> str:
    """Return how an account signs in, in words."""
    if about["auth"] == "oauth":
        return f"by OAuth: {_stored(about['stored']) or 'not yet; run: ' + command('login', name)}"
    secret = "a password" if about["auth"] == "basic" else "an API token"
    if about["source"] == "keyring":
        return f"with {secret}: {_stored(about['stored']) or 'in the keyring'}"
    return f"with {secret} from {about['source']}"


def _stored(place: str | None) -> str:
    known = {"keyring": "stored in the keyring", "systemd-creds": "stored in an encrypted file", "file": "stored in a private file"}
    return known.get(place, place) if place else ""
