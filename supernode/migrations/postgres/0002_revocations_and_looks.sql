-- The same table as SQLite's; see there for what it is for.
CREATE TABLE revocations (
    signer BYTEA  NOT NULL PRIMARY KEY CHECK (octet_length(signer) = 32),
    epoch  BIGINT NOT NULL, -- an unsigned 64-bit number kept bit for bit
    list   BYTEA  NOT NULL, -- CBOR, checked again whenever it is read
    mark   BIGINT NOT NULL
);

-- The name that was given out first of all that look alike (UTS 39, section 4).
CREATE TABLE looks (
    skeleton TEXT NOT NULL PRIMARY KEY CHECK (length(skeleton) > 0),
    name     TEXT NOT NULL
);
