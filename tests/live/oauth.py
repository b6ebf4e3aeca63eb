"""A real authorization server, oidc-provider on Node.js, and people who sign in at it, with or without a browser."""

from __future__ import annotations

import base64
import html
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx

from jmapsync.demo import DemoServer
from jmapsync.demo.sample import fill_sample

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent / "oidc"
CACHE = Path(os.environ.get("JMAPSYNC_LIVE_CACHE", "/var/cache/jmapsync-live")) / "oidc"
PROGRAM = [sys.executable, "-m", "jmapsync"]
PATIENCE = 90.0
_START = 90.0
_FORM = re.compile(r"<form[^>]*?action=\"([^\"]*)\".*?</form>", re.DOTALL)
_INPUT = re.compile(r"<input[^>]*>")


def free_port() -> int:
    """Return one below Linux's ephemeral range, so that no outgoing connection takes it before a server does."""
    while True:
        port = random.SystemRandom().randrange(12_000, 20_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@dataclass
class Authority:
    """A running authorization server."""

    issuer: str

    def move_clock(self, seconds: float) -> None:
        httpx.post(f"{self.issuer}/admin/clock", params={"seconds": str(seconds)}, trust_env=False).raise_for_status()

    def log(self) -> list[dict[str, Any]]:
        """Return what was asked by POST: the route, the grant, the status and the error of each."""
        found: list[dict[str, Any]] = httpx.get(f"{self.issuer}/admin/log", trust_env=False).json()
        return found

    def refreshes(self) -> list[int]:
        """Return the status of each refresh."""
        return [one["status"] for one in self.log() if one.get("grant") == "refresh_token"]

    def introspect(self, token: str) -> bool:
        """Return whether a token is valid, as a resource server asks it."""
        pair = base64.b64encode(b"jmap-server:toy").decode()
        answer = httpx.post(
            f"{self.issuer}/token/introspection",
            data={"token": token},
            headers={"Authorization": f"Basic {pair}"},
            trust_env=False,
            timeout=PATIENCE,
        )
        return answer.json().get("active") is True


@contextmanager
def authority(variant: str) -> Iterator[Authority]:
    """Run the authorization server of a variant; see `oidc/server.mjs`."""
    subprocess.run([HERE / "install", CACHE], check=True, stdin=subprocess.DEVNULL)
    port = free_port()
    program = CACHE / f"server-{os.getpid()}-{port}.mjs"  # it imports what is installed beside it
    shutil.copy(HERE / "server.mjs", program)
    own = CACHE / "node/bin"
    path = os.environ["PATH"]
    node = subprocess.Popen(
        ["node", program, str(port), variant],
        env=os.environ | {"PATH": f"{own}:{path}" if own.is_dir() else path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # the node of PyPI is a program that starts another one
    )
    found = Authority(f"http://127.0.0.1:{port}")
    try:
        until = time.monotonic() + _START
        while True:
            try:
                httpx.get(f"{found.issuer}/admin/log", trust_env=False)
                break
            except httpx.TransportError:
                assert node.poll() is None, "the authorization server ended"
                assert time.monotonic() < until, "the authorization server did not start"
                time.sleep(0.1)
        yield found
    finally:
        os.killpg(node.pid, signal.SIGKILL)
        node.wait()
        program.unlink()


@dataclass
class Setting:
    """A JMAP server that accepts the tokens of an authorization server, and the home of a user of it."""

    authority: Authority
    server: DemoServer
    home: Path
    ahead: float = 0.0
    """How much the clock of the user's programs was moved, in seconds."""
    more: dict[str, str] = field(default_factory=dict)
    """Variables of the environment."""
    encrypts: bool = False
    """Whether the programs find systemd-creds."""
    tokens: set[str] = field(default_factory=set)
    """Every token that the JMAP server was shown or the store held."""

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "SSH_")) and name != "DISPLAY"}
        given = {"HOME": str(self.home), "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring", "COLUMNS": "120"}
        return kept | given | ({} if self.encrypts else {"PATH": "/nowhere"}) | self.more

    @property
    def stored(self) -> Path:
        return self.home / ".local/state/jmapsync/home/signin"

    def configure(self, account: str = "", more: str = "") -> None:
        file = self.home / ".config/jmapsync/config.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        kind = '[accounts.home.mail]\npath = "~/Mail"\n'
        file.write_text(f'[accounts.home]\nurl = "{self.server.url}"\nauth = "oauth"\n{account}\n{kind}\n{more}')

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:  # noqa: ANN401  # those of Popen
        """Start the program, with its clock moved."""
        moved = [str(shutil.which("faketime")), "-f", f"+{self.ahead:.0f}s"] if self.ahead else []
        given: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.Popen([*moved, *PROGRAM, *arguments], env=self.environment, cwd=self.home, text=True, **given)

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run the program to its end; return its exit code, and all that it printed."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=PATIENCE)
        assert "Traceback" not in err, err
        return process.returncode, out + err

    def pass_time(self, seconds: float) -> None:
        """Move the clocks of both sides."""
        self.authority.move_clock(seconds)
        self.ahead += seconds

    def sign_in(self) -> None:
        """Sign in in a browser that needs no person."""
        self.more["BROWSER"] = f"{sys.executable} {__file__} %s"
        code, text = self.run("login", "home", "--browser")
        assert code == 0, text

    def secrets_in(self, *texts: bytes) -> list[str]:
        """Return the known tokens that some texts contain."""
        self.note_tokens()
        return [token[:12] for token in self.tokens if any(token.encode() in text for text in texts)]

    def note_tokens(self) -> None:
        """Remember the tokens that are stored now."""
        content = json.loads(self.stored.read_text()).get("content", "") if self.stored.exists() else ""
        if content.startswith("{"):
            grant = json.loads(content)
            self.tokens |= {grant[name] for name in ("access_token", "refresh_token") if grant[name]}


@contextmanager
def setting(variant: str, home: Path) -> Iterator[Setting]:
    """Run both servers for a user with an account that signs in by OAuth."""
    server = DemoServer(user="alice")
    fill_sample(server.account)
    with authority(variant) as issuing, server:
        made = Setting(issuing, server, home)

        def introspect(token: str) -> bool:
            made.tokens.add(token)
            return issuing.introspect(token)

        server.credentials.issuer, server.credentials.introspect = issuing.issuer, introspect
        made.configure()
        yield made


class Watch:
    """Collects the arguments and environments of all processes of this machine while it runs."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(0.02):
            for process in Path("/proc").glob("[0-9]*"):
                for name in ("cmdline", "environ"):
                    try:
                        self.seen.add((process / name).read_bytes())
                    except OSError:
                        continue  # it has ended


def browse(url: str, *, last: str = "") -> tuple[str, str]:
    """Follow a sign-in through its pages, logging in as alice and agreeing; return the last address and page.

    `last` is a part of an address that is not opened: a redirect to it ends the visit.
    """
    with httpx.Client(trust_env=False, timeout=PATIENCE) as client:
        request = client.build_request("GET", url)
        for _ in range(40):
            reply = client.send(request)
            if reply.next_request is not None:
                request = reply.next_request
                if last and last in str(request.url):
                    return str(request.url), ""
                continue
            form = _FORM.search(reply.text)
            if form is None:
                return str(reply.url), reply.text
            fields = {}
            for one in _INPUT.findall(form[0]):
                about = dict(re.findall(r'(\w+)="([^"]*)"', one))
                if "name" in about:
                    fields[about["name"]] = html.unescape(about.get("value", ""))
            fields |= {name: "alice" for name in ("login", "password") if name in fields}
            target = urllib.parse.urljoin(str(reply.url), html.unescape(form[1]))
            request = client.build_request("POST", target, data=fields)
    raise AssertionError("the sign-in never ended")


def kill(process: subprocess.Popen[str]) -> None:
    """Kill a program, with those it started."""
    process.send_signal(signal.SIGKILL)
    process.communicate()


if __name__ == "__main__":
    browse(sys.argv[1])
