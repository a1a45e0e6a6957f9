-- The address from which a name was asked for, as the core writes it: one address may not fill the
-- list. Empty for requests from before this and from the registrar's own machine.
ALTER TABLE requests ADD COLUMN origin BLOB NOT NULL DEFAULT x'';
CREATE INDEX requests_by_origin ON requests (origin);
