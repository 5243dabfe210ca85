//! The errors of the asset API, and the one mapping of each to a status and to Plane's JSON. Plane contract, section 2.3.
//!
//! The body of a refusal says what is wrong with the request, and nothing about the inside of the server.
use crate::assets::AssetError;
use crate::http::limits::BodyError;
use crate::http::plane::answer::{json, json_answer};
use crate::http::rate_limit::LimitReached;
use crate::store::StoreError;
use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use serde::Serialize;
use std::borrow::Cow;
use uuid::Uuid;

#[derive(Debug, thiserror::Error)]
pub(in crate::http) enum PlaneError {
    #[error("the body is larger than the limit")]
    BodyTooLarge,
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error("there is no such route")]
    PageNotFound,
    #[error("the client does not accept JSON")]
    NotAcceptable,
    #[error("the request has no token")]
    NoCredentials,
    #[error("the token is unknown, expired or revoked")]
    InvalidToken,
    #[error("the token does not have the scope, or its user is not a member")]
    Forbidden,
    #[error("the client calls too often")]
    RateLimited { retry_after_seconds: u64 },
    #[error("the route does not have the method")]
    MethodNotAllowed { method: String, allow: &'static str },
    #[error("the body is neither JSON nor a form")]
    UnsupportedMediaType(String),
    /// `syntax`: `JSON`, `Form` or `Multipart form`
    #[error("the body is not valid {syntax}")]
    Unparsable {
        syntax: &'static str,
        reason: String,
    },
    #[error("the body is not a JSON object")]
    NotAnObject,
    /// 400 with `{"error":"…","status":false}`: the text is about one field.
    #[error("{0}")]
    InvalidField(&'static str),
    /// `{"error":"…"}` with a status of its own.
    #[error("{1}")]
    Message(StatusCode, &'static str),
    /// 409, with the asset that exists.
    #[error("an asset with the same external id and source exists")]
    Conflict(Conflict),
    #[error("the Host header cannot stand in a link")]
    UnusableHost,
    #[error("a browser would run the uploaded file")]
    WouldRunUpload,
    #[error("a precondition does not hold")]
    PreconditionFailed,
    #[error("the range lies outside the file")]
    RangeNotSatisfiable { size_bytes: u64 },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The asset that already has the external id and source, as each route answers it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(in crate::http) enum Conflict {
    Asset {
        message: &'static str,
        asset_id: Uuid,
        asset_url: Option<String>,
    },
    Attachment {
        error: &'static str,
        id: Uuid,
    },
}

// Texts of `InvalidField`.
pub(in crate::http) const INVALID_ENTITY_TYPE: PlaneError =
    PlaneError::InvalidField("Invalid entity type.");
// Plane: the text of v1 is narrower than its rule.
pub(in crate::http) const INVALID_IMAGE_TYPE_V1: PlaneError =
    PlaneError::InvalidField("Invalid file type. Only JPEG and PNG files are allowed.");
pub(in crate::http) const INVALID_IMAGE_TYPE: PlaneError = PlaneError::InvalidField(
    "Invalid file type. Only JPEG, PNG, WebP, JPG and GIF files are allowed.",
);
pub(in crate::http) const INVALID_FILE_TYPE: PlaneError =
    PlaneError::InvalidField("Invalid file type.");
pub(in crate::http) const UNUSABLE_SIZE: PlaneError =
    PlaneError::InvalidField("Size must be a positive whole number of bytes.");
pub(in crate::http) const NAME_TOO_LONG: PlaneError =
    PlaneError::InvalidField("Name must not be longer than 255 bytes.");
pub(in crate::http) const NAME_AND_SIZE_REQUIRED: PlaneError =
    PlaneError::InvalidField("Name and size are required fields.");
pub(in crate::http) const INVALID_REQUEST: PlaneError =
    PlaneError::InvalidField("Invalid request.");
pub(in crate::http) const ATTACHMENT_NOT_UPLOADED: PlaneError =
    PlaneError::InvalidField("The asset is not uploaded.");

// Texts of `Message`, by status.
/// A field that should be a UUID and is not, or a value of a wrong type.
pub(in crate::http) const INVALID_DETAIL: PlaneError =
    PlaneError::Message(StatusCode::BAD_REQUEST, "Please provide valid detail");
/// A value that the row cannot hold.
pub(in crate::http) const INVALID_PAYLOAD: PlaneError =
    PlaneError::Message(StatusCode::BAD_REQUEST, "The payload is not valid");
pub(in crate::http) const NOT_YET_UPLOADED: PlaneError =
    PlaneError::Message(StatusCode::BAD_REQUEST, "Asset not yet uploaded");
pub(in crate::http) const NO_ASSET_IDS: PlaneError =
    PlaneError::Message(StatusCode::BAD_REQUEST, "No asset ids provided.");
pub(in crate::http) const INVALID_ENTITY: PlaneError =
    PlaneError::Message(StatusCode::BAD_REQUEST, "Invalid entity type or entity id");
/// v2: the caller is not a member of the workspace, or there is no such workspace.
pub(in crate::http) const NO_RIGHTS: PlaneError = PlaneError::Message(
    StatusCode::FORBIDDEN,
    "You don't have the required permissions.",
);
pub(in crate::http) const MAY_NOT_UPLOAD: PlaneError = PlaneError::Message(
    StatusCode::FORBIDDEN,
    "You are not allowed to upload this attachment",
);
pub(in crate::http) const MAY_NOT_DOWNLOAD: PlaneError = PlaneError::Message(
    StatusCode::FORBIDDEN,
    "You are not allowed to download this attachment",
);
pub(in crate::http) const MAY_NOT_DELETE: PlaneError = PlaneError::Message(
    StatusCode::FORBIDDEN,
    "You are not allowed to delete this attachment",
);
/// v1: there is no such asset, it belongs to another user, or it is deleted.
pub(in crate::http) const NOT_FOUND_V1: PlaneError = PlaneError::Message(
    StatusCode::NOT_FOUND,
    "The requested resource does not exist.",
);
/// The same for v2, the static route and published projects.
pub(in crate::http) const NOT_FOUND_V2: PlaneError =
    PlaneError::Message(StatusCode::NOT_FOUND, "The required object does not exist.");
/// The asset has no bytes yet; by some routes also: there is no such asset.
pub(in crate::http) const NOT_UPLOADED: PlaneError = PlaneError::Message(
    StatusCode::NOT_FOUND,
    "The requested asset could not be found.",
);
pub(in crate::http) const NO_WORKSPACE: PlaneError =
    PlaneError::Message(StatusCode::NOT_FOUND, "Workspace not found");
pub(in crate::http) const NO_ASSET: PlaneError =
    PlaneError::Message(StatusCode::NOT_FOUND, "Asset not found");
pub(in crate::http) const NO_ANCHOR: PlaneError = PlaneError::Message(
    StatusCode::NOT_FOUND,
    "Requested resource could not be found.",
);
pub(in crate::http) const NOT_PUBLISHED: PlaneError =
    PlaneError::Message(StatusCode::NOT_FOUND, "Project is not published");

/// Seconds after which the client may try again.
const RETRY_AFTER: &str = "5";

impl PlaneError {
    /// Maps an error about an asset, for a route that answers `missing` where it does not find the asset.
    pub(in crate::http) fn of_asset(missing: Self) -> impl FnOnce(AssetError) -> Self {
        |error| match error {
            AssetError::NotFound | AssetError::Exists(_) => missing,
            AssetError::NotAllowed => Self::Forbidden,
            AssetError::Store(error) => Self::Store(error),
        }
    }

    pub(in crate::http) fn status(&self) -> StatusCode {
        match self {
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Body(BodyError::TooSlow) => StatusCode::REQUEST_TIMEOUT,
            Self::Body(BodyError::NoRoom) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Body(_)
            | Self::Unparsable { .. }
            | Self::NotAnObject
            | Self::InvalidField(_)
            | Self::UnusableHost => StatusCode::BAD_REQUEST,
            Self::PageNotFound => StatusCode::NOT_FOUND,
            Self::Message(status, _) => *status,
            Self::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::NoCredentials => StatusCode::UNAUTHORIZED,
            Self::InvalidToken | Self::Forbidden | Self::WouldRunUpload => StatusCode::FORBIDDEN,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::RangeNotSatisfiable { .. } => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::Store(error) => status_of_store_error(error),
        }
    }

    pub(in crate::http) fn body(&self) -> Cow<'static, str> {
        let fixed = match self {
            // Plane: Django writes these two, with spaces.
            Self::PageNotFound => r#"{"error": "Page not found."}"#,
            Self::BodyTooLarge => {
                r#"{"error": "REQUEST_BODY_TOO_LARGE", "detail": "The size of the request body exceeds the maximum allowed size."}"#
            }
            Self::NotAcceptable => r#"{"detail":"Could not satisfy the request Accept header."}"#,
            Self::RateLimited { .. } => {
                r#"{"error_code":5900,"error_message":"RATE_LIMIT_EXCEEDED"}"#
            }
            Self::NoCredentials => r#"{"detail":"Authentication credentials were not provided."}"#,
            Self::InvalidToken => r#"{"detail":"Given API token is not valid"}"#,
            Self::Forbidden => r#"{"detail":"You do not have permission to perform this action."}"#,
            Self::NotAnObject => {
                r#"{"error":"The request body must be a JSON object.","status":false}"#
            }
            Self::UnusableHost => {
                r#"{"error":"The Host header is not a host name with an optional port."}"#
            }
            Self::WouldRunUpload => {
                r#"{"error":"Uploaded files are not served as scripts, styles, workers or embedded documents."}"#
            }
            Self::PreconditionFailed => {
                r#"{"error":"A precondition of the request does not hold."}"#
            }
            Self::RangeNotSatisfiable { .. } => {
                r#"{"error":"The requested range lies outside the file."}"#
            }
            Self::Body(BodyError::NoRoom) | Self::Store(_) => {
                r#"{"error":"Something went wrong please try again later"}"#
            }
            Self::Body(error) => return json(&detail(&error.to_string())),
            Self::MethodNotAllowed { method, .. } => {
                return json(&detail(&format!("Method \"{method}\" not allowed.")));
            }
            Self::UnsupportedMediaType(sent) => {
                let text = format!("Unsupported media type \"{sent}\" in request.");
                return json(&detail(&text));
            }
            Self::Unparsable { syntax, reason } => {
                return json(&detail(&format!("{syntax} parse error - {reason}")));
            }
            Self::InvalidField(error) => {
                let status = false;
                return json(&FieldBody { error, status });
            }
            Self::Message(_, error) => return json(&MessageBody { error }),
            Self::Conflict(conflict) => return json(conflict),
        };
        Cow::Borrowed(fixed)
    }

    pub(in crate::http) fn answer(&self) -> HttpResponse {
        let status = self.status();
        let mut answer = json_answer(status);
        match self {
            Self::MethodNotAllowed { allow, .. } => {
                answer.insert_header((header::ALLOW, *allow));
            }
            Self::RateLimited {
                retry_after_seconds,
            } => {
                answer.insert_header((header::RETRY_AFTER, retry_after_seconds.to_string()));
            }
            Self::RangeNotSatisfiable { size_bytes } => {
                let range = format!("bytes */{size_bytes}");
                answer.insert_header((header::CONTENT_RANGE, range));
            }
            _ if status == StatusCode::SERVICE_UNAVAILABLE => {
                answer.insert_header((header::RETRY_AFTER, RETRY_AFTER));
            }
            _ => {}
        }
        answer.body(self.body().into_owned())
    }
}

impl From<LimitReached> for PlaneError {
    fn from(limit: LimitReached) -> Self {
        let retry_after_seconds = limit.retry_after_seconds;
        Self::RateLimited {
            retry_after_seconds,
        }
    }
}

fn status_of_store_error(error: &StoreError) -> StatusCode {
    match error {
        StoreError::Full => StatusCode::INSUFFICIENT_STORAGE,
        StoreError::Damaged(_) => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

#[derive(Serialize)]
struct DetailBody<'a> {
    detail: &'a str,
}
#[derive(Serialize)]
struct MessageBody<'a> {
    error: &'a str,
}
#[derive(Serialize)]
struct FieldBody<'a> {
    error: &'a str,
    status: bool,
}
fn detail(detail: &str) -> DetailBody<'_> {
    DetailBody { detail }
}
#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(PlaneError::PageNotFound, r#"404 {"error": "Page not found."}"#)]
    #[case(PlaneError::BodyTooLarge, r#"413 {"error": "REQUEST_BODY_TOO_LARGE", "detail": "The size of the request body exceeds the maximum allowed size."}"#)]
    #[case(
        PlaneError::NotAcceptable,
        r#"406 {"detail":"Could not satisfy the request Accept header."}"#
    )]
    #[case(
        PlaneError::NoCredentials,
        r#"401 {"detail":"Authentication credentials were not provided."}"#
    )]
    #[case(
        PlaneError::InvalidToken,
        r#"403 {"detail":"Given API token is not valid"}"#
    )]
    #[case(
        PlaneError::Forbidden,
        r#"403 {"detail":"You do not have permission to perform this action."}"#
    )]
    #[case(PlaneError::MethodNotAllowed { method: "GET".to_owned(), allow: "POST" }, r#"405 {"detail":"Method \"GET\" not allowed."}"#)]
    #[case(PlaneError::UnsupportedMediaType("text/plain".to_owned()), r#"415 {"detail":"Unsupported media type \"text/plain\" in request."}"#)]
    #[case(
        PlaneError::UnsupportedMediaType(String::new()),
        r#"415 {"detail":"Unsupported media type \"\" in request."}"#
    )]
    #[case(PlaneError::Unparsable { syntax: "JSON", reason: "why".to_owned() }, r#"400 {"detail":"JSON parse error - why"}"#)]
    #[case(
        PlaneError::NotAnObject,
        r#"400 {"error":"The request body must be a JSON object.","status":false}"#
    )]
    #[case(INVALID_PAYLOAD, r#"400 {"error":"The payload is not valid"}"#)]
    #[case(
        INVALID_ENTITY_TYPE,
        r#"400 {"error":"Invalid entity type.","status":false}"#
    )]
    #[case(
        INVALID_IMAGE_TYPE_V1,
        r#"400 {"error":"Invalid file type. Only JPEG and PNG files are allowed.","status":false}"#
    )]
    #[case(
        UNUSABLE_SIZE,
        r#"400 {"error":"Size must be a positive whole number of bytes.","status":false}"#
    )]
    #[case(
        NAME_TOO_LONG,
        r#"400 {"error":"Name must not be longer than 255 bytes.","status":false}"#
    )]
    #[case(
        NOT_FOUND_V1,
        r#"404 {"error":"The requested resource does not exist."}"#
    )]
    #[case(NOT_FOUND_V2, r#"404 {"error":"The required object does not exist."}"#)]
    #[case(
        NOT_UPLOADED,
        r#"404 {"error":"The requested asset could not be found."}"#
    )]
    #[case(
        INVALID_IMAGE_TYPE,
        r#"400 {"error":"Invalid file type. Only JPEG, PNG, WebP, JPG and GIF files are allowed.","status":false}"#
    )]
    #[case(
        INVALID_FILE_TYPE,
        r#"400 {"error":"Invalid file type.","status":false}"#
    )]
    #[case(
        NAME_AND_SIZE_REQUIRED,
        r#"400 {"error":"Name and size are required fields.","status":false}"#
    )]
    #[case(INVALID_REQUEST, r#"400 {"error":"Invalid request.","status":false}"#)]
    #[case(
        ATTACHMENT_NOT_UPLOADED,
        r#"400 {"error":"The asset is not uploaded.","status":false}"#
    )]
    #[case(INVALID_DETAIL, r#"400 {"error":"Please provide valid detail"}"#)]
    #[case(NOT_YET_UPLOADED, r#"400 {"error":"Asset not yet uploaded"}"#)]
    #[case(NO_ASSET_IDS, r#"400 {"error":"No asset ids provided."}"#)]
    #[case(INVALID_ENTITY, r#"400 {"error":"Invalid entity type or entity id"}"#)]
    #[case(
        NO_RIGHTS,
        r#"403 {"error":"You don't have the required permissions."}"#
    )]
    #[case(
        MAY_NOT_UPLOAD,
        r#"403 {"error":"You are not allowed to upload this attachment"}"#
    )]
    #[case(
        MAY_NOT_DOWNLOAD,
        r#"403 {"error":"You are not allowed to download this attachment"}"#
    )]
    #[case(
        MAY_NOT_DELETE,
        r#"403 {"error":"You are not allowed to delete this attachment"}"#
    )]
    #[case(NO_WORKSPACE, r#"404 {"error":"Workspace not found"}"#)]
    #[case(NO_ASSET, r#"404 {"error":"Asset not found"}"#)]
    #[case(NO_ANCHOR, r#"404 {"error":"Requested resource could not be found."}"#)]
    #[case(NOT_PUBLISHED, r#"404 {"error":"Project is not published"}"#)]
    #[case(
        PlaneError::Conflict(Conflict::Asset { message: "m", asset_id: Uuid::nil(), asset_url: None }),
        r#"409 {"message":"m","asset_id":"00000000-0000-0000-0000-000000000000","asset_url":null}"#
    )]
    #[case(
        PlaneError::Conflict(Conflict::Attachment { error: "e", id: Uuid::nil() }),
        r#"409 {"error":"e","id":"00000000-0000-0000-0000-000000000000"}"#
    )]
    #[case(StoreError::Full.into(), r#"507 {"error":"Something went wrong please try again later"}"#)]
    #[case(StoreError::Unavailable("why".into()).into(), r#"503 {"error":"Something went wrong please try again later"}"#)]
    fn an_error_has_its_status_and_body(#[case] error: PlaneError, #[case] answer: &str) {
        let actual = format!("{} {}", error.status().as_u16(), error.body());
        assert_eq!(actual, answer);
    }

    #[test]
    fn a_405_lists_the_allowed_methods_and_a_503_says_when_to_try_again() {
        let wrong = PlaneError::MethodNotAllowed {
            method: "GET".to_owned(),
            allow: "PATCH, DELETE",
        };
        assert_eq!(
            wrong.answer().headers().get("allow").unwrap(),
            "PATCH, DELETE"
        );
        let busy = PlaneError::Body(BodyError::NoRoom).answer();
        assert_eq!(busy.headers().get("retry-after").unwrap(), RETRY_AFTER);
        assert_eq!(
            busy.headers().get("content-type").unwrap(),
            "application/json"
        );
    }
}
