//! The sentences of the document: how to begin, which of several routes to use, what a PATCH changes, and which field a
//! refusal is about. Text in backticks is code, and `/-/docs` shows it as code.
use crate::http::plane::error::{
    INVALID_DETAIL, INVALID_ENTITY, INVALID_ENTITY_TYPE, INVALID_FILE_TYPE, INVALID_IMAGE_TYPE,
    INVALID_IMAGE_TYPE_V1, INVALID_PAYLOAD, INVALID_REQUEST, NAME_AND_SIZE_REQUIRED, NAME_TOO_LONG,
    NO_ASSET_IDS, PlaneError, UNUSABLE_SIZE,
};
use crate::http::plane::openapi::request_bodies::{RequestBody, ValueKind};
use crate::http::plane::routes::table::{Endpoint, Route, Version};
use serde_json::{Value, json};

pub(in crate::http) const PUBLIC_API: &str = "Public API (v1)";
pub(in crate::http) const APP_API: &str = "App API (v2)";
pub(in crate::http) const PUBLISHED: &str = "Published projects";

/// A heading and its paragraphs, in the order of reading.
pub(in crate::http) const INTRODUCTION: &[(&str, &[&str])] = &[
    (
        "Authentication",
        &[
            "Send a token with each request: `X-API-Key: plane_api_…`, or `Authorization: Bearer plane_api_…`. Where both are \
             sent, `X-API-Key` counts. `hangar token create --user ada@example.com` makes a token, which has the scopes \
             `assets:read` and `assets:write` unless it is given others. `GET /api/v1/users/me/` tells whose token it is.",
            "Without a token the answer is 401. With an unknown, expired or revoked one, or without the scope, it is 403. \
             Pictures at `/api/assets/v2/static/` and the files of a published project are read without a token.",
        ],
    ),
    (
        "An upload, step by step",
        &[
            "1. Ask: POST the name, type and size of the file. The answer has `asset_id`, `asset_url` and `upload_data`.",
            "2. Upload: POST a form (`multipart/form-data`) to `upload_data.url`. Send each of the seven fields of \
             `upload_data.fields` as it is, and then the file, in a field named `file`, as the last one. This request has no \
             token: the fields are signed. The answer is 204, and the asset is uploaded from then on.",
            "3. PATCH the asset, as Plane's clients do. By v1 this is optional. By v2 it makes an avatar, cover or logo the \
             current one.",
            "4. Read it at `asset_url`: avatars, covers and logos are answered with their bytes, other files with a redirect \
             to a presigned URL.",
        ],
    ),
    (
        "Which route to take",
        &[
            "An avatar or cover of your own: `/api/v1/assets/user-assets/`. An attachment of a work item: \
             `/api/v1/workspaces/{slug}/projects/{project_id}/work-items/{issue_id}/attachments/`. A file of a workspace \
             that belongs to no work item: `/api/v1/workspaces/{slug}/assets/`. These are the routes of Plane's public API \
             (v1), which its SDKs use.",
            "The app API (v2) is what Plane's own web app uses. Take it for what v1 does not have: workspace logos, project \
             covers, pictures in descriptions, comments and pages, a current avatar or cover, and to copy, restore or bind \
             assets. Paths with `server/`, `issue-attachments/` and `/api/v1/users/assets/` are there for older clients; \
             each names the path to take instead.",
        ],
    ),
    (
        "What a PATCH changes",
        &[
            "An asset is uploaded as soon as its bytes are stored; no PATCH is needed for that, and a PATCH without bytes \
             does not make it uploaded. A PATCH can be repeated. `attributes`, where a route takes it, replaces the stored \
             object whole: `attributes.name` is the name of later downloads, and `type` and `size` in it change nothing that \
             is served. By `/api/assets/v2/user-assets/` and `/api/assets/v2/workspaces/{slug}/` a PATCH also makes an \
             avatar, cover or logo the current one once its bytes are there, and deletes the one before. A PATCH by \
             another route does not.",
        ],
    ),
    (
        "Addresses",
        &[
            "A path ends in a slash; without it the answer is a redirect, which many clients follow with GET. An id is a \
             lower-case UUID with dashes. `asset_url` is a path without a host. Where an asset is bound to no project or work \
             item, `None` stands in its place, as in `/api/assets/v2/workspaces/acme/projects/None/{asset_id}/`: use such \
             an address as it is.",
        ],
    ),
    (
        "Refusals",
        &[
            "The first wrong field decides; there is never a list. The texts are Plane's, and some do not name the field: \
             this page does. An answer of v1 has `X-RateLimit-Remaining` and `X-RateLimit-Reset`; 429 and 503 have \
             `Retry-After`.",
        ],
    ),
];

/// The introduction as one text, in `CommonMark`.
pub(in crate::http) fn introduction() -> String {
    let sections = INTRODUCTION.iter().map(|(heading, paragraphs)| {
        let paragraphs = paragraphs.join("\n\n");
        format!("## {heading}\n\n{paragraphs}")
    });
    let lead = "The API by which Plane's clients upload files.".to_owned();
    std::iter::once(lead)
        .chain(sections)
        .collect::<Vec<_>>()
        .join("\n\n")
}

/// The groups of routes, in the order of reading.
pub(in crate::http) fn tags() -> Value {
    json!([
        {"name": PUBLIC_API, "description": "For programs with a token. Begin here."},
        {"name": APP_API, "description": "What Plane's web app calls, for what v1 does not have."},
        {"name": PUBLISHED, "description": "Files of a project that `hangar anchor create` published."},
    ])
}

pub(in crate::http) fn parameter(name: &str, may_be_none: bool) -> Option<&'static str> {
    match name {
        "slug" => Some("The workspace, as it stands in Plane's addresses."),
        "anchor" => Some("What `hangar anchor create` printed."),
        "project_id" if may_be_none => {
            Some("The project's id, or `None` where the asset is bound to no project.")
        }
        "issue_id" if may_be_none => {
            Some("The work item's id, or `None` where the attachment is bound to no work item.")
        }
        "issue_id" => Some("The work item's id. It need not be known to hangar."),
        "project_id" => Some("The project's id. It need not be known to hangar."),
        "entity_id" => Some("The work item, comment, page or draft that the assets are for."),
        _ => None,
    }
}

/// The description of an answer by its status.
pub(in crate::http) fn status(status: &str) -> &'static str {
    match status {
        "200" => "Done.",
        "204" => "Done. There is no body.",
        "206" => "The range that was asked for.",
        "302" => "The bytes are at the presigned URL in `Location`.",
        "304" => "The client's copy is current.",
        "400" => "The request is wrong.",
        "401" => "No token.",
        "403" => "The token is not valid, or does not allow this.",
        "404" => "It does not exist, or not for this caller.",
        "406" => "Only JSON is answered.",
        "408" => "The body came too slowly.",
        "409" => "It exists already.",
        "412" => "A precondition does not hold.",
        "413" => "The body is too large.",
        "415" => "Bodies are JSON or forms.",
        "416" => "The range lies outside the file.",
        "429" => "Too many requests. `Retry-After` says when to try again.",
        "500" => "The stored bytes are damaged.",
        "503" => "Not available now. `Retry-After` says when to try again.",
        _ => "The disk is full.",
    }
}

/// The description of an operation, where its summary does not say everything.
pub(in crate::http) fn description(route: &Route, method: &str) -> Option<String> {
    let instead = newer_path(route.path);
    let more = match (method, route.endpoint) {
        ("PATCH", endpoint) => patch_effect(endpoint, route.version()),
        ("POST", Endpoint::WorkspaceAssets) => Some(
            "The asset belongs to the workspace and to no project, so `None` stands in the address of a picture in a \
             description, comment or page; a bulk call binds it to a project later. Take the project's path where the \
             project is known.",
        ),
        ("GET" | "HEAD", Endpoint::Download | Endpoint::ProjectDownload) => Some(
            "As a GET of the asset itself. That one is what `asset_url` names; take it unless the client asks for this path.",
        ),
        _ => None,
    };
    let sentences: Vec<_> = instead.into_iter().chain(more).collect();
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

/// For a path that exists for older clients: the path to use.
fn newer_path(path: &str) -> Option<&'static str> {
    match path {
        "/api/v1/users/assets/" => Some(
            "Plane's Python SDK posts here. The same as `/api/v1/assets/user-assets/`: take that path.",
        ),
        _ if path.ends_with("/server/") => {
            Some("The same as the path without `server/`: take that path.")
        }
        _ if path.contains("/issue-attachments/") => Some(
            "The older name of `work-items/{issue_id}/attachments/`, with the same attachments: take that path.",
        ),
        _ => None,
    }
}

fn patch_effect(endpoint: Endpoint, version: Version) -> Option<&'static str> {
    match (endpoint, version) {
        (Endpoint::UserAsset, Version::V1) => Some(
            "`attributes` replaces the stored object whole; without it nothing changes. The current avatar and cover stay: \
             `/api/assets/v2/user-assets/{asset_id}/` changes them.",
        ),
        (Endpoint::UserAsset, Version::V2) => Some(
            "`attributes` replaces the stored object whole. Once the bytes are there too, the asset is the user's current \
             avatar or cover, and the one before is deleted.",
        ),
        (Endpoint::AssetV1, _) => {
            Some("It changes nothing: an asset is uploaded when its bytes are stored.")
        }
        (Endpoint::Attachment, _) => Some(
            "It notes the caller as the one who changed the attachment (`updated_by`); the first such call makes the caller \
             its creator (`created_by`).",
        ),
        (Endpoint::WorkspaceAsset, _) => Some(
            "`attributes` replaces the stored object whole. Once the bytes are there too, a workspace logo or project cover \
             is the current one, and the one before is deleted.",
        ),
        (Endpoint::ProjectAsset | Endpoint::AnchorAsset, _) => Some(
            "`attributes` replaces the stored object whole; without it nothing changes. No logo or cover becomes the current one.",
        ),
        _ => None,
    }
}

/// The summary of a refusal: which field it is about. `text`: its body.
pub(in crate::http) fn refusal(text: &str, body: Option<RequestBody>) -> Option<String> {
    let is = |refusal: PlaneError| refusal.body() == text;
    let fixed = if is(UNUSABLE_SIZE) {
        "`size` is not a positive whole number."
    } else if is(NAME_TOO_LONG) {
        "`name` is longer than 255 bytes of UTF-8."
    } else if is(NAME_AND_SIZE_REQUIRED) {
        "`name` is missing or empty, or `size` is 0."
    } else if is(INVALID_REQUEST) {
        "`name` is missing or empty, or `size` is missing, empty or 0."
    } else if is(INVALID_ENTITY_TYPE) {
        "`entity_type` is missing, or none of those that this route takes."
    } else if is(INVALID_ENTITY) {
        "`entity_type` is missing, or none of the ten."
    } else if is(INVALID_IMAGE_TYPE) || is(INVALID_IMAGE_TYPE_V1) || is(INVALID_FILE_TYPE) {
        "`type` is none of the listed types. They are compared exactly, without parameters."
    } else if is(NO_ASSET_IDS) {
        "`asset_ids` is missing or empty."
    } else if is(INVALID_DETAIL) {
        return body.and_then(invalid_detail);
    } else if is(INVALID_PAYLOAD) {
        return body.and_then(invalid_payload);
    } else {
        return None;
    };
    Some(fixed.to_owned())
}

/// *Please provide valid detail*
fn invalid_detail(body: RequestBody) -> Option<String> {
    let mut reasons = Vec::new();
    for (kind, reason) in [
        (ValueKind::Id, "is not a UUID"),
        (
            ValueKind::External,
            "is not text, or longer than 255 characters",
        ),
        (ValueKind::Boolean, "is neither true nor false"),
    ] {
        let fields = body.fields_of_kind(kind);
        if !fields.is_empty() {
            reasons.push(format!("`{}` {reason}", fields.join("` or `")));
        }
    }
    (!reasons.is_empty()).then(|| format!("{}.", reasons.join(", or ")))
}

/// *The payload is not valid*
fn invalid_payload(body: RequestBody) -> Option<String> {
    if !body.fields_of_kind(ValueKind::Attributes).is_empty() {
        return Some("`attributes` is not an object, or longer than 16 KiB.".to_owned());
    }
    match body {
        RequestBody::IsUploaded => Some("`is_uploaded` is null.".to_owned()),
        RequestBody::WorkspaceAsset => Some(
            "`entity_identifier` names another user, workspace or project than the request is for."
                .to_owned(),
        ),
        RequestBody::Duplicate => Some(
            "`entity_id` names another user, workspace or project than the copy is for.".to_owned(),
        ),
        _ => None,
    }
}
