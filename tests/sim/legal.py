"""Draw a server that the RFCs permit: a dialect, its limits, and what it chooses answer by answer; the same for a seed."""

from __future__ import annotations

import dataclasses
import random
from dataclasses import dataclass, field
from typing import Any

from jmapsync.demo.dialect import BLOB, CYRUS_BLOB, DIALECTS, RFC, Dialect, Limits
from jmapsync.demo.freedoms import Freedoms
from jmapsync.demo.refusals import NO_MORE, REASONS, Refusals

LIMITS: dict[str, tuple[Any, ...]] = {
    "max_objects_in_get": (1, 2, 3, 7, 500),
    "max_objects_in_set": (1, 2, 5, 500),
    "max_calls_in_request": (1, 2, 3, 4, 6, 16),
    "max_size_request": (4_000, 20_000, 10_000_000),
    "max_concurrent_requests": (1, 2, 4),
    "max_concurrent_upload": (1, 4),
    "max_query_limit": (None, None, 1, 2, 5),
    "max_changes": (None, None, 1, 2, 10),
    "max_mailboxes_per_email": (None, None, None, 1, 20),
    "max_keywords_per_email": (None, None, 100),
}
"""The limits of RFC 8620, 2, and RFC 8621, 1.3.1; the last value is one that real servers have."""

DIALECT: dict[str, tuple[Any, ...]] = {
    "relative_urls": (False, True),
    "fixed_session_state": (None, "0"),
    "object_limits": ("method", "request"),
    "shared_states": (False, True),
    "garbage_state": ("cannotCalculateChanges", "invalidArguments"),
    "upload_moves_state": (False, True),
    "unchanged_moves_state": (False, True),
    "mailbox_destruction_ends_states": (False, True),
    "duplicates": ("alreadyExists", "copy"),
    "import_tells_states": (True, False),
    "null_ids_of_email": ("limit", "refuse"),
    "strict_updates": (True, False),
    "unknown_destroy": ("notFound", "destroyed"),
    "inbox_name": ("INBOX", "Inbox", "Eingang"),
    "blob_capability": (BLOB, None, CYRUS_BLOB),
    "mailbox_destruction": ("reported", "silent"),
    "import_rules": ("rfc", "james"),
    "cuts_null_ids": (False, True),
    "bare_newlines": ("refuse", "accept"),
    "version": ("", "jmapVersion=rfc-8621"),
    "repeats_objects": (False, True),
    "future_state": ("cannotCalculateChanges", "accept"),
    "result_reference_error": ("invalidResultReference", "resultReference"),
}
"""Points of a `Dialect` that any server may have either way."""

FREEDOMS: dict[str, tuple[Any, ...]] = {
    "state_form": ("number", "opaque", "unicode", "long"),
    "state_changes_alone": (0.0, 0.0, 0.1, 1.0),
    "changes_order": ("oldest", "shuffled"),
    "changes_page": (None, None, 1, 2, 5),
    "created_also_updated": (False, True),
    "destroyed_also_updated": (False, True),
    "brief_lives": ("omitted", "destroyed", "both"),
    "changes_unchanged": (0.0, 0.0, 0.3),
    "cannot_calculate": (0.0, 0.0, 0.0, 0.2, 1.0),
    "total": ("given", "first page", "never"),
    "query_state": ("plain", "page", "answer"),
    "past_the_end": ("clamped", "as asked", "zero"),
    "can_calculate_query": (False, True),
    "get_order": ("as asked", "reversed", "shuffled"),
    "extra_properties": (False, True),
    "fractional_dates": (False, True),
    "updated_as": ("null", "object"),
    "empty_results": ("null", "empty"),
    "old_state": ("given", "null"),
    "id_form": ("serial", "dashes", "case", "long", "digits"),
    "blob_ids": ("content", "apart"),
    "unavailable": (0.0, 0.0, 0.0, 0.05),
    "throttled": (0.0, 0.0, 0.0, 0.1),
    "session_moves": (0.0, 0.0, 0.3),
    "roles": (True, True, False),
    "subscribed": (True, False),
}
"""What is chosen in `jmapsync.demo.freedoms`, the embedded server's own way first."""

OTHERS: dict[str, tuple[Any, ...]] = {
    "content_coding": ("identity", "gzip", "deflate"),
    "chunked": (False, True),
    "http_version": ("HTTP/1.1", "HTTP/1.0", "HTTP/2"),
    "hosts": ("one", "apart"),
    "event_variables": (True, False),
    "more_capabilities": (False, True),
    "retry_after": ("zero", "second", "date", "none"),
    "refused_objects": (0.0, 0.0, 0.1, 0.5),
    "refusal": ("rateLimit", "overQuota"),
    "session_turns": (0.0, 0.0, 0.1, 0.3),
    "old_urls": ("kept", "gone"),
    "changes_lacking": ("", "", "Mailbox", "Email"),
    "empty_pages": (0.0, 0.0, 0.2, 0.6),
    "counts_named": (True, False),
    "defaults": ("written", "omitted"),
    "sort_orders": ("kept", "moving"),
}
"""More of what is chosen there: HTTP, the session, and what passes by."""

OBJECTS: dict[str, tuple[Any, ...]] = {
    "max_collections_per_item": (None, None, 1),
    "stamps_cards": (True, False),
    "attachments": ("blob", "inline"),
    "items_kept": ("as given", "members renamed", "defaults dropped", "defaults written", "unknown dropped"),
    "member_order": ("as kept", "reversed", "shuffled"),
    "utc_times": (False, True),
    "sequence_bumped": (False, True),
}
"""What concerns cards, events and tasks only: a limit, points of a `Dialect`, a freedom."""

REFUSALS: dict[str, tuple[Any, ...]] = {
    "name_signs": ("", ".%*&#", '!"%;<>\\`{|}', "ü"),
    "name_error": ("invalidProperties", "invalidArguments", "serverFail", "forbidden"),
    "longest_path": (None, 200, 12),
    "inbox_in_any_case": (False, True),
    "taken_name": ("alreadyExists", "invalidProperties", "invalidArguments"),
    "guarded": ("inbox", "inbox, junk, trash", "all roles"),
    "guarded_error": ("forbidden", "invalidArguments"),
    "guards_names": (False, True),
    "gives_roles": (True, False),
    "top_level": (True, False),
    "max_mailbox_depth": (None, 10, 2),
    "plain_keywords": (False, True),
    "keyword_error": ("invalidProperties", "invalidPatch", "invalidArguments"),
    "strict_header": (False, True),
    "needs_header": (False, True),
    "largest_email": (None, None, 200),
    "empty_uploads": (True, False),
    "lacking": ((), ("Email/queryChanges", "Mailbox/queryChanges"), ("Identity/set", "Thread/changes", "SearchSnippet/get")),
    "text_filters": (True, False),
    "email_sorts": (("receivedAt",), ("receivedAt", "sentAt", "size", "from", "to", "subject")),
}
"""What servers refuse beyond what the RFCs say; in worlds of mail."""

_RIGHTS_TO_CHANGE = ("mayAddItems", "mayRemoveItems", "maySetSeen", "maySetKeywords", "mayCreateChild", "mayRename", "mayDelete")
RIGHTS: dict[str, tuple[Any, ...]] = {
    f"{right} {path}": (False,)
    for right in (*_RIGHTS_TO_CHANGE, "maySubmit", "mayReadItems")
    for path in ("INBOX", "Archive", "Lists", "Lists/python")
    if (right, path) != ("mayReadItems", "INBOX")
}
"""What a mailbox's `myRights` may deny (RFC 8621, 2), each right of each mailbox by itself."""

ITEM_RIGHTS: dict[str, tuple[Any, ...]] = {
    f"{right} of {kind}": (False,)
    for kind, rights in {
        "contacts": ("mayWrite", "mayDelete", "mayShare"),
        "calendars": ("mayWriteAll", "mayWriteOwn", "mayUpdatePrivate", "mayRSVP", "mayDelete", "mayShare"),
    }.items()
    for right in rights
}
"""What the default address book's or calendar's `myRights` may deny (RFC 9610, 2; draft-ietf-jmap-calendars, 4.1)."""

FURTHER: dict[str, tuple[Any, ...]] = {
    "max_size_upload": (50_000_000, 50_000_000, 250),
    "enforce_concurrency": (True, False),
    "too_large_request_status": (400, 413),
    "creation_ids_as_keys": (True, False),
    "unknown_filter": ("unsupportedFilter", "invalidArguments"),
    "submissions": ("kept", "forgotten"),
    "submission_methods": ("all", "set"),
    "inbox_renaming": ("refuse", "do", "ignore"),
    "blob_digests": ("given", "none"),
}
"""Further limits and points of a `Dialect`."""

PUSH: dict[str, tuple[Any, ...]] = {
    "event_source": (True, True, True, False),
    "push_ids": (True, False),
    "push_resumes": (True, False),
    "push_begins": ("changes", "states"),
    "push_types": ("changed", "all", "more"),
    "push_gathers": (0.0, 5.0),
    "push_late": (0.0, 20.0),
    "push_repeats": (False, True),
    "push_loses": (0.0, 0.0, 0.3),
}
"""How the server reports changes, a point of a `Dialect` among it."""

LATER: dict[str, tuple[Any, ...]] = {
    "state_form": ("odd",),
    "empty_results": ("absent",),
    "session_moves": (1.0,),
    "partial_fails": (0.0, 0.1),
    "marks_new": (False, True),
    "loses_uploads": (0.0, 0.2),
    "unavailable_as": ("serverUnavailable", "serverFail"),
    "problem_form": ("jmap", "untyped", "bare"),
    "json_form": ("compact", "spaced", "escaped"),
    "primary": ("named", "none"),
}
"""More values of what stands above, and further choices; they are drawn apart, so that the others of a seed stay as they were."""

ACCOUNTS: dict[str, tuple[Any, ...]] = {"account": ("shared", "beside others", "read only")}
"""Whose account it is (RFC 8620, 1.6.2 and 2): another user's, one's own while there are others, one that may not be written."""

OFTEN_ACCOUNTS = 0.15
"""The share of servers whose account is not the only one of its user, who may do all in it."""

OFTEN_RIGHTS = 0.1
"""The share of servers that deny rights at all."""

OFTEN_REFUSALS = 0.1
"""The share of worlds of mail whose server refuses more than the RFCs say."""
OFTEN_EACH_REFUSAL = 0.3
"""How often it refuses each thing then."""

MILDER = 0.5
"""The share of worlds in which a server that refuses much (James) refuses less."""

USUAL_UPLOAD = 1_000_000
"""Octets that no message of a world has."""

CATALOGUE: dict[str, tuple[Any, ...]] = {}
for _table in (LIMITS, DIALECT, FREEDOMS, OTHERS, FURTHER, PUSH, ACCOUNTS, REFUSALS, OBJECTS, RIGHTS, ITEM_RIGHTS):
    CATALOGUE |= _table
CATALOGUE |= {_key: (*CATALOGUE.get(_key, ()), *_values) for _key, _values in LATER.items()}
PROFILES = tuple(DIALECTS)
OBJECT_PROFILES = tuple(name for name, one in DIALECTS.items() if one.calendars or one.contacts)


@dataclass(frozen=True)
class LegalServer:
    """A dialect with what differs from it; `choices` are names of `CATALOGUE` with one of their values each."""

    profile: str = RFC.name
    choices: dict[str, Any] = field(default_factory=dict)
    seed: int = 0

    def dialect(self) -> Dialect:
        """Return the dialect of the embedded server."""
        dialect = DIALECTS[self.profile]
        limits = dataclasses.replace(dialect.limits, **self._chosen(Limits))
        refusals = dataclasses.replace(dialect.refusals, **self._chosen(Refusals))
        if self.choices.get("blob_digests") == "none":
            details = {name: value for name, value in dialect.blob_details.items() if name != "supportedDigestAlgorithms"}
            dialect = dataclasses.replace(dialect, blob_details=details)
        return dataclasses.replace(dialect, limits=limits, refusals=refusals, **self._chosen(Dialect))

    def freedoms(self) -> Freedoms:
        """Return what is chosen answer by answer."""
        return dataclasses.replace(DIALECTS[self.profile].ways, seed=self.seed, **self._chosen(Freedoms))

    def _chosen(self, holder: type) -> dict[str, Any]:
        """Return the choices that are fields of a class."""
        names = {field.name for field in dataclasses.fields(holder)}
        return {key: value for key, value in self.choices.items() if key in names}

    @property
    def holder(self) -> str:
        """Return whose account it is."""
        return str(self.choices.get("account", "own"))

    def denied(self) -> list[tuple[str, str]]:
        """Return the rights that mailboxes deny: a mailbox's path, the right's name."""
        denied = [(key.partition(" ")[2], key.partition(" ")[0]) for key in RIGHTS if key in self.choices]
        # Whoever may not read a mailbox, such as the parent of a shared one, may do nothing else in it.
        unread = [path for path, right in denied if right == "mayReadItems"]
        return denied + [(path, right) for path in unread for right in _RIGHTS_TO_CHANGE]

    def denied_of(self, kind: str) -> dict[str, bool]:
        """Return the rights that the default address book or calendar denies."""
        return {key.partition(" ")[0]: False for key in ITEM_RIGHTS if key in self.choices and key.endswith(f" of {kind}")}

    def refused(self) -> list[str]:
        """Return words of the reasons that this server gives for what it refuses for good."""
        dialect = self.dialect()
        words = [] if dialect.refusals == NO_MORE and dialect.limits.max_mailbox_depth is None else list(REASONS)
        if dialect.limits.max_size_upload < USUAL_UPLOAD or dialect.refusals.largest_email is not None:
            words = [*words, "it is larger than the server takes"]
        if dialect.set_errors == "james" and dialect.limits.max_mailbox_depth is not None:
            words = [*words, "the server refused it: serverFail"]  # it says so of any parent that it does not take
        # James says no more of most refusals than that the arguments are invalid.
        denial = "invalidArguments" if dialect.set_errors == "james" else "forbidden"
        return words if dialect.refusals.top_level else [*words, f"the server refused it: {denial}"]

    def without(self, name: str) -> LegalServer:
        """Return the same server without one choice."""
        return dataclasses.replace(self, choices={key: value for key, value in self.choices.items() if key != name})


def _drawn_later(seed: int, *, alone: bool) -> dict[str, Any]:
    """Return choices of `LATER`. `alone`: there is one account to choose, or the configuration names it."""
    later = random.Random(f"later {seed}")
    often = later.choice((0.0, 0.0, 0.1, 0.3, 0.6))
    chosen = {key: later.choice(values) for key, values in LATER.items() if later.random() < often}
    return {key: value for key, value in chosen.items() if alone or key != "primary"}


def draw(seed: int, profile: str = "", *, objects: bool = False) -> LegalServer:
    """Return the server of a seed: a real server's way in some points, other ways in few or many others."""
    chance = random.Random(f"server {seed}")
    name = profile or chance.choice(OBJECT_PROFILES if objects else PROFILES)
    share = chance.choice((0.0, 0.05, 0.15, 0.3, 0.6, 1.0))
    tables = [LIMITS, DIALECT, FREEDOMS]
    if objects:
        # Address books and calendars have no /query: one /get has to give them all.
        tables[0] = {**LIMITS, "max_objects_in_get": (20, 500)}
        tables.append(OBJECTS)
        if random.Random(f"rights {seed}").random() < OFTEN_RIGHTS:
            tables.append(ITEM_RIGHTS)
    elif chance.random() < OFTEN_RIGHTS:
        tables.append(RIGHTS)
    chosen = {key: chance.choice(values) for table in tables for key, values in table.items() if chance.random() < share}
    other = random.Random(f"others {seed}")
    further = OTHERS if objects else {**OTHERS, **FURTHER, **PUSH}
    chosen |= {key: other.choice(values) for key, values in further.items() if other.random() < share}
    if other.random() < OFTEN_ACCOUNTS:
        chosen |= {key: other.choice(values) for key, values in ACCOUNTS.items()}
    if not objects and other.random() < OFTEN_REFUSALS:
        chosen |= {key: other.choice(values) for key, values in REFUSALS.items() if other.random() < OFTEN_EACH_REFUSAL}
    chosen |= _drawn_later(seed, alone=chosen.get("account") != "beside others")
    if DIALECTS[name].version:
        # A client that fails at the door, or at its first import, would show nothing of what lies behind.
        chosen |= {"version": ""} if chance.random() < MILDER else {}
        chosen |= {"import_rules": "rfc"} if chance.random() < MILDER else {}
    if chosen.get("import_rules", DIALECTS[name].import_rules) == "james":
        for key in [key for key in chosen if key.startswith("maySetKeywords")]:
            del chosen[key]  # a message that has to have a keyword at first could never lose it again
    if DIALECTS[name].query_rules == "james":
        chosen.pop("max_objects_in_get", None)  # without a query of all mailboxes it has to give them all by one /get
    return LegalServer(name, chosen, seed)
