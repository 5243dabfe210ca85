//! The asset API from outside: over HTTP, each test on a data folder of its own.
use crate::admin::{Order, carry_out};
use crate::app::Application;
use crate::auth::NewToken;
use crate::clock::Clock;
use crate::config::{Config, Environment, Flags, Role};
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Response, multipart};
use rstest::rstest;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::time::Duration;

const USER_ASSETS: &str = "/api/v1/assets/user-assets/";
const UNKNOWN_ID: &str = "3999b15f-7a97-486e-b06b-d08ce45c00c9";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and so on";

struct Server {
    url: String,
    token: String,
    state: crate::http::app_state::AppState,
    clock: Clock,
    client: Client,
    _folder: tempfile::TempDir,
}
impl Server {
    async fn start() -> Self {
        Self::start_with(&[]).await
    }
    async fn start_with(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut pairs = vec![
            ("HANGAR_LISTEN", "127.0.0.1:0"),
            ("HANGAR_DATA_DIR", folder.path().to_str().unwrap()),
        ];
        pairs.extend(settings);
        let environment = Environment::from_pairs(pairs);
        let composed = Config::compose(Role::Standalone, &Flags::default(), &environment).unwrap();
        let clock = Clock::default();
        let app = Application::build(composed.config, clock.clone())
            .await
            .unwrap();
        let server = Self {
            url: format!("http://127.0.0.1:{}", app.port()),
            token: app.first_token().unwrap().to_owned(),
            state: app.state().clone(),
            clock,
            client: Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .unwrap(),
            _folder: folder,
        };
        actix_web::rt::spawn(app.run_until_stopped());
        server
    }
    fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }
    fn authenticated(&self, method: Method, path: &str) -> RequestBuilder {
        self.anonymous(method, path)
            .header("x-api-key", &self.token)
    }
    async fn request_upload(&self, body: &Value) -> Value {
        let answer = self
            .authenticated(Method::POST, USER_ASSETS)
            .json(body)
            .send()
            .await;
        serde_json::from_str(&answer.unwrap().text().await.unwrap()).unwrap()
    }
    async fn upload(&self, upload: &Value, bytes: &[u8]) -> Response {
        let data = &upload["upload_data"];
        let mut form = multipart::Form::new();
        for (name, value) in data["fields"].as_object().unwrap() {
            form = form.text(name.clone(), value.as_str().unwrap().to_owned());
        }
        let file = multipart::Part::bytes(bytes.to_vec()).file_name("x");
        let url = data["url"].as_str().unwrap();
        let form = form.part("file", file);
        self.client.post(url).multipart(form).send().await.unwrap()
    }
}
#[actix_web::test]
async fn an_answer_with_a_policy_is_not_cached() {
    let server = Server::start().await;
    let upload = server.authenticated(Method::POST, USER_ASSETS);
    let upload = upload.json(&json!({"entity_type": "USER_AVATAR"})).send();
    assert_eq!(upload.await.unwrap().headers()["cache-control"], "no-store");
}

/// `204`, `404 {"error":"…"}`
async fn status_and_body(request: RequestBuilder) -> String {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.text().await.unwrap();
    format!("{status} {body}").trim_end().to_owned()
}
fn avatar() -> Value {
    json!({"name": "../me ż.png", "type": "image/png", "size": 73, "entity_type": "USER_AVATAR"})
}

#[actix_web::test]
async fn an_avatar_is_requested_uploaded_served_and_deleted() {
    let server = Server::start().await;
    let upload = server.request_upload(&avatar()).await;
    let id = upload["asset_id"].as_str().unwrap();
    let fields = upload["upload_data"]["fields"].as_object().unwrap();
    assert_eq!(fields.len(), 7);
    assert_eq!(fields["key"], format!("user-assets/{id}/me ż.png"));
    assert_eq!(
        upload["upload_data"]["url"],
        format!("{}/uploads", server.url)
    );

    let path = upload["asset_url"].as_str().unwrap().to_owned();
    let missing = status_and_body(server.anonymous(Method::GET, &path)).await;
    insta::assert_snapshot!(missing, @r#"404 {"error":"The requested asset could not be found."}"#);
    assert_eq!(server.upload(&upload, PNG).await.status(), 204);

    let served = server.anonymous(Method::GET, &path).send().await.unwrap();
    assert_eq!(served.status(), 200);
    let bare = id.replace('-', "");
    for (name, value) in [
        ("content-type", "image/png"),
        ("cache-control", "public, max-age=3600"),
        ("content-security-policy", "default-src 'none'; sandbox"),
        ("x-content-type-options", "nosniff"),
        ("access-control-allow-origin", "*"),
        ("accept-ranges", "bytes"),
    ] {
        let found: Vec<_> = served.headers().get_all(name).iter().collect();
        assert_eq!(found, [value], "{name}");
    }
    let vary: Vec<_> = served.headers().get_all("vary").iter().collect();
    assert_eq!(vary, ["origin", "Sec-Fetch-Dest, Service-Worker"]);
    let as_script = server.anonymous(Method::GET, &path);
    let refused = as_script.header("sec-fetch-dest", "script").send().await;
    let refused = refused.unwrap();
    assert_eq!(refused.status(), 403);
    assert_eq!(
        refused
            .headers()
            .get_all("vary")
            .iter()
            .next_back()
            .unwrap(),
        "Sec-Fetch-Dest, Service-Worker"
    );
    let disposition = format!("inline; filename*=UTF-8''{bare}");
    assert_eq!(
        served.headers()["content-disposition"],
        disposition.as_str()
    );
    assert_eq!(served.bytes().await.unwrap(), PNG);

    let item = format!("{USER_ASSETS}{id}/");
    for _ in 0..2 {
        assert_eq!(
            status_and_body(server.authenticated(Method::PATCH, &item)).await,
            "204"
        );
    }
    let server_form = format!("{item}server/");
    assert_eq!(
        status_and_body(server.authenticated(Method::DELETE, &server_form)).await,
        "204"
    );
    for method in [Method::DELETE, Method::PATCH] {
        let again = status_and_body(server.authenticated(method, &item)).await;
        assert_eq!(
            again,
            r#"404 {"error":"The requested resource does not exist."}"#
        );
    }
    let gone = status_and_body(server.anonymous(Method::GET, &path)).await;
    insta::assert_snapshot!(gone, @r#"404 {"error":"The required object does not exist."}"#);
}

#[actix_web::test]
async fn a_range_of_an_image_is_served_and_one_outside_is_refused() {
    let server = Server::start().await;
    let upload = server.request_upload(&avatar()).await;
    server.upload(&upload, PNG).await;
    let path = upload["asset_url"].as_str().unwrap();
    let range = |range| {
        server
            .anonymous(Method::GET, path)
            .header("range", range)
            .send()
    };
    let part = range("bytes=1-3").await.unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(part.bytes().await.unwrap(), "PNG");
    let outside = range("bytes=999-").await.unwrap();
    assert_eq!(outside.status(), 416);
    let size = format!("bytes */{}", PNG.len());
    assert_eq!(outside.headers()["content-range"], size.as_str());
    let embedded = server
        .anonymous(Method::GET, path)
        .header("sec-fetch-dest", "script");
    assert_eq!(embedded.send().await.unwrap().status(), 403);
}

#[actix_web::test]
async fn a_file_that_is_not_an_image_is_refused_where_an_image_was_requested() {
    let server = Server::start().await;
    let upload = server.request_upload(&avatar()).await;
    let answer = server.upload(&upload, b"<svg onload='alert(1)'/>").await;
    assert_eq!(answer.status(), 400);
    let body = answer.text().await.unwrap();
    assert!(body.contains("<Code>InvalidRequest</Code>"));
    assert!(body.contains("The file is not a JPEG, PNG, WebP or GIF image."));
}

#[actix_web::test]
async fn bytes_that_were_not_checked_are_served_as_a_download() {
    let server = Server::start_with(&[("HANGAR_VERIFY_CONTENT", "false")]).await;
    let upload = server.request_upload(&avatar()).await;
    let uploaded = server.upload(&upload, b"<svg onload='alert(1)'/>").await;
    assert_eq!(uploaded.status(), 204);
    let path = upload["asset_url"].as_str().unwrap();
    let served = server.anonymous(Method::GET, path).send().await.unwrap();
    assert_eq!(served.headers()["content-type"], "application/octet-stream");
    let disposition = served.headers()["content-disposition"].to_str().unwrap();
    assert!(disposition.starts_with("attachment;"));
}

#[actix_web::test]
async fn by_v1_a_patch_replaces_attributes_and_leaves_the_current_avatar() {
    let server = Server::start().await;
    let upload = server.request_upload(&avatar()).await;
    let id = upload["asset_id"].as_str().unwrap();
    let item = format!("{USER_ASSETS}{id}/");
    let patch =
        |body: Value| status_and_body(server.authenticated(Method::PATCH, &item).json(&body));
    assert_eq!(
        patch(json!({"attributes": {"name": "b", "x": [1]}})).await,
        "204"
    );
    let asset = server.state.assets.asset(id.parse().unwrap()).await;
    let asset = asset.unwrap().unwrap();
    assert_eq!(asset.attributes, r#"{"name":"b","x":[1]}"#);
    assert_eq!(asset.updated_by, Some(asset.created_by));
    let refused = patch(json!({"attributes": null})).await;
    insta::assert_snapshot!(refused, @r#"400 {"error":"The payload is not valid"}"#);
    let me = server
        .authenticated(Method::GET, "/api/v1/users/me/")
        .send()
        .await
        .unwrap();
    let me: Value = serde_json::from_str(&me.text().await.unwrap()).unwrap();
    assert_eq!(me["avatar_url"], Value::Null);
    assert_eq!(me["email"], "admin@localhost");
    assert_eq!(me["display_name"], "admin");
}

#[actix_web::test]
async fn an_asset_of_another_user_is_refused_like_an_unknown_one() {
    let server = Server::start().await;
    let upload = server.request_upload(&avatar()).await;
    let id = upload["asset_id"].as_str().unwrap();
    let wanted = NewToken {
        email: "ana@example.com".to_owned(),
        ..NewToken::default()
    };
    let ana = server.state.auth.create_token(wanted).await.unwrap();
    for id in [id, UNKNOWN_ID] {
        for method in [Method::PATCH, Method::DELETE] {
            let request = server
                .anonymous(method, &format!("{USER_ASSETS}{id}/"))
                .bearer_auth(ana.secret.expose_secret());
            let answer = status_and_body(request).await;
            assert_eq!(
                answer,
                r#"404 {"error":"The requested resource does not exist."}"#
            );
        }
    }
}

#[actix_web::test]
async fn a_revoked_token_is_refused_by_the_next_request_and_an_expired_one_from_its_expiry_on() {
    let server = Server::start().await;
    let holder = server.state.holder();
    let order = Order::TokenCreate {
        email: "ana@example.com".to_owned(),
        name: None,
        scopes: Vec::new(),
        expires_in: Some(60),
        any_workspace: false,
    };
    let mut revoked = carry_out(holder, order.clone()).await.unwrap();
    let expiring = carry_out(holder, order).await.unwrap();
    let me = |token: &Value| {
        let token = token["token"].as_str().unwrap();
        let request = server.anonymous(Method::GET, "/api/v1/users/me/");
        status_and_body(request.header("x-api-key", token))
    };
    assert!(me(&revoked).await.starts_with("200"));
    assert!(me(&expiring).await.starts_with("200"));
    let id = revoked["id"].take().as_str().unwrap().to_owned();
    let order = Order::TokenRevoke { id: id.clone() };
    let answer = carry_out(holder, order.clone()).await.unwrap();
    assert_eq!(answer, json!({"id": id, "revoked": true}));
    carry_out(holder, order).await.unwrap();
    let refused = r#"403 {"detail":"Given API token is not valid"}"#;
    assert_eq!(me(&revoked).await, refused);
    server.clock.advance(Duration::from_mins(1));
    assert_eq!(me(&expiring).await, refused);
    let listed = carry_out(holder, Order::TokenList).await.unwrap();
    let listed = listed["tokens"].as_array().unwrap();
    assert_eq!(listed.len(), 3);
    assert!(listed.iter().any(|token| token["revoked_at"].is_string()));
    let unknown = Order::TokenRevoke { id: "x".to_owned() };
    insta::assert_snapshot!(carry_out(holder, unknown).await.unwrap_err(), @r#"There is no token with the id "x"; `hangar token list` shows those there are."#);
}

/// Each request is wrong in several ways: the first check decides.
#[rstest]
#[case::cap("PUT", "/api/nothing", &[], 1 << 21, r#"413 {"error": "REQUEST_BODY_TOO_LARGE", "detail": "The size of the request body exceeds the maximum allowed size."}"#)]
#[case::route("PUT", "/api/nothing", &[("accept", "text/html")], 1, r#"404 {"error": "Page not found."}"#)]
#[case::slash("PUT", "/api/v1/users/me", &[("accept", "text/html")], 1, "301")]
#[case::accept("PUT", USER_ASSETS, &[("accept", "text/html")], 1, r#"406 {"detail":"Could not satisfy the request Accept header."}"#)]
#[case::credentials("PUT", USER_ASSETS, &[], 1, r#"401 {"detail":"Authentication credentials were not provided."}"#)]
#[case::token("PUT", USER_ASSETS, &[("x-api-key", "x")], 1, r#"403 {"detail":"Given API token is not valid"}"#)]
#[case::scope("PUT", USER_ASSETS, &[("x-api-key", "READER")], 1, r#"403 {"detail":"You do not have permission to perform this action."}"#)]
#[case::method("PUT", USER_ASSETS, &[("x-api-key", "TOKEN")], 1, r#"405 {"detail":"Method \"PUT\" not allowed."}"#)]
#[case::media_type("POST", USER_ASSETS, &[("x-api-key", "TOKEN"), ("content-type", "text/plain")], 1, r#"415 {"detail":"Unsupported media type \"text/plain\" in request."}"#)]
#[case::field("POST", USER_ASSETS, &[("authorization", "Bearer TOKEN")], 0, r#"400 {"error":"Invalid entity type.","status":false}"#)]
#[case::options_v1("OPTIONS", USER_ASSETS, &[("x-api-key", "TOKEN")], 0, r#"405 {"detail":"Method \"OPTIONS\" not allowed."}"#)]
#[case::options_static("OPTIONS", "/api/assets/v2/static/3999b15f-7a97-486e-b06b-d08ce45c00c9/", &[], 0, "200")]
#[case::preflight("OPTIONS", "/api/nothing", &[("access-control-request-method", "PUT"), ("origin", "https://a.example")], 0, "200")]
#[actix_web::test]
async fn checks_run_in_their_order(
    #[case] method: &str,
    #[case] path: &str,
    #[case] headers: &[(&'static str, &str)],
    #[case] body_bytes: usize,
    #[case] expected: &str,
) {
    let server = Server::start().await;
    let wanted = NewToken {
        email: "reader@example.com".to_owned(),
        scopes: vec!["assets:read".to_owned()],
        ..NewToken::default()
    };
    let reader = server.state.auth.create_token(wanted).await.unwrap();
    let sent: HeaderMap = headers
        .iter()
        .map(|(name, value)| {
            let value = value
                .replace("READER", reader.secret.expose_secret())
                .replace("TOKEN", &server.token);
            let value = HeaderValue::from_str(&value).unwrap();
            (reqwest::header::HeaderName::from_static(name), value)
        })
        .collect();
    let request = server
        .anonymous(method.parse().unwrap(), path)
        .headers(sent)
        .body(vec![b'x'; body_bytes]);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["x-frame-options"], "DENY");
    assert_eq!(answer.headers()["vary"], "origin");
    let status = answer.status().as_u16();
    let body = answer.text().await.unwrap();
    assert_eq!(format!("{status} {body}").trim_end(), expected);
}

#[actix_web::test]
async fn the_missing_slash_is_added_before_the_query() {
    let server = Server::start().await;
    let request = server.anonymous(Method::POST, "/api/v1/users/me?a=b/c&d");
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 301);
    assert_eq!(answer.headers()["location"], "/api/v1/users/me/?a=b/c&d");
    assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
}

#[actix_web::test]
async fn liveness_and_readiness_are_answered_in_json() {
    let server = Server::start().await;
    let get = |path| status_and_body(server.anonymous(Method::GET, path));
    insta::assert_snapshot!(get("/-/health/live").await, @r#"200 {"status":"live"}"#);
    assert!(
        get("/-/health/ready")
            .await
            .starts_with(r#"200 {"status":"ready""#)
    );
    insta::assert_snapshot!(get("/-/nothing").await, @r#"404 {"error":"Page not found."}"#);
}

#[actix_web::test]
async fn a_token_has_a_rate_limit_and_its_answers_say_what_is_left() {
    let server = Server::start_with(&[("API_KEY_RATE_LIMIT", "3/minute")]).await;
    let me = "/api/v1/users/me/";
    let header = |answer: &reqwest::Response, name: &str| {
        let value = answer.headers().get(name)?;
        Some(value.to_str().unwrap().to_owned())
    };
    // A wrong method counts against the limit; a request without a token does not.
    for (method, status, left) in [(Method::GET, 200, "2"), (Method::PUT, 405, "1")] {
        let answer = server.authenticated(method, me).send().await.unwrap();
        assert_eq!(answer.status(), status);
        assert_eq!(header(&answer, "x-ratelimit-remaining").unwrap(), left);
        let reset: i64 = header(&answer, "x-ratelimit-reset")
            .unwrap()
            .parse()
            .unwrap();
        let now = server.clock.now().as_millis() / 1000;
        assert!((now + 58..=now + 60).contains(&reset), "{reset}");
    }
    let anonymous = server.anonymous(Method::GET, me).send().await.unwrap();
    assert_eq!(anonymous.status(), 401);
    assert_eq!(header(&anonymous, "x-ratelimit-remaining"), None);
    server.authenticated(Method::GET, me).send().await.unwrap();
    let refused = server.authenticated(Method::GET, me).send().await.unwrap();
    assert_eq!(refused.status(), 429);
    assert_eq!(header(&refused, "x-ratelimit-remaining"), None);
    let wait: u64 = header(&refused, "retry-after").unwrap().parse().unwrap();
    assert!((58..=60).contains(&wait), "{wait}");
    insta::assert_snapshot!(
        refused.text().await.unwrap(),
        @r#"{"error_code":5900,"error_message":"RATE_LIMIT_EXCEEDED"}"#
    );
    let v2 = format!("/api/assets/v2/user-assets/{UNKNOWN_ID}/");
    let free = server
        .authenticated(Method::DELETE, &v2)
        .send()
        .await
        .unwrap();
    assert_eq!(free.status(), 404);
    assert_eq!(header(&free, "x-ratelimit-remaining"), None);
    server.clock.advance(std::time::Duration::from_secs(61));
    let again = server.authenticated(Method::GET, me).send().await.unwrap();
    assert_eq!(again.status(), 200);
}
