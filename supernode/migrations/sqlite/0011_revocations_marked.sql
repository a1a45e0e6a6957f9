-- A checksum, as the other tables have it.
ALTER TABLE revocations ADD COLUMN mark INTEGER NOT NULL DEFAULT 0;
