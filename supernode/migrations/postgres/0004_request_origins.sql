-- The address from which a name was asked for; see SQLite's for what it is for.
ALTER TABLE requests ADD COLUMN origin BYTEA NOT NULL DEFAULT '';
CREATE INDEX requests_by_origin ON requests (origin);
