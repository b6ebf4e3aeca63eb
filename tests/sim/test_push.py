"""Push with altered events, messages and connections: what each of them once found, and a set that a seed gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.jmap import push, websocket
from jmapsync.jmap.push import StateChange
from tests.sim import push_mutation
from tests.sim.altering import Case, Mutation
from tests.sim.push_fuzzer import PushFuzzer, Script

if TYPE_CHECKING:
    from tests.sim.fuzzer import CaseResult

SEED = 1
CASES = 200


@pytest.fixture(scope="module")
def fuzzer() -> PushFuzzer:
    return PushFuzzer()


def play(fuzzer: PushFuzzer, method: str, operation: str, *, seed: int) -> CaseResult:
    return fuzzer.play(Case("push", (Mutation(method, (), operation),), seed))


@pytest.mark.parametrize("operation", ["id huge", "id long", "id letters", "id digits"])
def test_an_event_with_an_id_that_no_request_can_carry_does_not_end_push(fuzzer: PushFuzzer, operation: str) -> None:
    for seed in range(6):
        result = play(fuzzer, "stream line", operation, seed=seed)
        assert result.faults == [], result.trace


def test_a_push_state_of_any_length_does_not_end_push(fuzzer: PushFuzzer) -> None:
    result = fuzzer.play(Case("push", (Mutation("socket StateChange", ("pushState",), "huge text"),), 1))
    assert result.faults == [], result.trace


@pytest.mark.parametrize("operation", ["fragments", "states", "pings", "noise"])
def test_a_websocket_that_sends_without_end_is_given_up(fuzzer: PushFuzzer, operation: str) -> None:
    result = play(fuzzer, "socket endless", operation, seed=1)
    assert result.faults == [], result.trace


@pytest.mark.parametrize("operation", sorted(push_mutation.ENDLESS))
def test_an_event_stream_without_end_is_given_up(fuzzer: PushFuzzer, operation: str) -> None:
    result = play(fuzzer, "stream endless", operation, seed=1)
    assert result.faults == [], result.trace


@pytest.mark.parametrize("block", range(0, CASES, 50))
def test_cases_of_a_seed_are_withstood(fuzzer: PushFuzzer, block: int) -> None:
    for number in range(block, block + 50):
        case = fuzzer.case(SEED, number)
        result = fuzzer.play(case)
        assert result.faults == [], f"{result.trace}\npython -m tests.sim.answers --replay '{case.to_json()}'"


def test_most_cases_demand_that_the_connection_lasts(fuzzer: PushFuzzer) -> None:
    lasting = sum(Script.of(fuzzer.case(SEED, number)).lasts for number in range(300))
    assert lasting > 150


@pytest.mark.parametrize("way", ["stream", "socket"])
def test_a_reader_that_raises_is_found_out(fuzzer: PushFuzzer, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(data: Any) -> object:  # noqa: ANN401
        raise KeyError(data)

    monkeypatch.setattr(push, "decode", failing)
    monkeypatch.setattr(websocket, "decode", failing)
    result = play(fuzzer, f"{way} body", "null", seed=1)
    assert any("crashed: KeyError" in fault for fault in result.faults)


@pytest.mark.parametrize("way", ["stream", "socket"])
def test_a_reader_that_understands_nothing_is_found_out(fuzzer: PushFuzzer, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StateChange, "read", lambda _: None)
    faults = play(fuzzer, f"{way} body", "null", seed=1).faults
    assert any(fault.startswith("what follows on the same connection") for fault in faults)
    assert any(fault.startswith("no later change") for fault in faults)
