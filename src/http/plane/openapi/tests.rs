use super::*;
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
            let is_open = operation["security"].as_array().unwrap().is_empty();
            assert_eq!(is_open, route.is_open(method), "{method} {}", route.path);
        }
    }
}

#[test]
fn every_operation_has_a_name_of_its_own() {
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

/// Follows each reference and link of the document.
#[test]
fn every_reference_and_link_leads_somewhere() {
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
