//! The administration listener: here a command asks the running server to do its work.
//!
//! It listens on loopback alone, on a port of its own, and answers only clients that present the secret that this start
//! made. It takes an [`Order`]; every other request gets a 404 that reveals nothing.
use crate::admin::{Order, carry_out};
use crate::http::app_state::AppState;
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

/// Binds the listener. The caller has to await the server.
/// # Errors
/// When no loopback port is free.
pub(crate) fn listen(
    state: AppState,
    secret: SecretString,
) -> std::io::Result<(SocketAddr, Server)> {
    let state = web::Data::new(state);
    let secret = web::Data::from(Arc::new(AdminSecret(secret)));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
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

/// Made at each start; every process that can read `run` has it.
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
    state: web::Data<AppState>,
    secret: web::Data<AdminSecret>,
) -> HttpResponse {
    if !secret.is_held_by(&req) {
        return HttpResponse::NotFound().finish();
    }
    let outcome = match read_order(payload).await {
        Ok(order) => carry_out(state.holder(), order).await,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Application;
    use crate::clock::Clock;
    use crate::config::{Config, Environment, Flags, Role};

    async fn response_text(request: reqwest::RequestBuilder) -> String {
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        format!("{status} {}", answer.text().await.unwrap())
    }

    #[actix_web::test]
    async fn only_a_client_with_the_secret_of_this_start_gets_an_answer() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::from_pairs([
            ("HANGAR_LISTEN", "127.0.0.1:0"),
            ("HANGAR_DATA_DIR", folder.path().to_str().unwrap()),
        ]);
        let composed = Config::compose(Role::Standalone, &Flags::default(), &environment).unwrap();
        let app = Application::build(composed.config, Clock::default())
            .await
            .unwrap();
        let run = app.state().store.home().join("run");
        actix_web::rt::spawn(app.run_until_stopped());
        let run: Value = serde_json::from_slice(&tokio::fs::read(run).await.unwrap()).unwrap();
        let url = format!("http://{}/order", run["address"].as_str().unwrap());
        let secret = run["secret"].as_str().unwrap();
        let client = reqwest::Client::new();
        let order = |secret: &str, body: &str| {
            let request = client.post(&url).bearer_auth(secret);
            response_text(request.body(body.to_owned()))
        };

        let list = r#"{"order":"token_list"}"#;
        assert!(
            order(secret, list)
                .await
                .starts_with(r#"200 {"ok":{"tokens":["#)
        );
        assert_eq!(order("", list).await, "404 ");
        assert_eq!(order(&secret[1..], list).await, "404 ");
        assert_eq!(response_text(client.post(&url).body(list)).await, "404 ");
        assert_eq!(
            response_text(client.get(&url).bearer_auth(secret)).await,
            "404 "
        );
        let unknown = order(secret, r#"{"order":"explode"}"#).await;
        assert!(unknown.starts_with(r#"400 {"error":"The server does not know this order"#));
        let long = order(secret, &" ".repeat(LARGEST_ORDER_BYTES + 1)).await;
        insta::assert_snapshot!(long, @r#"400 {"error":"The order is longer than 64 KiB."}"#);
        let refused = order(secret, r#"{"order":"token_create","email":"x","name":null,"scopes":[],"expires_in":null,"any_workspace":false}"#).await;
        insta::assert_snapshot!(refused, @r#"400 {"error":"\"x\" is not an email address; write one like name@example.com."}"#);
    }
}
