-- The store's own number, for good: registrars of one realm must share one store, and tell by it
-- whether they do.
INSERT INTO meta (key, value) VALUES ('registry', randomblob(16));
