-- The index of the log: what can be read here can be made again from the log alone.
-- Times are milliseconds since 1970 (UTC); sequences are those of log records.

-- Up to where the log has been applied, and where its next record begins.
CREATE TABLE position (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    log_id     TEXT    NOT NULL CHECK (length(log_id) = 32),
    sequence   INTEGER NOT NULL CHECK (sequence >= 0),
    segment    INTEGER NOT NULL CHECK (segment > 0),
    end_offset INTEGER NOT NULL CHECK (end_offset >= 0)
) STRICT;

-- Which files this index was last opened beside: where they differ, the folder was copied.
CREATE TABLE file_identity (
    name       TEXT    PRIMARY KEY CHECK (name IN ('database', 'run')),
    inode      INTEGER NOT NULL,
    born_ns    INTEGER NOT NULL,
    changed_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE buckets (
    name       TEXT    PRIMARY KEY CHECK (length(name) BETWEEN 3 AND 63),
    created_ms INTEGER NOT NULL,
    sequence   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Bytes that were brought by one record; its sequence is the id.
-- place: {"log":{"segment":S,"offset":O}} or {"blob":{"id":"…"}}
-- block_crcs: CRC64-NVME of each MiB, 16 hex digits each
CREATE TABLE bodies (
    id         INTEGER PRIMARY KEY,
    size_bytes INTEGER NOT NULL CHECK (size_bytes > 0),
    place      TEXT    NOT NULL CHECK (json_valid(place)),
    md5        TEXT    NOT NULL CHECK (length(md5) = 32),
    block_crcs TEXT    NOT NULL CHECK (length(block_crcs) % 16 = 0),
    refs       INTEGER NOT NULL CHECK (refs >= 0)
) STRICT;

CREATE INDEX bodies_unreferenced ON bodies (id) WHERE refs = 0;

-- extents: [[body, start, length], …] in the order of the object's bytes
CREATE TABLE objects (
    bucket      TEXT    NOT NULL REFERENCES buckets (name) DEFERRABLE INITIALLY DEFERRED,
    key         TEXT    NOT NULL CHECK (octet_length(key) BETWEEN 1 AND 1024),
    sequence    INTEGER NOT NULL,
    etag        TEXT    NOT NULL,
    size_bytes  INTEGER NOT NULL CHECK (size_bytes >= 0),
    modified_ms INTEGER NOT NULL,
    extents     TEXT    NOT NULL CHECK (json_valid(extents)),
    meta        TEXT    NOT NULL CHECK (json_valid(meta)),
    PRIMARY KEY (bucket, key)
) STRICT, WITHOUT ROWID;
