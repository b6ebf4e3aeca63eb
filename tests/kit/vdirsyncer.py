"""Mirror an account with vdirsyncer, over CardDAV and CalDAV."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.bench.measure import Cost, measure

_CONFIG = """\
[general]
status_path = "{0}/status/"

[pair contacts]
a = "here_contacts"
b = "there_contacts"
collections = ["from a", "from b"]

[storage here_contacts]
type = "filesystem"
path = "{0}/contacts/"
fileext = ".vcf"

[storage there_contacts]
type = "carddav"
url = "{1}"
username = "{2}"
password = "{3}"

[pair calendars]
a = "here_calendars"
b = "there_calendars"
collections = ["from a", "from b"]

[storage here_calendars]
type = "filesystem"
path = "{0}/calendars/"
fileext = ".ics"

[storage there_calendars]
type = "caldav"
url = "{1}"
username = "{2}"
password = "{3}"
"""


class Vdirsyncer:
    """A mirror of one account in `directory`, which is made."""

    def __init__(self, directory: Path, port: int, user: str, password: str) -> None:
        for name in ("contacts", "calendars"):
            (directory / name).mkdir(parents=True)
        self.directory = directory
        self._config = directory / "config"
        self._config.write_text(_CONFIG.format(directory, f"http://127.0.0.1:{port}/", user, password))
        self._log = directory / "log"
        program = Path(sys.executable).with_name("vdirsyncer")
        self._command = [str(program), "-c", str(self._config)]
        measure(["sh", "-c", f"yes | {program} -c {self._config} discover"], self._log)

    def run(self) -> Cost:
        """Synchronise once."""
        return measure([*self._command, "sync"], self._log)
