"""Drive Chromium, which another program starts as its browser, by the DevTools protocol."""

from __future__ import annotations

import itertools
import json
import shlex
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

import httpx
from websockets.sync.client import ClientConnection, connect

from tests.live.oauth import PATIENCE, free_port

if TYPE_CHECKING:
    from pathlib import Path

_SUBMIT = """(fields => {
  const form = document.querySelector('form');
  if (document.readyState !== 'complete' || !form || form.dataset.sent) return false;
  for (const [name, value] of Object.entries(fields)) {
    const field = form.querySelector(`[name=${name}]`);
    if (!field) return false;
    field.value = value;
  }
  form.dataset.sent = 'yes';
  form.requestSubmit();
  return true;
})"""


class Chromium:
    """One headless Chromium."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        options = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-dev-shm-usage",
            "--no-proxy-server",
        ]
        given = [f"--remote-debugging-port={self.port}", f"--user-data-dir={folder}"]
        self.command = shlex.join(["/usr/bin/chromium", *options, *given])
        """For BROWSER."""
        self._numbers = itertools.count(1)
        self._stack = ExitStack()
        self._link: ClientConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        """End the browser."""
        with self._stack:
            self._ask("Browser.close")

    def text(self) -> str:
        """Return the text of the page."""
        return str(self._evaluate("document.body ? document.body.innerText : ''"))

    def submit(self, **fields: str) -> None:
        """Fill in the form of the page that has these fields, once it is there, and press its button."""
        self._until(f"{_SUBMIT}({json.dumps(fields)})", f"a form with {list(fields)}")

    def wait_for(self, text: str) -> None:
        self._until(f"document.body && document.body.innerText.includes({json.dumps(text)})", repr(text))

    def _until(self, condition: str, what: str) -> None:
        until = time.monotonic() + PATIENCE
        while self._evaluate(condition) is not True:
            assert time.monotonic() < until, f"{what} never came; the page: {self.text()}"
            time.sleep(0.1)

    def _evaluate(self, expression: str) -> object:
        answer = self._ask("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer.get("result", {}).get("value")

    def _ask(self, method: str, **arguments: object) -> dict[str, Any]:
        link = self._link or self._connect()
        number = next(self._numbers)
        link.send(json.dumps({"id": number, "method": method, "params": arguments}))
        while True:
            answer = json.loads(link.recv(timeout=PATIENCE))
            if answer.get("id") == number:
                found: dict[str, Any] = answer.get("result", {})
                return found

    def _connect(self) -> ClientConnection:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                pages = httpx.get(f"http://127.0.0.1:{self.port}/json/list", trust_env=False).json()
                [address] = [one["webSocketDebuggerUrl"] for one in pages if one["type"] == "page"]
                self._link = self._stack.enter_context(connect(address, max_size=None, proxy=None))
            except (httpx.TransportError, ValueError, OSError):
                assert time.monotonic() < until, "Chromium did not start"
                time.sleep(0.2)
            else:
                return self._link
