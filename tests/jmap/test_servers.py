"""The client against whole servers: the embedded one in each of its dialects, and real Cyrus.

What Cyrus does is the measure: where the embedded server fails a test that Cyrus passes, it is the embedded server that is wrong.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.demo import Answer, DemoServer
from jmapsync.errors import OutcomeUnknownError, SignInError, UnsupportedError
from jmapsync.jmap.auth import BasicCredential
from jmapsync.jmap.blobs import BlobNotFoundError, blob_capability, download_whole, get_blobs, get_digests, upload
from jmapsync.jmap.client import Client
from jmapsync.jmap.failures import MethodError
from jmapsync.jmap.session import Session
from jmapsync.jmap.wire import Call, set_errors
from tests.jmap.peer import MAIL
from tests.live.cyrus import Cyrus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from jmapsync.jmap.session import Account

DIALECTS = ("rfc", "cyrus36", "cyrus312")


@dataclass(frozen=True)
class Server:
    """A running server with one account."""

    url: str
    user: str
    password: str


@pytest.fixture(
    scope="module",
    params=[*DIALECTS, pytest.param("3.6", marks=pytest.mark.live), pytest.param("3.12", marks=pytest.mark.live)],
)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with contextlib.ExitStack() as stack:
        if request.param in DIALECTS:
            demo = stack.enter_context(DemoServer(dialect=request.param))
            yield Server(demo.well_known, demo.credentials.user, demo.credentials.password)
        else:
            cyrus = stack.enter_context(Cyrus.start(request.param))
            cyrus.create_user("alice", "correct horse")
            yield Server(cyrus.well_known_url, "alice", "correct horse")


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Client]:
    async with Client(server.url, BasicCredential(server.user, server.password)) as c:
        yield c


async def mail(c: Client) -> tuple[Account, list[str]]:
    session = await c.session()
    account = session.account_for(MAIL)
    return account, session.using(MAIL, account=account)


@pytest.mark.anyio
async def test_the_well_known_url_leads_to_a_usable_session(client: Client) -> None:
    session = await client.session()
    assert client.requests <= 3
    assert session.username
    assert session.account_for(MAIL).is_personal
    assert Session.from_json(session.to_json()) == session


@pytest.mark.anyio
async def test_a_wrong_secret_is_a_refused_sign_in(server: Server) -> None:
    async with Client(server.url, BasicCredential(server.user, "wrong")) as c:
        with pytest.raises(SignInError):
            await c.session()


@pytest.mark.anyio
async def test_back_references_carry_a_query_s_ids_into_a_get(client: Client) -> None:
    account, using = await mail(client)
    query = Call("Mailbox/query", {"accountId": account.id}, "q")
    get = Call("Mailbox/get", {"accountId": account.id, "ids": query.ref("/ids"), "properties": ["name"]}, "g")
    response = await client.call([query, get], using=using)
    assert {"INBOX", "Inbox"} & {found["name"] for found in response.get(get)["list"]}
    assert not client.session_changed


@pytest.mark.anyio
async def test_a_call_that_fails_does_not_take_the_others_with_it(client: Client) -> None:
    account, using = await mail(client)
    bad, good = Call("Foo/get", {"accountId": account.id}, "b"), Call("Core/echo", {"x": 1}, "g")
    response = await client.call([bad, good], using=using)
    assert response.get(good) == {"x": 1}
    with pytest.raises(MethodError) as caught:
        response.get(bad)
    assert caught.value.type == "unknownMethod"


@pytest.mark.anyio
async def test_a_refused_object_says_why(client: Client) -> None:
    account, using = await mail(client)
    call = Call("Mailbox/set", {"accountId": account.id, "destroy": ["nonsense"]}, "s")
    refused = set_errors((await client.call([call], using=using)).get(call), "notDestroyed")
    assert refused["nonsense"].type == "notFound"


@pytest.mark.anyio
async def test_an_unknown_capability_is_left_out(client: Client) -> None:
    _, using = await mail(client)
    echo = Call("Core/echo", {"x": 1}, "g")
    assert (await client.call([echo], using=[*using, "urn:example:none"])).get(echo) == {"x": 1}


@pytest.mark.anyio
async def test_bytes_come_back_as_they_went(client: Client) -> None:
    account, _ = await mail(client)
    content = b"Subject: x\r\n\r\n" + bytes(range(256)) * 500
    uploaded = await upload(client, account.id, content, "message/rfc822")
    assert uploaded.size == len(content)
    assert await download_whole(client, account.id, uploaded.blob_id, name="ä b/c.eml", media_type="message/rfc822") == content


@pytest.mark.anyio
async def test_many_blobs_come_in_one_request(client: Client) -> None:
    account, _ = await mail(client)
    contents = [b"Subject: %d\r\n\r\n\0\xff" % number for number in range(5)]
    ids = [(await upload(client, account.id, content, "message/rfc822")).blob_id for content in contents]
    before = client.requests
    got = await get_blobs(client, account.id, [*ids, "Gnone"])
    assert client.requests == before + 1
    assert [blob.data for blob in got] == [*contents, None]


@pytest.mark.anyio
async def test_digests_are_right_or_not_offered(client: Client) -> None:
    account, _ = await mail(client)
    blob_id = (await upload(client, account.id, b"content", "text/plain")).blob_id
    if blob_capability(await client.session(), account) == "https://cyrusimap.org/ns/jmap/blob":
        with pytest.raises(UnsupportedError):
            await get_digests(client, account.id, [blob_id])
    else:
        assert await get_digests(client, account.id, [blob_id]) == {blob_id: hashlib.sha1(b"content").digest()}


@pytest.mark.anyio
async def test_a_blob_that_is_not_there_is_reported(client: Client) -> None:
    account, _ = await mail(client)
    with pytest.raises(BlobNotFoundError):
        await download_whole(client, account.id, f"G{'0' * 40}")


@pytest.mark.anyio
async def test_more_calls_than_the_server_s_own_limit_go_in_two_requests(client: Client) -> None:
    _, using = await mail(client)
    most = (await client.session()).limits.max_calls_in_request
    echoes = [Call("Core/echo", {}, str(number)) for number in range(most + 1)]
    before = client.requests
    assert (await client.call(echoes[:-1], using=using)).get(echoes[-2]) == {}
    assert (await client.call(echoes, using=using)).get(echoes[-1]) == {}
    assert client.requests - before == 1 + 2


# Faults that only the embedded server can be given


ECHO = Call("Core/echo", {"x": 1}, "e")


@contextlib.asynccontextmanager
async def faulty() -> AsyncIterator[tuple[DemoServer, Client]]:
    with DemoServer() as demo:
        async with Client(demo.url, BasicCredential(demo.credentials.user, demo.credentials.password)) as c:
            await c.session()
            yield demo, c


@pytest.mark.anyio
async def test_an_answer_lost_after_the_server_acted_is_of_unknown_outcome() -> None:
    async with faulty() as (demo, c):
        account, using = await mail(c)
        create: dict[str, Any] = {"accountId": account.id, "create": {"m": {"name": "Made"}}}
        demo.faults.drop_after.arm(times=1, only={"api"})
        with pytest.raises(OutcomeUnknownError):
            await c.call([Call("Mailbox/set", create, "s")], using=using, repeatable=False)
        assert len(demo.requests.calls("Mailbox/set")) == 1


@pytest.mark.anyio
@pytest.mark.parametrize("answer", [Answer.unavailable("0"), Answer.too_many_requests("0"), Answer.html()])
async def test_trouble_that_passes_is_waited_out(answer: Answer) -> None:
    async with faulty() as (demo, c):
        _, using = await mail(c)
        demo.faults.answer.arm(answer, times=1, only={"api"})
        assert (await c.call([ECHO], using=using)).get(ECHO) == {"x": 1}
        assert demo.faults.answer.fired == 1


@pytest.mark.anyio
async def test_a_body_cut_short_is_asked_for_again() -> None:
    async with faulty() as (demo, c):
        account, _ = await mail(c)
        blob_id = (await upload(c, account.id, b"x" * 5000, "text/plain")).blob_id
        demo.faults.cut_body.arm(1000, times=1)
        assert (await get_blobs(c, account.id, [blob_id]))[0].data == b"x" * 5000
        assert demo.faults.cut_body.fired == 1


@pytest.mark.anyio
async def test_a_session_that_never_stops_changing_is_not_read_in_a_loop() -> None:
    async with faulty() as (demo, c):
        _, using = await mail(c)
        demo.faults.flapping_session_state.arm()
        for _ in range(5):
            await c.call([ECHO], using=using)
        assert demo.requests.count("session") <= 2
