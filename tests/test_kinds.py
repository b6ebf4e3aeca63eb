"""Every kind that is declared is complete: what the steps of docs/architecture.md, "A new kind", add to the other packages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from jmapsync import config
from jmapsync.cli.parameters import KINDS as OF_THE_COMMAND_LINE
from jmapsync.config import AccountConfig, KindConfig
from jmapsync.demo import DemoServer
from jmapsync.formats.codec import codec_of
from jmapsync.kinds import KINDS
from jmapsync.storage.jmap.objects.dialects import OFFERS
from tests.sim import objects as worlds

OF_OBJECTS = sorted(OFFERS)


def test_the_command_line_offers_it() -> None:
    assert tuple(KINDS) == OF_THE_COMMAND_LINE


@pytest.mark.parametrize("name", KINDS)
def test_it_has_a_table_in_the_configuration(name: str) -> None:
    classes = [one for one in vars(config).values() if isinstance(one, type) and issubclass(one, KindConfig)]
    [own] = [one for one in classes if getattr(one, "kind", "") == name]
    assert name in AccountConfig.__struct_fields__
    tables: dict[str, Any] = {name: own(path=Path())}
    account = AccountConfig(name="a", state_dir=Path(), **tables)
    assert list(account.kinds) == [name]


@pytest.mark.parametrize("name", OF_OBJECTS)
def test_its_files_have_a_codec_and_servers_offer_it(name: str) -> None:
    assert name in KINDS
    assert codec_of(name, vcard_version="3.0").suffix.startswith(".")


@pytest.mark.parametrize("name", KINDS)
def test_the_embedded_server_offers_it(name: str) -> None:
    with DemoServer() as server:
        session = httpx.get(server.url, auth=("demo", "demo")).json()
        assert set(KINDS[name].capabilities) & set(session["capabilities"])


def test_the_seeded_worlds_hold_it() -> None:
    assert sorted(worlds.KINDS) == OF_OBJECTS
