"""Complete command lines of bash, zsh and fish: the scripts that the shells load, and the answers that these read.

click finds what a word may become. Its own scripts are not used: in them a value with a space becomes several (bash), a
description with a comma is cut off (fish), `--kind=ma` is replaced by `mail` (zsh, fish), and the second tabulator of a session
does nothing (zsh).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete, add_completion_class

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem

NAME = "jmapsync"
VARIABLE = "_JMAPSYNC_COMPLETE"
"""The environment variable by which a shell asks for completions."""

_BASH = """\
%(complete_func)s() {
    local IFS=$'\\n' type value word="${COMP_WORDS[COMP_CWORD]}"
    COMPREPLY=()
    while IFS=, read -r type value; do
        case $type in
            dir) compopt -o filenames -o dirnames ;;
            file) compopt -o filenames -o default ;;
            plain)
                [[ $word == [\\"\\']* ]] || printf -v value %%q "$value"
                COMPREPLY+=("$value")
                ;;
        esac
    done < <(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD %(complete_var)s=bash_complete "$1" 2>/dev/null)
    [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *, ]] && compopt -o nospace
    return 0
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""

_ZSH = """\
#compdef %(prog_name)s

%(complete_func)s() {
    local type key description
    local -a answer values shown
    answer=("${(@f)$(COMP_WORDS="${(F)words}" COMP_CWORD=$((CURRENT-1)) %(complete_var)s=zsh_complete $words[1] 2>/dev/null)}")
    [[ $words[CURRENT] == --*=* ]] && compset -P '*='
    for type key description in "${answer[@]}"; do
        case $type in
            dir) [[ $PREFIX == *=* ]] && compset -P '*='; _files -/ ;;
            file) _files ;;
            plain)
                values+=("$key")
                if [[ $description == _ ]]; then shown+=("$key"); else shown+=("$key  -- $description"); fi
                ;;
        esac
    done
    (( $#values )) && compadd -l -V %(prog_name)s -d shown -a values
}

if [[ $funcstack[1] == _%(prog_name)s ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""

_FISH = """\
function %(complete_func)s
    set -l word (commandline -ct)
    set -l before ""
    string match -q -- '--*=*' $word; and set before (string replace -r '=.*' '=' -- $word)
    set -l words (commandline -opc) $word
    COMP_WORDS=(string join \\n -- $words | string collect) COMP_CWORD=(math (count $words) - 1) \\
        %(complete_var)s=fish_complete $words[1] 2>/dev/null | while read -l line
        set -l answer (string split -m 1 , -- $line)
        switch $answer[1]
            case dir
                __fish_complete_directories (string replace -- $before "" $word) | string replace -r '^' -- $before
            case file
                __fish_complete_path (string replace -- $before "" $word) | string replace -r '^' -- $before
            case plain
                printf '%%s%%s\\n' $before $answer[2]
        end
    end
end

complete --no-files --keep-order --command %(prog_name)s --arguments "(%(complete_func)s)"
"""


class _Words(ShellComplete):
    """What the shells have in common."""

    def source(self) -> str:
        """Return the script."""
        return self.source_template % self.source_vars()

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the cursor, and the one that it is in."""
        words = [_unquoted(word) for word in os.environ["COMP_WORDS"].split("\n")]
        at = int(os.environ["COMP_CWORD"])
        return words[1:at], words[at] if at < len(words) else ""


class Bash(_Words, BashComplete):
    """Completion of bash, which takes `--kind=mail` for three words."""

    source_template: ClassVar[str] = _BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the cursor, and the one that it is in, with what belongs together joined again."""
        args, incomplete = super().get_completion_args()
        words: list[str] = []
        for word in (*args, incomplete):
            if words and (word == "=" or words[-1].endswith("=")):
                words[-1] += word
            else:
                words.append(word)
        return words[:-1], words[-1]


class Zsh(_Words, ZshComplete):
    """Completion of zsh."""

    source_template: ClassVar[str] = _ZSH

    def format_completion(self, item: CompletionItem) -> str:
        """Return three lines: what it is, the value and its description."""
        return f"{item.type}\n{item.value}\n{item.help or '_'}"


class Fish(_Words, FishComplete):
    """Completion of fish."""

    source_template: ClassVar[str] = _FISH


SHELLS: dict[str, type[ShellComplete]] = {"bash": Bash, "zsh": Zsh, "fish": Fish}


def register() -> None:
    """Have click answer the shells with these classes."""
    for name, shell in SHELLS.items():
        add_completion_class(shell, name)


def script(shell: str, program: click.Command) -> str:
    """Return what a shell loads to complete the program."""
    return SHELLS[shell](program, {}, NAME, VARIABLE).source()


def _unquoted(word: str) -> str:
    """Return a word as the program would get it; its last quote may be missing."""
    from click.shell_completion import split_arg_string  # noqa: PLC0415

    found = split_arg_string(word)
    return found[0] if found else ""
