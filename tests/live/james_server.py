"""Start Apache James 3.8.1 in memory on loopback, with JMAP alone, and make accounts on it."""

from __future__ import annotations

import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from tests.live.cyrus import CACHE, free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JARS = CACHE / "james-3.8.1" / "lib"
SECRET = "secret"
STARTS_IN = 120.0
_VERSION = {"Accept": "application/json; jmapVersion=rfc-8621"}
_STORE = "memory://var/mail/error/"
_CONFIGURATION = {
    "domainlist.xml": "<domainlist><autodetect>false</autodetect><autodetectIP>false</autodetectIP>"
    "<defaultDomain>example.com</defaultDomain></domainlist>",
    "usersrepository.xml": "<usersrepository><algorithm>SHA-512</algorithm><enableVirtualHosting>true</enableVirtualHosting>"
    "</usersrepository>",
    "imapserver.xml": "<imapservers/>",
    "pop3server.xml": "<pop3servers/>",
    "lmtpserver.xml": "<lmtpservers/>",
    "smtpserver.xml": "<smtpservers/>",
    "managesieveserver.xml": "<managesieveservers/>",
    "listeners.xml": "<listeners/>",
    "jmx.properties": "jmx.enabled=false",
    "dnsservice.xml": "<dnsservice><autodiscover>false</autodiscover><servers><server>127.0.0.1</server></servers></dnsservice>",
    "mailrepositorystore.xml": "<mailrepositorystore><defaultProtocol>memory</defaultProtocol><mailrepositories><mailrepository"
    ' class="org.apache.james.mailrepository.memory.MemoryMailRepository"><protocols><protocol>memory</protocol></protocols>'
    "</mailrepository></mailrepositories></mailrepositorystore>",
    "mailetcontainer.xml": '<mailetcontainer enableJmx="false"><context><postmaster>postmaster@example.com</postmaster></context>'
    f"<spooler><threads>2</threads><errorRepository>{_STORE}</errorRepository></spooler><processors>"
    '<processor state="root" enableJmx="false"><mailet match="All" class="ToProcessor"><processor>transport</processor></mailet>'
    '</processor><processor state="error" enableJmx="false"><mailet match="All" class="ToRepository">'
    f"<repositoryPath>{_STORE}</repositoryPath></mailet></processor>"
    '<processor state="transport" enableJmx="false"><mailet match="All" class="RemoveMimeHeader"><name>bcc</name></mailet>'
    '<mailet match="RecipientIsLocal" class="VacationMailet"/>'
    '<mailet match="RecipientIsLocal" class="org.apache.james.jmap.mailet.filter.JMAPFiltering"/>'
    '<mailet match="RecipientIsLocal" class="LocalDelivery"/>'
    '<mailet match="All" class="ToProcessor"><processor>error</processor></mailet></processor></processors></mailetcontainer>',
    "logback.xml": '<configuration><appender name="C" class="ch.qos.logback.core.ConsoleAppender"><encoder><pattern>%d %level'
    ' %logger{20} %msg%n</pattern></encoder></appender><root level="WARN"><appender-ref ref="C"/></root></configuration>',
}


@dataclass(frozen=True)
class Account:
    """One account, seen by another client."""

    url: str
    user: str
    password: str = SECRET

    def call(self, *calls: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
        """Send method calls and return their results; an error fails the test."""
        with httpx.Client(auth=(self.user, self.password), headers=_VERSION, timeout=60) as client:
            session = client.get(self.url).json()
            account = next(iter(session["accounts"]))
            wire = [[name, {"accountId": account, **arguments}, str(number)] for number, (name, arguments) in enumerate(calls)]
            answer = client.post(session["apiUrl"], json={"using": list(session["capabilities"]), "methodCalls": wire}).json()
        assert all(one[0] != "error" for one in answer["methodResponses"]), answer
        return [one[1] for one in answer["methodResponses"]]

    def mailboxes(self) -> dict[str, str]:
        """Return the ids of mailboxes by name."""
        return {box["name"]: box["id"] for box in self.call(("Mailbox/get", {"ids": None}))[0]["list"]}

    def emails(self) -> dict[str, dict[str, Any]]:
        """Return every email by id."""
        ids = self.call(("Email/query", {"limit": 256}))[0]["ids"]
        properties = ["id", "blobId", "mailboxIds", "keywords", "subject", "size"]
        return {one["id"]: one for one in self.call(("Email/get", {"ids": ids, "properties": properties}))[0]["list"]}

    def destroy(self, ids: list[str]) -> None:
        """Destroy emails."""
        (answer,) = self.call(("Email/set", {"destroy": ids}))
        assert sorted(answer["destroyed"]) == sorted(ids)


@dataclass(frozen=True)
class James:
    """The running server."""

    jmap_port: int
    admin_port: int

    @classmethod
    @contextmanager
    def start(cls, folder: Path) -> Iterator[James]:
        """Start it with an empty store; it takes 9 s on an idle machine."""
        james = cls(*free_ports(2))
        james._configure(folder / "conf")
        properties = [f"-Dworking.directory={folder}", "-Dlogback.configurationFile=conf/logback.xml"]
        command = [
            "java",
            "-Xmx1g",
            "-XX:TieredStopAtLevel=1",
            *properties,
            "-cp",
            f"{JARS}/*",
            "org.apache.james.MemoryJamesServerMain",
        ]
        with (folder / "log").open("wb") as log, subprocess.Popen(command, cwd=folder, stdout=log, stderr=log) as process:
            try:
                james._wait(process, folder / "log")
                yield james
            finally:
                process.terminate()
                process.wait(30)

    def _configure(self, folder: Path) -> None:
        folder.mkdir()
        for name, text in _CONFIGURATION.items():
            (folder / name).write_text(f"{text}\n")
        (folder / "webadmin.properties").write_text(f"enabled=true\nhost=127.0.0.1\nport={self.admin_port}\n")
        (folder / "jmap.properties").write_text(
            f"enabled=true\ntls.keystoreURL=file://conf/keystore\ntls.secret={SECRET}-of-tests\njmap.port={self.jmap_port}\n"
            f"url.prefix=http://127.0.0.1:{self.jmap_port}\nwebsocket.url.prefix=ws://127.0.0.1:{self.jmap_port}\n"
        )
        key = ["-alias", "james", "-keyalg", "RSA", "-keysize", "2048", "-storetype", "PKCS12", "-dname", "CN=localhost"]
        store = ["-keystore", str(folder / "keystore"), "-storepass", f"{SECRET}-of-tests"]
        subprocess.run(["keytool", "-genkeypair", *key, *store], check=True, capture_output=True)

    def _wait(self, process: subprocess.Popen[bytes], log: Path) -> None:
        end = time.monotonic() + STARTS_IN
        while time.monotonic() < end and process.poll() is None:
            try:
                if httpx.get(f"{self._admin}/domains").is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.2)
        raise AssertionError(f"James did not start:\n{log.read_text(errors='replace')[-4000:]}")

    @property
    def _admin(self) -> str:
        return f"http://127.0.0.1:{self.admin_port}"

    def account(self, name: str) -> Account:
        """Make an account."""
        user = f"{name}@example.com"
        httpx.put(f"{self._admin}/users/{user}", json={"password": SECRET}, timeout=60).raise_for_status()
        account = Account(f"http://127.0.0.1:{self.jmap_port}/jmap/session", user)
        account.mailboxes()  # the first time it is asked for them, James makes them
        return account
