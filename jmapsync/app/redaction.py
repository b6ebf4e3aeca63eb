"""Reduce messages to what the program itself says: whatever came from a user, a server or a file is left out.

What is kept of a message are the phrases that stand in the source of this package. So nothing has to be recognised as a name, an
address, a subject or a secret.
"""

from __future__ import annotations

import ast
import os
import re
import string
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import jmapsync

if TYPE_CHECKING:
    from collections.abc import Iterator

OMISSION = "…"
_JMAP_ERRORS = frozenset(
    {
        "serverFail",
        "serverUnavailable",
        "serverPartialFail",
        "accountNotFound",
        "accountReadOnly",
        "invalidArguments",
        "invalidResultReference",
        "unknownMethod",
        "cannotCalculateChanges",
        "anchorNotFound",
        "unsupportedFilter",
        "unsupportedSort",
        "tooManyChanges",
        "requestTooLarge",
        "stateMismatch",
        "overQuota",
        "tooLarge",
        "rateLimit",
        "notFound",
        "invalidPatch",
        "willDestroy",
        "invalidProperties",
        "alreadyExists",
        "blobNotFound",
        "tooManyKeywords",
        "tooManyMailboxes",
        "mailboxHasChild",
        "mailboxHasEmail",
        "invalidEmail",
        "tooManyRecipients",
        "noRecipients",
        "invalidRecipients",
        "forbiddenMailFrom",
        "forbiddenFrom",
        "forbiddenToSend",
        "cannotUnsend",
    }
)
"""Types of errors of RFC 8620, 8621 and 9404, which servers send."""
_WORD = re.compile(r"[A-Za-z]+")
_PUNCTUATION = re.compile(r"[\s.,;:()]{1,4}")
_TEXT_OF_DEMO = "demo"
"""The embedded server has people and messages in its source; they may have the names of real ones."""
_EDGE = re.compile(r"[\w@]")


def redacted(text: str) -> str:
    """Return the phrases of a text that are the program's own, with an omission for all that stands between them."""
    text = " ".join(text.split())
    kept, end = "", 0
    for begin, stop in [*_own(text), (len(text), len(text))]:
        if begin > end:
            between = text[end:begin]
            kept += between if _PUNCTUATION.fullmatch(between) else f" {OMISSION} "
        kept += text[max(begin, end) : stop]
        end = max(end, stop)
    return " ".join(kept.split())


def _own(text: str) -> Iterator[tuple[int, int]]:
    """Yield where phrases of the program stand, one for each word that begins one; they may overlap."""
    phrases = _phrases()
    for word in _WORD.finditer(text):
        at = word.start()
        if at and _EDGE.match(text[at - 1]):
            continue
        for phrase in phrases.get(word[0], ()):
            end = at + len(phrase)
            if text.startswith(phrase, at) and not _EDGE.match(text[end : end + 1]):
                yield at, end
                break


@cache
def _phrases() -> dict[str, list[str]]:
    """Return the phrases of the source by their first word, the longest first: those of two words or more, and types of errors."""
    found = {os.strerror(number) for number in range(1, 134)} | set(_JMAP_ERRORS)
    for file in Path(jmapsync.__file__).parent.rglob("*.py"):
        if _TEXT_OF_DEMO not in file.parts:
            found |= _constants(file)
    by_word: dict[str, list[str]] = {}
    for phrase in sorted(found, key=len, reverse=True):
        word = _WORD.match(phrase)
        if word and (" " in phrase or phrase in _JMAP_ERRORS):
            by_word.setdefault(word[0], []).append(phrase)
    return by_word


def _constants(file: Path) -> set[str]:
    """Return the strings in a module, without what surrounds their words."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError):  # a package without its source: then less of a message is known
        return set()
    texts = [one.value for one in ast.walk(tree) if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return {" ".join(text.split()).strip(string.punctuation + " ") for text in texts}
