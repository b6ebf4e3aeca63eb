"""Mirror contacts, calendars and tasks of an account, as the command does, and read the server over CardDAV and CalDAV."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

import httpx

from jmapsync.app import App
from jmapsync.config import load

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.sync.report import AccountReport, KindReport

DAV = {"contacts": ("addressbooks", "text/vcard"), "calendars": ("calendars", "text/calendar")}
Kind = Literal["contacts", "calendars", "tasks"]


@dataclass
class Dav:
    """The server as an independent client sees it (RFC 4791, RFC 6352); it shares no code with the project."""

    port: int
    user: str
    password: str

    def __post_init__(self) -> None:
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", auth=(self.user, self.password), timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def _path(self, kind: str, name: str, collection: str) -> str:
        return f"/dav/{DAV[kind][0]}/user/{self.user}/{collection}/{name}"

    def put(self, kind: str, name: str, text: str, collection: str = "Default") -> None:
        answer = self.http.put(self._path(kind, name, collection), content=text.encode(), headers={"Content-Type": DAV[kind][1]})
        assert answer.is_success, (answer.status_code, answer.text[:500])

    def get(self, kind: str, name: str, collection: str = "Default") -> str:
        """Return a resource with its lines unfolded; nothing for one that is not there."""
        answer = self.http.get(self._path(kind, name, collection))
        assert answer.status_code in {200, 404}
        return answer.text.replace("\r\n ", "") if answer.status_code == 200 else ""

    def names(self, kind: str, collection: str = "Default") -> list[str]:
        """Return the names of a collection's resources."""
        answer = self.http.request("PROPFIND", self._path(kind, "", collection), headers={"Depth": "1"})
        assert answer.status_code == 207
        hrefs = [part.partition("</")[0] for part in answer.text.split("href>")[1::2]]
        return sorted(href.rpartition("/")[2] for href in hrefs if not href.endswith("/"))


class Pim:
    """One mirrored account."""

    def __init__(self, base: Path, url: str, user: str, password: str, kinds: tuple[Kind, ...]) -> None:
        self.base = base
        secret = base / "secret"
        secret.touch(mode=0o600)
        secret.write_text(password)
        self.config = base / "config.toml"
        tables = "".join(f'[accounts.home.{kind}]\npath = "{base / kind}"\n' for kind in ("mail", *kinds))
        self.config.write_text(
            f'state_dir = "{base / "state"}"\n[accounts.home]\nurl = "{url}"\nuser = "{user}"\nauth = "basic"\n'
            f'password_file = "{secret}"\n{tables}'
        )

    def run(self) -> AccountReport:
        """Synchronise once; nothing may fail."""
        report = asyncio.run(App(load(self.config)).sync()).accounts["home"]
        assert not report.error
        for kind, one in report.kinds.items():
            assert (one.state.value, one.problems) == ("synced", []), (kind, one.messages, one.problems)
        return report

    def sync(self, kind: Kind) -> KindReport:
        return self.run().kinds[kind]

    def sync_until_quiet(self) -> None:
        """Synchronise until what was written came back, then see that a further run does nothing with one request."""
        self.run()
        again = self.run()
        assert (again.changed, again.requests) == ([], 1)

    def files(self, kind: Kind) -> list[Path]:
        return sorted(file for file in (self.base / kind).glob("*/*") if file.suffix in {".vcf", ".ics"})

    def file(self, kind: Kind, uid: str) -> Path:
        [found] = [file for file in self.files(kind) if f"UID:{uid}" in file.read_text()]
        return found


def change(file: Path, old: str, new: str) -> None:
    """Edit a file as a person does."""
    content = file.read_bytes()
    assert old.encode() in content
    file.write_bytes(content.replace(old.encode(), new.encode(), 1))
