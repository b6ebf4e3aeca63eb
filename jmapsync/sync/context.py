"""Keep what is known of the server's containers while a run ingests pages; the sides read it as `storage.port.Context`."""

from __future__ import annotations

from msgspec import Struct


class ContainerContext(Struct):
    """The containers of one kind of one account, as far as they were ingested."""

    keys: dict[str, int] = {}
    """The ledger's key of a container by the server's id."""
    roles: dict[str, str] = {}
    """The server's id of a container by its role."""
    outside: set[str] = set()
    """The server's ids of the containers that are left out by the user's wish."""
    returned: set[str] = set()
    """The server's ids of the containers that came in during this run although they were left out before."""
    has_unread: bool = False
    """Whether an earlier run met containers that could not be read, so that all are asked for again."""
