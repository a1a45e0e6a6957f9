-- Each row carries a checksum over all its columns, so that a changed bit is seen, not believed.
-- Rows that are there already get theirs right after this migration.
ALTER TABLE names   ADD COLUMN mark INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD COLUMN mark INTEGER NOT NULL DEFAULT 0;

-- Registration codes, by their hashes only. The number is what an operator calls a code by.
CREATE TABLE codes (
    number     INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    hash       BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    uses_left  INTEGER NOT NULL CHECK (uses_left >= 0),
    made_at    INTEGER NOT NULL, -- milliseconds since the Unix epoch
    expires_at INTEGER NOT NULL, -- milliseconds since the Unix epoch
    mark       INTEGER NOT NULL
) STRICT;

-- Who waits for the operator's yes, and who was told no.
CREATE TABLE requests (
    name     TEXT    NOT NULL PRIMARY KEY CHECK (length(name) > 0),
    user_key BLOB    NOT NULL UNIQUE CHECK (length(user_key) = 32),
    asked_at INTEGER NOT NULL, -- milliseconds since the Unix epoch
    denied   INTEGER NOT NULL CHECK (denied IN (0, 1)),
    mark     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
