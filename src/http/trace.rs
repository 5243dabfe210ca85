//! What the log says of a request, and the id by which a client can point to it.
//!
//! Guarantees: each answer has an id; each 4xx, each 5xx and each slow answer has one line, others have one at `debug`.
//! A line never holds a query string, a header or a form's field: the path alone, as it was sent.

use crate::http::app_state::AppState;
use crate::http::face::Face;
use crate::s3::S3Error;
use actix_web::HttpMessage;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use std::time::{Duration, Instant};
use tracing::Instrument;

/// An answer that took us longer to begin is worth a line: what we waited for the client does not count.
const SLOW: Duration = Duration::from_secs(2);

pub(crate) const X_AMZ_REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");
const X_AMZ_ID_2: HeaderName = HeaderName::from_static("x-amz-id-2");
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What `x-amz-id-2` and an error's `HostId` hold: which server answered.
pub(crate) const HOST_ID: &str = "hangar";

/// 16 upper-case hex digits.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(String);

impl RequestId {
    pub(crate) fn new() -> Self {
        Self(format!("{:016X}", rand::random::<u64>()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of a request on its way through the server.
    pub(crate) fn of(req: &actix_web::HttpRequest) -> String {
        req.extensions()
            .get::<Self>()
            .map(|id| id.0.clone())
            .unwrap_or_default()
    }
}

/// What a handler adds to the line of its request. The last note counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Note {
    /// `PutObject`; empty where the path says it all
    pub(crate) operation: &'static str,
    /// The code of an error answer: `NoSuchKey`
    pub(crate) code: &'static str,
    /// What the administrator may do about it. Never a secret, never sent.
    pub(crate) detail: Option<String>,
}

/// Leaves a note for the line of this request.
pub(crate) fn note(req: &actix_web::HttpRequest, note: Note) {
    req.extensions_mut().insert(note);
}

/// How long a request's handler waited for bytes of its body.
#[derive(Debug, Clone, Copy)]
struct Waited(Duration);

/// Takes this time off what the line says of a request.
pub(crate) fn waited_for_client(req: &actix_web::HttpRequest, waited: Duration) {
    req.extensions_mut().insert(Waited(waited));
}

/// The outermost layer: gives the request its id, logs it, and adds the headers that every answer has.
pub(crate) async fn observe(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let id = RequestId::new();
    let state = req.app_data::<actix_web::web::Data<AppState>>().cloned();
    let face = (state.as_ref()).map_or(Face::S3, |state| Face::of(req.head(), &state.config));
    let span = tracing::info_span!("request", id = %id.0);
    req.extensions_mut().insert(id.clone());
    let began = Instant::now();
    let mut answer = next
        .call(req)
        .instrument(span.clone())
        .await?
        .map_into_boxed_body();
    span.in_scope(|| log(&answer, face, began.elapsed()));
    add_headers(&mut answer, face, &id);
    if let Some(state) = state {
        state.known.keep(&answer, &state.config.trusted_proxies);
    }
    Ok(answer)
}

/// The log line of a request that cannot be parsed.
pub(crate) fn refused_unparsed(id: &RequestId, status: &str, refusal: &S3Error) {
    tracing::info!(
        id = id.as_str(),
        status,
        code = refusal.code.as_str(),
        "rejected a request that cannot be parsed"
    );
}

fn add_headers(answer: &mut ServiceResponse<BoxBody>, face: Face, id: &RequestId) {
    let headers = answer.headers_mut();
    let id = HeaderValue::from_str(&id.0).expect("hex digits are a header value");
    headers.insert(header::SERVER, HeaderValue::from_static("hangar"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    match face {
        Face::S3 | Face::Minio => {
            headers.insert(X_AMZ_REQUEST_ID, id);
            headers.insert(X_AMZ_ID_2, HeaderValue::from_static(HOST_ID));
        }
        Face::Api | Face::Operations => {
            headers.insert(X_REQUEST_ID, id);
        }
    }
}

fn log(answer: &ServiceResponse<BoxBody>, face: Face, took: Duration) {
    let request = answer.request();
    let note = request
        .extensions()
        .get::<Note>()
        .cloned()
        .unwrap_or_default();
    let status = answer.status().as_u16();
    let waited = request
        .extensions()
        .get::<Waited>()
        .map_or(Duration::ZERO, |waited| waited.0);
    let took = took.saturating_sub(waited);
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let peer = request
        .peer_addr()
        .map(|peer| peer.ip().to_string())
        .unwrap_or_default();
    // One macro call for each level: a level is part of a line's static description.
    macro_rules! line {
        ($level:ident, $text:literal) => {
            tracing::$level!(
                method = %request.method(),
                path = request.uri().path(),
                face = face.name(),
                operation = note.operation,
                status,
                code = note.code,
                took_ms,
                peer,
                detail = note.detail.as_deref().unwrap_or_default(),
                $text
            )
        };
    }
    match status {
        // Asked for what is not there: the client's matter.
        501 => line!(info, "refused"),
        // Overload, and a full disk: what is to be done about them, their own warnings say.
        503 | 507 => line!(warn, "failed"),
        500.. => line!(error, "failed"),
        400.. => line!(info, "refused"),
        _ if took > SLOW => line!(warn, "slow"),
        _ => line!(debug, "answered"),
    }
}
