-- The newest list of revocations of each signer of this machine, signed as a whole and written
-- before anybody is told that it holds. The lists of others are a cache in the data folder.
CREATE TABLE revocations (
    signer BLOB    NOT NULL PRIMARY KEY CHECK (length(signer) = 32),
    epoch  INTEGER NOT NULL, -- an unsigned 64-bit number kept bit for bit
    list   BLOB    NOT NULL  -- CBOR, checked again whenever it is read
) STRICT, WITHOUT ROWID;
