"""Answers become names, folders and mailbox patterns."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jmapsync.app.setup.choices import default_name, patterns, roots, unmatched
from jmapsync.errors import ConfigError
from jmapsync.formats.names import Patterns

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("address", "url", "name"),
    [
        ("alice@example.com", "", "example"),
        ("alice@mail.example.co.uk", "", "example"),
        ("", "https://jmap.example.org/x", "example"),
        ("", "http://127.0.0.1:8080/", "home"),
        ("", "http://localhost/", "home"),
        ("alice@xn--bcher-kva.example", "", "xn--bcher-kva"),
    ],
)
def test_an_account_is_named_after_its_domain(address: str, url: str, name: str) -> None:
    assert default_name(address, urlsplit(url), []) == name


def test_a_name_that_is_taken_gets_a_number() -> None:
    assert default_name("alice@example.com", urlsplit(""), ["example", "example-2"]) == "example-3"


class TestRoots:
    def test_defaults(self) -> None:
        assert roots([], ["mail", "contacts", "calendars"], "work") == {
            "mail": "~/Mail/work",
            "contacts": "~/.contacts/work",
            "calendars": "~/.calendars/work",
        }

    def test_one_directory_is_that_of_the_only_kind(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", "/home/alice")
        assert roots(["~/Mail/x/"], ["mail"], "work") == {"mail": "~/Mail/x"}

    def test_one_directory_holds_those_of_several_kinds(self) -> None:
        assert roots(["/data"], ["mail", "contacts"], "work") == {"mail": "/data/mail", "contacts": "/data/contacts"}

    def test_each_kind_may_have_its_own(self) -> None:
        assert roots(["/data", "contacts=/cards"], ["mail", "contacts"], "x") == {"mail": "/data/mail", "contacts": "/cards"}

    def test_a_relative_one_starts_here(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("HOME", "/home/alice")
        assert roots(["mine"], ["mail"], "work") == {"mail": f"{tmp_path}/mine"}

    def test_of_a_kind_that_is_not_chosen_is_an_error(self) -> None:
        with pytest.raises(ConfigError, match="the kind contacts is not chosen"):
            roots(["contacts=/cards"], ["mail"], "work")


EVERY = ["INBOX", "Archive", "Archive/2024", "Lists", "Lists/python", "Spam [*]"]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (EVERY, Patterns()),
        ([box for box in EVERY if "Spam" not in box], Patterns(("*",), ("Spam [[][*]]",))),
        ([box for box in EVERY if "Archive" not in box], Patterns(("*",), ("Archive",))),
        (["INBOX"], Patterns(("INBOX",))),
        (["INBOX", "Lists"], Patterns(("INBOX", "Lists"), ("Lists/python",))),
        (["INBOX", "Lists/python"], Patterns(("INBOX", "Lists/python"))),
    ],
)
def test_patterns_select_the_chosen_mailboxes(chosen: list[str], expected: Patterns) -> None:
    assert patterns(chosen, EVERY) == expected
    assert unmatched(expected, chosen, EVERY) == []


def test_what_is_left_out_with_a_mailbox_above_it_is_named() -> None:
    every = ["a", "a/b", "a/b/c"]
    selected = patterns(["a", "a/b/c"], every)
    assert unmatched(selected, ["a", "a/b/c"], every) == ["a/b/c"]


TREE = [f"{top}{middle}{leaf}" for top in ("a", "[b]", "c*") for middle in ("", "/d", "/!") for leaf in ("", "/e")]


@given(st.sets(st.sampled_from(TREE), min_size=1))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_patterns_differ_from_the_choice_only_below_what_is_left_out(chosen: set[str]) -> None:
    every = sorted(TREE)
    dropped = [path for path in every if path not in chosen]
    for path in unmatched(patterns(chosen, every), chosen, every):
        assert path in chosen
        assert any(path.startswith(f"{above}/") for above in dropped)
