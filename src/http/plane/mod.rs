//! The asset API: everything under `/api`, in Plane's own words.
//!
//! One function takes every request through the checks in their one order (Plane contract, section 2.1), so that no route
//! can have another; what comes after them is a route's own. It refuses to know how assets, tokens and bytes are kept.
mod accept;
mod anchors;
mod asked;
mod attachments;
mod body;
mod bulk;
mod cors;
mod download;
mod dto;
mod duplicate;
mod error;
pub(in crate::http) mod openapi;
pub(crate) mod rate;
pub(in crate::http) mod routes;
mod static_assets;
mod upload;
mod user_assets;
mod users;
mod workspace_assets;
mod workspace_assets_v1;

#[cfg(test)]
mod tests;

use crate::auth::Principal;

use crate::http::app_state::AppState;
use crate::http::auth::presented_token;
use crate::http::limits::Body;
use crate::http::{serve, trace};
use crate::store::with_causes;
use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};
use asked::Asked;
use error::PlaneError;
use rate::Allowance;
use routes::{Endpoint, Found, Names, Route, Version};
use std::sync::Arc;

/// Takes every request of the face [`Api`](crate::http::face::Face::Api).
pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.default_service(web::to(answer));
}

async fn answer(
    req: HttpRequest,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> HttpResponse {
    let mut incoming = Body::new(payload, &req);
    let found = routes::find(req.uri().path());
    let mut allowance = None;
    let outcome = if cors::is_preflight(&req) {
        Ok(HttpResponse::Ok().finish())
    } else {
        converse(&req, &mut incoming, &state, &found, &mut allowance).await
    };
    let mut answer = outcome.unwrap_or_else(|error| refuse(&req, &error, &found));
    if let Some(allowance) = allowance {
        allowance.present(answer.headers_mut());
    }
    let allowed = &state.config.cors_allowed_origins;
    cors::present(&req, &found, allowed, answer.headers_mut());
    serve::vary_by_destination(&req, answer.headers_mut());
    trace::waited_for_client(&req, incoming.waited());
    incoming.settle(answer).await
}

fn refuse(req: &HttpRequest, error: &PlaneError, found: &Found) -> HttpResponse {
    let note = trace::Note {
        detail: Some(with_causes(error)),
        ..trace::Note::default()
    };
    trace::note(req, note);
    let mut answer = error.answer();
    if matches!(found, Found::Route(route, _) if route.is_open(req.method().as_str())) {
        // What is missing now may be there in a moment.
        let no_store = HeaderValue::from_static("no-store");
        answer.headers_mut().insert(header::CACHE_CONTROL, no_store);
    }
    answer
}

/// The order of checks. After the preflight: cap, route, `Accept`, token, scope, rate, method; then the route's own, which
/// reads the body ([`Asked::fields`]). Before that no byte of it is read.
async fn converse(
    req: &HttpRequest,
    incoming: &mut Body,
    state: &AppState,
    found: &Found,
    allowance: &mut Option<Allowance>,
) -> Result<HttpResponse, PlaneError> {
    body::judge_length(incoming, state.assets.file_size_limit())?;
    let (route, names) = match found {
        Found::Route(route, names) => (*route, names),
        Found::MissingSlash => return Ok(redirect_to_slash(req)),
        Found::Nothing => return Err(PlaneError::PageNotFound),
    };
    let who = admit(req, state, route).await?;
    if let Some(who) = who.as_deref().filter(|_| route.version() == Version::V1) {
        *allowance = state.limits.of_token(&who.token_id)?;
    }
    let method = req.method().as_str();
    if !route.allows(method) {
        return Err(PlaneError::MethodNotAllowed {
            method: method.to_owned(),
            allow: route.allow,
        });
    }
    if req.method() == Method::OPTIONS {
        return Ok(options(route));
    }
    let Some(who) = who else {
        return read_openly(req, state, route, names).await;
    };
    let asked = Asked {
        req,
        state,
        who: &who,
        version: route.version(),
        names,
        body: incoming,
    };
    dispatch(asked, route.endpoint).await
}

/// `Accept`, token and scope. `None`: the route is for anybody.
async fn admit(
    req: &HttpRequest,
    state: &AppState,
    route: &Route,
) -> Result<Option<Arc<Principal>>, PlaneError> {
    let method = req.method().as_str();
    if !route.gives_a_file(method) && !accept::takes_json(req.headers()) {
        return Err(PlaneError::NotAcceptable);
    }
    if route.is_open(method) {
        return Ok(None);
    }
    let secret = presented_token(req.headers()).ok_or(PlaneError::NoCredentials)?;
    let who = state.auth.principal(secret).await?;
    let who = who.ok_or(PlaneError::InvalidToken)?;
    match route.scopes(method) {
        Some(scopes) if !who.has_any_of(scopes) => Err(PlaneError::Forbidden),
        _ => Ok(Some(who)),
    }
}

/// What anybody may read.
async fn read_openly(
    req: &HttpRequest,
    state: &AppState,
    route: &Route,
    names: &Names,
) -> Result<HttpResponse, PlaneError> {
    match route.endpoint {
        Endpoint::AnchorAsset => anchors::show(req, state, names).await,
        _ => static_assets::serve(req, state, names.asset_id).await,
    }
}

/// The route's own handler. The method is one that the route allows; what is left is named by `_`.
async fn dispatch(asked: Asked<'_>, endpoint: Endpoint) -> Result<HttpResponse, PlaneError> {
    use workspace_assets::Level;
    match (endpoint, asked.req.method().as_str()) {
        (Endpoint::Me, _) => users::me(&asked).await,
        (Endpoint::UserAssets, _) => user_assets::request_upload(asked).await,
        (Endpoint::UserAsset, "PATCH") => user_assets::change(asked).await,
        (Endpoint::UserAsset, _) => user_assets::delete(asked).await,
        (Endpoint::AssetsV1, _) => workspace_assets_v1::request_upload(asked).await,
        (Endpoint::AssetV1, "PATCH") => workspace_assets_v1::change(asked).await,
        (Endpoint::AssetV1, _) => workspace_assets_v1::show(asked).await,
        (Endpoint::Attachments, "POST") => attachments::request_upload(asked).await,
        (Endpoint::Attachments, _) => attachments::list(asked).await,
        (Endpoint::Attachment, "PATCH") => attachments::change(asked).await,
        (Endpoint::Attachment, "DELETE") => attachments::delete(asked).await,
        (Endpoint::Attachment, _) => attachments::show(asked).await,
        (Endpoint::WorkspaceAssets, _) => {
            workspace_assets::request_upload(asked, Level::Workspace).await
        }
        (Endpoint::ProjectAssets, _) => {
            workspace_assets::request_upload(asked, Level::Project).await
        }
        (Endpoint::WorkspaceAsset, _) => workspace_assets::item(asked, Level::Workspace).await,
        (Endpoint::ProjectAsset, _) => workspace_assets::item(asked, Level::Project).await,
        (Endpoint::Download, _) => workspace_assets::download(asked, Level::Workspace).await,
        (Endpoint::ProjectDownload, _) => workspace_assets::download(asked, Level::Project).await,
        (Endpoint::Check, _) => workspace_assets::check(asked).await,
        (Endpoint::Restore, _) => workspace_assets::restore(asked).await,
        (Endpoint::Duplicate, _) => duplicate::duplicate(asked).await,
        (Endpoint::Bulk, _) => bulk::bind(asked).await,
        (Endpoint::AnchorAssets, _) => anchors::request_upload(asked).await,
        (Endpoint::AnchorAsset, "PATCH") => anchors::change(asked).await,
        (Endpoint::AnchorAsset, "DELETE") => anchors::delete(asked).await,
        (Endpoint::AnchorRestore, _) => anchors::restore(asked).await,
        (Endpoint::AnchorBulk, _) => anchors::bind(asked).await,
        // Read without a token.
        (Endpoint::Static | Endpoint::AnchorAsset, _) => Err(PlaneError::PageNotFound),
    }
}

// Plane: any method, before authentication; most clients then repeat it as GET.
fn redirect_to_slash(req: &HttpRequest) -> HttpResponse {
    let uri = req.uri();
    let location = match uri.query() {
        Some(query) => format!("{}/?{query}", uri.path()),
        None => format!("{}/", uri.path()),
    };
    HttpResponse::MovedPermanently()
        .insert_header((header::LOCATION, location))
        .content_type("text/html; charset=utf-8")
        .finish()
}

fn options(route: &Route) -> HttpResponse {
    HttpResponse::build(StatusCode::OK)
        .insert_header((header::ALLOW, route.allow))
        .finish()
}
