"""Bytes up and down, one by one and many at once."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.errors import LocalError, ServerError, UnsupportedError
from jmapsync.jmap import blobs
from jmapsync.jmap.auth import BearerCredential
from jmapsync.jmap.blobs import Blob, BlobNotFoundError, blob_capability, expand, get_blobs, get_digests, upload, upload_together
from jmapsync.jmap.client import Client
from jmapsync.jmap.content import FileContent, FileReader
from jmapsync.jmap.failures import MethodError, RequestError
from jmapsync.jmap.session import Session
from tests.jmap.peer import BLOB, CORE, MAIL, SILENCE, Answer, Peer, Seen, result, session_object

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.anyio

CYRUS_BLOB = "https://cyrusimap.org/ns/jmap/blob"
CONTENT = bytes(range(256)) * 4096
"""One mebibyte, every octet value."""


def client(peer: Peer) -> Client:
    return Client(f"{peer.url}/session", BearerCredential("fmu1-sesame"))


def stored(seen: Seen) -> Answer:
    digest = hashlib.sha1(seen.body).hexdigest()
    media_type = seen.headers["content-type"]
    return Answer.json(
        {"accountId": "alice", "blobId": f"G{digest}", "type": media_type, "size": len(seen.body), "expires": "x"}, 201
    )


async def content_of(c: Client, blob_id: str, **options: Any) -> bytes:  # noqa: ANN401  # passed on
    return await blobs.download_whole(c, "alice", blob_id, **options)


# Upload


async def test_bytes_are_uploaded(peer: Peer, many: bool) -> None:
    peer.on("/upload/alice/", stored)
    async with client(peer) as c:
        uploaded = await upload(c, "alice", CONTENT, "message/rfc822", many=many)
    assert (uploaded.blob_id, uploaded.size, uploaded.type) == (
        f"G{hashlib.sha1(CONTENT).hexdigest()}",
        len(CONTENT),
        "message/rfc822",
    )


async def test_a_file_is_uploaded_with_its_size_reported_ahead(peer: Peer, tmp_path: Path, many: bool) -> None:
    (tmp_path / "mail").write_bytes(CONTENT)
    peer.on("/upload/alice/", stored)
    async with client(peer) as c:
        assert (await upload(c, "alice", tmp_path / "mail", "message/rfc822", many=many)).size == len(CONTENT)
    sent = peer.seen_at("/upload/alice/")[0]
    assert sent.body == CONTENT
    assert "transfer-encoding" not in sent.headers


async def test_an_upload_that_failed_is_sent_again_as_a_whole(peer: Peer, tmp_path: Path, many: bool) -> None:
    (tmp_path / "mail").write_bytes(CONTENT)
    peer.on("/upload/alice/", SILENCE, stored)
    async with client(peer) as c:
        assert (await upload(c, "alice", tmp_path / "mail", "message/rfc822", many=many)).size == len(CONTENT)


async def test_an_upload_to_an_address_that_was_withdrawn_is_sent_to_the_new_one_at_once(peer: Peer, many: bool) -> None:
    peer.on("/upload/alice/", Answer(404))
    peer.on("/moved/alice/", Answer(404))
    peer.on("/moved/again/alice/", stored)
    async with client(peer) as c:
        await c.session()
        later = iter([session_object(uploadUrl=f"/{path}/{{accountId}}/") for path in ("moved", "moved/again")])
        peer.on("/session", lambda _: Answer.json(next(later)))
        assert (await upload(c, "alice", CONTENT, "message/rfc822", many=many)).size == len(CONTENT)


async def test_an_upload_to_an_address_that_has_nothing_for_a_moment_is_sent_again(peer: Peer, many: bool) -> None:
    peer.on("/upload/alice/", Answer(404), stored)
    async with client(peer) as c:
        assert (await upload(c, "alice", CONTENT, "message/rfc822", many=many)).size == len(CONTENT)


async def test_an_upload_that_is_refused_at_the_same_address_again_fails(peer: Peer, many: bool) -> None:
    peer.on("/upload/alice/", Answer(404))
    async with client(peer) as c:
        with pytest.raises(RequestError, match="nothing at /upload"):
            await upload(c, "alice", CONTENT, "message/rfc822", many=many)
    assert len(peer.seen_at("/upload/alice/")) == 2


@pytest.mark.parametrize("as_file", [True, False])
async def test_too_large_a_file_is_not_sent(peer: Peer, tmp_path: Path, as_file: bool, many: bool) -> None:
    (tmp_path / "mail").write_bytes(CONTENT)
    peer.offer_session(capabilities={CORE: {"maxSizeUpload": len(CONTENT) - 1}})
    async with client(peer) as c:
        with pytest.raises(RequestError, match="maxSizeUpload"):
            await upload(c, "alice", tmp_path / "mail" if as_file else CONTENT, "message/rfc822", many=many)
    assert not peer.seen_at("/upload/alice/")


async def test_a_server_that_kept_another_number_of_octets_is_not_believed(peer: Peer, many: bool) -> None:
    peer.on("/upload/alice/", Answer.json({"accountId": "alice", "blobId": "G1", "type": "x/y", "size": 3}, 201))
    async with client(peer) as c:
        with pytest.raises(ServerError, match="kept 3 of 4"):
            await upload(c, "alice", b"four", "x/y", many=many)


async def test_a_file_that_cannot_be_read_is_the_disk_s_fault(peer: Peer, tmp_path: Path, many: bool) -> None:
    async with client(peer) as c:
        with pytest.raises(LocalError, match="No such file"):
            await upload(c, "alice", tmp_path / "gone", "x/y", many=many)


async def test_a_file_that_shrinks_meanwhile_is_reported(
    peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: bool
) -> None:
    (tmp_path / "mail").write_bytes(b"short")
    whole = FileContent.open

    def opened(content: FileContent) -> contextlib.AbstractContextManager[FileReader]:
        content.size = 10
        return whole(content)

    monkeypatch.setattr(FileContent, "open", opened)
    async with client(peer) as c:
        with pytest.raises(LocalError, match="became shorter"):
            await upload(c, "alice", tmp_path / "mail", "x/y", many=many)


async def test_no_more_uploads_are_under_way_than_the_session_allows(peer: Peer, many: bool) -> None:
    peer.offer_session(capabilities={CORE: {"maxConcurrentUpload": 2}})
    peer.on("/upload/alice/", Answer(body=b'{"blobId":"G1","type":"x/y","size":1}', delay=0.02))
    async with client(peer) as c:
        await asyncio.gather(*(upload(c, "alice", b"x", "x/y", many=many) for _ in range(8)))
    assert peer.most_under_way == 2


# Download


def test_templates_are_expanded_with_every_reserved_character_encoded() -> None:
    expanded = expand("/d/{accountId}/{name}?accept={type}{unknown}", accountId="a/b", name="é ~.eml", type="message/rfc822")
    assert expanded == "/d/a%2Fb/%C3%A9%20~.eml?accept=message%2Frfc822"


async def test_a_blob_is_downloaded_piece_by_piece(peer: Peer, many: bool) -> None:
    peer.on("/download/alice/G1/a%2Fb.eml", Answer(body=CONTENT))
    async with client(peer) as c:
        assert await content_of(c, "G1", name="a/b.eml", media_type="message/rfc822", many=many) == CONTENT
        assert c.received > len(CONTENT)
    assert peer.seen[-1].path.endswith("?accept=message%2Frfc822")


async def test_an_empty_blob_has_no_bytes(peer: Peer, many: bool) -> None:
    peer.on("/download/alice/G1/blob", Answer())
    async with client(peer) as c:
        assert await content_of(c, "G1", many=many) == b""


async def test_a_blob_that_is_gone_is_reported_by_id(peer: Peer, many: bool) -> None:
    async with client(peer) as c:
        with pytest.raises(BlobNotFoundError, match="G404"):
            await content_of(c, "G404", many=many)


async def test_a_download_that_was_cut_is_continued_without_a_doubled_byte(peer: Peer, many: bool) -> None:
    peer.on(
        "/download/alice/G1/blob",
        Answer(body=CONTENT, sent=300_000),
        Answer(body=CONTENT, sent=900_000),
        Answer(503),
        Answer(body=CONTENT),
    )
    async with client(peer) as c:
        assert await content_of(c, "G1", many=many) == CONTENT


def full(piece: bytes) -> None:
    raise OSError("full")


async def test_a_download_may_be_left_early(peer: Peer, many: bool) -> None:
    peer.on("/download/alice/G1/blob", Answer(body=CONTENT))
    async with client(peer) as c:
        with pytest.raises(OSError, match="full"):
            await blobs.download(c, "alice", "G1", full, many=many)
        assert await content_of(c, "G1", many=many) == CONTENT


# Blob/upload


def blob_upload(seen: Seen) -> Answer:
    """Answer Blob/upload, but for a name refused and one of which an octet is lost."""
    [[name, args, call_id]] = seen.calls
    contents = {key: base64.b64decode(one["data"][0]["data:asBase64"]) for key, one in args["create"].items()}
    created = {
        key: {"id": f"G{key}", "size": len(content) - (key == "cut"), "type": "text/plain"}
        for key, content in contents.items()
        if key != "refused"
    }
    return result([name, {"created": created, "notCreated": {"refused": {"type": "tooLarge"}}}, call_id])


async def test_small_blobs_are_uploaded_together(peer: Peer) -> None:
    contents = {name: name.encode() * 9 for name in ("a", "b", "c", "d", "cut", "refused")}
    account = {"name": "Alice", "isPersonal": True, "isReadOnly": False, "accountCapabilities": {BLOB: {"maxSizeBlobSet": 20_000}}}
    peer.offer_session(capabilities={CORE: {}, BLOB: {}}, accounts={"alice": account})
    peer.on("/api", blob_upload)
    async with client(peer) as c:
        uploaded = await upload_together(c, "alice", {**contents, "large": b"x" * 20_001}, "text/plain")
    assert {name: one.blob_id for name, one in uploaded.items()} == {name: f"G{name}" for name in "abcd"}
    [seen] = peer.seen_at("/api")
    assert sorted(seen.calls[0][1]["create"]) == sorted(contents)


@pytest.mark.parametrize("refusal", [result(["error", {"type": "unknownMethod"}, "uploads"]), Answer(400)])
async def test_blobs_that_cannot_be_uploaded_together_are_left_to_be_uploaded_singly(peer: Peer, refusal: Answer) -> None:
    peer.on("/api", refusal)
    async with client(peer) as c:
        assert await upload_together(c, "alice", {str(n): b"x" for n in range(9)}, "text/plain") == {}


async def test_nothing_is_uploaded_together_where_hardly_anything_may_be(peer: Peer) -> None:
    account = {"name": "Alice", "isPersonal": True, "isReadOnly": False, "accountCapabilities": {BLOB: {"maxSizeBlobSet": 4096}}}
    peer.offer_session(capabilities={CORE: {}, BLOB: {}}, accounts={"alice": account})
    async with client(peer) as c:
        assert await upload_together(c, "alice", {str(n): b"x" for n in range(9)}, "text/plain") == {}
    assert not peer.seen_at("/api")


async def test_as_many_blobs_as_go_at_the_same_time_are_not_uploaded_together(peer: Peer) -> None:
    async with client(peer) as c:
        assert await upload_together(c, "alice", {str(n): b"x" for n in range(4)}, "text/plain") == {}
    assert not peer.seen_at("/api")


# Blob/get


def session(session_capabilities: list[str], account_capabilities: list[str]) -> Session:
    account = {"name": "x", "accountCapabilities": {name: {} for name in account_capabilities}}
    raw = session_object(capabilities={name: {} for name in session_capabilities}, accounts={"alice": account})
    return Session.parse(Answer.json(raw).body, "https://h/")


@pytest.mark.parametrize(
    ("in_session", "in_account", "chosen"),
    [
        ([BLOB, CYRUS_BLOB], [BLOB, CYRUS_BLOB], BLOB),
        ([CYRUS_BLOB], [CYRUS_BLOB], CYRUS_BLOB),
        ([BLOB, CYRUS_BLOB], [CYRUS_BLOB], CYRUS_BLOB),
        ([BLOB], [MAIL], None),
        ([MAIL], [BLOB], None),
    ],
)
def test_the_standard_s_blob_capability_goes_before_cyrus_own(
    in_session: list[str], in_account: list[str], chosen: str | None
) -> None:
    found = session(in_session, in_account)
    assert blob_capability(found, found.accounts["alice"]) == chosen


def as_data(octets: bytes) -> dict[str, object]:
    """Return the property `data` as RFC 9404, section 4.2, has it."""
    try:
        return {"data:asText": octets.decode()}
    except UnicodeDecodeError:
        return {"data:asBase64": base64.b64encode(octets).decode(), "isEncodingProblem": True}


def blob_get(contents: dict[str, bytes], **changes: object) -> Callable[[Seen], Answer]:
    """Answer Blob/get as Cyrus does: unknown ids in notFound."""

    def answer(seen: Seen) -> Answer:
        [[name, args, call_id]] = seen.calls
        found = [
            {
                "id": id_,
                "size": len(contents[id_]),
                **as_data(contents[id_]),
                "digest:sha": base64.b64encode(hashlib.sha1(contents[id_]).digest()).decode(),
                **changes,
            }
            for id_ in args["ids"]
            if id_ in contents
        ]
        kept = [
            {key: value for key, value in item.items() if key.startswith((*args["properties"], "id", "isTruncated"))}
            for item in found
        ]
        return result([name, {"list": kept, "notFound": [id_ for id_ in args["ids"] if id_ not in contents]}, call_id])

    return answer


async def test_many_blobs_come_in_the_order_asked_for(peer: Peer) -> None:
    contents = {f"G{n}": bytes([n]) * n for n in range(7)}
    peer.on("/api", blob_get(contents))
    wanted = ["G5", "G1", "gone", "G0", "G6", "G1"]
    async with client(peer) as c:
        got = await get_blobs(c, "alice", wanted)
    assert [blob.id for blob in got] == wanted
    assert [blob.data for blob in got] == [contents.get(id_) for id_ in wanted]
    assert got[2].error


async def test_no_more_ids_go_into_one_request_than_the_session_allows(peer: Peer) -> None:
    peer.on("/api", blob_get({f"G{n}": b"x" for n in range(7)}))
    async with client(peer) as c:
        await get_blobs(c, "alice", [f"G{n}" for n in range(7)])
    assert [len(seen.calls[0][1]["ids"]) for seen in peer.seen_at("/api")] == [3, 3, 1]
    assert {capability for seen in peer.seen_at("/api") for capability in json.loads(seen.body)["using"]} == {CORE, BLOB}


async def test_a_batch_that_is_too_large_is_halved(peer: Peer) -> None:
    contents = {"G1": b"1", "G2": b"2", "G3": b"3"}
    whole = blob_get(contents)

    def picky(seen: Seen) -> Answer:
        return whole(seen) if len(seen.calls[0][1]["ids"]) == 1 else result(["error", {"type": "requestTooLarge"}, "blobs"])

    peer.on("/api", picky)
    async with client(peer) as c:
        assert await get_blobs(c, "alice", list(contents)) == [Blob(id_, data) for id_, data in contents.items()]


async def test_a_failed_call_is_raised(peer: Peer) -> None:
    peer.on("/api", result(["error", {"type": "serverFail"}, "blobs"]))
    async with client(peer) as c:
        with pytest.raises(MethodError):
            await get_blobs(c, "alice", ["G1"])


async def test_a_truncated_blob_is_no_blob(peer: Peer) -> None:
    peer.on("/api", blob_get({"G1": b"half"}, isTruncated=True))
    async with client(peer) as c:
        [blob] = await get_blobs(c, "alice", ["G1"])
    assert blob.data is None
    assert "part" in blob.error


async def test_one_blob_of_broken_base64_does_not_spoil_the_others(peer: Peer) -> None:
    items = [{"id": "G1", "data:asBase64": "QUJD\r\nREVG"}, {"id": "G2", "data:asBase64": "!"}, {"id": "G3", "data:asBase64": None}]
    peer.on("/api", result(["Blob/get", {"list": items}, "blobs"]))
    async with client(peer) as c:
        got = await get_blobs(c, "alice", ["G1", "G2", "G3"])
    assert [blob.data for blob in got] == [b"ABCDEF", None, None]
    assert got[1].error
    assert got[2].error


ODD_TEXTS = [
    b"",
    b"\0",
    b"a\rb\nc\r\n",
    "\ufeffmail".encode(),
    "\U0001f4ec \u2028".encode(),
    b'"\\/\x7f',
    "e\u0301".encode(),
    b"\x1f" * 9,
]
NO_TEXTS = [b"\xff\xfe", "caf\u00e9".encode("latin-1"), b"\xed\xa0\x80", b"\xc0\x80"]


async def test_blobs_come_as_text_where_they_are_text_octet_for_octet(peer: Peer) -> None:
    contents = {f"G{n}": octets for n, octets in enumerate(ODD_TEXTS + NO_TEXTS)}
    peer.on("/api", blob_get(contents))
    async with client(peer) as c:
        assert {blob.id: blob.data for blob in await get_blobs(c, "alice", list(contents))} == contents
    assert {tuple(seen.calls[0][1]["properties"]) for seen in peer.seen_at("/api")} == {("data", "digest:sha")}


@pytest.mark.parametrize("depth", [101, 100_000])
async def test_an_unknown_member_of_a_blob_does_not_spoil_it_however_deep(peer: Peer, depth: int) -> None:
    data = base64.b64encode(b"mail")
    nested = b'{"id":"G1","odd":' + b"[" * depth + b"]" * depth + b',"data:asBase64":"' + data + b'"}'
    body = b'{"methodResponses":[["Blob/get",{"list":[' + nested + b',{"id":"G2","data:asBase64":"' + data + b'"}]},"blobs"]]}'
    peer.on("/api", Answer(200, body))
    async with client(peer) as c:
        got = await get_blobs(c, "alice", ["G1", "G2"])
    assert [blob.data for blob in got] == [b"mail", b"mail"]


@pytest.mark.parametrize("octets", [b"1,2," * 1_600_000, b"[" * 5_000, b'[{"' * 1_000 + b"\\" * 9])
async def test_text_full_of_commas_and_brackets_is_no_value_of_json(peer: Peer, octets: bytes) -> None:
    peer.on("/api", blob_get({"G1": octets}))
    async with client(peer) as c:
        [blob] = await get_blobs(c, "alice", ["G1"])
    assert blob.data == octets


@pytest.mark.parametrize(
    "text", ["\u00e9", "cafe\u0301", "caf\ufffd", pytest.param("caf\udce9", id="surrogate"), 7, None, "caf\u00e9\r\n"]
)
async def test_text_that_is_not_what_its_digest_says_is_asked_for_as_base64(peer: Peer, text: object) -> None:
    contents = {"G1": "caf\u00e9\n".encode(), "G2": b"plain"}
    whole = blob_get(contents)

    def altering(seen: Seen) -> Answer:
        [[name, args, call_id]] = seen.calls
        if args["properties"] == ["data:asBase64"]:
            found = [{"id": id_, "data:asBase64": base64.b64encode(contents[id_]).decode()} for id_ in args["ids"]]
        else:
            found = json.loads(whole(seen).body)["methodResponses"][0][1]["list"]
            found[0]["data:asText"] = text
        return result([name, {"list": found}, call_id])

    peer.on("/api", altering)
    async with client(peer) as c:
        first = await get_blobs(c, "alice", list(contents))
        again = await get_blobs(c, "alice", list(contents))
    if text is None:  # it is no other text: it is absent, and read otherwise
        assert [blob.data for blob in first] == [None, b"plain"]
        return
    assert [blob.data for blob in first] == [blob.data for blob in again] == list(contents.values())
    assert [seen.calls[0][1]["ids"] for seen in peer.seen_at("/api")] == [["G1", "G2"], ["G1"], ["G1", "G2"]]
    assert peer.seen_at("/api")[-1].calls[0][1]["properties"] == ["data:asBase64"]


async def test_without_a_digest_no_text_is_asked_for(peer: Peer) -> None:
    peer.offer_session(capabilities={CORE: {}, BLOB: {}}, accounts={"alice": {"accountCapabilities": {BLOB: {}}}})
    peer.on("/api", blob_get({"G1": b"one"}))
    async with client(peer) as c:
        await get_blobs(c, "alice", ["G1"])
    [seen] = peer.seen_at("/api")
    assert seen.calls[0][1]["properties"] == ["data:asBase64"]


async def test_digests_are_those_of_the_bytes(peer: Peer) -> None:
    peer.on("/api", blob_get({"G1": b"one"}))
    async with client(peer) as c:
        assert await get_digests(c, "alice", ["G1", "gone"]) == {"G1": hashlib.sha1(b"one").digest()}
        with pytest.raises(UnsupportedError, match="sha-512"):
            await get_digests(c, "alice", ["G1"], "sha-512")


async def test_without_the_capability_nothing_is_asked(peer: Peer) -> None:
    peer.offer_session(capabilities={CORE: {}})
    async with client(peer) as c:
        with pytest.raises(UnsupportedError):
            await get_blobs(c, "alice", ["G1"])
    assert not peer.seen_at("/api")
