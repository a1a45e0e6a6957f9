-- "trel": tells a registrar's store from any other SQLite file.
PRAGMA application_id = 1953654124;

-- What holds for the whole store, by key: the realm it belongs to.
CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Who owns which name. The serial is that of the user's certificate; AUTOINCREMENT never gives
-- one out twice, even after a row is deleted.
CREATE TABLE names (
    serial        INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    name          TEXT    NOT NULL UNIQUE CHECK (length(name) > 0),
    user_key      BLOB    NOT NULL CHECK (length(user_key) = 32),
    registered_at INTEGER NOT NULL -- milliseconds since the Unix epoch
) STRICT;

-- Tickets used up, and by which node. The serial is an unsigned 64-bit number kept bit for bit.
CREATE TABLE tickets (
    serial      INTEGER NOT NULL PRIMARY KEY,
    node        BLOB    NOT NULL CHECK (length(node) = 32),
    redeemed_at INTEGER NOT NULL -- milliseconds since the Unix epoch
) STRICT;
