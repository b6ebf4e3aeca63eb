-- Ledger schema, version 1. Numbered steps from here on live in migrations.py.
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- How far each side of each kind has been seen; written in the transaction that writes the tree it speaks of.
CREATE TABLE cursor (
  kind TEXT NOT NULL, side TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (kind, side)
) WITHOUT ROWID;

-- The three trees, a row an item. `agreed` = 1 says that the base is the pair (local, remote) itself and base_* are null.
CREATE TABLE item (
  key INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  ref TEXT,                            -- the server's id
  name TEXT NOT NULL DEFAULT '',       -- a label for people
  size INTEGER NOT NULL DEFAULT 0,     -- octets on the wire
  stamp INTEGER NOT NULL DEFAULT 0,    -- receivedAt, seconds since the epoch
  digest TEXT NOT NULL DEFAULT '',     -- of the server's bytes, as far as known
  local TEXT, remote TEXT, base_local TEXT, base_remote TEXT,
  agreed INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX item_ref ON item (kind, ref) WHERE ref IS NOT NULL;
CREATE INDEX item_open ON item (kind, key) WHERE agreed = 0;
CREATE INDEX item_digest ON item (digest) WHERE digest <> '';

-- Where local copies lie: one row a file. `folder` is the key of a container.
CREATE TABLE place (
  folder INTEGER NOT NULL, name TEXT NOT NULL,
  info TEXT NOT NULL, sub TEXT NOT NULL,
  key INTEGER NOT NULL,
  ino INTEGER NOT NULL, size INTEGER NOT NULL, mtime INTEGER NOT NULL,
  form TEXT NOT NULL,
  PRIMARY KEY (folder, name)
) WITHOUT ROWID;
CREATE INDEX place_key ON place (key);

-- Where a container lies below the root, and the keywords behind its lower-case flags.
CREATE TABLE folder (key INTEGER PRIMARY KEY, path TEXT NOT NULL, keywords TEXT NOT NULL DEFAULT '');

-- A create that must not be repeated blindly, written before it is sent.
CREATE TABLE intent (
  key INTEGER PRIMARY KEY, kind TEXT NOT NULL, what TEXT NOT NULL, at INTEGER NOT NULL
);

-- Versions that lost a conflict; the body is a file named by the id in the shelf folder.
CREATE TABLE shelf (
  id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, key INTEGER NOT NULL, item TEXT NOT NULL,
  side TEXT NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL, home TEXT NOT NULL DEFAULT '', tags TEXT NOT NULL DEFAULT ''
);

-- Quarantined items, by name. `seen` is what both sides held when it failed: unchanged means not worth another try.
CREATE TABLE problem (
  kind TEXT NOT NULL, item TEXT NOT NULL, key INTEGER, why TEXT NOT NULL,
  remedy TEXT NOT NULL, seen TEXT NOT NULL DEFAULT '', since INTEGER NOT NULL, last INTEGER NOT NULL,
  PRIMARY KEY (kind, item)
) WITHOUT ROWID;
CREATE INDEX problem_key ON problem (key);

-- Plans that the guard suspended: --allow-deletes carries out this plan and no other.
CREATE TABLE suspension (
  kind TEXT PRIMARY KEY, plan TEXT NOT NULL, sentence TEXT NOT NULL, at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE run (kind TEXT PRIMARY KEY, at INTEGER NOT NULL, report TEXT NOT NULL) WITHOUT ROWID;
