-- A cover's pointer belongs to a workspace and a project: any client may claim any project id, and two workspaces that
-- claim one must not share a pointer. The workspace is that of the asset that the pointer names.
-- A pointer whose asset has been purged goes, as it now does with the asset.

ALTER TABLE pointers RENAME TO pointers_by_owner;

CREATE TABLE pointers (
    kind         TEXT NOT NULL,
    -- of a project's cover; '' for the other kinds
    workspace_id TEXT NOT NULL,
    owner_id     TEXT NOT NULL,
    asset_id     TEXT NOT NULL,
    PRIMARY KEY (kind, owner_id, workspace_id)
) STRICT, WITHOUT ROWID;

INSERT INTO pointers (kind, workspace_id, owner_id, asset_id)
SELECT former.kind,
       CASE former.kind WHEN 'project_cover' THEN coalesce(assets.workspace_id, '') ELSE '' END,
       former.owner_id, former.asset_id
FROM pointers_by_owner AS former JOIN assets ON assets.id = former.asset_id;

DROP TABLE pointers_by_owner;

CREATE INDEX pointers_of_assets ON pointers (asset_id);
