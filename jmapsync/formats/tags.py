"""Map notmuch tags to keywords and mailboxes, and back.

notmuch itself keeps the tags for seen, flagged, answered, forwarded and draft equal to the flags of the files
(`maildir.synchronize_flags`). Keywords are lower-case (RFC 8621, 4.1.1), tags are not: `ToDo` stands for the keyword `todo`.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from jmapsync.formats.flags import STANDARD, valid_keyword

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


FLAGS = frozenset({"unread", "flagged", "replied", "passed", "draft"})
FOUND = frozenset({"attachment", "encrypted", "signed"})
"""Tags that notmuch sets when it indexes a message."""
INBOX = {"INBOX": "inbox"}
_STANDARD = frozenset(STANDARD.values())
LONGEST = 200
"""Octets of a tag (NOTMUCH_TAG_MAX)."""


class Tagged(Protocol):
    """A version of a message, as far as its tags are concerned."""

    @property
    def tags(self) -> frozenset[str]:
        """Return its keywords."""

    @property
    def kept(self) -> frozenset[int]:
        """Return the keys of its mailboxes."""


class Tagging(Struct, frozen=True):
    """The meaning of tags in one account."""

    mailboxes: Mapping[str, int]
    """Keys of the mailboxes that are tags, by tag."""
    renamed: Mapping[str, str]
    """Configured tags of keywords, by keyword."""
    private: frozenset[str]
    """Tags that are never synced."""
    new: frozenset[str]
    """Tags that notmuch sets on every new message (`new.tags`)."""

    @classmethod
    def of(
        cls,
        paths: Mapping[int, str],
        patterns: Sequence[str],
        names: Mapping[str, str],
        private: Iterable[str],
        new: frozenset[str],
    ) -> Tagging:
        """Return the mapping for mailboxes (`paths` by key), `patterns` of those that are tags, and configured `names` of tags.

        A tag of `new.tags` is set on every message, so it is never a keyword; it may be a mailbox.
        """
        called = INBOX | dict(names)
        tags = {
            called.get(path, path): key
            for key, path in sorted(paths.items(), reverse=True)
            if any(fnmatchcase(path, one) for one in patterns)
        }
        own = {*FLAGS, *FOUND, *private, *(new - tags.keys())}
        mailboxes = {tag: key for tag, key in tags.items() if tag not in FLAGS | FOUND | set(private) and _fits(tag)}
        renamed = {keyword.lower(): tag for keyword, tag in names.items() if keyword not in paths.values()}
        return cls(mailboxes, renamed, frozenset(own), new)

    def keyword(self, tag: str) -> str:
        """Return the keyword of a tag; empty if it has none."""
        if tag in self.mailboxes or tag in self.private:
            return ""
        keyword = next((one for one, name in self.renamed.items() if name == tag), tag.lower())
        return keyword if valid_keyword(keyword) and keyword not in _STANDARD else ""

    def plain(self, tag: str) -> str:
        """Return the normal tag for what a tag stands for; empty if it stands for nothing."""
        if tag in self.mailboxes:
            return tag
        keyword = self.keyword(tag)
        return self.renamed.get(keyword, keyword)

    def plain_of(self, tags: Iterable[str]) -> frozenset[str]:
        """Return the normal tags for what tags stand for."""
        return frozenset(map(self.plain, tags)) - {""}

    def shown_by(self, versions: Iterable[Tagged]) -> frozenset[str]:
        """Return the tags for keywords and mailboxes of messages, except those that cannot be tags."""
        tags: set[str] = set()
        for version in versions:
            names = {self.renamed.get(keyword, keyword) for keyword in version.tags - _STANDARD}
            tags |= {tag for tag in names if self.keyword(tag) and _fits(tag)}
            tags |= {tag for tag, key in self.mailboxes.items() if key in version.kept}
        return frozenset(tags)


def _fits(tag: str) -> bool:
    return 0 < len(tag.encode()) <= LONGEST and not tag.startswith("-")
