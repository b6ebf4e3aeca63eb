"""Small messages for tests of mail, and what the server has of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jmapsync.demo import DemoServer


def letter(number: int | str, *, message_id: str = "") -> bytes:
    """Return a message as a file has it, with LF."""
    head = f"Message-ID: <{message_id}>\n" if message_id else ""
    return f"{head}From: a@example.com\nSubject: {number}\n\nbody {number}\n".encode()


def wire(content: bytes) -> bytes:
    """Return a message as the server has it, with CRLF."""
    return content.replace(b"\n", b"\r\n")


def fill(server: DemoServer, count: int = 4) -> list[str]:
    """Deliver messages, a second apart, and return their ids."""
    return [server.account.deliver(wire(letter(number)), received_at=1_700_000_000 + number) for number in range(count)]


def keywords(server: DemoServer, ref: str) -> set[str]:
    """Return the keywords of an email."""
    return set(server.account.listing()[ref][1])


def bodies_fetched(server: DemoServer) -> int:
    """Return how many bodies the server was asked for."""
    batched = sum(
        len(call.arguments["ids"]) for call in server.requests.calls("Blob/get") if "data" in call.arguments["properties"]
    )
    return batched + server.requests.count("download")
