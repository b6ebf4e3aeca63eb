"""Send the requests of a first pull and throw the answers away: no client can be faster with these requests.

As a program: `python -m tests.bench.floor URL USER PASSWORD [DIRECTORY]`; prints the number of requests. With a directory it keeps
the bodies there, a file each, durable at the end: the least that any mirror has to do. It checks nothing and remembers nothing.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

PAGE = 4096
BATCH_ITEMS = 1000
BATCH_OCTETS = 6 << 20
AT_A_TIME = 2
BLOBS = ("urn:ietf:params:jmap:blob", "https://cyrusimap.org/ns/jmap/blob")


class Floor:
    """One account on a loopback server."""

    def __init__(self, url: str, user: str, password: str, directory: str = "") -> None:
        self.directory = Path(directory) if directory else None
        parts = urlsplit(url)
        self.host, self.path = parts.netloc, parts.path
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        self.headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json", "Accept-Encoding": "identity"}
        self.requests = 0

    def ask(self, connection: http.client.HTTPConnection, calls: list[Any], using: list[str]) -> bytes:
        self.requests += 1
        connection.request("POST", self.path, json.dumps({"using": using, "methodCalls": calls}), self.headers)
        return connection.getresponse().read()

    def run(self) -> int:
        """Pull everything once and return the number of requests."""
        connection = http.client.HTTPConnection(self.host)
        connection.request("GET", self.path, headers=self.headers)
        session = json.loads(connection.getresponse().read())
        self.requests = 1
        blob = next(name for name in BLOBS if name in session["capabilities"])
        using = ["urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail", blob]
        account = session["primaryAccounts"]["urn:ietf:params:jmap:mail"]
        sizes: list[tuple[str, int]] = []
        while page := self._page(connection, account, using, len(sizes)):
            sizes += page
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            list(pool.map(lambda ids: self._bodies(account, using, ids), _batches(sizes)))
        if self.directory is not None:
            os.sync()
        return self.requests

    def _page(self, connection: http.client.HTTPConnection, account: str, using: list[str], position: int) -> list[tuple[str, int]]:
        query = {
            "accountId": account,
            "position": position,
            "limit": PAGE,
            "sort": [{"property": "receivedAt", "isAscending": True}],
        }
        wanted = ["id", "blobId", "mailboxIds", "keywords", "receivedAt", "size"]
        back = {"resultOf": "q", "name": "Email/query", "path": "/ids"}
        calls = [["Email/query", query, "q"], ["Email/get", {"accountId": account, "#ids": back, "properties": wanted}, "g"]]
        answer = json.loads(self.ask(connection, calls, using))
        return [(one["blobId"], one["size"]) for one in answer["methodResponses"][1][1]["list"]]

    def _bodies(self, account: str, using: list[str], ids: list[str]) -> None:
        connection = http.client.HTTPConnection(self.host)
        wanted = {"accountId": account, "ids": ids, "properties": ["data:asBase64"]}
        answer = self.ask(connection, [["Blob/get", wanted, "b"]], using)
        if self.directory is not None:
            for blob in msgspec.json.decode(answer)["methodResponses"][0][1]["list"]:
                content = base64.b64decode(blob["data:asBase64"]).replace(b"\r\n", b"\n")
                with open(self.directory / blob["id"], "xb", buffering=0) as file:
                    file.write(content)


def _batches(sizes: list[tuple[str, int]]) -> list[list[str]]:
    batches: list[list[str]] = [[]]
    octets = 0
    for blob, size in sizes:
        if batches[-1] and (len(batches[-1]) >= BATCH_ITEMS or octets + size > BATCH_OCTETS):
            batches.append([])
            octets = 0
        batches[-1].append(blob)
        octets += size
    return batches


if __name__ == "__main__":
    sys.stdout.write(f"{Floor(*sys.argv[1:5]).run()} requests\n")
