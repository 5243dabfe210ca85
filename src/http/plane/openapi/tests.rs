use crate::http::plane::openapi::document::document;
use crate::http::plane::openapi::naming::{operation_id, path};
use crate::http::plane::openapi::schemas::JSON;
use crate::http::plane::routes::table::ROUTES;
use serde_json::{Map, json};
use std::collections::BTreeSet;

#[test]
fn every_route_and_method_is_described() {
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.len(), ROUTES.len());
    for route in &ROUTES {
        let item = &paths[&path(route)];
        for method in route.allow.split(", ") {
            let operation = &item[method.to_ascii_lowercase()];
            assert!(operation["summary"].is_string(), "{method} {}", route.path);
            let is_anonymous = operation["security"].as_array().unwrap().is_empty();
            assert_eq!(
                is_anonymous,
                route.allows_anonymous(method),
                "{method} {}",
                route.path
            );
        }
    }
}

#[test]
fn no_two_operations_have_one_id() {
    let mut ids = BTreeSet::new();
    for route in &ROUTES {
        for method in route.allow.split(", ") {
            assert!(
                ids.insert(operation_id(route, method)),
                "{method} {}",
                route.path
            );
        }
    }
}

#[test]
fn every_reference_and_link_has_a_target() {
    let document = document();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let text = document.to_string();
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name}");
    }
    let upload = &document["paths"]["/api/assets/v2/workspaces/{slug}/"]["post"];
    let links = upload["responses"]["200"]["links"].as_object().unwrap();
    let download = &links["assets_v2_workspaces_slug_download_asset_id_get"];
    assert_eq!(
        download["parameters"]["asset_id"],
        "$response.body#/asset_id"
    );
    assert_eq!(download["parameters"]["slug"], "$request.path.slug");
}

#[test]
fn the_example_of_an_upload_has_the_fields_and_the_signature_of_the_contract() {
    let document = document();
    let post = &document["paths"]["/api/v1/assets/user-assets/"]["post"];
    let answer = &post["responses"]["200"]["content"][JSON]["example"];
    let fields = answer["upload_data"]["fields"].as_object().unwrap();
    let mut names: Vec<_> = fields.keys().map(String::as_str).collect();
    names.sort_unstable();
    let seven = [
        "Content-Type",
        "key",
        "policy",
        "x-amz-algorithm",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-signature",
    ];
    assert_eq!(names, seven);
    // Plane contract, section 7: the third vector.
    let signature = "a02ac78e479d7bc6b99a1ae370ae9e05c9aa441319cd0b4b1a80e85d05b58f3e";
    assert_eq!(fields["x-amz-signature"], signature);
}

#[test]
fn an_attachment_has_its_own_example_and_a_missing_binding_is_written_as_none() {
    let document = document();
    let example = |path: &str| {
        let post = &document["paths"][path]["post"];
        post["responses"]["200"]["content"][JSON]["example"].clone()
    };
    let attachments = "projects/{project_id}/work-items/{issue_id}/attachments/";
    let attachment = example(&format!("/api/v1/workspaces/{{slug}}/{attachments}"));
    assert_eq!(attachment["attachment"]["attributes"]["name"], "spec.pdf");
    assert_eq!(attachment["id"], attachment["attachment"]["id"]);
    assert_eq!(attachment["asset"], attachment["attachment"]["asset"]);
    let unbound = example("/api/assets/v2/workspaces/{slug}/");
    let url = unbound["asset_url"].as_str().unwrap();
    assert!(
        url.starts_with("/api/assets/v2/workspaces/acme/projects/None/"),
        "{url}"
    );
    assert_eq!(unbound.get("attachment"), None);
}

#[test]
fn each_patch_says_what_it_changes() {
    let document = document();
    for route in &ROUTES {
        if route.allow.contains("PATCH") {
            let patch = &document["paths"][path(route)]["patch"];
            assert!(patch["description"].is_string(), "{}", route.path);
        }
    }
}

/// A 400 whose text does not name the field has a summary that does.
#[test]
fn each_refusal_of_a_field_names_the_field() {
    let document = document();
    for route in &ROUTES {
        for method in ["post", "patch"] {
            let operation = &document["paths"][path(route)][method];
            let examples = &operation["responses"]["400"]["content"][JSON]["examples"];
            for example in examples.as_object().into_iter().flat_map(Map::values) {
                let Some(text) = example["value"]["error"].as_str() else {
                    continue;
                };
                if text.contains("body") || text.contains("Host") {
                    continue;
                }
                let summary = example["summary"].as_str().unwrap_or_default();
                assert!(summary.contains('`'), "{method} {}: {text}", route.path);
            }
        }
    }
}

#[test]
fn the_document_changes_only_on_purpose() {
    let document = document();
    let mut lines = Vec::new();
    for route in &ROUTES {
        for method in route.allow.split(", ") {
            let operation = &document["paths"][path(route)][method.to_ascii_lowercase()];
            let statuses: Vec<_> = operation["responses"].as_object().unwrap().keys().collect();
            let takes = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
            lines.push(json!({
                "operation": format!("{method} {}", path(route)),
                "security": operation["security"].to_string(),
                "takes": takes,
                "answers": statuses.into_iter().map(String::as_str).collect::<Vec<_>>().join(" "),
            }));
        }
    }
    insta::assert_json_snapshot!(json!({
        "operations": lines,
        "schemas": document["components"]["schemas"],
        "one": document["paths"]["/api/v1/workspaces/{slug}/assets/"],
    }));
}
