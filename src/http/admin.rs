//! The administration listener: a command beside a running server asks it here to do the work. DESIGN, sections 1 and 5.
//!
//! It listens on loopback alone, on a port of its own, and answers only who holds the secret that this start made. What
//! it may be asked is [`Order`]; everything else is a 404 that says nothing.
use crate::admin::{Order, carry_out};
use crate::app::Rooms;
use actix_web::dev::Server;
use actix_web::http::header;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq;

const LARGEST_ORDER_BYTES: usize = 64 * 1024;
const ORDER_TIME: Duration = Duration::from_secs(10);

/// Binds the listener. The server is to be awaited by the caller.
/// # Errors
/// When no loopback port is free.
pub(crate) fn listen(rooms: Rooms, secret: SecretString) -> std::io::Result<(SocketAddr, Server)> {
    let rooms = web::Data::new(rooms);
    let secret = web::Data::from(Arc::new(AdminSecret(secret)));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(rooms.clone())
            .app_data(secret.clone())
            .route("/order", web::post().to(order))
    })
    .workers(1)
    .disable_signals()
    .bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = server
        .addrs()
        .first()
        .copied()
        .ok_or_else(|| std::io::Error::other("the administration listener has no address"))?;
    Ok((address, server.run()))
}

/// Made at each start; whoever can read `run` holds it.
struct AdminSecret(SecretString);
impl AdminSecret {
    fn is_held_by(&self, req: &HttpRequest) -> bool {
        req.headers()
            .get(header::AUTHORIZATION)
            .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "))
            .is_some_and(|sent| sent.ct_eq(self.0.expose_secret().as_bytes()).into())
    }
}

async fn order(
    req: HttpRequest,
    payload: web::Payload,
    rooms: web::Data<Rooms>,
    secret: web::Data<AdminSecret>,
) -> HttpResponse {
    if !secret.is_held_by(&req) {
        return HttpResponse::NotFound().finish();
    }
    let outcome = match read_order(payload).await {
        Ok(order) => carry_out(&rooms.auth, order).await,
        Err(reason) => Err(reason),
    };
    match outcome {
        Ok(value) => answer(&mut HttpResponse::Ok(), &json!({ "ok": value })),
        Err(reason) => answer(&mut HttpResponse::BadRequest(), &json!({ "error": reason })),
    }
}

async fn read_order(payload: web::Payload) -> Result<Order, String> {
    let body = tokio::time::timeout(ORDER_TIME, payload.to_bytes_limited(LARGEST_ORDER_BYTES))
        .await
        .map_err(|_| "The order did not arrive in time.".to_owned())?
        .map_err(|_| "The order is longer than 64 KiB.".to_owned())?
        .map_err(|error| format!("The order did not arrive whole: {error}."))?;
    serde_json::from_slice(&body)
        .map_err(|error| format!("The server does not know this order: {error}. Is the command of the same version as the server?"))
}

fn answer(builder: &mut actix_web::HttpResponseBuilder, body: &Value) -> HttpResponse {
    builder
        .content_type("application/json")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(body.to_string())
}
