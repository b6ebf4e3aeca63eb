"""What a Session object says, however incomplete it is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jmapsync.errors import AccountGoneError, ConfigError, DiscoveryError, SignInError, UnsupportedError
from jmapsync.jmap.session import Limits, Session
from tests.jmap.peer import BLOB, CORE, MAIL, session_object

URL = "https://jmap.example.com/jmap/session"
SIEVE = "urn:ietf:params:jmap:sieve"


def parse(**changes: object) -> Session:
    return Session.parse(json.dumps(session_object(**changes)).encode(), URL)


def account(*capabilities: str, **more: object) -> dict[str, Any]:
    return {
        "name": "x",
        "isPersonal": True,
        "isReadOnly": False,
        "accountCapabilities": {name: {} for name in capabilities},
        **more,
    }


def test_relative_urls_are_resolved_against_the_session_s_own() -> None:
    session = parse()
    assert session.api_url == "https://jmap.example.com/api"
    assert session.download_url == "https://jmap.example.com/download/{accountId}/{blobId}/{name}?accept={type}"
    assert session.upload_url == "https://jmap.example.com/upload/{accountId}/"
    assert parse(apiUrl="https://api.example.com/x").api_url == "https://api.example.com/x"


def test_a_server_without_push_has_no_event_source() -> None:
    raw = session_object()
    del raw["eventSourceUrl"]
    assert Session.parse(json.dumps(raw).encode(), URL).event_source_url is None


def test_limits_are_read_from_core() -> None:
    assert Limits.parse({"maxSizeRequest": 5, "maxConcurrentRequests": 9}) == Limits(max_size_request=5, max_concurrent_requests=9)


def test_the_rfc_s_misspelt_limit_is_understood() -> None:
    assert Limits.parse({"maxConcurrentRequest": 8}).max_concurrent_requests == 8


@pytest.mark.parametrize("value", [0, -1, None, "12", True])
def test_a_limit_that_is_none_is_the_rfc_s_minimum(value: object) -> None:
    assert Limits.parse({"maxObjectsInGet": value}).max_objects_in_get == 500


def test_a_session_of_only_an_api_url_and_an_account_will_do() -> None:
    session = Session.parse(b'{"apiUrl": "/jmap/", "accounts": {"a": {}}, "capabilities": {"urn:ietf:params:jmap:mail": {}}}', URL)
    assert session.account_for(MAIL).id == "a"
    assert session.download_url == session.state == ""
    assert session.limits == Limits()


def test_fields_of_unexpected_types_do_not_break_it() -> None:
    session = parse(primaryAccounts=None, eventSourceUrl=None, state=7, username=None)
    assert (session.primary_accounts, session.event_source_url, session.state) == ({}, None, "")


def test_a_session_survives_being_kept() -> None:
    session = parse()
    assert Session.from_json(session.to_json()) == session


@pytest.mark.parametrize("kept", [b"", b"{}", b'{"url": 1}', b"\xff"])
def test_a_kept_session_that_is_malformed_is_a_value_error(kept: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Session.from_json(kept)


@pytest.mark.parametrize("body", [b"<html>hello", b"", b"[]", b'{"hello": "world"}'])
def test_what_is_no_session_says_where_it_came_from(body: bytes) -> None:
    with pytest.raises(DiscoveryError, match=r"jmap\.example\.com"):
        Session.parse(body, URL)


def test_an_unknown_user_s_empty_session_is_a_refused_sign_in() -> None:
    """Stalwart answers wrong credentials with status 200."""
    with pytest.raises(SignInError):
        parse(username="", accounts={})


def test_the_primary_account_is_chosen() -> None:
    session = parse(accounts={"a": account(MAIL), "b": account(MAIL)}, primaryAccounts={MAIL: "b"})
    assert session.account_for(MAIL).id == "b"


def test_a_primary_account_that_lacks_the_capability_is_passed_over() -> None:
    session = parse(accounts={"a": account(), "b": account(MAIL)}, primaryAccounts={MAIL: "a"})
    assert session.account_for(MAIL).id == "b"


def test_the_pinned_account_goes_before_the_primary_one() -> None:
    session = parse(accounts={"a": account(MAIL), "b": account(MAIL)}, primaryAccounts={MAIL: "b"})
    assert session.account_for(MAIL, "a").id == "a"


def test_a_pinned_account_that_went_away_is_reported_as_such() -> None:
    with pytest.raises(AccountGoneError, match="no longer offers the account bob"):
        parse().account_for(MAIL, "bob")


def test_an_account_is_known_by_its_name_too() -> None:
    accounts = {"a": account(MAIL, name="b"), "b": account(MAIL, name="Team"), "c": account(MAIL, name="TEAM")}
    session = parse(accounts=accounts)
    assert [session.account_for(MAIL, wanted).id for wanted in ("a", "b", "Team", "TEAM")] == ["a", "b", "b", "c"]
    assert session.find("Everybody") is None
    with pytest.raises(ConfigError, match=r"have the name .team.; set account_id to one of the ids: b \(Team\), c \(TEAM\)"):
        session.find("team")


def test_the_only_account_that_offers_it_is_chosen() -> None:
    session = parse(accounts={"a": account(MAIL), "b": account(SIEVE)}, primaryAccounts={MAIL: "a"})
    assert session.account_for(SIEVE).id == "b"


def test_among_several_the_one_that_is_primary_for_something_is_chosen() -> None:
    session = parse(accounts={"a": account(MAIL, BLOB), "shared": account(MAIL, BLOB)}, primaryAccounts={MAIL: "a"})
    assert session.account_for(BLOB).id == "a"


def test_several_accounts_without_a_primary_one_have_to_be_chosen_from() -> None:
    with pytest.raises(UnsupportedError, match=r"Set account_id to one of a \(x\), b \(x\)"):
        parse(accounts={"a": account(MAIL), "b": account(MAIL)}, primaryAccounts={}).account_for(MAIL)


def test_a_capability_of_the_session_that_the_account_lacks_is_not_offered() -> None:
    session = parse(capabilities={CORE: {}, MAIL: {}, SIEVE: {}})
    with pytest.raises(UnsupportedError, match=SIEVE):
        session.account_for(SIEVE)
    assert session.using(MAIL, SIEVE, account=session.accounts["alice"]) == [CORE, MAIL]


def test_core_is_used_even_if_the_session_forgets_it() -> None:
    session = parse(capabilities={MAIL: {}})
    assert session.using(MAIL, account=session.accounts["alice"]) == [CORE, MAIL]


def test_read_only_is_only_what_says_so() -> None:
    session = parse(accounts={"a": account(MAIL, isReadOnly=True), "b": account(MAIL, isReadOnly="no")})
    assert [found.is_read_only for found in session.accounts.values()] == [True, False]
