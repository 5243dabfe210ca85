//! A request that has passed the checks which all routes share: what a handler gets.
//!
//! Guarantees: a body is read and parsed only when the handler asks for its fields, which it does after it has checked
//! the caller's membership. It refuses to know what a route does.
use crate::assets::Permission;
use crate::auth::{Principal, Role, Workspace};
use crate::http::app_state::AppState;
use crate::http::limits::Body;
use crate::http::origin::Origin;
use crate::http::plane::error::{NO_RIGHTS, NOT_FOUND_V1, NOT_FOUND_V2, PlaneError};
use crate::http::plane::request::body::{self, Fields};
use crate::http::plane::routes::path::PathParameters;
use crate::http::plane::routes::table::Version;
use actix_web::HttpRequest;
use std::sync::Arc;
use uuid::Uuid;

pub(in crate::http) struct PlaneRequest<'a> {
    pub(in crate::http) req: &'a HttpRequest,
    pub(in crate::http) state: &'a AppState,
    /// The user of the token, and the token's scopes.
    pub(in crate::http) caller: &'a Principal,
    pub(in crate::http) version: Version,
    pub(in crate::http) parameters: &'a PathParameters,
    /// No byte of it has been read.
    pub(in crate::http) body: &'a mut Body,
}
impl PlaneRequest<'_> {
    pub(in crate::http) fn user_id(&self) -> Uuid {
        self.caller.user_id
    }

    /// Reads the body and parses its fields. A second call returns no fields.
    pub(in crate::http) async fn fields(&mut self) -> Result<Fields, PlaneError> {
        let body = body::receive(self.body, self.limit_bytes()).await?;
        Fields::parse(self.req, body).await
    }

    /// The most bytes that an upload may have.
    pub(in crate::http) fn limit_bytes(&self) -> u64 {
        self.state.assets.file_size_limit()
    }

    /// The workspace of the path, and the caller's role in it.
    ///
    /// # Errors
    /// `unknown` where there is no such workspace, `not_a_member` where the caller has no role in it.
    pub(in crate::http) async fn workspace(
        &self,
        unknown: PlaneError,
        not_a_member: PlaneError,
    ) -> Result<(Arc<Workspace>, Role), PlaneError> {
        let auth = &self.state.auth;
        let may_create = !self.req.method().is_safe();
        let slug = &self.parameters.slug_or_anchor;
        let workspace = auth.workspace(slug, self.caller, may_create).await?;
        let workspace = workspace.ok_or(unknown)?;
        let role = auth.role(self.caller, &workspace).await?;
        Ok((workspace, role.ok_or(not_a_member)?))
    }

    /// The same for v2, which answers an unknown workspace and one of others alike.
    pub(in crate::http) async fn own_workspace(&self) -> Result<Arc<Workspace>, PlaneError> {
        let (workspace, _) = self.workspace(NO_RIGHTS, NO_RIGHTS).await?;
        Ok(workspace)
    }

    /// The assets that a caller of this role may delete by v2, on every path. `None`: the caller is not a member.
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

    /// 404 for an asset, with the text of the route's API.
    pub(in crate::http) fn not_found(&self) -> PlaneError {
        match self.version {
            Version::V1 => NOT_FOUND_V1,
            Version::V2 => NOT_FOUND_V2,
        }
    }
}

/// Scheme, host and port of the links in an answer.
pub(in crate::http) fn link_origin(
    req: &HttpRequest,
    state: &AppState,
) -> Result<Origin, PlaneError> {
    Origin::of(req, &state.config).map_err(|_| PlaneError::UnusableHost)
}
