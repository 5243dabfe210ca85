//! The description of the asset API as a page for people: `/-/docs`. It needs no script and nothing from elsewhere.
use crate::http::plane::openapi;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

const STYLE: &str = include_str!("docs.css");

/// The document, as clients get it.
pub(super) static DOCUMENT: LazyLock<String> = LazyLock::new(|| openapi::document().to_string());
/// The page, as clients get it.
pub(super) static PAGE: LazyLock<String> =
    LazyLock::new(|| page(&openapi::document()).into_string());
/// The content security policy of the page: it may load its own style alone.
pub(super) static POLICY: LazyLock<String> = LazyLock::new(|| {
    let digest = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

fn page(document: &Value) -> Markup {
    let operations = operations(document);
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
                p {
                    "The API by which Plane's clients upload files. For programs: "
                    a href="/-/openapi.json" { "/-/openapi.json" }
                }
                @for (heading, paragraphs) in openapi::INTRODUCTION {
                    h2 { (heading) }
                    @for paragraph in *paragraphs { p { (prose(paragraph)) } }
                }
                @for tag in document["tags"].as_array().into_iter().flatten() {
                    h2 { (text(&tag["name"])) }
                    p { (prose(text(&tag["description"]))) }
                    @for (path, method, operation) in &operations {
                        @if operation["tags"][0] == tag["name"] {
                            (one(path, method, operation, document))
                        }
                    }
                }
            }
        }
    }
}

/// Path, method and description of each operation except OPTIONS and HEAD, which add nothing.
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
                span { (prose(text(&operation["summary"]))) }
            }
            @if let Some(description) = operation["description"].as_str() {
                p { (prose(description)) }
            }
            p { (scopes(&operation["security"])) }
            (in_the_path(&document["paths"][path]["parameters"]))
            @if let Some(schema) = body(operation, document) {
                h3 { "Fields" }
                table {
                    @for (name, field) in members(&schema["properties"]) {
                        tr {
                            td { code { (name) } @if is_required(schema, name) { " *" } }
                            td {
                                (prose(text(&field["description"])))
                                (choices(field))
                                @if let Some(default) = field["default"].as_str() {
                                    " Default: " (default) "."
                                }
                            }
                        }
                    }
                }
                pre { (pretty(&schema["examples"][0])) }
            }
            h3 { "Answers" }
            @for (status, answer) in members(&operation["responses"]) {
                p { b { (status) } " " (prose(text(&answer["description"]))) }
                @for (summary, example) in examples(answer) {
                    @if !summary.is_empty() { p { (prose(summary)) } }
                    pre { (pretty(example)) }
                }
            }
        }
    }
}

/// The parameters in the path that have a description.
fn in_the_path(parameters: &Value) -> Markup {
    let parameters = parameters.as_array().into_iter().flatten();
    let described: Vec<_> = parameters
        .filter(|parameter| parameter["description"].is_string())
        .collect();
    html! {
        @if !described.is_empty() {
            h3 { "In the path" }
            table {
                @for parameter in described {
                    tr {
                        td { code { (text(&parameter["name"])) } }
                        td { (prose(text(&parameter["description"]))) }
                    }
                }
            }
        }
    }
}

/// Text in which a pair of backticks makes a code span.
fn prose(text: &str) -> Markup {
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 0 { (part) } @else { code { (part) } }
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
        (true, _) => "No token is needed.".to_owned(),
        (false, []) => "Any valid token.".to_owned(),
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

/// The title of each example, and the example.
fn examples(answer: &Value) -> Vec<(&str, &Value)> {
    let content = &answer["content"]["application/json"];
    match content.get("example") {
        Some(example) => vec![("", example)],
        None => members(&content["examples"])
            .map(|(_, example)| (text(&example["summary"]), &example["value"]))
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
    fn text_from_the_document_is_escaped() {
        let tags = serde_json::json!([{"name": "<b>&", "description": "`<i>`"}]);
        let page = page(&serde_json::json!({"tags": tags})).into_string();
        assert!(page.contains("&lt;b&gt;&amp;"), "{page}");
        assert!(page.contains("<code>&lt;i&gt;</code>"), "{page}");
    }

    #[test]
    fn code_spans_are_shown_as_code_and_no_backtick_is_left() {
        assert!(!PAGE.contains('`'));
        assert!(PAGE.contains("<code>X-API-Key: plane_api_…</code>"));
        assert!(PAGE.contains("<code>attributes</code> replaces the stored object whole"));
    }

    #[test]
    fn authentication_comes_first_and_the_public_api_before_the_apps() {
        let at = |heading: &str| PAGE.find(&format!("<h2>{heading}</h2>")).unwrap();
        let headings = [
            "Authentication",
            "Which route to take",
            "What a PATCH changes",
            "Public API (v1)",
            "App API (v2)",
            "Published projects",
        ];
        assert!(headings.is_sorted_by_key(|heading| at(heading)));
        assert!(PAGE.find("<details").unwrap() > at("Public API (v1)"));
    }
}
