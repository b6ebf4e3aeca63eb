"""Bring a ledger of an older version up to this one, a numbered step at a time, each in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.errors import LedgerError
from jmapsync.ledger.database import MOVE_AWAY

if TYPE_CHECKING:
    import sqlite3

STEPS: dict[int, str] = {
    # Problems were known by their labels, which two things may share.
    1: """
        CREATE TABLE problem_by_subject (
          kind TEXT NOT NULL,
          subject TEXT NOT NULL,               -- what it is about: `item KEY`, `ref ID` of the server, `place PATH`
          item TEXT NOT NULL,                  -- a label for people
          key INTEGER, why TEXT NOT NULL,
          remedy TEXT NOT NULL, seen TEXT NOT NULL DEFAULT '', since INTEGER NOT NULL, last INTEGER NOT NULL,
          PRIMARY KEY (kind, subject)
        ) WITHOUT ROWID;
        INSERT OR IGNORE INTO problem_by_subject
          SELECT kind,
            CASE WHEN key IS NOT NULL THEN 'item ' || key WHEN remedy = 'ask' THEN 'ref ' || seen ELSE 'place ' || item END,
            item, key, why, remedy, seen, since, last
          FROM problem ORDER BY last DESC;
        DROP TABLE problem;
        ALTER TABLE problem_by_subject RENAME TO problem;
        CREATE INDEX problem_key ON problem (key);
    """,
    # Cards and events: what a side was seen to hold, what it held when both agreed, what the server would not take.
    2: """
        CREATE TABLE content (
          key INTEGER NOT NULL,
          tree TEXT NOT NULL,                  -- local, remote, base_local, base_remote, or left_out
          value BLOB NOT NULL,                 -- the normal form, or for left_out a patch to it: JSON, deflated
          PRIMARY KEY (key, tree)
        );
    """,
    # What notmuch showed of a message when it was last read.
    3: """
        CREATE TABLE tagged (
          key INTEGER PRIMARY KEY,
          message TEXT NOT NULL,               -- notmuch's id; items of one Message-ID share it
          tags TEXT NOT NULL,                  -- all it had, a line each
          shown TEXT NOT NULL,                 -- those that stood for keywords and mailboxes of ours
          marked INTEGER NOT NULL,             -- whether it was given our mark
          seen TEXT NOT NULL                   -- keywords and mailboxes of the item when they were written
        );
        CREATE INDEX tagged_message ON tagged (message);
    """,
    # All kinds shared one note, so that the calendars' overwrote what was known of the mailboxes.
    4: """
        UPDATE OR REPLACE meta SET name = name || ':mail' WHERE name IN ('roles', 'rights');
    """,
    # The stamps with which folders were listed. After any change of a mailbox or folder in the ledger, folders are listed again.
    5: """
        CREATE TABLE listed (
          kind TEXT NOT NULL, place TEXT NOT NULL,
          own BLOB NOT NULL, marker BLOB NOT NULL, keywords BLOB NOT NULL, tmp BLOB NOT NULL,
          new BLOB NOT NULL, cur BLOB NOT NULL, files INTEGER NOT NULL,
          PRIMARY KEY (kind, place)
        ) WITHOUT ROWID;
        CREATE TRIGGER folder_added AFTER INSERT ON folder BEGIN DELETE FROM meta WHERE name = 'settled:mail'; END;
        CREATE TRIGGER folder_changed AFTER UPDATE ON folder BEGIN DELETE FROM meta WHERE name = 'settled:mail'; END;
        CREATE TRIGGER folder_gone AFTER DELETE ON folder BEGIN DELETE FROM meta WHERE name = 'settled:mail'; END;
        CREATE TRIGGER mailbox_added AFTER INSERT ON item WHEN NEW.kind = 'mailbox'
          BEGIN DELETE FROM meta WHERE name = 'settled:mail'; END;
        CREATE TRIGGER mailbox_gone AFTER DELETE ON item WHEN OLD.kind = 'mailbox'
          BEGIN DELETE FROM meta WHERE name = 'settled:mail'; END;
        CREATE TRIGGER mailbox_changed AFTER UPDATE ON item WHEN OLD.kind = 'mailbox' AND (
            NEW.kind IS NOT OLD.kind OR NEW.ref IS NOT OLD.ref OR NEW.name IS NOT OLD.name OR NEW.local IS NOT OLD.local
            OR NEW.remote IS NOT OLD.remote)
          BEGIN DELETE FROM meta WHERE name = 'settled:mail'; END;
    """,
    # Containers are read in every run, and are few among all items. What does not ask for `key > 0` keeps to the other indexes.
    6: """
        CREATE INDEX item_kind ON item (kind) WHERE key > 0;
    """,
    # What is kept of a card or an event may be the server's own file, which an older version would take for JSON.
    7: "",
}
"""SQL that leads from version N to N + 1, by N."""

BASELINE = 1
VERSION = BASELINE + len(STEPS)


def migrate(db: sqlite3.Connection) -> None:
    """Create the schema in an empty file, or step an older one up to `VERSION`.

    Raises LedgerError for a file that a newer jmapsync wrote: guessing at its meaning could lose mail.
    """
    found: int = db.execute("PRAGMA user_version").fetchone()[0]
    refuse_newer(found)
    if found == 0:
        from importlib import resources  # noqa: PLC0415  # only the first run needs it

        schema = resources.files("jmapsync.ledger").joinpath("schema.sql").read_text("utf-8")
        db.executescript(f"BEGIN IMMEDIATE; {schema} PRAGMA user_version = {BASELINE}; COMMIT;")
        found = BASELINE
    while found < VERSION:
        db.executescript(f"BEGIN IMMEDIATE; {STEPS[found]} PRAGMA user_version = {found + 1}; COMMIT;")
        found += 1


def refuse_newer(found: int) -> None:
    """Raise LedgerError when the file's version is newer than this program, or none that ever was."""
    if found < 0:
        raise LedgerError(f"The ledger is corrupt: it says that its schema is {found}.", advice=MOVE_AWAY)
    if found > VERSION:
        raise LedgerError(
            f"The ledger was written by a newer jmapsync (schema {found}, this one knows {VERSION}).",
            advice="Install that version again; nothing was changed.",
        )
