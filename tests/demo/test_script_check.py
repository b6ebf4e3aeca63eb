"""Which scripts the embedded server takes."""

from __future__ import annotations

import pytest

from jmapsync.demo.script_check import check_script


@pytest.mark.parametrize(
    "script",
    [
        "",
        "keep;",
        'require ["fileinto", "copy"];\nif allof(header :is ["subject", "from"] "x", true) { fileinto :copy "A"; } else { stop; }',
    ],
)
def test_scripts_are_taken(script: str) -> None:
    assert check_script(script.encode()) == ""


@pytest.mark.parametrize(
    "script",
    [
        'require ["fileinto";',
        "require [(]);",
        "if true) { keep; }",
        "if allof(true { keep; }",
        "if true { keep;",
        "keep",
        "walk;",
        '"keep";',
    ],
)
def test_scripts_are_refused_with_the_line(script: str) -> None:
    assert check_script(b"stop;\r\n" + script.encode()).startswith("line 2: ")
