-- The store's own number; see SQLite's for what it is for.
INSERT INTO meta (key, value)
VALUES ('registry', decode(replace(gen_random_uuid()::text, '-', ''), 'hex'));
