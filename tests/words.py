"""Find retired words in names, docstrings, comments and messages: `python -m tests.words [PATH...]`.

Without a path: check the whole repository, print the number of findings in each package, and fail if there is any in a name, or
more than MOST_PROSE elsewhere; then the findings are listed. With paths: list the findings below them, each with its line and what
to write instead.
"""

from __future__ import annotations

import ast
import fnmatch
import io
import re
import sys
import tokenize
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
TREES = ("jmapsync", "tests", "docs", "systemd", ".github", ".ci")
ROOT_FILES = ("README.md", "CHANGELOG.md", "pyproject.toml", ".pre-commit-config.yaml")
"""What is checked. In Python files of tests, only names, docstrings and comments: other strings are
data, and so are the files of tests that are neither Python, Markdown nor scripts."""
SUFFIXES = ("", ".py", ".md", ".sql", ".toml", ".yml", ".yaml", ".service", ".conf")
"""Of the files that are checked; of those without one only scripts are."""
MOST_PROSE = 19

NAME, PROSE = "name", "prose"


class Word(NamedTuple):
    """A retired word."""

    pattern: str
    """Regular expression of the whole word, in lower case. Identifiers are compared with `_` and capitals as spaces."""
    instead: str
    kinds: tuple[str, ...] = (NAME, PROSE)


class Allowed(NamedTuple):
    """A use that stays."""

    path: str
    """Pattern of the file's path."""
    text: str
    """Regular expression of the text with the word, or of a part of it."""
    reason: str


RETIRED = (
    Word(r"tell|tells|told|telling|retell\w*|retold", "report, return, log, list, notify"),
    Word(r"look(?!s? ?up)|looks(?! up)|looked(?! up)|looking(?! up)", "scan (files), fetch changes (server), full sync, poll"),
    Word(r"(?:take|takes|took|taken|taking) (?:in|up)|absorb\w*", "ingest, apply, record"),
    Word(r"(?:hold|holds|held|holding) back", "skipped, quarantined"),
    Word(r"shelf|shelves|shelve[drs]?|shelving", "conflict copies"),
    Word(r"settle\w*|settling", "debounce; resolve; mark as synced"),
    Word(r"mend|mends|mended|mending", "fix"),
    Word(r"befall\w*|befell|by and by|in the place of", "rewrite the sentence"),
    Word(r"meanwhile", "rewrite: during X, while X runs, since X", (PROSE,)),
    Word(
        r"(?:is|are) no (?:text|object|list|number|boolean|string|map)|(?<!there )(?-i:is|are) (?-i:none)(?! of)",
        "must be a string; not a Y",
        (PROSE,),
    ),
    Word(r"sentences?", "message, description", (NAME,)),
    Word(r"(?<!--)(?:hard )?cases? \d+|hard cases?", "state the case, or name its test"),
    Word(r"damag(?:e|es|ed|ing)", "name the fault: truncated, malformed, editor_repairs"),
    Word(r"restless|aftermath|errands?|keepers?", "the operation: concurrent_renames, hook_runner, retry_policy"),
    Word(
        r"strange|strangers?|unites?|united|standing|parting|lanes?|verdicts?|demands",
        "the operation: dedupe, request_queue",
        (NAME,),
    ),
)

ALLOWED = (
    Allowed("tests/words.py", r"", "this list itself"),
    Allowed("jmapsync/config/*.py", r"\Asettle\Z", "the key of [daemon]"),
    Allowed("jmapsync/app/state_paths.py", r"\Ashelf\Z", "the name of a directory that exists already"),
    Allowed("jmapsync/app/service.py", r"\A(standing|looks)\Z", "keys of the daemon's state in status --json"),
    Allowed("*.md", r"`settle`|settle = ", "the key of [daemon]"),
    Allowed("jmapsync/formats/message.py", r"\A(?:retold|mended)\Z", "values in the ledgers of users"),
    Allowed("jmapsync/adopt/offlineimap.py", r"\Aretold\Z", "a value in the ledgers of users"),
    Allowed("jmapsync/ledger/schema.sql", r"TABLE shelf \(|in the shelf folder", "a table in ledgers, and a directory"),
    Allowed("jmapsync/ledger/*.py", r"(?:INTO|FROM) shelf\b|\Ashelf\Z", "a table in the ledgers of users"),
    Allowed("jmapsync/ledger/*.py", r"'settled:mail'|\Asettled\Z", "the name of a note in the ledgers of users"),
    Allowed("jmapsync/sync/quarantine.py", r"\Alook\Z", "a value in the ledgers of users"),
)


class Finding(NamedTuple):
    """A retired word in a file."""

    path: str
    line: int
    kind: str
    text: str
    word: Word

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.kind}: {self.text!r}; write: {self.word.instead}"


_SPACES = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|_")
_ANY = re.compile("|".join(word.pattern for word in RETIRED), re.IGNORECASE)
_PATTERNS = [(word, re.compile(rf"\b(?:{word.pattern})\b", re.IGNORECASE)) for word in RETIRED]


def findings(path: Path) -> Iterator[Finding]:
    """Yield the retired words of a file: of all its lines where it is not Python."""
    shown = str(path.relative_to(ROOT))
    text = path.read_text("utf-8")
    yield from _found(shown, 1, NAME, path.stem)
    if path.suffix != ".py":
        for number, line in enumerate(text.split("\n"), 1):
            yield from _found(shown, number, PROSE, line)
        return
    tree = ast.parse(text)
    for node in ast.walk(tree):
        for name in _names(node):
            yield from _found(shown, node.lineno if isinstance(node, _PLACED) else 1, NAME, name)
    for number, prose in (*_prose(tree, messages=not shown.startswith("tests/")), *_comments(text)):
        yield from _found(shown, number, PROSE, prose)


_PLACED = (ast.stmt, ast.expr, ast.arg, ast.keyword, ast.alias, ast.excepthandler, ast.pattern)


def _names(node: ast.AST) -> list[str]:
    """Return the identifiers that a node binds. What it only uses may come from elsewhere, such as `file.tell()`."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
            return [name]
        case (
            ast.alias(asname=str(name))
            | ast.MatchAs(name=str(name))
            | ast.MatchStar(name=str(name))
            | ast.ExceptHandler(name=str(name))
        ):
            return [name]
    return []


def _prose(tree: ast.Module, *, messages: bool) -> Iterator[tuple[int, str]]:
    """Yield string literals with their lines: docstrings, those of attributes among them, and if asked all others."""
    for node in ast.walk(tree):
        literals = (
            [node]
            if messages and isinstance(node, ast.Constant)
            else [node.value]
            if isinstance(node, ast.Expr) and not messages
            else []
        )
        for literal in literals:
            if isinstance(literal, ast.Constant) and isinstance(literal.value, str):
                yield literal.lineno, literal.value


def _comments(text: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def _found(path: str, line: int, kind: str, text: str) -> Iterator[Finding]:
    """Yield the retired words of a name or of a text, which begins at a line."""
    compared = _SPACES.sub(" ", text) if kind == NAME else re.sub(r"\s", " ", text)
    for word, pattern in _PATTERNS if _ANY.search(compared) else ():
        if kind not in word.kinds:
            continue
        for match in pattern.finditer(compared):
            number = line if kind == NAME else line + text.count("\n", 0, match.start())
            around = text if kind == NAME else compared[max(0, match.start() - 50) : match.end() + 30].strip()
            if not any(fnmatch.fnmatch(path, one.path) and re.search(one.text, around) for one in ALLOWED):
                yield Finding(path, number, kind, around, word)


def files(paths: Sequence[str]) -> list[Path]:
    """Return the files to check below paths from the root."""
    found: set[Path] = set()
    for path in paths:
        below = [ROOT / path] if (ROOT / path).is_file() else (ROOT / path).rglob("*")
        found.update(file for file in below if file.is_file() and _is_checked(file))
    return sorted(found)


def _is_checked(file: Path) -> bool:
    parts = file.relative_to(ROOT).parts
    is_data = parts[0] == "tests" and file.suffix not in {".py", ".md", ""}
    if is_data or file.suffix not in SUFFIXES or "__pycache__" in parts:
        return False
    return bool(file.suffix) or file.read_bytes().startswith(b"#!")


def package(path: str) -> str:
    """Return the package of a file: two levels of the tree."""
    parts = Path(path).parts
    return "/".join(parts[:2] if len(parts) > len(("tree", "file")) else parts[:1])


def main(paths: Sequence[str]) -> int:
    """Print findings below paths, or the number of them in each package; return the exit status."""
    if paths:
        found = [finding for path in files(paths) for finding in findings(path)]
        _write([*map(str, found), f"{len(found)} in {len(files(paths))} files"])
        return 1 if found else 0
    counts: Counter[tuple[str, str]] = Counter()
    found = [finding for path in files([*TREES, *ROOT_FILES]) for finding in findings(path)]
    for finding in found:
        for name in (package(finding.path), "all"):
            counts[name, finding.kind] += 1
    names = sorted({name for name, _ in counts})
    _write([f"{'':<24}{'names':>7}{'prose':>7}", *[f"{name:<24}{counts[name, NAME]:>7}{counts[name, PROSE]:>7}" for name in names]])
    if counts["all", NAME] == 0 and counts["all", PROSE] <= MOST_PROSE:
        return 0
    _write(map(str, found))
    return 1


def _write(lines: Iterable[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
