//! The asset API: everything under `/api`, in Plane's own words.
//!
//! One function takes every request through the checks in their one order (Plane contract, section 2.1), so that no route
//! can have another; what comes after them is a route's own. It refuses to know how assets, tokens and bytes are kept.
mod accept;
mod body;
mod cors;
mod dto;
mod error;
mod routes;
mod static_assets;
mod user_assets;
mod users;

#[cfg(test)]
mod tests;

use crate::auth::Principal;
use crate::http::Rooms;
use crate::http::auth::presented_token;
use crate::http::limits::Body;
use crate::http::trace;
use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};
use body::{Fields, Received};
use error::PlaneError;
use routes::{Access, Endpoint, Found, Ids, Route};
use std::sync::Arc;

/// Takes every request of the face [`Api`](crate::http::Face::Api).
pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.default_service(web::to(answer));
}

async fn answer(req: HttpRequest, payload: web::Payload, rooms: web::Data<Rooms>) -> HttpResponse {
    let mut incoming = Body::new(payload, req.headers());
    let found = routes::find(req.uri().path());
    let outcome = if cors::is_preflight(&req) {
        Ok(HttpResponse::Ok().finish())
    } else {
        converse(&req, &mut incoming, &rooms, &found).await
    };
    let mut answer = outcome.unwrap_or_else(|error| refuse(&req, &error, &found));
    let allowed = &rooms.config.cors_allowed_origins;
    cors::present(&req, &found, allowed, answer.headers_mut());
    trace::waited_for_client(&req, incoming.waited());
    incoming.settle(answer).await
}

fn refuse(req: &HttpRequest, error: &PlaneError, found: &Found) -> HttpResponse {
    let note = trace::Note {
        detail: Some(error.to_string()),
        ..trace::Note::default()
    };
    trace::note(req, note);
    let mut answer = error.answer();
    if matches!(found, Found::Route(route, _) if matches!(route.access, Access::Public)) {
        // What is missing now may be there in a moment.
        let no_store = HeaderValue::from_static("no-store");
        answer.headers_mut().insert(header::CACHE_CONTROL, no_store);
    }
    answer
}

/// The order of checks. After the preflight: cap, route, `Accept`, token, scope, method; then the route's own.
async fn converse(
    req: &HttpRequest,
    incoming: &mut Body,
    rooms: &Rooms,
    found: &Found,
) -> Result<HttpResponse, PlaneError> {
    let body = body::receive(req, incoming, rooms.assets.file_size_limit()).await?;
    let (route, ids) = match found {
        Found::Route(route, ids) => (*route, ids),
        Found::MissingSlash => return Ok(redirect_to_slash(req)),
        Found::Nothing => return Err(PlaneError::PageNotFound),
    };
    let who = admit(req, rooms, route).await?;
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
    dispatch(req, rooms, route, ids, who.as_deref(), body).await
}

/// `Accept`, token and scope. `None`: the route is for anybody.
async fn admit(
    req: &HttpRequest,
    rooms: &Rooms,
    route: &Route,
) -> Result<Option<Arc<Principal>>, PlaneError> {
    if matches!(route.access, Access::Public) {
        return Ok(None);
    }
    if !accept::takes_json(req.headers()) {
        return Err(PlaneError::NotAcceptable);
    }
    let secret = presented_token(req.headers()).ok_or(PlaneError::NoCredentials)?;
    let who = rooms.auth.principal(secret).await?;
    let who = who.ok_or(PlaneError::InvalidToken)?;
    match route.access.scopes(req.method().as_str()) {
        Some(scopes) if !who.has_any_of(scopes) => Err(PlaneError::Forbidden),
        _ => Ok(Some(who)),
    }
}

async fn dispatch(
    req: &HttpRequest,
    rooms: &Rooms,
    route: &Route,
    ids: &Ids,
    who: Option<&Principal>,
    body: Received,
) -> Result<HttpResponse, PlaneError> {
    if route.endpoint == Endpoint::Static {
        return static_assets::serve(req, rooms, ids.asset()).await;
    }
    let who = who.ok_or(PlaneError::NoCredentials)?;
    match (route.endpoint, req.method()) {
        (Endpoint::Me, _) => users::me(rooms, who).await,
        (Endpoint::UserAssets, _) => {
            let fields = Fields::read(req, body).await?;
            user_assets::request_upload(req, rooms, who, &fields).await
        }
        (Endpoint::UserAsset, &Method::PATCH) => {
            let fields = Fields::read(req, body).await?;
            user_assets::change(rooms, who, ids.asset(), &fields).await
        }
        (Endpoint::UserAsset, _) => user_assets::delete(rooms, who, ids.asset()).await,
        (Endpoint::Static, _) => Err(PlaneError::PageNotFound),
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
