"""`jmapsync demo`: the first command of the README."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

from tests.cli.conftest import PROGRAM
from tests.kit.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.cli.conftest import Command, Home


class TestWithoutATerminal:
    def test_mirrors_shows_a_round_both_ways_and_ends(self, process: Command, home: Home) -> None:
        done = process("demo")

        assert (done.code, done.err) == (0, "")
        assert f"The sample account is mirrored in {home.path}/jmapsync-demo/Mail:\n" in done.out
        assert ["INBOX", "6"] in [line.split() for line in done.out.splitlines()]
        assert '"Welcome": S here, $seen on the server' in done.out
        assert '"Moth found in relay": F here, $flagged on the server' in done.out
        assert len(list((home.path / "jmapsync-demo/Mail/INBOX").glob("[cn][ue][rw]/*"))) == 6

    def test_names_a_missing_package_and_the_command_that_installs_it(
        self, process: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "starlette.py").write_text("raise ModuleNotFoundError(\"No module named 'starlette'\", name='starlette')\n")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
        done = process("demo")
        assert (done.code, done.out) == (2, "")
        assert "pip install 'jmapsync[demo]'" in done.err

    def test_leaves_the_state_of_real_accounts_alone(self, jmapsync: Command, home: Home) -> None:
        jmapsync("demo")
        assert not home.state.parent.exists()
        assert (home.path / "jmapsync-demo/state/demo/ledger.sqlite").exists()

    def test_takes_another_folder_the_second_time(self, jmapsync: Command, home: Home) -> None:
        jmapsync("demo")
        assert jmapsync("demo").code == 0
        assert (home.path / "jmapsync-demo-2/Mail/INBOX").is_dir()

    def test_touches_no_folder_with_something_in_it(self, jmapsync: Command, tmp_path: Path) -> None:
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine/letter").write_text("dear")
        done = jmapsync("demo", str(tmp_path / "mine"))
        assert done.code == 2
        assert "not an empty folder" in done.err
        assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter"]

    def test_says_that_a_folder_cannot_be_written(self, jmapsync: Command, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        done = jmapsync("demo", str(tmp_path / "file/below"))
        assert done.code == 1
        assert "cannot be written: Not a directory." in done.err


class TestOnATerminal:
    def test_serves_until_it_is_interrupted_and_reports_what_changes(self, process: Command, home: Home) -> None:
        with Terminal() as terminal:
            at = terminal.end
            demo = subprocess.Popen([*PROGRAM, "demo", "d"], env=home.environment(), cwd=home.path, stdin=at, stdout=at, stderr=at)
            try:
                seen = terminal.wait_for("Changes on the server:")
                assert "The server runs until Ctrl-C." in seen
                (suggested,) = [line for line in seen.splitlines() if line.startswith("  mv ")]
                subprocess.run(suggested, shell=True, check=True)
                assert process("-c", "d/config.toml", "sync").code == 0
                terminal.wait_for('server: "Welcome" has $seen')
            finally:
                demo.send_signal(signal.SIGINT)
                code = demo.wait(90)
        assert code == 0
