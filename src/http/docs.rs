//! The description of the asset API as a page for people: `/-/docs`. It needs no script and nothing from elsewhere.
use crate::http::plane::openapi;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

const STYLE: &str = include_str!("docs.css");

/// The document, as it is sent.
pub(super) static DOCUMENT: LazyLock<String> = LazyLock::new(|| openapi::document().to_string());
/// The page, as it is sent.
pub(super) static PAGE: LazyLock<String> =
    LazyLock::new(|| page(&openapi::document()).into_string());
/// What the page may load: its own style.
pub(super) static POLICY: LazyLock<String> = LazyLock::new(|| {
    let digest = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

fn page(document: &Value) -> Markup {
    let operations = operations(document);
    let mut tags: Vec<&str> = Vec::new();
    for (_, _, operation) in &operations {
        let tag = text(&operation["tags"][0]);
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { "hangar: the asset API" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "hangar " small { (text(&document["info"]["version"])) } }
                p { (text(&document["info"]["description"])) }
                p { "For programs: " a href="/-/openapi.json" { "/-/openapi.json" } }
                @for tag in tags {
                    h2 { (tag) }
                    @for (path, method, operation) in &operations {
                        @if text(&operation["tags"][0]) == tag {
                            (one(path, method, operation, document))
                        }
                    }
                }
            }
        }
    }
}

/// Path, method and description of each, but for OPTIONS and HEAD, which say nothing new.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = members(&document["paths"]);
    let each = paths.flat_map(|(path, item)| {
        let methods =
            members(item).filter(|(name, _)| matches!(*name, "get" | "post" | "patch" | "delete"));
        methods.map(move |(method, operation)| (path, method, operation))
    });
    each.collect()
}

fn one(path: &str, method: &str, operation: &Value, document: &Value) -> Markup {
    html! {
        details id=(text(&operation["operationId"])) {
            summary {
                b class=(method) { (method.to_uppercase()) } " " code { (path) }
                span { (text(&operation["summary"])) }
            }
            p { (scopes(&operation["security"])) }
            @if let Some(schema) = body(operation, document) {
                h3 { "Fields" }
                table {
                    @for (name, field) in members(&schema["properties"]) {
                        tr {
                            td { code { (name) } @if is_required(schema, name) { " *" } }
                            td { (text(&field["description"])) (choices(field)) }
                        }
                    }
                }
                pre { (pretty(&schema["examples"][0])) }
            }
            h3 { "Answers" }
            @for (status, answer) in members(&operation["responses"]) {
                p { b { (status) } " " (text(&answer["description"])) }
                @for example in examples(answer) {
                    pre { (pretty(example)) }
                }
            }
        }
    }
}

fn scopes(security: &Value) -> String {
    let mut scopes: Vec<&str> = Vec::new();
    for either in security.as_array().into_iter().flatten() {
        let named = members(either).flat_map(|(_, scopes)| scopes.as_array().into_iter().flatten());
        scopes.extend(named.map(text));
    }
    scopes.dedup();
    match (
        security.as_array().is_some_and(Vec::is_empty),
        scopes.as_slice(),
    ) {
        (true, _) => "For anybody.".to_owned(),
        (false, []) => "Any token, as X-API-Key or Authorization: Bearer.".to_owned(),
        (false, scopes) => format!("A token with the scope {}.", scopes.join(" or ")),
    }
}

fn body<'a>(operation: &Value, document: &'a Value) -> Option<&'a Value> {
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    let name = schema["$ref"].as_str()?.rsplit('/').next()?;
    document["components"]["schemas"].get(name)
}

fn choices(field: &Value) -> String {
    let choices = field["enum"].as_array().into_iter().flatten().map(text);
    let choices: Vec<_> = choices.collect();
    if choices.is_empty() {
        String::new()
    } else {
        format!(" One of: {}.", choices.join(", "))
    }
}

fn is_required(schema: &Value, name: &str) -> bool {
    let mut required = schema["required"].as_array().into_iter().flatten();
    required.any(|one| one == name)
}

fn examples(answer: &Value) -> Vec<&Value> {
    let content = &answer["content"]["application/json"];
    match content.get("example") {
        Some(example) => vec![example],
        None => members(&content["examples"])
            .map(|(_, example)| &example["value"])
            .collect(),
    }
}

fn members(object: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let object = object.as_object().into_iter().flat_map(Map::iter);
    object.map(|(name, value)| (name.as_str(), value))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_every_route_and_loads_nothing() {
        for route in &crate::http::plane::routes::ROUTES {
            let path = route
                .path
                .replace("?>", "}")
                .replace('<', "{")
                .replace('>', "}");
            assert!(PAGE.contains(&path), "{path}");
        }
        for loading in ["<script", "src=", "<link", "url(", "@import", "http://"] {
            assert!(!PAGE.contains(loading), "{loading}");
        }
    }

    #[test]
    fn what_comes_from_the_document_is_escaped() {
        let document = serde_json::json!({"info": {"description": "<b>&"}});
        assert!(page(&document).into_string().contains("&lt;b&gt;&amp;"));
    }
}
