//! The way of each request through the asset API: the checks in their one order (Plane contract, section 2.1), then the
//! handler of its route.
//!
//! One function runs the checks, so that no route can have them in another order. Checks that depend on the route are in
//! its handler.
use crate::auth::Principal;
use crate::http::app_state::AppState;
use crate::http::auth::presented_token;
use crate::http::limits::Body;
use crate::http::plane::endpoints::workspace_assets::Level;
use crate::http::plane::endpoints::{
    anchors, attachments, bulk, duplicate, static_assets, user_assets, users, workspace_assets,
    workspace_assets_v1,
};
use crate::http::plane::error::PlaneError;
use crate::http::plane::request::plane_request::PlaneRequest;
use crate::http::plane::request::{accept, body, cors};
use crate::http::plane::routes::path::{self, PathParameters, RouteMatch};
use crate::http::plane::routes::table::{Endpoint, Route, Version};
use crate::http::rate_limit::Allowance;
use crate::http::{serve, trace};
use crate::telemetry::with_causes;
use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};
use std::sync::Arc;

/// Serves every request of the face [`Api`](crate::http::face::Face::Api).
pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.default_service(web::to(answer));
}

async fn answer(
    req: HttpRequest,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> HttpResponse {
    let mut body = Body::new(payload, &req);
    let route_match = path::find_route(req.uri().path());
    let mut allowance = None;
    let outcome = if cors::is_preflight(&req) {
        Ok(HttpResponse::Ok().finish())
    } else {
        check_and_dispatch(&req, &mut body, &state, &route_match, &mut allowance).await
    };
    let mut answer = outcome.unwrap_or_else(|error| refuse(&req, &error, &route_match));
    if let Some(allowance) = allowance {
        allowance.add_headers(answer.headers_mut());
    }
    let allowed = &state.config.cors_allowed_origins;
    cors::add_headers(&req, &route_match, allowed, answer.headers_mut());
    serve::vary_by_destination(&req, answer.headers_mut());
    trace::waited_for_client(&req, body.waited());
    body.settle(answer).await
}

fn refuse(req: &HttpRequest, error: &PlaneError, route_match: &RouteMatch) -> HttpResponse {
    let note = trace::Note {
        detail: Some(with_causes(error)),
        ..trace::Note::default()
    };
    trace::note(req, note);
    let mut answer = error.answer();
    let is_anonymous = matches!(
        route_match,
        RouteMatch::Route(route, _) if route.allows_anonymous(req.method().as_str())
    );
    if is_anonymous {
        // The file may be uploaded a moment later: no cache may keep this refusal.
        let no_store = HeaderValue::from_static("no-store");
        answer.headers_mut().insert(header::CACHE_CONTROL, no_store);
    }
    answer
}

/// The order of checks: stated length, route, `Accept`, token, scope, rate limit, method. Then the handler, which reads the
/// body ([`PlaneRequest::fields`]). No byte of the body is read before that.
async fn check_and_dispatch(
    req: &HttpRequest,
    body: &mut Body,
    state: &AppState,
    route_match: &RouteMatch,
    allowance: &mut Option<Allowance>,
) -> Result<HttpResponse, PlaneError> {
    body::check_stated_length(body, state.assets.file_size_limit())?;
    let (route, parameters) = match route_match {
        RouteMatch::Route(route, parameters) => (*route, parameters),
        RouteMatch::MissingSlash => return Ok(redirect_to_slash(req)),
        RouteMatch::NotFound => return Err(PlaneError::PageNotFound),
    };
    let caller = authenticate(req, state, route).await?;
    if let Some(caller) = caller.as_deref()
        && route.version() == Version::V1
    {
        *allowance = state.rate_limits.count_request(&caller.token_id)?;
    }
    let method = req.method().as_str();
    if !route.allows(method) {
        return Err(PlaneError::MethodNotAllowed {
            method: method.to_owned(),
            allow: route.allow,
        });
    }
    if req.method() == Method::OPTIONS {
        return Ok(list_methods(route));
    }
    let Some(caller) = caller else {
        return answer_anonymous(req, state, route, parameters).await;
    };
    let request = PlaneRequest {
        req,
        state,
        caller: &caller,
        version: route.version(),
        parameters,
        body,
    };
    dispatch(request, route.endpoint).await
}

/// Checks `Accept`, the token and its scope. `None`: the route needs no token.
async fn authenticate(
    req: &HttpRequest,
    state: &AppState,
    route: &Route,
) -> Result<Option<Arc<Principal>>, PlaneError> {
    let method = req.method().as_str();
    if !route.answers_with_file(method) && !accept::accepts_json(req.headers()) {
        return Err(PlaneError::NotAcceptable);
    }
    if route.allows_anonymous(method) {
        return Ok(None);
    }
    let secret = presented_token(req.headers()).ok_or(PlaneError::NoCredentials)?;
    let caller = state.auth.principal(secret).await?;
    let caller = caller.ok_or(PlaneError::InvalidToken)?;
    match route.scopes(method) {
        Some(scopes) if !caller.has_any_of(scopes) => Err(PlaneError::Forbidden),
        _ => Ok(Some(caller)),
    }
}

/// The handlers of the routes that need no token.
async fn answer_anonymous(
    req: &HttpRequest,
    state: &AppState,
    route: &Route,
    parameters: &PathParameters,
) -> Result<HttpResponse, PlaneError> {
    match route.endpoint {
        Endpoint::AnchorAsset => anchors::show(req, state, parameters).await,
        _ => static_assets::serve(req, state, parameters.asset_id).await,
    }
}

/// The handler of each endpoint and method. The route allows the method; `_` is the last of its methods.
async fn dispatch(
    request: PlaneRequest<'_>,
    endpoint: Endpoint,
) -> Result<HttpResponse, PlaneError> {
    match (endpoint, request.req.method().as_str()) {
        (Endpoint::Me, _) => users::me(&request).await,
        (Endpoint::UserAssets, _) => user_assets::request_upload(request).await,
        (Endpoint::UserAsset, "PATCH") => user_assets::change(request).await,
        (Endpoint::UserAsset, _) => user_assets::delete(request).await,
        (Endpoint::AssetsV1, _) => workspace_assets_v1::request_upload(request).await,
        (Endpoint::AssetV1, "PATCH") => workspace_assets_v1::change(request).await,
        (Endpoint::AssetV1, _) => workspace_assets_v1::show(request).await,
        (Endpoint::Attachments, "POST") => attachments::request_upload(request).await,
        (Endpoint::Attachments, _) => attachments::list(request).await,
        (Endpoint::Attachment, "PATCH") => attachments::change(request).await,
        (Endpoint::Attachment, "DELETE") => attachments::delete(request).await,
        (Endpoint::Attachment, _) => attachments::show(request).await,
        (Endpoint::WorkspaceAssets, _) => {
            workspace_assets::request_upload(request, Level::Workspace).await
        }
        (Endpoint::ProjectAssets, _) => {
            workspace_assets::request_upload(request, Level::Project).await
        }
        (Endpoint::WorkspaceAsset, _) => workspace_assets::item(request, Level::Workspace).await,
        (Endpoint::ProjectAsset, _) => workspace_assets::item(request, Level::Project).await,
        (Endpoint::Download, _) => workspace_assets::download(request, Level::Workspace).await,
        (Endpoint::ProjectDownload, _) => workspace_assets::download(request, Level::Project).await,
        (Endpoint::Check, _) => workspace_assets::check(request).await,
        (Endpoint::Restore, _) => workspace_assets::restore(request).await,
        (Endpoint::Duplicate, _) => duplicate::duplicate(request).await,
        (Endpoint::Bulk, _) => bulk::bind(request).await,
        (Endpoint::AnchorAssets, _) => anchors::request_upload(request).await,
        (Endpoint::AnchorAsset, "PATCH") => anchors::change(request).await,
        (Endpoint::AnchorAsset, "DELETE") => anchors::delete(request).await,
        (Endpoint::AnchorRestore, _) => anchors::restore(request).await,
        (Endpoint::AnchorBulk, _) => anchors::bind(request).await,
        // `answer_anonymous` has these.
        (Endpoint::Static | Endpoint::AnchorAsset, _) => Err(PlaneError::PageNotFound),
    }
}

// Plane: redirects any method, before authentication; most clients then repeat the request as GET.
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

/// The answer to OPTIONS.
fn list_methods(route: &Route) -> HttpResponse {
    HttpResponse::build(StatusCode::OK)
        .insert_header((header::ALLOW, route.allow))
        .finish()
}
