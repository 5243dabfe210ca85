use super::*;
use actix_web::test::TestRequest;
use rstest::rstest;

fn representation(content_type: &str) -> Representation {
    Representation {
        content_type: content_type.to_owned(),
        headers: Vec::new(),
        validity: None,
    }
}

#[rstest]
#[case::html("text/html; charset=utf-8", true)]
#[case::upper_case("TEXT/HTML", true)]
#[case::svg("image/svg+xml", true)]
#[case::xml("application/xml", true)]
#[case::xhtml("application/xhtml+xml", true)]
#[case::javascript("application/x-javascript", true)]
#[case::css("text/css", true)]
#[case::mhtml("multipart/related", true)]
#[case::two_types("text/plain, text/html", true)]
#[case::no_type("html", true)]
#[case::any_type("*/*", true)]
#[case::empty("", true)]
#[case::png("image/png", false)]
#[case::pdf("application/pdf", false)]
#[case::plain("text/plain; charset=utf-8", false)]
#[case::csv("text/csv", false)]
#[case::word(
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    false
)]
#[case::bytes("application/octet-stream", false)]
fn active_types_are_known(#[case] content_type: &str, #[case] active: bool) {
    assert_eq!(is_active(content_type), active);
}

#[test]
fn an_active_type_becomes_an_attachment_in_a_sandbox_and_keeps_its_name() {
    let mut page = representation("text/html");
    page.set(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_static("inline; filename*=UTF-8''a.html"),
    );
    harden(&TestRequest::get().to_http_request(), &mut page).unwrap();
    let shown: Vec<String> = page
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r"
    content-disposition: attachment; filename*=UTF-8''a.html
    content-security-policy: default-src 'none'; sandbox
    ");
}

#[rstest]
#[case::script("image/png", "sec-fetch-dest", "script", false)]
#[case::style("text/plain", "sec-fetch-dest", "style", false)]
#[case::worker("text/plain", "Sec-Fetch-Dest", "ServiceWorker", false)]
#[case::service_worker("text/plain", "service-worker", "script", false)]
#[case::worklet("text/plain", "sec-fetch-dest", "audioworklet", false)]
#[case::embedded("text/plain", "sec-fetch-dest", "embed", false)]
#[case::embedded_pdf("application/pdf", "sec-fetch-dest", "embed", true)]
#[case::pdf_as_script("application/pdf", "sec-fetch-dest", "script", false)]
#[case::image("image/png", "sec-fetch-dest", "image", true)]
#[case::document("text/html", "sec-fetch-dest", "document", true)]
fn uploads_are_not_run(
    #[case] content_type: &str,
    #[case] name: &'static str,
    #[case] value: &'static str,
    #[case] served: bool,
) {
    let req = TestRequest::get()
        .insert_header((name, value))
        .to_http_request();
    assert_eq!(
        harden(&req, &mut representation(content_type)).is_ok(),
        served
    );
}
