"""Runs with altered answers of the server: what each of them once found, and a set that a seed gives; `answers` is the long run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sim.altering import Case, Mutation
from tests.sim.fuzzer import Fuzzer
from tests.sim.world import scratch

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED = 1
CASES = 60


@pytest.fixture(scope="module")
def fuzzer() -> Iterator[Fuzzer]:
    with scratch() as base:
        yield Fuzzer(base)


def assert_withstands(fuzzer: Fuzzer, scenario: str, *mutations: Mutation) -> None:
    result = fuzzer.play(Case(scenario, mutations, seed=7))
    assert result.altering.done
    assert result.faults == [], result.trace


def in_list(method: str, *path: str) -> tuple[str, tuple[str, ...]]:
    return method, ("list", "[]", *path)


@pytest.mark.parametrize("operation", ["half", "surrogate", "deeplist", "missing"])
@pytest.mark.parametrize("scenario", ["first", "full"])
def test_a_container_with_a_malformed_name_stays_as_it_is_here(fuzzer: Fuzzer, scenario: str, operation: str) -> None:
    for method in ("AddressBook/get", "Calendar/get"):
        assert_withstands(fuzzer, scenario, Mutation(*in_list(method, "name"), operation))


@pytest.mark.parametrize("operation", ["seven", "surrogate", "deepobject"])
def test_a_container_with_malformed_rights_stays_as_it_is_here(fuzzer: Fuzzer, operation: str) -> None:
    assert_withstands(fuzzer, "full", Mutation(*in_list("Calendar/get", "myRights"), operation))


@pytest.mark.parametrize("operation", ["seven", "null", "text"])
@pytest.mark.parametrize(
    "where",
    [
        ("AddressBook/get", "myRights", "mayWrite"),
        ("AddressBook/get", "isDefault"),
        ("Calendar/get", "myRights", "mayWriteAll"),
        ("Mailbox/get", "myRights", "mayAddItems"),
        ("Mailbox/get", "myRights", "maySetSeen"),
    ],
)
def test_a_right_that_is_malformed_is_not_taken_for_one_that_is_denied(
    fuzzer: Fuzzer, where: tuple[str, ...], operation: str
) -> None:
    assert_withstands(fuzzer, "full", Mutation(*in_list(*where), operation, every=True))


@pytest.mark.parametrize("operation", ["slash", "path", "control", "huge text"])
def test_a_new_mailbox_with_a_malformed_id_is_found_by_the_next_run(fuzzer: Fuzzer, operation: str) -> None:
    assert_withstands(fuzzer, "changes", Mutation("Mailbox/set", ("created", "{}", "id"), operation))


@pytest.mark.parametrize("operation", ["invalid", "seven", "missing"])
def test_mail_in_mailboxes_that_cannot_be_known_comes_once_they_can(fuzzer: Fuzzer, operation: str) -> None:
    assert_withstands(fuzzer, "changes", Mutation(*in_list("Mailbox/get", "id"), operation, every=True))


def test_an_old_version_that_cannot_be_removed_is_shown(fuzzer: Fuzzer) -> None:
    assert_withstands(fuzzer, "changes", Mutation(*in_list("Email/get", "blobId"), "list of null", every=True))


@pytest.mark.parametrize("where", [("ContactCard/get", "addressBookIds"), ("CalendarEvent/get", "calendarIds")])
@pytest.mark.parametrize("operation", ["null", "missing", "list of 7", "object of null"])
@pytest.mark.parametrize("scenario", ["first", "changes"])
def test_an_item_in_no_container_is_named_and_comes_back(
    fuzzer: Fuzzer, scenario: str, where: tuple[str, str], operation: str
) -> None:
    assert_withstands(fuzzer, scenario, Mutation(*in_list(*where), operation))


@pytest.mark.parametrize(
    "where",
    [
        in_list("ContactCard/get", "phones", "{}", "number"),
        in_list("ContactCard/get", "name"),
        in_list("ContactCard/get", "uid"),
        in_list("CalendarEvent/get", "title"),
        in_list("CalendarEvent/get", "recurrenceRule"),
        in_list("CalendarEvent/get", "recurrenceOverrides"),
        in_list("CalendarEvent/get", "id"),
    ],
    ids=lambda where: ".".join(where[1]),
)
@pytest.mark.parametrize("operation", ["seven", "list of lists", "key twice"])
def test_an_item_with_a_malformed_property_is_named_and_the_rest_goes_on(
    fuzzer: Fuzzer, where: tuple[str, tuple[str, ...]], operation: str
) -> None:
    assert_withstands(fuzzer, "full", Mutation(*where, operation))


@pytest.mark.parametrize("method", ["ContactCard/set", "CalendarEvent/set", "Email/import", "Mailbox/set"])
@pytest.mark.parametrize("operation", ["null", "seven", "empty object"])
def test_the_next_run_finds_out_what_a_malformed_answer_to_a_creation_came_to(fuzzer: Fuzzer, method: str, operation: str) -> None:
    # Once: as long as a server never says what it made, nobody is to say that all is well.
    result = fuzzer.play(Case("changes", (Mutation(method, ("created", "{}"), operation, always=False, every=True),), seed=7))
    assert [fault for fault in result.faults if not fault.startswith("the altered run reports")] == []


@pytest.mark.parametrize("operation", ["NUL", "huge text"])
def test_one_id_for_several_new_messages_is_no_id(fuzzer: Fuzzer, operation: str) -> None:
    assert_withstands(fuzzer, "full", Mutation("Email/import", ("created", "{}", "id"), operation, every=True))


@pytest.mark.parametrize(
    "path",
    [("capabilities",), ("accounts",), ("primaryAccounts",), ("accounts", "{}", "accountCapabilities"), ("capabilities", "{}")],
    ids=".".join,
)
@pytest.mark.parametrize("operation", ["seven", "deeplist"])
def test_a_malformed_session_is_read_again(fuzzer: Fuzzer, path: tuple[str, ...], operation: str) -> None:
    assert_withstands(fuzzer, "first", Mutation("session", path, operation, always=False, every=True))


@pytest.mark.parametrize("block", range(0, CASES, 10))
def test_cases_of_a_seed_are_withstood(fuzzer: Fuzzer, block: int) -> None:
    for number in range(block, block + 10):
        case = fuzzer.case(SEED, number)
        result = fuzzer.play(case)
        assert result.faults == [], f"{result.trace}\npython -m tests.sim.answers --replay '{case.to_json()}'"
