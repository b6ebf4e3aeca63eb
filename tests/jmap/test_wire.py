"""Requests and responses, without sockets."""

from __future__ import annotations

import json
import time

import msgspec
import pytest

from jmapsync.errors import Remedy, ServerError
from jmapsync.jmap.wire import Call, MethodError, Ref, SetError, batched, decode_response, encode_request, set_errors, split
from tests.kit.timing import is_ever_within

QUERY = Call("Email/query", {"accountId": "a", "limit": 2}, "q")


def response(*results: object, **more: object) -> bytes:
    return json.dumps({"methodResponses": results, "sessionState": "s1", **more}).encode()


def test_a_request_names_its_calls_and_capabilities() -> None:
    assert json.loads(encode_request([QUERY], ["urn:core"])) == {
        "using": ["urn:core"],
        "methodCalls": [["Email/query", {"accountId": "a", "limit": 2}, "q"]],
    }


def test_created_ids_are_sent_only_when_given() -> None:
    assert json.loads(encode_request([QUERY], [], {}))["createdIds"] == {}


@pytest.mark.parametrize("ref", [QUERY.ref("/ids"), Ref("q", "Email/query", "/ids"), Ref(QUERY, "Email/query", "/ids")])
def test_a_back_reference_is_put_under_a_name_with_a_hash(ref: Ref) -> None:
    get = Call("Email/get", {"accountId": "a", "ids": ref}, "g")
    assert json.loads(encode_request([QUERY, get], []))["methodCalls"][1] == [
        "Email/get",
        {"accountId": "a", "#ids": {"resultOf": "q", "name": "Email/query", "path": "/ids"}},
        "g",
    ]


def test_a_result_is_found_by_call_id_and_name() -> None:
    decoded = decode_response(response(["Email/query", {"ids": ["x"]}, "other"], ["Email/query", {"ids": ["y"]}, "q"]))
    assert decoded.get(QUERY) == {"ids": ["y"]}
    assert decoded.session_state == "s1"


def test_a_side_effect_does_not_hide_the_result_it_came_with() -> None:
    decoded = decode_response(response(["Mailbox/set", {"n": 1}, "q"], ["Email/query", {"ids": []}, "q"]))
    assert decoded.get(QUERY) == {"ids": []}
    assert decoded.all(QUERY) == [("Mailbox/set", {"n": 1}), ("Email/query", {"ids": []})]


def test_an_error_is_raised_with_its_type_and_remedy() -> None:
    decoded = decode_response(response(["error", {"type": "stateMismatch", "description": "moved on"}, "q"]))
    with pytest.raises(MethodError, match=r"Email/query.*stateMismatch: moved on") as caught:
        decoded.get(QUERY)
    assert (caught.value.type, caught.value.remedy) == ("stateMismatch", Remedy.NOW)


@pytest.mark.parametrize("refused", ["invalidResultReference", "resultReference"])
def test_a_reference_to_a_call_that_failed_fails_as_that_one_did(refused: str) -> None:
    query = Call("Mailbox/query", {}, "q")
    get = Call("Mailbox/get", {"ids": query.ref("/ids")}, "g")
    answers = [["error", {"type": "serverUnavailable"}, "q"], ["error", {"type": refused}, "g"]]
    response = decode_response(msgspec.json.encode({"methodResponses": answers, "sessionState": "s"}))
    with pytest.raises(MethodError, match="Mailbox/query") as caught:
        response.get(get)
    assert (caught.value.type, caught.value.remedy) == ("serverUnavailable", Remedy.LATER)


def test_an_error_of_unknown_type_is_fixed_by_time_like_server_fail() -> None:
    with pytest.raises(MethodError) as caught:
        decode_response(response(["error", {"type": "solarFlare"}, "q"])).get(QUERY)
    assert caught.value.remedy is Remedy.LATER


def test_a_call_left_unanswered_is_of_unknown_outcome() -> None:
    with pytest.raises(MethodError) as caught:
        decode_response(response()).get(QUERY)
    assert caught.value.type == "serverPartialFail"


def test_unknown_fields_are_ignored() -> None:
    decoded = decode_response(response(["Email/query", {"ids": [], "newIdea": {}}, "q"], latency=3, methodCalls=None))
    assert decoded.get(QUERY)["ids"] == []


@pytest.mark.parametrize(
    ("body", "is_like"),
    [
        (b"", "empty"),
        (b" <!DOCTYPE html><html>", "an HTML page"),
        (b"<HTML><body>", "an HTML page"),
        (response(["Email/query", {"ids": ["x"]}, "q"])[:-9], "truncated"),
        (b'{"ok": true}', "of another shape"),
        (b"Bad gateway", "not JSON"),
    ],
)
def test_what_is_no_response_is_named_not_quoted(body: bytes, is_like: str) -> None:
    with pytest.raises(ServerError, match=is_like):
        decode_response(body)


def test_results_of_another_shape_are_the_server_s_fault() -> None:
    with pytest.raises(ServerError, match="Email/query"):
        decode_response(response(["Email/query", ["no", "object"], "q"])).get(QUERY)


def test_typed_results_take_base64_apart() -> None:
    class Item(msgspec.Struct):
        data: bytes

    assert decode_response(response(["Email/query", {"data": "AAEC"}, "q"])).get_as(QUERY, Item).data == b"\0\1\2"


def test_set_errors_keep_what_helps() -> None:
    refused = {
        "k1": {"type": "alreadyExists", "existingId": "M1"},
        "k2": {"type": "blobNotFound", "notFound": ["G1", 2]},
        "k3": None,
    }
    errors = set_errors({"notCreated": refused}, "notCreated")
    assert errors["k1"] == SetError("alreadyExists", existing_id="M1")
    assert errors["k2"].not_found == ("G1",)
    assert errors["k3"].type == "serverFail"
    assert str(SetError("invalidProperties", "no", ("a", "b"))) == "invalidProperties [a, b] no"


def test_no_set_errors_may_be_reported_as_null_or_not_at_all() -> None:
    assert set_errors({"notCreated": None}, "notCreated") == set_errors({}, "notCreated") == {}


def test_an_unknown_set_error_is_permanent_for_its_object() -> None:
    assert SetError("solarFlare").remedy is Remedy.NEVER
    assert SetError("rateLimit").remedy is Remedy.LATER


def test_batches_are_bounded_by_count_and_by_size() -> None:
    assert list(split("abcde", 2, 100, len)) == [["a", "b"], ["c", "d"], ["e"]]
    assert list(split([4, 4, 4, 9, 1], 9, 8, int)) == [[4, 4], [4], [9], [1]]
    assert list(split([], 9, 8, int)) == []


def test_ids_are_batched_in_order() -> None:
    assert list(batched(["a", "b", "c"], 2)) == [["a", "b"], ["c"]]


def test_a_hundred_megabytes_of_base64_decode_in_well_under_a_second() -> None:
    """The requirement is 150 MB/s; msgspec was measured at 700."""

    class Items(msgspec.Struct):
        data: list[bytes]

    item = "QUJD" * 4096
    body = response(["Email/query", {"data": [item] * 1000}, "q"])
    decoded = decode_response(body).get_as(QUERY, Items)
    seconds = sum(map(len, decoded.data)) / 150e6
    assert is_ever_within(seconds, lambda: decode_response(body).get_as(QUERY, Items), clock=time.process_time)
