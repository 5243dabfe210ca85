//! JSON answers with the headers that Plane sends. Plane contract, section 2.3.
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::Serialize;
use std::borrow::Cow;

/// 200 with `value` as JSON.
pub(in crate::http) fn answer(value: &impl Serialize) -> HttpResponse {
    json_answer(StatusCode::OK).body(json(value).into_owned())
}
/// 200 with `value` as JSON, where it holds a presigned link or form: no cache may store it.
pub(in crate::http) fn answer_with_link(value: &impl Serialize) -> HttpResponse {
    json_answer(StatusCode::OK)
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(json(value).into_owned())
}

/// The head of every JSON answer: `application/json` without a charset.
pub(in crate::http) fn json_answer(status: StatusCode) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    answer.content_type("application/json");
    answer
}

/// `body` as the text of a JSON value.
pub(in crate::http) fn json(body: &impl Serialize) -> Cow<'static, str> {
    serde_json::to_string(body)
        .expect("texts, numbers, ids and objects of texts are JSON")
        .into()
}
