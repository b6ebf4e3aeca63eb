"""Start and stop real Cyrus IMAP servers, each in a directory, a mount space and a process space of its own."""

from __future__ import annotations

import contextlib
import fcntl
import imaplib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.live.cyrus_config import ALARMS, CYRUS_CONF, HOME, IMAPD_CONF, INIT

if TYPE_CHECKING:
    from types import TracebackType

FLAVOURS = ("3.6", "3.12")
CACHE = Path(os.environ.get("JMAPSYNC_LIVE_CACHE", "/var/cache/jmapsync-live"))
_TREES = {"3.6": Path("/"), "3.12": CACHE / "cyrus-3.12"}
_PREFIX = "jmapsync-cyrus-"
_MEMORY = Path("/dev/shm")
_ROOM = 2_000_000_000  # bytes; a benchmark of 100,000 messages keeps 1.1 GB
_ADMIN_PASSWORD = "admin"
_PATIENCE = 90.0  # seconds a server may take to start or stop on a busy machine
# Below Linux's ephemeral range, so that no outgoing connection takes the port between our check and the server's bind.
_PORTS = range(20_000, 32_000)
# When our thread dies unshare does, with it the first process of the new process space, with that all the others.
_CONTAINED = (
    *("setpriv", "--pdeathsig", "KILL", "--"),
    *("unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--"),
)


class NotProvisionedError(Exception):
    """The machine lacks the servers; the message names the script that installs them."""


class CyrusError(Exception):
    """The server did not do what it was asked; the message ends with its own log."""


class Cyrus:
    """One Cyrus IMAP server on free loopback ports; `with Cyrus.start("3.6") as server:` removes every trace of it.

    The server dies with the thread that started it, however that ends: start it from the main thread.
    """

    def __init__(self, flavour: str, directory: Path, lock: int, settings: str, *, alarms: bool = False) -> None:
        self.flavour = flavour
        self._alarms = alarms
        self._settings = settings
        self.version = ""
        self.jmap_port = 0
        self.imap_port = 0
        self.sieve_port = 0
        self._directory = directory
        self._tree = _TREES[flavour]
        self._lock = lock
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(cls, flavour: str, *, settings: str = "", alarms: bool = False) -> Self:
        """Start a server with no users and return it once it answers; `settings` are more lines for its imapd.conf.

        With `alarms`, its calalarmd runs, which sends what it held (RFC 4865) and the alarms of events.

        Raise NotProvisionedError when the machine lacks it, CyrusError when it does not come up.
        """
        _require_provisioned(_TREES[flavour])
        _remove_leftovers()
        directory = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_roomy_directory()))
        lock = os.open(directory, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        server = cls(flavour, directory, lock, settings, alarms=alarms)
        try:
            server._create_directories()
            server._launch_onfree_ports()
        except BaseException:
            server.remove()
            raise
        return server

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.remove()

    @property
    def jmap_url(self) -> str:
        """The Session resource; `/.well-known/jmap` on the same origin redirects to it."""
        return f"http://127.0.0.1:{self.jmap_port}/jmap/"

    @property
    def well_known_url(self) -> str:
        return f"http://127.0.0.1:{self.jmap_port}/.well-known/jmap"

    @property
    def log(self) -> str:
        """What the server sent to syslog since it was first started; its only way to explain an error."""
        path = self._directory / "syslog"
        text = path.read_text(errors="replace") if path.exists() else ""
        return re.sub(r"\n*<\d{1,3}>", "\n", text).strip()

    def create_user(self, name: str, password: str) -> None:
        """Create an account with INBOX, Drafts, Sent, Trash, Junk and Archive, their roles set."""
        self._set_password(name, password)
        with imaplib.IMAP4("127.0.0.1", self.imap_port) as client:
            client.login(name, password)  # the first login creates the folders

    def deliver(self, user: str, message: str, sender: str) -> None:
        """Deliver a message by LMTP, through the user's Sieve script; where it is to be sent on, it was when this returns."""
        self._run_inside(f'exec /usr/lib/cyrus/bin/deliver -C {HOME}/imapd.conf -r "$1" "$2"', sender, user, stdin=message)

    def set_quota(self, user: str, *, kilobytes: int | None = None, messages: int | None = None) -> None:
        """Set the quota of a user's mail by IMAP (RFC 9208); None is any amount."""
        given = (("STORAGE", kilobytes), ("MESSAGE", messages))
        limits = " ".join(f"{name} {number}" for name, number in given if number is not None)
        with imaplib.IMAP4("127.0.0.1", self.imap_port) as client:
            client.login("admin", _ADMIN_PASSWORD)
            status, answer = client.setquota(f"user/{user}", f"({limits})")
        if status != "OK":
            raise CyrusError(f"The quota of {user} was not set: {answer!r}")

    def stop(self) -> None:
        """Stop the server in good order and keep its data. A stopped server is left alone."""
        if self._process is None:
            return
        for child in _children(self._process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise CyrusError(f"Cyrus {self.flavour} did not stop in {_PATIENCE:.0f} s.\n{self.log}") from None
        self._process = None

    def kill(self) -> None:
        """Kill every process of the server at once, as a power cut would, and keep its data."""
        if self._process is None:
            return
        children = _children(self._process.pid)
        self._process.kill()
        self._process.wait()
        self._process = None
        deadline = time.monotonic() + _PATIENCE
        while any(map(_lives, children)) and time.monotonic() < deadline:  # else they may still hold the ports
            time.sleep(0.005)

    def restart(self) -> None:
        """Stop the server if it runs and start it again with the same data on the same ports."""
        self.stop()
        self._launch()

    def remove(self) -> None:
        """Kill the server and delete its data."""
        self.kill()
        shutil.rmtree(self._directory, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _create_directories(self) -> None:
        directory = self._directory
        # Without conf/db every request recovers the conversations database first: 350 ms a call instead of 5.
        for name in ("conf/db", "conf/socket", "run/socket", "run/proc", "run/lock", "spool", "sieve", "dev"):
            (directory / name).mkdir(parents=True)
        directory.chmod(0o755)
        self._set_password("admin", _ADMIN_PASSWORD)
        self._run_inside(f"chown -R cyrus:mail {HOME}")

    def _set_password(self, name: str, password: str) -> None:
        # The database keeps its owner once it is there, so one chown at the start is enough.
        script = f'saslpasswd2 -p -c -f {HOME}/conf/sasldb2 -u "$(hostname)" -- "$1"'
        self._run_inside(script, name, stdin=password)

    def _run_inside(self, script: str, *arguments: str, stdin: str = "") -> None:
        """Run a shell script as root where the server's programs and directory are; raise CyrusError if it fails."""
        enter = f'mount --bind "$1" "$2{HOME}" && tree=$2 script=$3 && shift 3 && exec chroot "$tree" sh -ec "$script" sh "$@"'
        place = [str(self._directory), str(self._tree)]
        command = ["unshare", "--mount", "--", "sh", "-ec", enter, "sh", *place, script, *arguments]
        done = subprocess.run(command, input=stdin.encode(), capture_output=True, check=False)
        if done.returncode:
            raise CyrusError(f"{script!r} failed in Cyrus {self.flavour}: {done.stderr.decode(errors='replace')}")

    def _launch_onfree_ports(self) -> None:
        for attempt in range(3):
            self.jmap_port, self.imap_port, self.sieve_port = free_ports(3)
            try:
                self._launch()
            except CyrusError:
                self.kill()
                if attempt == 2:
                    raise
            else:
                return

    def _launch(self) -> None:
        directory = self._directory
        (directory / "conf/db/skipstamp").unlink(missing_ok=True)
        (directory / "imapd.conf").write_text(_with(IMAPD_CONF[self.flavour], self._settings))
        services = CYRUS_CONF.format(imap_port=self.imap_port, jmap_port=self.jmap_port, sieve_port=self.sieve_port)
        (directory / "cyrus.conf").write_text(services + (ALARMS if self._alarms else ""))
        with (directory / "console").open("ab") as console:
            self._process = subprocess.Popen(
                [*_CONTAINED, "sh", "-ec", INIT, "sh", str(directory), str(self._tree)],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )
        self._wait_until_up()

    def _wait_until_up(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                self.version = self._ask_version()
                break
            except (OSError, imaplib.IMAP4.error) as error:
                if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                    raise CyrusError(f"Cyrus {self.flavour} did not start: {error}\n{self._explain()}") from error
                time.sleep(0.05)
        if not self.version.startswith(f"{self.flavour}."):
            raise CyrusError(f"The server on port {self.imap_port} is {self.version}, not Cyrus {self.flavour}.")
        if not (self._directory / "conf/db/skipstamp").exists():
            raise CyrusError(f"Cyrus {self.flavour} wrote no conf/db/skipstamp, so it would be slow.\n{self._explain()}")

    def _ask_version(self) -> str:
        """Return the version the server itself states in IMAP ID (RFC 2971), such as `3.6.1`."""
        with imaplib.IMAP4("127.0.0.1", self.imap_port, timeout=_PATIENCE) as client:
            client.login("admin", _ADMIN_PASSWORD)
            _, answer = client.xatom("ID", "NIL")
            _, lines = client.response("ID")
        found = re.search(rb'"version" "(\d+(?:\.\d+)+)', lines[0] if lines and isinstance(lines[0], bytes) else b"")
        if not found:
            raise CyrusError(f"The server on port {self.imap_port} did not state its version: {answer!r} {lines!r}")
        return found[1].decode()

    def _explain(self) -> str:
        return f"{self.log}\n{(self._directory / 'console').read_text(errors='replace')}"


def _require_provisioned(tree: Path) -> None:
    """Raise NotProvisionedError, naming the remedy, unless a server can be started from this tree by this user."""
    if os.geteuid() != 0:
        raise NotProvisionedError("Live tests start real servers and must run as root.")
    missing = [name for name in ("usr/sbin/cyrmaster", "usr/sbin/saslpasswd2") if not (tree / name).exists()]
    if missing or not shutil.which("socat"):
        raise NotProvisionedError(f"There is no Cyrus IMAP in {tree}: run tests/live/provision first.")


def _roomy_directory() -> str:
    """Return where servers keep their data: in memory if there is room, as Cyrus syncs every message to the disk.

    1,000 messages are appended in 0.5 s there and in 7 s on a disk. A test must not depend on the server's disk anyway.
    """
    if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free >= _ROOM:
        return str(_MEMORY)
    return tempfile.gettempdir()


def _remove_leftovers() -> None:
    """Delete the directories of servers whose test run was killed; a living one holds a lock on its directory."""
    for directory in [*_MEMORY.glob(f"{_PREFIX}*"), *Path(tempfile.gettempdir()).glob(f"{_PREFIX}*")]:
        try:
            lock = os.open(directory, os.O_RDONLY)
        except FileNotFoundError:
            continue
        try:
            if time.time() - os.fstat(lock).st_mtime > _PATIENCE:  # between mkdtemp and its lock a new one has none
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(directory, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(lock)


def _children(pid: int) -> list[int]:
    """Return the process ids of the direct children of a process."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def _lives(pid: int) -> bool:
    """Return whether a process is there and more than a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def free_ports(count: int) -> list[int]:
    ports: list[int] = []
    for port in random.SystemRandom().sample(_PORTS, 200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == count:
            return ports
    raise CyrusError(f"No {count} free ports between {_PORTS.start} and {_PORTS.stop}.")


def _with(configuration: str, settings: str) -> str:
    """Return a configuration with other settings, each in place of one of the same name."""
    names = {line.partition(":")[0] for line in settings.splitlines()}
    return "".join(line for line in configuration.splitlines(keepends=True) if line.partition(":")[0] not in names) + settings
