"""Photos of cards: they lie in the file and are blobs on a server that wants it so."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from jmapsync.demo.content import read_content
from tests.sync.objects.samples import card

if TYPE_CHECKING:
    from jmapsync.demo import DemoServer, Store
    from tests.kit.object_mirror import ObjectMirror

ONE, OTHER = (b"\xff\xd8\xff\xe0" + word * 30 for word in (b"one photo ", b"another photo "))


def line(photo: bytes) -> str:
    return f"PHOTO;ENCODING=b;TYPE=JPEG:{base64.b64encode(photo).decode()}"


def stored(server: DemoServer, uid: str) -> bytes:
    [media] = server.account.contacts.by_uid(uid)["media"].values()
    return (
        read_content(server.account.blobs[media["blobId"]])
        if "blobId" in media
        else base64.b64decode(media["uri"].partition(",")[2])
    )


def in_file(desk: ObjectMirror, uid: str) -> str:
    text = desk.file("contacts", uid).read_bytes().decode().replace("\r\n ", "")
    [found] = [one for one in text.split("\r\n") if one.startswith("PHOTO")]
    return found


def test_one_there_lands_in_the_file(server: DemoServer, desk: ObjectMirror, cards: Store) -> None:
    uri = f"data:image/jpeg;base64,{base64.b64encode(ONE).decode()}"
    cards.edit(cards.by_uid("ada")["id"], {"media": {"m": {"kind": "photo", "uri": uri}}})
    desk.sync_until_quiet()
    assert in_file(desk, "ada").endswith(base64.b64encode(ONE).decode())
    assert server.requests.calls("ContactCard/set") == []


def test_one_here_reaches_the_server_and_so_does_another(server: DemoServer, desk: ObjectMirror) -> None:
    file = desk.file("contacts", "ada").with_name("grace.vcf")
    file.write_bytes(card("grace", line(ONE)))
    desk.sync_until_quiet()
    assert stored(server, "grace") == ONE
    file.write_bytes(card("grace", line(OTHER)))
    desk.sync_until_quiet()
    assert stored(server, "grace") == OTHER
    assert file.read_bytes() == card("grace", line(OTHER))
    assert len(server.requests.calls("ContactCard/set")) == 2


def test_an_edit_of_another_property_sends_no_photo(server: DemoServer, desk: ObjectMirror) -> None:
    file = desk.file("contacts", "ada").with_name("grace.vcf")
    file.write_bytes(card("grace", line(ONE)))
    desk.sync_until_quiet()
    server.requests.clear()
    file.write_bytes(card("grace", line(ONE), "NOTE:here"))
    desk.sync_until_quiet()
    [call] = server.requests.calls("ContactCard/set")
    [patch] = call.arguments["update"].values()
    assert [path.partition("/")[0] for path in patch] == ["notes"]
    assert not [one for one in server.requests.http if one.endpoint == "upload"]
    assert stored(server, "grace") == ONE


def test_one_taken_out_here_is_taken_out_there(desk: ObjectMirror, cards: Store) -> None:
    file = desk.file("contacts", "ada").with_name("grace.vcf")
    file.write_bytes(card("grace", line(ONE)))
    desk.sync_until_quiet()
    file.write_bytes(card("grace"))
    desk.sync_until_quiet()
    assert not cards.by_uid("grace").get("media")
