from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from jmapsync.errors import Scope
from jmapsync.jmap.failures import AnswerError
from jmapsync.jmap.repair_json import readable
from jmapsync.jmap.shapes import UNREADABLE, arguments
from jmapsync.jmap.wire import Call, decode_response


def read(name: str, value: object) -> dict[str, Any]:
    return arguments(msgspec.Raw(json.dumps(value).encode()), name)


@pytest.mark.parametrize("made", [None, 7, 1.5, True, "x", [], {}, {"id": None}, {"id": 7}, {"id": ""}, {"id": ["a"]}])
def test_a_creation_without_an_id_is_left_open(made: object) -> None:
    assert read("Foo/set", {"created": {"a": made, "b": {"id": "1"}}})["created"] == {"b": {"id": "1"}}


@pytest.mark.parametrize("name", ["Mailbox/set", "Email/import", "CalendarEvent/set"])
@pytest.mark.parametrize("value", [7, "x", True, [], [[]], 2**70])
def test_a_malformed_result_says_nothing(name: str, value: object) -> None:
    every = ("created", "updated", "notCreated", "notUpdated", "notDestroyed")
    found = read(name, {**dict.fromkeys(every, value), "destroyed": {"a": 1}, "newState": {}})
    assert found == {}


def test_sizes_and_blob_ids_of_another_type_are_left_out() -> None:
    made = {"id": "1", "size": 2**70, "blobId": 7, "threadId": "t"}
    assert read("Email/import", {"created": {"k": made}})["created"] == {"k": {"id": "1", "threadId": "t"}}


def test_members_of_a_list_without_an_id_are_counted() -> None:
    found = read("Foo/get", {"list": [{"id": "1"}, None, [], {"id": 7}, {"name": "x"}], "notFound": ["2", 3, None], "state": 7})
    assert found == {"list": [{"id": "1"}], "notFound": ["2"], UNREADABLE: ["", "", "", ""]}


@pytest.mark.parametrize("value", [{}, {"list": None}, {"list": {}}, {"list": 7}, {"list": "x"}])
def test_no_list_is_not_an_empty_list(value: object) -> None:
    with pytest.raises(AnswerError) as caught:
        read("Foo/get", value)
    assert caught.value.scope is Scope.KIND


@pytest.mark.parametrize("value", [{}, {"ids": None}, {"ids": {}}, {"ids": 7}])
def test_no_ids_are_not_an_empty_listing(value: object) -> None:
    with pytest.raises(AnswerError):
        read("Foo/query", value)


def test_numbers_of_a_listing_have_to_be_numbers() -> None:
    assert read("Foo/query", {"ids": ["a", 7], "total": 2**70, "position": "0", "limit": True}) == {"ids": ["a", ""]}


@pytest.mark.parametrize("value", [b"null", b"7", b"[]", b'"x"', b"[[[[]]]]"])
def test_arguments_that_are_no_object_are_the_failure_of_their_kind(value: bytes) -> None:
    with pytest.raises(AnswerError):
        arguments(msgspec.Raw(value), "Foo/get")


SPOILT = {
    "deep array": b"[" * 100_000 + b"]" * 100_000,
    "deep object": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "just too deep": b"[" * 101 + b"]" * 101,
    "half a surrogate pair": b'"\\ud800"',
    "the other half": b'"a\\uDC00b"',
    "no UTF-8": b'"\xff\xfe"',
}


@pytest.mark.parametrize("value", SPOILT.values(), ids=SPOILT)
def test_a_value_that_no_reader_takes_spoils_only_what_it_is_in(value: bytes) -> None:
    body = (
        b'{"methodResponses":[["Foo/get",{"state":"1","list":[{"id":"a","v":%s},{"id":"b","v":"\\ud83d\\ude00 [{\\"\\\\"}]},"c"],'
        b'["Bar/get",{"list":[{"id":"d"}]},"e"]],"sessionState":"s"}'
    ) % value
    response = decode_response(body)
    found = response.get(Call("Foo/get", {}, "c"))
    assert found == {"state": "1", "list": [{"id": "b", "v": '\U0001f600 [{"\\'}], UNREADABLE: ["a"]}
    assert response.get(Call("Bar/get", {}, "e"))["list"] == [{"id": "d"}]


def test_what_is_no_json_stays_as_it_is() -> None:
    for body in (b"", b"[[[", b"<html>", b"[" * 500, b"]" * 500, b'"'):
        assert readable(body) == body
