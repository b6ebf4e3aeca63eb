"""What an HTTP answer means, and for how long it is tried again."""

from __future__ import annotations

import json
import random

import pytest

from jmapsync.errors import Remedy, ServerError, SignInError
from jmapsync.jmap.failures import RequestError
from jmapsync.jmap.replies import Reply
from jmapsync.jmap.retry_policy import LONGEST_PAUSE, RetryableError, RetryBudget, check_status, retry_after


def reply(status: int, problem: object = None, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, "", {"content-type": "application/problem+json", **named}, json.dumps(problem).encode(), "https://h/api")


def setback(status: int, problem: object = None, **headers: str) -> RetryableError:
    with pytest.raises(RetryableError) as caught:
        check_status(reply(status, problem, **headers))
    return caught.value


@pytest.mark.parametrize("status", [200, 201, 204])
def test_success_is_taken(status: int) -> None:
    assert check_status(reply(status)).status == status


def test_a_refused_secret_is_not_tried_again() -> None:
    with pytest.raises(SignInError, match="h did not accept"):
        check_status(reply(401))


def test_a_token_that_does_not_cover_it_is_not_tried_again() -> None:
    with pytest.raises(SignInError, match="token"):
        check_status(reply(403))


def test_too_many_requests_pause_everything_and_were_not_acted_upon() -> None:
    found = setback(429, retry_after="7")
    assert (found.shared, found.maybe_done, found.retry_after) == (True, False, 7)


@pytest.mark.parametrize("status", [500, 502, 504, 520])
def test_trouble_behind_the_server_leaves_the_outcome_open(status: int) -> None:
    assert setback(status).maybe_done


def test_an_unavailable_server_did_nothing() -> None:
    assert not setback(503).maybe_done


@pytest.mark.parametrize("limit", ["maxConcurrentRequests", "maxConcurrentUpload"])
def test_too_much_at_once_is_tried_again_more_narrowly(limit: str) -> None:
    assert setback(400, {"type": "urn:ietf:params:jmap:error:limit", "limit": limit}).lower_limit


@pytest.mark.parametrize(
    ("problem", "type_"),
    [
        ({"type": "urn:ietf:params:jmap:error:unknownCapability", "detail": "x"}, "unknownCapability"),
        ({"type": "urn:ietf:params:jmap:error:limit", "limit": "maxSizeRequest"}, "limit"),
        ({}, "http400"),
        ("not an object", "http400"),
    ],
)
def test_a_refused_request_keeps_its_type(problem: object, type_: str) -> None:
    with pytest.raises(RequestError) as caught:
        check_status(reply(400, problem))
    assert caught.value.type == type_


def test_too_large_names_the_limit_that_was_passed() -> None:
    with pytest.raises(RequestError) as caught:
        check_status(reply(413), size_limit="maxSizeUpload")
    assert (caught.value.type, caught.value.limit) == ("limit", "maxSizeUpload")


def test_what_jmap_does_not_know_is_the_server_s_fault() -> None:
    with pytest.raises(ServerError, match="304"):
        check_status(reply(304))


def test_retry_after_is_seconds_or_a_date_by_the_server_s_own_clock() -> None:
    assert retry_after({"retry-after": "120"}) == 120
    dates = {"date": "Sun, 06 Nov 1994 08:49:37 GMT", "retry-after": "Sun, 06 Nov 1994 08:50:07 GMT"}
    assert retry_after(dates) == 30
    assert retry_after({"retry-after": "Sun, 06 Nov 1994 08:50:07 GMT"}) == 0
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({}) is None


def most(low: float, high: float) -> float:
    return high


def test_pauses_double_up_to_a_cap_and_end_with_the_budget() -> None:
    patience = RetryBudget(200, most)
    failure = RetryableError(ServerError("x"), maybe_done=False)
    pauses = list(iter(lambda: patience.pause(failure), None))
    assert pauses == [0.5, 1, 2, 4, 8, 16, 32, LONGEST_PAUSE, LONGEST_PAUSE]


def test_lucky_jitter_does_not_go_on_for_ever() -> None:
    patience = RetryBudget(300, lambda low, high: low)
    failure = RetryableError(ServerError("x"), maybe_done=False)
    assert len(list(iter(lambda: patience.pause(failure), None))) < 20


def test_a_pause_the_server_asks_for_is_never_shortened() -> None:
    pause = RetryBudget(300).pause(RetryableError(ServerError("x"), maybe_done=False, retry_after=20))
    assert pause is not None
    assert 20 <= pause <= 21


def test_a_pause_beyond_all_patience_is_left_to_the_next_run() -> None:
    assert RetryBudget(300).pause(RetryableError(ServerError("x"), maybe_done=False, retry_after=3600)) is None


def test_nonsense_is_tried_once_more_only() -> None:
    patience = RetryBudget(300)
    failure = RetryableError(ServerError("x"), maybe_done=True, once=True)
    assert patience.pause(failure) is not None
    assert patience.pause(failure) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("\u00b2", None),
        ("\u0661\u0662", None),
        ("-1", None),
        ("1.5", None),
        ("1e9", None),
        ("nan", None),
        ("infinity", None),
        ("0x10", None),
        (" 7 ", 7.0),
        ("9" * 5000, 366 * 86400.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 366 * 86400.0),
        ("Fri, 31 Dec 9999 23:59:59 -2359", None),
        ("Mon, 30 Feb 2026 00:00:00 GMT", None),
        ("Sun, 06 Nov 99999 08:49:37 GMT", None),
        ("Sun, 06 Nov 1994 08:49:37 +9999", None),
        ("Sun, 06 Nov \u00b2994 08:49:37 GMT", None),
        (",", None),
        ("\x00", None),
    ],
)
def test_a_retry_after_of_another_form_is_none(value: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": value, "date": value}) in {seconds, 0.0}
    assert retry_after({"retry-after": value, "date": "Sun, 06 Nov 1994 08:49:37 GMT"}) == seconds


def test_no_retry_after_is_beyond_what_a_pause_can_be() -> None:
    dice = random.Random(20261130)
    alphabet = ["Sun", "Nov", ",", " ", ":", "+", "-", "0", "06", "1994", "9999", "10000", "GMT", "-0000", "\u00b2", "\u0661", "."]
    for _ in range(5000):
        value, date = ("".join(dice.choices(alphabet, k=dice.randint(0, 14))) for _ in range(2))
        assert 0 <= (retry_after({"retry-after": value, "date": date}) or 0) <= 366 * 86400


@pytest.mark.parametrize("status", [401, 403])
def test_only_the_server_itself_refuses_for_good(status: int) -> None:
    """A captive portal or a proxy answers with these numbers too, but neither in HTTP's form nor in JMAP's."""
    page = Reply(status, "", {"content-type": "text/html"}, b"<html>", "https://h/api")
    bare = Reply(status, "", {}, b"", "https://h/api")
    problem = reply(status, {"type": "about:blank", "status": status})
    challenge = Reply(status, "", {"www-authenticate": "Bearer", "content-type": "text/html"}, b"<html>", "https://h/api")
    remedies = []
    for answer in (page, bare, problem, challenge):
        with pytest.raises(SignInError) as caught:
            check_status(answer)
        remedies.append(caught.value.remedy)
    assert remedies == [Remedy.LATER, Remedy.LATER, Remedy.HUMAN, Remedy.HUMAN if status == 401 else Remedy.LATER]


def test_what_a_server_says_is_repeated_up_to_a_length() -> None:
    with pytest.raises(RequestError) as caught:
        check_status(reply(400, {"type": "t" * 400_000, "detail": "d" * 400_000, "limit": "l" * 400_000}))
    assert len(str(caught.value)) < 1500
    assert len(str(setback(503, {"detail": "d" * 400_000}))) < 1500
