-- Workspaces, who is a member of them, and their published projects. Times are milliseconds UTC, ids UUIDs as text.
-- As of assets: what an effect inserts must never be refused here, for the log already holds it.

CREATE TABLE workspaces (
    id         TEXT PRIMARY KEY,
    slug       TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE members (
    workspace_id TEXT NOT NULL,
    user_id      TEXT NOT NULL,
    -- as Plane numbers them: 20 admin, 15 member, 5 guest
    role         INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE anchors (
    anchor       TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL,
    project_id   TEXT NOT NULL,
    created_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
