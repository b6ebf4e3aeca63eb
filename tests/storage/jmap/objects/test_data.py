"""Photos and attachments: never fetched to compare, whole when a file is written, and sent once."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.demo import DemoServer
from jmapsync.demo.content import read_content
from jmapsync.jmap.auth import BasicCredential
from jmapsync.jmap.blobs import Uploaded, upload
from jmapsync.jmap.client import Client
from jmapsync.storage.jmap.objects import data
from jmapsync.storage.jmap.objects.data import Data
from jmapsync.storage.port import Created, Refused
from tests.kit.object_side_driver import PHOTO, PNG, ObjectSideDriver
from tests.kit.round_trips import Counter, Line
from tests.storage.jmap.objects.things import thing

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGE = "data:image/png;base64," + base64.b64encode(PNG + b"y" * 1_500_000).decode()


@pytest.fixture(params=["rfc", "stalwart"])
def server(request: pytest.FixtureRequest) -> Iterator[DemoServer]:
    with DemoServer(dialect=request.param) as server:
        yield server


@pytest.fixture
def room(server: DemoServer) -> Iterator[ObjectSideDriver]:
    with ObjectSideDriver(server.url, "contacts") as room:
        room.observe()
        yield room


def card(uri: str) -> dict[str, Any]:
    return thing("contacts", "ada", "Ada", media={"p": {"@type": "Media", "kind": "photo", "uri": uri, "mediaType": "image/png"}})


def photo(server: DemoServer, ref: str, key: str = "p") -> bytes:
    """Return the photo that the server has."""
    entry = server.account.contacts.items[ref]["media"][key]
    if "blobId" in entry:
        assert "uri" not in entry
        return read_content(server.account.blobs[entry["blobId"]])
    return base64.b64decode(entry["uri"].partition(",")[2])


def test_a_photo_is_named_by_a_run_and_given_by_reading(server: DemoServer, room: ObjectSideDriver) -> None:
    ref = server.account.contacts.add(card(PHOTO))
    before = room.client.requests
    room.observe()
    assert room.client.requests - before == 2  # what changed, and the card
    assert PHOTO.encode() not in room.held[ref].content
    assert room.content(ref)["media"]["p"]["uri"].startswith("urn:jmapsync:")
    assert room.whole(ref)["media"]["p"] == {"@type": "Media", "kind": "photo", "uri": PHOTO, "mediaType": "image/png"}


def test_many_photos_are_read_with_few_requests(server: DemoServer, room: ObjectSideDriver) -> None:
    refs = [
        server.account.contacts.add(card(PHOTO) | {"uid": f"uid-{number}", "media": {"p": {"kind": "photo", "uri": PHOTO}}})
        for number in range(50)
    ]
    room.observe()
    before = room.client.requests
    assert all(body.data is not None for body in room.read(*refs))
    assert room.client.requests - before <= 4


def test_photos_are_downloaded_where_there_is_no_blob_get(server: DemoServer, room: ObjectSideDriver) -> None:
    server.faults.hidden_capabilities.arm({"urn:ietf:params:jmap:blob"})
    room.client.expire_session()
    ref = server.account.contacts.add(card(PHOTO))
    room.observe()
    assert room.whole(ref)["media"]["p"]["uri"] == PHOTO


def test_a_card_whose_photo_is_missing_is_not_given_without_it(server: DemoServer, room: ObjectSideDriver) -> None:
    ref = server.account.contacts.add(card(PHOTO))
    room.observe()
    if "blobId" not in server.account.contacts.items[ref]["media"]["p"]:
        return  # it is in the card itself
    server.account.blobs.clear()
    (body,) = room.read(ref)
    assert (body.data, "content" in body.why) == (None, True)


def test_a_card_that_is_another_by_the_time_it_is_read_is_to_be_scanned_again(server: DemoServer, room: ObjectSideDriver) -> None:
    ref = server.account.contacts.add(card(PHOTO))
    room.observe()
    (body,) = room.read(ref)
    assert body.data is not None
    server.account.contacts.edit(ref, {"name/full": "Somebody else"})
    (body,) = room.read(ref)
    assert (body.data, body.vanished) == (None, True)
    room.observe()
    assert room.whole(ref)["name"]["full"] == "Somebody else"


def test_a_photo_is_sent_and_replaced_and_taken_away(server: DemoServer, room: ObjectSideDriver) -> None:
    (ref,) = room.done(room.to_create(card(PHOTO)))
    assert photo(server, ref) == PNG
    other = "data:image/png;base64," + base64.b64encode(PNG + b"x").decode()
    room.done(room.to_patch(ref, {"media/p/uri": other}))
    assert photo(server, ref) == PNG + b"x"
    room.done(room.to_patch(ref, {"name/full": "Countess"}))
    assert photo(server, ref) == PNG + b"x"
    room.done(room.to_patch(ref, {"media": None}))
    assert "media" not in server.account.contacts.items[ref]


def test_a_large_photo_goes_as_a_blob_or_in_its_place_where_no_blobs_are_taken(server: DemoServer, room: ObjectSideDriver) -> None:
    """Stalwart: "blobIds in media is not supported"."""
    (ref,) = room.done(room.to_create(card(LARGE)))
    assert photo(server, ref) == PNG + b"y" * 1_500_000
    room.done(room.to_patch(ref, {"media/p/uri": LARGE[:-4] + "AAAA"}))
    assert len(photo(server, ref)) > 1_500_000
    (other,) = room.done(room.to_create(thing("contacts", "other")))
    room.done(room.to_patch(other, {"media": card(LARGE)["media"]}))
    assert photo(server, other) == PNG + b"y" * 1_500_000


def test_a_photo_too_large_for_a_request_is_a_blob_or_quarantined_by_name(server: DemoServer, room: ObjectSideDriver) -> None:
    server.limits.max_size_request = 1_000_000
    room.client.expire_session()
    (receipt,) = room.write(room.to_create(card(LARGE)))
    if server.service.dialect.attachments == "inline":
        assert (type(receipt), "larger than the server takes" in receipt.why) == (Refused, True)
        assert server.account.contacts.items == {}
    else:
        assert (type(receipt), photo(server, str(receipt.ref))) == (Created, PNG + b"y" * 1_500_000)


def test_a_photo_larger_than_an_upload_is_quarantined_by_name(server: DemoServer, room: ObjectSideDriver) -> None:
    server.limits.max_size_upload = 1_000_000
    room.client.expire_session()
    bad, good = room.write(room.to_create(card(LARGE)), room.to_create(thing("contacts", "other")))
    assert (type(bad), "larger than the server takes" in bad.why, type(good)) == (Refused, True, Created)


def test_the_photos_of_many_new_cards_are_uploaded_at_the_same_time(server: DemoServer) -> None:
    server.limits.max_concurrent_upload, server.limits.max_size_upload = 4, 1_000_000
    photos = [f"data:image/png;base64,{base64.b64encode(PNG + bytes([number])).decode()}" for number in range(12)]
    counter, line = Counter(), Line(server.endpoints.application())

    async def upload() -> dict[str, str]:
        async with Client(server.url, BasicCredential("demo", "demo"), transport=line) as client:
            account = (await client.session()).account_for("urn:ietf:params:jmap:contacts")
            return await Data(client, account).upload_ahead([*photos, LARGE])

    found = counter.run(upload())
    assert counter.sequential == 1 + 12 // 4  # the session, and four at a time
    assert {uri: read_content(server.account.blobs[ref])[-1] for uri, ref in found.items()} == dict(
        zip(photos, range(12), strict=True)
    )


def test_the_photos_of_several_edited_cards_are_uploaded_at_the_same_time(
    server: DemoServer, room: ObjectSideDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    refs = room.done(*(room.to_create(thing("contacts", uid)) for uid in ("one", "two")))
    under_way: list[bytes] = []
    most: list[int] = []

    async def watched(client: Client, account_id: str, source: bytes, media_type: str) -> Uploaded:
        under_way.append(source)
        most.append(len(under_way))
        try:
            return await upload(client, account_id, source, media_type)
        finally:
            under_way.remove(source)

    monkeypatch.setattr(data, "upload", watched)
    photos = [PNG + end * 1_500_000 for end in (b"a", b"b")]
    uris = [f"data:image/png;base64,{base64.b64encode(octets).decode()}" for octets in photos]
    room.done(*(room.to_patch(ref, {"media": card(uri)["media"]}) for ref, uri in zip(refs, uris, strict=True)))
    assert max(most) == len(refs)
    assert [photo(server, ref) for ref in refs] == photos
