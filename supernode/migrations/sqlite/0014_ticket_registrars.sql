-- The registrar's key that was certified with the node, so that both go out together. Empty for a
-- supernode that gives out no names.
ALTER TABLE tickets ADD COLUMN registrar BLOB NOT NULL DEFAULT x'';
