"""Mirror large accounts of the embedded server with the installed command; print each figure beside its limit.

`python -m tests.bench.scale` runs all of it; `python -m tests.bench.scale pull photos` runs these parts. BENCH_DIR names the folder
for the mirrors: up to 5 GB at a time, removed at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from tests.bench.corpus import make_corpus
from tests.bench.measure import measure
from tests.bench.ours import Jmapsync, precompile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.bench.measure import Cost

USER, PASSWORD = "alice", "secret"
FEW, MANY = 20_000, 200_000
SMALL = 2_000
"""Octets of a message, on average, where their number is what counts."""
MAIL_LIKE = 10_800
IMPORTED = 5_000
LARGE_IMPORTED, LARGE_LINES = 100, 48_000
"""Messages of 3.5 MB: the largest that are not sent from a file, so the ones that memory has to bear."""
HUGE, HUGE_OCTETS = 300, 10_000_000
CONTACTS, PHOTO = 20_000, 20_000
PROVED = 100_000
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing measured, and how much of it is allowed."""

    name: str
    value: float
    limit: float
    unit: str = ""

    def __str__(self) -> str:
        result = "met" if self.value <= self.limit else "NOT MET"
        return f"  {self.name}: {self.value:.3g}{self.unit} (at most {self.limit:g}{self.unit}): {result}"


class Demo:
    """The embedded server as a process of its own."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.url = url
        self._process = process

    @classmethod
    def start(
        cls, messages: int, size: int, mailboxes: int = 4, contacts: int = 0, events: int = 0
    ) -> AbstractContextManager[Demo]:
        """Serve so many messages of `size` octets on average, and other items."""
        mail = ("--messages", str(messages), "--size", str(size), "--mailboxes", str(mailboxes))
        return cls._serve(*mail, "--contacts", str(contacts), "--events", str(events))

    @classmethod
    @contextmanager
    def _serve(cls, *options: str) -> Iterator[Demo]:
        command = [sys.executable, "-m", "jmapsync.demo", "--user", USER, "--password", PASSWORD, "--objects", "4096", *options]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                yield cls(process, process.stdout.readline().strip())
            finally:
                process.terminate()

    @classmethod
    def contacts(cls, dialect: str) -> AbstractContextManager[Demo]:
        """Serve contacts with photos, as a server of this dialect does."""
        return cls._serve("--dialect", dialect, "--contacts", str(CONTACTS), "--photo", str(PHOTO))

    @property
    def cpu(self) -> float:
        """Seconds of CPU used so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS


def run(what: str, mirror: Jmapsync, demo: Demo, *options: str) -> tuple[Cost, dict[str, Any]]:
    """Synchronise once and print what it cost, with the share of the machine that others had during it."""
    busy, served, started = _busy(), demo.cpu, time.monotonic()
    cost, report = mirror.run(*options)
    served = demo.cpu - served
    others = (_busy() - busy - served - cost.cpu) / (time.monotonic() - started)
    _say(
        f"{what}: {cost}, {report['requests']} requests;"
        f" server {served:.2f} s of CPU; others kept {max(others, 0):.1f} of {os.cpu_count()} processors busy"
    )
    return cost, report


def measure_pull(directory: Path) -> None:
    """First pulls of growing size; on the largest mirror, runs with nothing and with little to do."""
    with Demo.start(10_000, MAIL_LIKE) as demo:
        mirror = Jmapsync(directory / "10000", demo.url, USER, PASSWORD)
        cost, report = run(f"first pull of 10000 messages of {MAIL_LIKE} octets", mirror, demo)
        _expect(report, "to_disk", "created", 10_000)
        _say(Figure("peak memory", cost.peak, 150, " MB"), Figure("requests", report["requests"], 40))
    shutil.rmtree(directory / "10000")
    with Demo.start(FEW, SMALL) as demo:
        few = []
        for _ in range(3):
            few.append(_pull_small(directory, demo, FEW)[1])
            shutil.rmtree(directory / str(FEW))
    with Demo.start(MANY, SMALL) as demo:
        mirror, many = _pull_small(directory, demo, MANY)
        _say(Figure("peak memory", many.peak, 250, " MB"))
        for what, one, other in (
            ("time", many.wall, median(cost.wall for cost in few)),
            ("CPU time", many.cpu, median(cost.cpu for cost in few)),
        ):
            _say(Figure(f"{what} per message against {FEW} messages", one / MANY / (other / FEW), 1.3))
        _measure_small_runs(mirror, demo)
    shutil.rmtree(directory / str(MANY))


def _pull_small(directory: Path, demo: Demo, count: int) -> tuple[Jmapsync, Cost]:
    mirror = Jmapsync(directory / str(count), demo.url, USER, PASSWORD)
    cost, report = run(f"first pull of {count} messages of {SMALL} octets", mirror, demo)
    _expect(report, "to_disk", "created", count)
    _say(f"  {cost.wall / count * 1000:.3f} ms a message, {cost.cpu / count * 1000:.3f} ms of CPU")
    return mirror, cost


def _measure_small_runs(mirror: Jmapsync, demo: Demo) -> None:
    for number in range(3):
        cost, report = run(f"nothing to do at {MANY} messages, run {number + 1}", mirror, demo)
    _say(Figure("requests", report["requests"], 1))
    listing = [sys.executable, "-m", "tests.bench.listing", str(mirror.ledger), str(mirror.root)]
    files, *numbers = subprocess.run(listing, check=True, capture_output=True, text=True).stdout.split()
    observations = [float(number) for number in numbers]
    half = len(observations) // 2
    _say(f"three looks at {files} unchanged files: {', '.join(numbers[:half])} s, of which {', '.join(numbers[half:])} s of CPU")
    _say(Figure("the slowest", max(observations[:half]), 2, " s"))
    mirror.flag(1000)
    cost, report = run("1000 local flag changes", mirror, demo)
    _expect(report, "to_server", "updated", 1000)
    _say(Figure("requests", report["requests"], 3))
    cost, report = run(f"a full look at {MANY} messages (--full)", mirror, demo, "--full")
    _say(Figure("peak memory", cost.peak, 250, " MB"))


def measure_photos(directory: Path) -> None:
    """Contacts with photos, as servers give them."""
    for dialect in ("rfc", "stalwart"):
        with Demo.contacts(dialect) as demo:
            mirror = Jmapsync(directory / dialect, demo.url, USER, PASSWORD)
            root = directory / dialect / "contacts"
            mirror.config.write_text(mirror.config.read_text() + f'[accounts.bench.contacts]\npath = "{root}"\n')
            for what, *options in (("first pull",), ("nothing to do",), ("a full look", "--full")):
                cost, report = run(f"{dialect}: {what}, {CONTACTS} contacts with photos of {PHOTO} octets", mirror, demo, *options)
                _say(Figure("peak memory", cost.peak, 200, " MB"))
                assert report["kinds"]["contacts"]["problems"] == []
            assert sum(1 for _ in root.rglob("*.vcf")) == CONTACTS
        shutil.rmtree(directory / dialect)


def measure_verify(directory: Path) -> None:
    """The proof of a large mirror."""
    with Demo.start(PROVED, SMALL) as demo:
        mirror = Jmapsync(directory / "verify", demo.url, USER, PASSWORD)
        run(f"first pull of {PROVED} messages", mirror, demo)
        command = [str(Path(sys.executable).with_name("jmapsync")), "-q", "-c", str(mirror.config), "verify", "--json"]
        cost = measure(command, mirror.log, mirror.environment)
        found = json.loads(mirror.log.read_bytes().partition(b"\n")[0])["accounts"]["bench"]["kinds"]["mail"]
        _say(
            f"verify: {cost}; {found['state']}, {found['items']} items, {found['files']} files, {found['bytes'] / 1e6:.0f} MB read"
        )
        _say(Figure("time", cost.wall, 60, " s"), Figure("peak memory", cost.peak, 250, " MB"))
        assert (found["state"], found["items"], found["proved_by_digest"]) == ("clean", PROVED, PROVED)
    shutil.rmtree(directory / "verify")


def measure_dry_run(directory: Path) -> None:
    """What a first run would do, without doing it: the listing of a large mailbox in small memory."""
    with Demo.start(MANY, 15_000) as demo:
        mirror = Jmapsync(directory / "dry", demo.url, USER, PASSWORD)
        cost, _ = run(f"dry run, {MANY} messages, 3 GB", mirror, demo, "--dry-run")
        _say(Figure("peak memory", cost.peak, 250, " MB"))
        assert not mirror.root.exists()


def measure_huge(directory: Path) -> None:
    """Few messages and 3 GB: listed, then pulled in bounded memory."""
    with Demo.start(HUGE, HUGE_OCTETS) as demo:
        mirror = Jmapsync(directory / "huge", demo.url, USER, PASSWORD)
        cost, _ = run(f"dry run, {HUGE} messages of {HUGE_OCTETS} octets", mirror, demo, "--dry-run")
        _say(Figure("peak memory", cost.peak, 150, " MB"))
        cost, report = run(f"first pull of {HUGE} messages of {HUGE_OCTETS} octets", mirror, demo)
        _expect(report, "to_disk", "created", HUGE)
        _say(f"  {report['bytes'] / cost.wall / 1e6:.0f} MB/s")
        _say(Figure("peak memory", cost.peak, 150, " MB"))
    shutil.rmtree(directory / "huge")


def measure_import(directory: Path) -> None:
    """Local files dropped into a folder of a mirror and brought to the server."""
    with Demo.start(10_000, SMALL) as demo:
        mirror = Jmapsync(directory / "import", demo.url, USER, PASSWORD)
        mirror.run()
        target = mirror.root / "INBOX" / "new"
        octets = 0
        for number, mail in enumerate(make_corpus(IMPORTED)):
            octets += len(mail.content)
            (target / f"1700000000.{number}.small").write_bytes(mail.content.replace(b"\r\n", b"\n"))
        cost, report = run(f"import of {IMPORTED} local files, {octets / 1e6:.1f} MB", mirror, demo)
        _expect(report, "to_server", "created", IMPORTED)
        _say(f"  {IMPORTED / cost.wall:.0f} messages/s, {octets / cost.wall / 1e6:.1f} MB/s")
        _say(Figure("peak memory", cost.peak, 150, " MB"))
        run("the run after it, which hears of its own messages", mirror, demo)
        for number in range(LARGE_IMPORTED):
            content = b"Message-ID: <%d@bench>\n\n" % number + (b"x" * 72 + b"\n") * LARGE_LINES
            (target / f"1700000000.{number}.large").write_bytes(content)
        cost, report = run(f"import of {LARGE_IMPORTED} local files of {len(content) / 1e6:.1f} MB", mirror, demo)
        _expect(report, "to_server", "created", LARGE_IMPORTED)
        _say(Figure("peak memory", cost.peak, 150, " MB"))
    shutil.rmtree(directory / "import")


PARTS: dict[str, Callable[[Path], None]] = {
    "pull": measure_pull,
    "dry": measure_dry_run,
    "huge": measure_huge,
    "import": measure_import,
    "photos": measure_photos,
    "verify": measure_verify,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART", help=", ".join(PARTS))
    chosen = parser.parse_args().parts or list(PARTS)
    precompile()
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as name:
        for part in chosen:
            PARTS[part](Path(name))


def _expect(report: dict[str, Any], side: str, verb: str, count: int) -> None:
    """Raise AssertionError unless a run did all it had to: half the work gives no figure."""
    mail = report["kinds"]["mail"]
    assert mail["state"] == "synced", mail
    assert mail[side][verb] == count, mail
    assert not mail["problems"], mail["problems"][:3]


def _busy() -> float:
    """Return the seconds that the processors of this machine have been busy since it started."""
    user, nice, system, _, _, irq, softirq, *_ = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:])
    return (user + nice + system + irq + softirq) / _CLOCK_TICKS


def _say(*lines: object) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
