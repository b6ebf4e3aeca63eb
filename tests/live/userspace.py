"""Run a real `systemd --user` for an unprivileged user on any Linux, with a journal, mounts and processes of its own."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).parents[2]
USER = "mailuser"
_PREFIX = "jmapsync-user-"
_UIDS = range(24_000, 25_000)
_PATIENCE = 120.0  # seconds a start or any command may take on a busy machine
_PLACES = dict.fromkeys([sys.prefix, sys.base_prefix, str(PROJECT)])
"""What the user has to reach: the program and its Python, which may lie in the home of root."""

# When our thread dies unshare does, with it the first process of the new process space, with that all the others.
_CONTAINED = (
    *("setpriv", "--pdeathsig", "KILL", "--"),
    *("unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--"),
)

# $1 user id, $2 our directory, then the places. Everything is mounted for this process and its children only: the system's
# /etc, /run and control groups stay as they are.
_INIT = f"""
uid=$1 base=$2
shift 2
mount --make-rprivate /
mount --make-rshared / # a service with mounts of its own has to see new ones, as it does on a real system
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=755 tmpfs /var/log
mkdir -p /run/places /var/log/journal /run/systemd/system /run/systemd/journal "/run/user/$uid"
# Made by the first process of a real system, and needed for mounts of a service's own; systemd 254 renamed the first.
mkdir /run/systemd/unit-root /run/systemd/mount-rootfs /run/credentials
chown "$uid:$uid" "/run/user/$uid"
chmod 700 "/run/user/$uid"

for file in passwd group; do
  cp "/etc/$file" "$base/$file"
done
echo "{USER}:x:$uid:$uid::$base/home:/bin/sh" >>"$base/passwd"
echo "{USER}:x:$uid:" >>"$base/group"
for file in passwd group; do
  mount --bind "$base/$file" "/etc/$file"
done
mkdir -m 700 "$base/home"
chown "$uid:$uid" "$base/home"

reachable() {{
  setpriv --reuid="$uid" --regid="$uid" --clear-groups test -x "$1"
}}
number=0
for place; do # keep hold of all of them before any is covered
  number=$((number + 1))
  mkdir "/run/places/$number"
  mount --rbind "$place" "/run/places/$number"
done
number=0
for place; do
  number=$((number + 1))
  ! reachable "$place" || continue
  barred=$place
  while ! reachable "$(dirname "$barred")"; do
    barred=$(dirname "$barred")
  done
  [ -d "$place" ] && mount -t tmpfs -o mode=755 tmpfs "$barred"
  mkdir -p "$place"
  mount --rbind "/run/places/$number" "$place"
done

# One tree of control groups, of which the user's session sees only its own part, named as on a real system.
mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
group="/sys/fs/cgroup/$(basename "$base")"
mkdir "$group"
echo 0 >"$group/cgroup.procs"
exec unshare --cgroup sh -euc '
uid=$1 base=$2
umount /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
session="/sys/fs/cgroup/user.slice/user-$uid.slice/user@$uid.service"
mkdir -p "$session" /sys/fs/cgroup/init
echo 0 >/sys/fs/cgroup/init/cgroup.procs
chown "$uid:$uid" "$session" "$session/cgroup.procs" "$session/cgroup.subtree_control" "$session/cgroup.threads"
mkdir /run/systemd/journald.conf.d
printf "[Journal]\\nStorage=persistent\\nReadKMsg=no\\nRateLimitBurst=0\\n" >/run/systemd/journald.conf.d/test.conf
: >/run/systemd/journal/flushed # else it keeps entries where users cannot read them
/lib/systemd/systemd-journald &
until [ -S /run/systemd/journal/stdout ]; do sleep 0.01; done
(
  echo 0 >"$session/cgroup.procs"
  exec setpriv --reuid="$uid" --regid="$uid" --init-groups env -i HOME="$base/home" USER={USER} LANG=C.UTF-8 \
    PATH=/usr/bin:/bin XDG_RUNTIME_DIR="/run/user/$uid" /lib/systemd/systemd --user --log-target=journal
) &
wait $!
' sh "$uid" "$base"
"""


class UserspaceError(Exception):
    """The service manager did not do what it was asked; the message ends with what it said."""


class Userspace:
    """A user with a service manager; `with Userspace.start() as user:` leaves no trace of either on the system.

    It dies with the thread that started it, however that ends: start it from the main thread.
    """

    def __init__(self, directory: Path) -> None:
        self.uid = _free_uid()
        self.directory = directory
        self.home = directory / "home"
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = os.open(directory, os.O_RDONLY)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    @classmethod
    def start(cls) -> Self:
        """Start it and return once it answers; raise UserspaceError when it does not."""
        _remove_leftovers()
        user = cls(Path(tempfile.mkdtemp(prefix=_PREFIX)))
        try:
            user.directory.chmod(0o755)
            user._launch()
        except BaseException:
            user.remove()
            raise
        return user

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()

    def run(self, *command: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command as the user would in a terminal; raise UserspaceError when it fails, unless `check` is false."""
        settings = [f"{name}={value}" for name, value in environment.items()]
        return self._enter(*self._become(), *settings, *command, check=check)

    def entering(self, *command: str, **environment: str) -> list[str]:
        """Return the command that runs another one as the user, for a terminal of the caller's."""
        settings = [f"{name}={value}" for name, value in environment.items()]
        return [*self._inside(), *self._become(), *settings, *command]

    def run_as_root(self, *command: str) -> str:
        """Run a command as root among the user's mounts."""
        return self._enter(*command, check=True).stdout

    def systemctl(self, *arguments: str, check: bool = True) -> str:
        return self.run("systemctl", "--user", *arguments, check=check).stdout.strip()

    def show(self, unit: str, name: str) -> str:
        """Return one property of a unit."""
        return self.systemctl("show", "--property", name, "--value", unit)

    def journal(self, unit: str) -> list[dict[str, Any]]:
        """Return the entries of a unit that its user can read, oldest first."""
        shown = self.run("journalctl", "--quiet", "--user", "--unit", unit, "--output", "json", "--all").stdout
        return [json.loads(line) for line in shown.splitlines()]

    def write(self, path: str, content: str, mode: int = 0o600) -> Path:
        """Write a file below the home as the user would; return its path."""
        file = self.home / path
        for parent in reversed(file.relative_to(self.home).parents):
            if not (self.home / parent).exists():
                (self.home / parent).mkdir(mode=0o700)
                os.chown(self.home / parent, self.uid, self.uid)
        file.write_text(content)
        file.chmod(mode)
        os.chown(file, self.uid, self.uid)
        return file

    @contextlib.contextmanager
    def disk(self, at: Path) -> Iterator[None]:
        """Keep a disk of the user's mounted at a path."""
        self.run_as_root("mount", "-t", "tmpfs", "-o", f"uid={self.uid},gid={self.uid},mode=700", "tmpfs", str(at))
        try:
            yield
        finally:
            self.run_as_root("umount", str(at))

    def remove(self) -> None:
        """Kill every process of the user and delete its files."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        _remove(self.directory)
        os.close(self._lock)

    def _launch(self) -> None:
        command = [*_CONTAINED, "sh", "-euc", _INIT, "sh", str(self.uid), str(self.directory), *_PLACES]
        with (self.directory / "console").open("wb") as console:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True
            )
        deadline = time.monotonic() + _PATIENCE
        while (state := self._state()) != "running":
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = (self.directory / "console").read_text(errors="replace")
                raise UserspaceError(f"systemd --user did not start: {state or 'no answer'}\n{said}")
            time.sleep(0.05)

    def _state(self) -> str:
        with contextlib.suppress(UserspaceError, OSError):
            return self.systemctl("is-system-running", check=False)
        return ""

    def _become(self) -> tuple[str, ...]:
        identity = (f"--reuid={self.uid}", f"--regid={self.uid}", "--init-groups")
        settings = (f"HOME={self.home}", f"USER={USER}", f"XDG_RUNTIME_DIR=/run/user/{self.uid}", "LANG=C.UTF-8")
        return ("setpriv", *identity, "env", "-i", *settings, f"PATH={Path(sys.executable).parent}:/usr/bin:/bin")

    def _enter(self, *command: str, check: bool) -> subprocess.CompletedProcess[str]:
        inside = [*self._inside(), *command]
        try:
            done = subprocess.run(inside, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=_PATIENCE)
        except subprocess.TimeoutExpired as error:
            raise UserspaceError(f"{' '.join(command)}: no end after {_PATIENCE:.0f} s") from error
        if check and done.returncode:
            raise UserspaceError(f"{' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def _inside(self) -> list[str]:
        return ["nsenter", "--mount", "--pid", "--wd=/", "--target", str(self._first_process()), "--"]

    def _first_process(self) -> int:
        if self._process is None:
            raise UserspaceError("The user is gone.")
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if not children:
            raise UserspaceError("The first process is not there.")
        return int(children[0])


def _free_uid() -> int:
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended
            taken.add(directory.stat().st_uid)
    return next(uid for uid in _UIDS if uid not in taken)


def _remove_leftovers() -> None:
    """Remove users whose test run was killed; a living one holds a lock on its directory."""
    for directory in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(FileNotFoundError, BlockingIOError):
            lock = os.open(directory, os.O_RDONLY)
            try:
                if time.time() - os.fstat(lock).st_mtime > _PATIENCE:  # between mkdtemp and its lock a new one has none
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    _remove(directory)
            finally:
                os.close(lock)


def _remove(directory: Path) -> None:
    """Delete the files of a user, and its control groups once the last of its killed processes has left them."""
    # The groups outlive the processes and need not be mounted where we are.
    script = """
    mount -t cgroup2 cgroup2 "$1"
    for try in $(seq 200); do
      [ -d "$1/$2" ] || exit 0
      find "$1/$2" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.02
    done
    exit 1
    """
    with tempfile.TemporaryDirectory() as place:
        command = ["unshare", "--mount", "--", "sh", "-c", script, "sh", place, directory.name]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            raise UserspaceError(f"Processes of {directory.name} live on.")
    shutil.rmtree(directory, ignore_errors=True)
