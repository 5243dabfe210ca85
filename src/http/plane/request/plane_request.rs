//! A request past the checks that all routes share: what a handler is given.
//!
//! Guarantees: a body is read and parsed only when a handler asks for its fields, which it does after the workspace's
//! gate. It refuses to know what a route does.
use crate::assets::Permission;
use crate::auth::{Principal, Role, Workspace};
use crate::http::app_state::AppState;
use crate::http::limits::Body;
use crate::http::origin::Origin;
use crate::http::plane::error::{NO_RIGHTS, NOT_FOUND_V1, NOT_FOUND_V2, PlaneError};
use crate::http::plane::request::body::{self, Fields};
use crate::http::plane::routes::path::Names;
use crate::http::plane::routes::table::Version;
use actix_web::HttpRequest;
use std::sync::Arc;
use uuid::Uuid;

pub(in crate::http) struct Asked<'a> {
    pub(in crate::http) req: &'a HttpRequest,
    pub(in crate::http) state: &'a AppState,
    pub(in crate::http) who: &'a Principal,
    pub(in crate::http) version: Version,
    pub(in crate::http) names: &'a Names,
    /// Nothing of it was read yet.
    pub(in crate::http) body: &'a mut Body,
}
impl Asked<'_> {
    pub(in crate::http) fn user_id(&self) -> Uuid {
        self.who.user_id
    }

    /// The fields of the body; a second time there are none.
    pub(in crate::http) async fn fields(&mut self) -> Result<Fields, PlaneError> {
        let received = body::receive(self.body, self.limit_bytes()).await?;
        Fields::read(self.req, received).await
    }

    /// Bytes that an upload may be asked for.
    pub(in crate::http) fn limit_bytes(&self) -> u64 {
        self.state.assets.file_size_limit()
    }

    /// The gate: the path's workspace, where the caller is a member of it.
    pub(in crate::http) async fn workspace(
        &self,
        unknown: PlaneError,
        outsider: PlaneError,
    ) -> Result<(Arc<Workspace>, Role), PlaneError> {
        let auth = &self.state.auth;
        let makes = !self.req.method().is_safe();
        let workspace = auth.workspace(&self.names.place, self.who, makes).await?;
        let workspace = workspace.ok_or(unknown)?;
        let role = auth.role(self.who, &workspace).await?;
        Ok((workspace, role.ok_or(outsider)?))
    }

    /// The gate of v2, which does not tell an unknown workspace from another's.
    pub(in crate::http) async fn own_workspace(&self) -> Result<Arc<Workspace>, PlaneError> {
        let (workspace, _) = self.workspace(NO_RIGHTS, NO_RIGHTS).await?;
        Ok(workspace)
    }

    /// Which assets a caller of this role may delete by v2, on every path. `None`: no member.
    // Differs from Plane, where the project route deletes attachments that their own route refuses to delete.
    pub(in crate::http) fn permission_to_delete(&self, role: Option<Role>) -> Permission {
        match role {
            Some(Role::Admin) => Permission::All,
            Some(Role::Member | Role::Guest) => {
                Permission::AllButAttachmentsOfOthers(self.user_id())
            }
            None => Permission::CreatedBy(self.user_id()),
        }
    }

    /// 404 for a row, in the words of the route's API.
    pub(in crate::http) fn not_found(&self) -> PlaneError {
        match self.version {
            Version::V1 => NOT_FOUND_V1,
            Version::V2 => NOT_FOUND_V2,
        }
    }
}

/// Where the links of an answer lead.
pub(in crate::http) fn origin_of(
    req: &HttpRequest,
    state: &AppState,
) -> Result<Origin, PlaneError> {
    Origin::of(req, &state.config).map_err(|_| PlaneError::UnusableHost)
}
