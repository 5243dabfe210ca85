-- How assets are looked for, beside their ids.

CREATE INDEX attachments_of_issues ON assets (workspace_id, project_id, issue_id, created_at)
    WHERE entity_type = 'ISSUE_ATTACHMENT' AND deleted_at IS NULL;
CREATE INDEX assets_by_external_id ON assets (workspace_id, external_id, external_source)
    WHERE external_id IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX assets_with_pointers_wanted ON assets (id) WHERE pointer_wanted = 1;
