-- Who asks, and what they asked for. Times of people and tokens are milliseconds, those of assets
-- microseconds (Plane shows six digits), both UTC since 1970. Ids are UUIDs as text.
--
-- What an effect inserts must never be refused here: the log already holds it. So an asset names its user and
-- everything else it is bound to without a foreign key, and no check judges what only a request could have got wrong.

CREATE TABLE users (
    id           TEXT PRIMARY KEY,
    email        TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL,
    created_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
    id            TEXT PRIMARY KEY,
    user_id       TEXT NOT NULL REFERENCES users (id) DEFERRABLE INITIALLY DEFERRED,
    -- lower-case hex of the secret's SHA-256; the secret itself is kept nowhere
    secret_sha256 TEXT NOT NULL UNIQUE CHECK (length(secret_sha256) = 64),
    name          TEXT NOT NULL,
    -- the secret's last four digits, to tell tokens apart in a list
    hint          TEXT NOT NULL,
    -- JSON array of scope names
    scopes        TEXT NOT NULL CHECK (json_type(scopes) = 'array'),
    any_workspace INTEGER NOT NULL CHECK (any_workspace IN (0, 1)),
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER,
    revoked_at    INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX tokens_of_user ON tokens (user_id);

-- Rows are long and their ids random: by rowid they are appended, and only the short index of ids is not.
CREATE TABLE assets (
    id              TEXT PRIMARY KEY,
    entity_type     TEXT NOT NULL,
    bucket          TEXT NOT NULL,
    key             TEXT NOT NULL,
    -- the type that was asked for; `attributes` may be replaced, this may not
    content_type    TEXT NOT NULL,
    -- JSON object
    attributes      TEXT NOT NULL CHECK (json_type(attributes) = 'object'),
    -- bytes asked for, after clamping
    size            INTEGER NOT NULL CHECK (size > 0),
    user_id         TEXT,
    workspace_id    TEXT,
    project_id      TEXT,
    issue_id        TEXT,
    comment_id      TEXT,
    page_id         TEXT,
    draft_issue_id  TEXT,
    external_id     TEXT,
    external_source TEXT,
    created_by      TEXT NOT NULL,
    updated_by      TEXT,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    deleted_at      INTEGER,
    -- a PATCH asked that a pointer moves here once the bytes are there
    pointer_wanted  INTEGER NOT NULL CHECK (pointer_wanted IN (0, 1))
) STRICT;

-- The current avatar and cover of a user, logo of a workspace, cover of a project.
CREATE TABLE pointers (
    kind     TEXT NOT NULL,
    owner_id TEXT NOT NULL,
    asset_id TEXT NOT NULL,
    PRIMARY KEY (kind, owner_id)
) STRICT, WITHOUT ROWID;
