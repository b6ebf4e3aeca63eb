"""The meter: how far a run is, and since when nothing moved."""

from __future__ import annotations

from jmapsync.sync.progress import Meter


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_reports_rate_and_remaining_time() -> None:
    clock = Clock()
    meter = Meter(clock=clock)
    meter.start("home", "mail", "fetching mail", 1000, 5_000_000)
    clock.now += 10
    meter.advance("home", "mail", 250, 1_000_000)
    (reported,) = meter.to_json()
    assert reported == {
        "kind": "mail",
        "what": "fetching mail",
        "done": 250,
        "of": 1000,
        "bytes": 1_000_000,
        "of_bytes": 5_000_000,
        "per_second": 25.0,
        "bytes_per_second": 100_000,
        "seconds": 10,
        "seconds_left": 30,
    }
    meter.finish("home", "mail")
    assert meter.to_json() == []


def test_before_anything_is_done_no_time_is_promised() -> None:
    meter = Meter(clock=Clock())
    meter.start("home", "mail", "fetching mail", 1000, 5_000_000)
    assert meter.to_json()[0]["seconds_left"] is None


def test_silence_is_counted_from_the_last_sign_of_life() -> None:
    clock = Clock()
    meter = Meter(clock=clock)
    clock.now += 50
    assert meter.silence() == 50
    meter.advance("home", "mail", 1, 1)
    clock.now += 5
    assert meter.silence() == 5
