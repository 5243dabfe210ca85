//! The table of routes: the path, the methods and the scopes of each.
/// One row of the table.
#[derive(Debug)]
pub(in crate::http) struct Route {
    /// `<slug>` and `<anchor>` match any text, every other name in `<>` an id; one with a `?` also matches `None`.
    pub(in crate::http) path: &'static str,
    /// The methods, as the header `Allow` lists them.
    pub(in crate::http) allow: &'static str,
    pub(in crate::http) access: Access,
    pub(in crate::http) endpoint: Endpoint,
}
/// Which handlers a path has. Several paths may share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Endpoint {
    Me,
    UserAssets,
    UserAsset,
    /// The documented form of v1, section 3.3.
    AssetsV1,
    AssetV1,
    Attachments,
    Attachment,
    Static,
    WorkspaceAssets,
    WorkspaceAsset,
    ProjectAssets,
    ProjectAsset,
    Check,
    Download,
    ProjectDownload,
    Restore,
    Duplicate,
    Bulk,
    AnchorAssets,
    AnchorAsset,
    AnchorRestore,
    AnchorBulk,
}
/// Which token a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Access {
    /// No token is needed, and none is checked.
    Public,
    /// A valid token with any scopes.
    Token,
    /// A token with one of these scopes: of the first list to read, of the second to write.
    Scoped(&'static [&'static str], &'static [&'static str]),
    /// Reading needs no token; writing needs one with one of these scopes.
    ScopedWrite(&'static [&'static str]),
}
/// Which of Plane's two APIs a route belongs to: each has its own texts for the same refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Version {
    V1,
    V2,
}

const READ: &str = "assets:read";
const WRITE: &str = "assets:write";
const ASSETS: Access = Access::Scoped(&[READ], &[WRITE]);
const ATTACHMENTS: Access = Access::Scoped(
    &["projects.work_items.attachments:read", READ],
    &["projects.work_items.attachments:write", WRITE],
);
const PUBLISHED: Access = Access::ScopedWrite(&[WRITE]);

pub(super) const COLLECTION: &str = "POST, OPTIONS";
pub(super) const ITEM: &str = "GET, PATCH, DELETE, HEAD, OPTIONS";
pub(super) const READ_ONLY: &str = "GET, HEAD, OPTIONS";

#[rustfmt::skip]
pub(in crate::http) static ROUTES: [Route; 31] = [
    Route { path: "/api/v1/users/me/",                                endpoint: Endpoint::Me,         access: Access::Token, allow: "GET" },
    // Plane has no such route; the Python SDK's `users.upload_asset()` posts here.
    Route { path: "/api/v1/users/assets/",                            endpoint: Endpoint::UserAssets, access: ASSETS, allow: "POST" },
    Route { path: "/api/v1/assets/user-assets/",                      endpoint: Endpoint::UserAssets, access: ASSETS, allow: "POST" },
    Route { path: "/api/v1/assets/user-assets/server/",               endpoint: Endpoint::UserAssets, access: ASSETS, allow: "POST" },
    Route { path: "/api/v1/assets/user-assets/<asset_id>/",           endpoint: Endpoint::UserAsset,  access: ASSETS, allow: "PATCH, DELETE" },
    Route { path: "/api/v1/assets/user-assets/<asset_id>/server/",    endpoint: Endpoint::UserAsset,  access: ASSETS, allow: "PATCH, DELETE" },
    Route { path: "/api/v1/workspaces/<slug>/assets/",                endpoint: Endpoint::AssetsV1,   access: ASSETS, allow: "POST" },
    Route { path: "/api/v1/workspaces/<slug>/assets/<asset_id>/",     endpoint: Endpoint::AssetV1,    access: ASSETS, allow: "GET, PATCH" },
    Route { path: "/api/v1/workspaces/<slug>/projects/<project_id>/work-items/<issue_id>/attachments/",                  endpoint: Endpoint::Attachments, access: ATTACHMENTS, allow: "GET, POST" },
    Route { path: "/api/v1/workspaces/<slug>/projects/<project_id>/work-items/<issue_id>/attachments/<attachment_id>/",  endpoint: Endpoint::Attachment,  access: ATTACHMENTS, allow: "GET, PATCH, DELETE" },
    Route { path: "/api/v1/workspaces/<slug>/projects/<project_id>/issues/<issue_id>/issue-attachments/",                 endpoint: Endpoint::Attachments, access: ATTACHMENTS, allow: "GET, POST" },
    Route { path: "/api/v1/workspaces/<slug>/projects/<project_id>/issues/<issue_id>/issue-attachments/<attachment_id>/", endpoint: Endpoint::Attachment,  access: ATTACHMENTS, allow: "GET, PATCH, DELETE" },
    Route { path: "/api/assets/v2/static/<asset_id>/",                endpoint: Endpoint::Static,     access: Access::Public, allow: READ_ONLY },
    Route { path: "/api/assets/v2/user-assets/",                      endpoint: Endpoint::UserAssets, access: ASSETS, allow: COLLECTION },
    Route { path: "/api/assets/v2/user-assets/<asset_id>/",           endpoint: Endpoint::UserAsset,  access: ASSETS, allow: "PATCH, DELETE, OPTIONS" },
    Route { path: "/api/assets/v2/workspaces/<slug>/",                endpoint: Endpoint::WorkspaceAssets, access: ASSETS, allow: COLLECTION },
    Route { path: "/api/assets/v2/workspaces/<slug>/<asset_id>/",     endpoint: Endpoint::WorkspaceAsset,  access: ASSETS, allow: ITEM },
    Route { path: "/api/assets/v2/workspaces/<slug>/check/<asset_id>/",            endpoint: Endpoint::Check,     access: ASSETS, allow: READ_ONLY },
    Route { path: "/api/assets/v2/workspaces/<slug>/download/<asset_id>/",         endpoint: Endpoint::Download,  access: ASSETS, allow: READ_ONLY },
    Route { path: "/api/assets/v2/workspaces/<slug>/restore/<asset_id>/",          endpoint: Endpoint::Restore,   access: ASSETS, allow: COLLECTION },
    Route { path: "/api/assets/v2/workspaces/<slug>/duplicate-assets/<asset_id>/", endpoint: Endpoint::Duplicate, access: ASSETS, allow: COLLECTION },
    Route { path: "/api/assets/v2/workspaces/<slug>/projects/<project_id>/",                      endpoint: Endpoint::ProjectAssets,   access: ASSETS, allow: COLLECTION },
    Route { path: "/api/assets/v2/workspaces/<slug>/projects/<project_id?>/<asset_id>/",          endpoint: Endpoint::ProjectAsset,    access: ASSETS, allow: ITEM },
    Route { path: "/api/assets/v2/workspaces/<slug>/projects/<project_id>/download/<asset_id>/",  endpoint: Endpoint::ProjectDownload, access: ASSETS, allow: READ_ONLY },
    Route { path: "/api/assets/v2/workspaces/<slug>/projects/<project_id>/<entity_id>/bulk/",     endpoint: Endpoint::Bulk,            access: ASSETS, allow: COLLECTION },
    Route { path: "/api/assets/v2/workspaces/<slug>/projects/<project_id>/issues/<issue_id>/attachments/",                    endpoint: Endpoint::Attachments, access: ATTACHMENTS, allow: "GET, POST, HEAD, OPTIONS" },
    Route { path: "/api/assets/v2/workspaces/<slug>/projects/<project_id?>/issues/<issue_id?>/attachments/<attachment_id>/", endpoint: Endpoint::Attachment,  access: ATTACHMENTS, allow: ITEM },
    Route { path: "/api/public/assets/v2/anchor/<anchor>/",                      endpoint: Endpoint::AnchorAssets,  access: ASSETS,    allow: COLLECTION },
    Route { path: "/api/public/assets/v2/anchor/<anchor>/<asset_id>/",           endpoint: Endpoint::AnchorAsset,   access: PUBLISHED, allow: ITEM },
    Route { path: "/api/public/assets/v2/anchor/<anchor>/restore/<asset_id>/",   endpoint: Endpoint::AnchorRestore, access: ASSETS,    allow: COLLECTION },
    Route { path: "/api/public/assets/v2/anchor/<anchor>/<entity_id>/bulk/",     endpoint: Endpoint::AnchorBulk,    access: ASSETS,    allow: COLLECTION },
];

impl Route {
    pub(in crate::http) fn version(&self) -> Version {
        if self.path.starts_with("/api/v1/") {
            Version::V1
        } else {
            Version::V2
        }
    }

    pub(in crate::http) fn allows(&self, method: &str) -> bool {
        self.allow.split(", ").any(|allowed| allowed == method)
    }

    /// Whether a request with this method needs no token.
    pub(in crate::http) fn allows_anonymous(&self, method: &str) -> bool {
        match self.access {
            Access::Public => true,
            Access::ScopedWrite(_) => is_read(method),
            Access::Token | Access::Scoped(..) => false,
        }
    }

    /// The scopes of which the token must have one. `None`: it needs none.
    pub(in crate::http) fn scopes(&self, method: &str) -> Option<&'static [&'static str]> {
        match self.access {
            Access::Public | Access::Token => None,
            _ if method == "OPTIONS" => None,
            Access::ScopedWrite(_) if is_read(method) => None,
            Access::Scoped(read, _) if is_read(method) => Some(read),
            Access::Scoped(_, write) | Access::ScopedWrite(write) => Some(write),
        }
    }

    /// Whether the answer is a file or a redirect to one: `Accept` is then not checked.
    pub(in crate::http) fn answers_with_file(&self, method: &str) -> bool {
        match self.endpoint {
            Endpoint::Static => true,
            Endpoint::Attachment
            | Endpoint::WorkspaceAsset
            | Endpoint::ProjectAsset
            | Endpoint::Download
            | Endpoint::ProjectDownload
            | Endpoint::AnchorAsset => is_read(method),
            _ => false,
        }
    }
}

fn is_read(method: &str) -> bool {
    matches!(method, "GET" | "HEAD")
}
