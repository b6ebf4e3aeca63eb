"""Ask whoever sits at the terminal what a sign-in needs: open a page, type a code or a secret, approve a host."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading

import click

from jmapsync.cli.output import say
from jmapsync.errors import SignInError

_MOST = 1 << 14


class Terminal:
    """The person at the terminal; without one nothing is asked."""

    @property
    def can_browse(self) -> bool:
        """Return whether a browser of this machine would be seen: not over ssh, nor without a display."""
        if os.environ.get("SSH_CONNECTION") or os.environ.get("SSH_TTY"):
            return False
        return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))

    async def open(self, url: str, host: str) -> None:
        """Open a page in a browser, and show it for the case that none opens."""
        say(f"Sign in at {host} in your browser. If none opens, open this page on this machine:", "", url, "", err=True)
        if sys.stdin.isatty():
            say("If your browser is on another machine: sign in there, and paste here the address it then cannot open.", err=True)
        if self.can_browse or os.environ.get("BROWSER"):
            threading.Thread(target=_open_browser, args=(url,), daemon=True).start()

    def show_code(self, url: str, code: str, complete_url: str) -> None:
        """Show the page to open and the code to type there."""
        say(f"Open {url} in a browser, on any device, and enter this code: {code}", err=True)
        if complete_url:
            say(f"Or open this page, which has the code already: {complete_url}", err=True)
        say("Waiting for the sign-in ...", err=True)

    async def paste(self) -> str:
        """Return a line of the terminal; wait for ever where there is none."""
        waiting: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        if not sys.stdin.isatty():
            return await waiting
        handle = sys.stdin.fileno()

        def read() -> None:
            line = os.read(handle, _MOST)
            if not line:
                asyncio.get_running_loop().remove_reader(handle)
            elif not waiting.done():
                waiting.set_result(line.decode(errors="replace"))

        asyncio.get_running_loop().add_reader(handle, read)
        try:
            return await waiting
        finally:
            asyncio.get_running_loop().remove_reader(handle)

    def approve(self, server: str, issuer: str) -> bool:
        """Ask whether a host may sign the user in to another; without a terminal it may not."""
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return False
        say(f"{server} says that {issuer} signs its users in.", err=True)
        return click.confirm(f"Is {issuer} your provider's too?", default=False, err=True)

    def secret(self, question: str) -> str:
        """Return what is typed without echo, or the first line of standard input where that is no terminal."""
        if sys.stdin.isatty():
            typed: str = click.prompt(question, hide_input=True, default="", show_default=False, err=True)
            return typed
        line = sys.stdin.readline(_MOST).rstrip("\r\n")
        if not line.strip():
            raise SignInError("Standard input gave no password or API token.", advice="Pipe it in, or run this in a terminal.")
        return line


def _open_browser(url: str) -> None:
    """Open a page; the browser, which may stay open for days, gets neither our terminal nor our pipes."""
    quiet = subprocess.DEVNULL
    program = [sys.executable, "-m", "webbrowser", url]
    subprocess.run(program, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True, check=False)  # noqa: S603  # a list
