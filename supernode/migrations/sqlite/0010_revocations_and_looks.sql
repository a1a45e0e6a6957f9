-- The newest list of revocations of each signer of this machine, signed as a whole and written
-- before anybody is told that it holds. The lists of others are a cache in the data folder.
CREATE TABLE revocations (
    signer BLOB    NOT NULL PRIMARY KEY CHECK (length(signer) = 32),
    epoch  INTEGER NOT NULL, -- an unsigned 64-bit number kept bit for bit
    list   BLOB    NOT NULL  -- CBOR, checked again whenever it is read
) STRICT, WITHOUT ROWID;

-- The name that was given out first of all that look alike (UTS 39, section 4).
CREATE TABLE looks (
    skeleton TEXT NOT NULL PRIMARY KEY CHECK (length(skeleton) > 0),
    name     TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX looks_by_name ON looks (name);
