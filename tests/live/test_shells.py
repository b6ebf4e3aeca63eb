"""Complete command lines in real shells: bash with bash-completion, zsh and fish, each at a terminal of its own."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from jmapsync.cli.program import program
from jmapsync.cli.shells import script
from tests.kit.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.live

CONFIG = """\
include = ["conf.d/*.toml"]
[accounts.home]
nonsense = "a configuration may be half written when its names are completed"
[accounts."my mail"]
"""
SHELLS = {
    "bash": (["bash", "--noprofile", "--rcfile", "start", "-i"], "data/completions/jmapsync"),
    "zsh": (["zsh", "-i"], "functions/_jmapsync"),
    "fish": (["fish", "--no-config", "-i", "-C", "source start.fish"], "fish/jmapsync.fish"),
}
"""How each is started, and where its script lies."""
STARTS = {
    "start": "export BASH_COMPLETION_USER_DIR=$PWD/data\n. /usr/share/bash-completion/bash_completion\nPS1='ready> '\n",
    ".zshrc": "fpath=($PWD/functions $fpath)\nautoload -Uz compinit\ncompinit -u -D\nunsetopt auto_menu\nPROMPT='ready> '\n",
    "start.fish": "set fish_complete_path $PWD/fish\nfunction fish_prompt\n echo 'ready> '\nend\nfunction fish_greeting\nend\n",
}
PROGRAM = """\
#!/bin/sh
if [ -n "$_JMAPSYNC_COMPLETE" ]; then
  exec {python} -c 'from jmapsync.cli import main; main()'
fi
printf 'run'
printf '<%s>' "$@"
printf '.\\n'
"""


class Shell:
    """A shell that somebody types into."""

    def __init__(self, terminal: Terminal, name: str) -> None:
        self.name = name
        self._terminal = terminal
        self._seen = 0

    def runs(self, typed: str) -> list[str]:
        """Type a line, in which a tabulator completes, and return the arguments that the program is run with."""
        self._terminal.type(f"jmapsync {typed}\r")
        shown = self._until(r"run((?:<[^\r\n]*?>)*)\.\r?\n")
        self._until("(ready> )")  # what is typed before the shell reads keys does not always complete
        return re.findall(r"<(.*?)>", shown)

    def lists(self, typed: str, *wanted: str) -> str:
        """Type the begin of a line and ask for a list; return it as soon as the last of what is wanted is shown."""
        self._terminal.type(f"jmapsync {typed}\t\t")
        shown = "".join(self._until(f"({re.escape(one)})", whole=True) for one in wanted)
        self._terminal.type("\x15")
        return shown

    def _until(self, pattern: str, *, whole: bool = False) -> str:
        shown, match = self._terminal.wait_for_pattern(pattern, self._seen)
        begin, self._seen = self._seen, match.end()
        return shown[begin : self._seen] if whole else match[1]


@pytest.fixture(scope="module", params=list(SHELLS))
def shell(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    home = tmp_path_factory.mktemp("home")
    command, place = SHELLS[request.param]
    files = {
        ".config/jmapsync/config.toml": CONFIG,
        ".config/jmapsync/conf.d/work.toml": "[accounts.work]\n",
        "other.toml": "[accounts.elsewhere]\n",
        "bin/jmapsync": PROGRAM.format(python=shlex.quote(sys.executable)),
        place: script(request.param, program),
        "folder/inner.txt": "",
        **STARTS,
    }
    for path, text in files.items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(text, encoding="utf-8")
    (home / "bin/jmapsync").chmod(0o755)
    environment = {
        "HOME": str(home),
        "PATH": f"{home}/bin:/usr/bin:/bin",
        "TERM": "xterm",
        "LC_ALL": "C.UTF-8",
        "ZDOTDIR": str(home),
    }
    with Terminal() as terminal:
        running = subprocess.Popen(
            ["setsid", "--ctty", *command], cwd=home, env=environment, stdin=terminal.end, stdout=terminal.end, stderr=terminal.end
        )
        terminal.wait_for("ready> ")
        yield Shell(terminal, request.param)
        running.kill()
        running.wait()


def test_commands(shell: Shell) -> None:
    assert shell.runs("mailb\t") == ["mailboxes"]
    assert shell.runs("conflicts res\t") == ["conflicts", "restore"]


def test_options_of_the_program_and_of_a_command(shell: Shell) -> None:
    assert shell.runs("--verb\tstatus") == ["--verbose", "status"]
    assert shell.runs("sync --dry\t") == ["sync", "--dry-run"]


def test_accounts_of_a_configuration_that_is_wrong_and_of_the_files_it_includes(shell: Shell) -> None:
    assert shell.runs("sync ho\t") == ["sync", "home"]
    assert shell.runs("sync home wo\t") == ["sync", "home", "work"]


def test_an_account_with_a_space_in_its_name(shell: Shell) -> None:
    assert shell.runs("sync my\t") == ["sync", "my mail"]


def test_accounts_of_the_configuration_that_the_line_names(shell: Shell) -> None:
    assert shell.runs("-c other.toml sync el\t") == ["-c", "other.toml", "sync", "elsewhere"]


def test_kinds_also_behind_an_equals_sign_and_in_a_list(shell: Shell) -> None:
    assert shell.runs("sync --kind ma\t") == ["sync", "--kind", "mail"]
    assert shell.runs("sync --kind=ma\t") == ["sync", "--kind=mail"]
    assert shell.runs("init --kinds mail,ta\t") == ["init", "--kinds", "mail,tasks"]


def test_paths_of_files_and_of_folders(shell: Shell) -> None:
    assert shell.runs("convert fol\tinn\t") == ["convert", "folder/inner.txt"]
    assert shell.runs("--config=oth\tstatus") == ["--config=other.toml", "status"]
    slash = "" if shell.name == "zsh" else "/"  # it removes the one that it added when the line ends there
    assert shell.runs("demo fol\t") == ["demo", f"folder{slash}"]
    assert shell.runs("init --root mail=fol\t") == ["init", "--root", f"mail=folder{slash}"]


def test_several_that_are_possible_are_listed(shell: Shell) -> None:
    assert "mailboxes" not in shell.lists("sync ", "home", "my", "work")
    shell.lists("login home --", "--browser", "--device", "--token")
