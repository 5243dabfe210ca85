-- Multipart uploads under way, what is set of buckets, and of which parts an object was made.
-- Bodies count each extent that names them, an object's and a part's alike.

-- checksum: {"algorithm":"…","checksum_type":"…"}; NULL: the upload was begun with none
CREATE TABLE uploads (
    id           TEXT    PRIMARY KEY,
    bucket       TEXT    NOT NULL REFERENCES buckets (name) DEFERRABLE INITIALLY DEFERRED,
    key          TEXT    NOT NULL,
    initiated_ms INTEGER NOT NULL,
    meta         TEXT    NOT NULL CHECK (json_valid(meta)),
    checksum     TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX uploads_of_key ON uploads (bucket, key, id);
CREATE INDEX uploads_by_age ON uploads (initiated_ms);

-- extents: as objects have them; checksums: [{"algorithm":"…","value":"…"}, …]
CREATE TABLE parts (
    upload      TEXT    NOT NULL REFERENCES uploads (id) DEFERRABLE INITIALLY DEFERRED,
    number      INTEGER NOT NULL,
    sequence    INTEGER NOT NULL,
    etag        TEXT    NOT NULL,
    size_bytes  INTEGER NOT NULL,
    modified_ms INTEGER NOT NULL,
    extents     TEXT    NOT NULL CHECK (json_valid(extents)),
    checksums   TEXT    NOT NULL CHECK (json_valid(checksums)),
    PRIMARY KEY (upload, number)
) STRICT, WITHOUT ROWID;

-- document: as it was set
CREATE TABLE bucket_settings (
    bucket   TEXT NOT NULL REFERENCES buckets (name) DEFERRABLE INITIALLY DEFERRED,
    setting  TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (bucket, setting)
) STRICT, WITHOUT ROWID;

-- {"upload":"…","parts":[[number, bytes, checksums], …]}; NULL: it was not made of parts. A copy has no upload.
ALTER TABLE objects ADD COLUMN parts TEXT;
