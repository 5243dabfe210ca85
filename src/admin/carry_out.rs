//! Carries out orders: calls the vault's modules, and writes their results as JSON.
use crate::admin::housekeeping::{FolderUse, Housekeeper};
use crate::admin::order::{Order, PlaceOrder};
use crate::auth::{
    AccessKeyListing, Anchor, Auth, AuthError, CreatedAccessKey, CreatedToken, NewAccessKey,
    NewToken, TokenListing, WorkspaceListing,
};
use crate::clock::Timestamp;
use crate::s3::time::iso8601_secs;
use crate::store::{Mode, StoreError};
use crate::telemetry::with_causes;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

/// The process that holds the vault: a running server, or the command itself.
#[derive(Clone, Copy)]
pub struct Holder<'a> {
    pub auth: &'a Auth,
    pub keeper: &'a Housekeeper,
    pub folder_use: FolderUse,
}

/// `Err`: one sentence for the person at the command line.
/// # Errors
/// When the order cannot be carried out; the text says why and what to do.
pub async fn carry_out(holder: Holder<'_>, order: Order) -> Result<Value, String> {
    let auth = holder.auth;
    match order {
        Order::TokenCreate {
            email,
            name,
            scopes,
            expires_in,
            any_workspace,
        } => {
            let wanted = NewToken {
                email,
                name,
                scopes,
                expires_in,
                any_workspace,
            };
            let created = auth.create_token(wanted).await.map_err(auth_error_text)?;
            Ok(created_json(&created))
        }
        Order::TokenList => {
            let tokens = auth.tokens().await.map_err(store_error_text)?;
            let tokens: Vec<Value> = tokens.iter().map(listing_json).collect();
            Ok(json!({ "tokens": tokens }))
        }
        Order::TokenRevoke { id } => {
            auth.revoke_token(&id).await.map_err(auth_error_text)?;
            Ok(json!({ "id": id, "revoked": true }))
        }
        Order::AccessKeyCreate { name, limits } => {
            let wanted = NewAccessKey { name, limits };
            let created = auth
                .create_access_key(wanted)
                .await
                .map_err(auth_error_text)?;
            Ok(created_key_json(&created))
        }
        Order::AccessKeyList => {
            let keys = auth.access_keys().await.map_err(store_error_text)?;
            let keys: Vec<Value> = keys.iter().map(key_listing_json).collect();
            Ok(json!({ "access_keys": keys }))
        }
        Order::AccessKeyRevoke { id } => {
            auth.revoke_access_key(&id).await.map_err(auth_error_text)?;
            Ok(json!({ "id": id, "revoked": true }))
        }
        Order::UserList => {
            let people = auth.people().await.map_err(store_error_text)?.into_iter();
            let users: Vec<Value> = people
                .map(|(email, id)| json!({ "email": email, "id": id }))
                .collect();
            Ok(json!({ "users": users }))
        }
        Order::UserRemove { email } => {
            auth.remove_user(&email).await.map_err(auth_error_text)?;
            Ok(json!({ "email": email, "removed": true }))
        }
        Order::Gc { dry_run, .. } => {
            let mode = if dry_run { Mode::Tell } else { Mode::Do };
            let cleared = holder
                .keeper
                .sweep(mode, holder.folder_use)
                .await
                .map_err(store_error_text)?;
            Ok(json!(cleared))
        }
        Order::Fsck(repair) => Ok(json!(holder.keeper.check(repair).await?)),
        Order::Backup { to, verify } => Ok(json!(holder.keeper.back_up(to, verify).await?)),
        Order::Place(order) => carry_out_for_places(auth, order).await,
    }
}

/// Workspaces, their members and their published projects.
async fn carry_out_for_places(auth: &Auth, order: PlaceOrder) -> Result<Value, String> {
    match order {
        PlaceOrder::WorkspaceCreate { slug, members } => {
            let mut first = Vec::with_capacity(members.len());
            for member in &members {
                first.push((member.email.clone(), member.role()?));
            }
            let created = auth.create_workspace(&slug, &first).await;
            Ok(workspace_json(&created.map_err(auth_error_text)?))
        }
        PlaceOrder::WorkspaceList => {
            let listed = auth.workspaces().await.map_err(store_error_text)?;
            let workspaces: Vec<Value> = listed.iter().map(workspace_json).collect();
            Ok(json!({ "workspaces": workspaces }))
        }
        PlaceOrder::MemberAdd { slug, member } => {
            let role = member.role()?;
            let added = auth.set_member(&slug, &member.email, role).await;
            added.map_err(auth_error_text)?;
            Ok(json!({ "workspace": slug, "email": member.email, "role": role.name() }))
        }
        PlaceOrder::MemberRemove { slug, email } => {
            let removed = auth.remove_member(&slug, &email).await;
            removed.map_err(auth_error_text)?;
            Ok(json!({ "workspace": slug, "email": email, "removed": true }))
        }
        PlaceOrder::AnchorCreate { slug, project_id } => {
            let created = auth.create_anchor(&slug, project_id).await;
            let (anchor, published) = created.map_err(auth_error_text)?;
            Ok(anchor_json(&anchor, &published))
        }
        PlaceOrder::AnchorList => {
            let anchors = auth.anchors().await.map_err(store_error_text)?;
            let anchors = anchors.iter();
            let anchors: Vec<Value> = anchors.map(|(text, to)| anchor_json(text, to)).collect();
            Ok(json!({ "anchors": anchors }))
        }
        PlaceOrder::AnchorRevoke { anchor } => {
            auth.revoke_anchor(&anchor).await.map_err(auth_error_text)?;
            Ok(json!({ "anchor": anchor, "revoked": true }))
        }
    }
}

fn workspace_json(listing: &WorkspaceListing) -> Value {
    let members = listing.members.iter();
    let members: Vec<Value> = members
        .map(|(email, role)| json!({ "email": email, "role": role.name() }))
        .collect();
    json!({
        "id": listing.workspace.id,
        "slug": listing.workspace.slug,
        "members": members,
    })
}
fn anchor_json(anchor: &str, published: &Anchor) -> Value {
    json!({
        "anchor": anchor,
        "workspace": published.workspace.slug,
        "project": published.project_id,
    })
}

fn created_json(created: &CreatedToken) -> Value {
    json!({
        "token": created.secret.expose_secret(),
        "id": created.id,
        "user": created.user,
        "name": created.name,
        "scopes": created.scopes,
        "expires_at": created.expires_at.map(iso8601_secs),
    })
}
fn listing_json(token: &TokenListing) -> Value {
    let time = |at: Option<Timestamp>| at.map(iso8601_secs);
    json!({
        "id": token.id,
        "user": token.user,
        "name": token.name,
        "scopes": token.scopes,
        "created_at": iso8601_secs(token.created_at),
        "expires_at": time(token.expires_at),
        "revoked_at": time(token.revoked_at),
        "hint": token.hint,
    })
}

fn created_key_json(created: &CreatedAccessKey) -> Value {
    let limits = &created.key.limits;
    let mut json = json!({
        "id": created.key.id,
        "secret": created.key.secret.expose_secret(),
        "name": created.name,
        "read_only": limits.read_only,
        "bucket": limits.bucket,
        "prefix": limits.prefix,
        "created_at": iso8601_secs(created.created_at),
    });
    if let Some(bucket) = limits.bucket.as_ref().filter(|_| created.lacks_bucket) {
        let warning =
            format!("there is no bucket {bucket} yet: the key is of use once there is one");
        json["warning"] = warning.into();
    }
    json
}
fn key_listing_json(key: &AccessKeyListing) -> Value {
    json!({
        "id": key.id,
        "name": key.name,
        "read_only": key.limits.read_only,
        "bucket": key.limits.bucket,
        "prefix": key.limits.prefix,
        "created_at": iso8601_secs(key.created_at),
        "revoked_at": key.revoked_at.map(iso8601_secs),
    })
}

fn auth_error_text(error: AuthError) -> String {
    match error {
        AuthError::Refused(reason) => reason,
        AuthError::Store(error) => store_error_text(error),
    }
}
/// The operator who runs commands administers the machine, so the text names the cause.
#[expect(clippy::needless_pass_by_value, reason = "made for `map_err`")]
fn store_error_text(error: StoreError) -> String {
    format!("The vault could not do it: {}.", with_causes(&error))
}
