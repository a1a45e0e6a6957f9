-- The registrar's key that was certified with the node; see SQLite's for what it is for.
ALTER TABLE tickets ADD COLUMN registrar BYTEA NOT NULL DEFAULT '';
