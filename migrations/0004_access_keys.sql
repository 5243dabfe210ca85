-- Keys of the S3 side beside the root pair. Times are milliseconds (UTC).
--
-- What an effect inserts must never be refused here: the log already holds it. So a key names its bucket without a
-- foreign key, and may be made before it.
CREATE TABLE access_keys (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    -- JSON: the secret as text, or {"sealed":"…"}; none once the key is revoked
    secret     TEXT CHECK (json_valid(secret)),
    read_only  INTEGER NOT NULL CHECK (read_only IN (0, 1)),
    bucket     TEXT,
    prefix     TEXT,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;
