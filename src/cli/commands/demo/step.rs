//! The demo's requests and answers, shortened for people.

use crate::cli::terminal::{grouped, printable, shortened_secret};
use crate::client::{Answered, Ask, Fetched, Reserved};
use std::time::Duration;

pub(super) fn ask(ask: &Ask, token: &str) -> String {
    let body = serde_json::to_string(ask).expect("texts and a number can be written");
    format!(
        "1. Ask for an upload\n   \
         > POST /api/v1/assets/user-assets/\n   \
         > X-API-Key: {}\n   \
         > {body}",
        shortened_secret(token)
    )
}

pub(super) fn asked(answer: &Answered<Reserved>) -> String {
    let reserved = &answer.value;
    format!(
        "{}\n   < {{\"upload_data\":{{\"url\":\"{}\",\"fields\":{{… {} signed fields}}}},\n   <  \"asset_id\":\"{}\",\n   <  \"asset_url\":\"{}\"}}\n",
        status(answer.status, answer.elapsed),
        printable(reserved.upload_url()),
        reserved.field_names().count(),
        printable(&reserved.asset_id),
        printable(&reserved.asset_url),
    )
}

pub(super) fn form(reserved: &Reserved, size: usize) -> String {
    let fields: Vec<_> = reserved.field_names().map(printable).collect();
    format!(
        "2. Upload the form that it answered\n   \
         > POST {} (multipart/form-data)\n   \
         > {}\n   \
         > file: {} bytes",
        path(reserved.upload_url()),
        fields.join(", "),
        grouped(size as u64)
    )
}

pub(super) fn sent(answer: &Answered<()>) -> String {
    format!(
        "{}, and it is on disk\n",
        status(answer.status, answer.elapsed)
    )
}

pub(super) fn look(reserved: &Reserved) -> String {
    format!(
        "3. Look at it, as a browser does: without a token\n   > GET {}",
        printable(&reserved.asset_url)
    )
}

pub(super) fn looked(answer: &Answered<Fetched>) -> String {
    let fetched = &answer.value;
    format!(
        "{}, {}, {} bytes, each as it was sent\n",
        status(answer.status, answer.elapsed),
        fetched.content_type.as_deref().unwrap_or("no type"),
        grouped(fetched.bytes.len() as u64)
    )
}

fn status(code: u16, elapsed: Duration) -> String {
    format!("   < {code} after {:.1} ms", elapsed.as_secs_f64() * 1000.0)
}

/// The path of an address that the server gave.
fn path(url: &str) -> String {
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = after_scheme
        .find('/')
        .map_or("/", |start| &after_scheme[start..]);
    printable(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_shows_the_request_and_no_secret() {
        let asked = Ask {
            entity_type: "USER_AVATAR".to_owned(),
            name: "hangar.png".to_owned(),
            content_type: "image/png".to_owned(),
            size: 52_943,
        };
        let token = "plane_api_0123456789abcdef0123456789abcdef";
        insta::assert_snapshot!(ask(&asked, token), @r#"
        1. Ask for an upload
           > POST /api/v1/assets/user-assets/
           > X-API-Key: plane_api_0123…
           > {"entity_type":"USER_AVATAR","name":"hangar.png","type":"image/png","size":52943}
        "#);
        let answer: Reserved = serde_json::from_str(
            r#"{"upload_data":{"url":"http://127.0.0.1:9000/uploads","fields":{"Content-Type":"image/png","key":"k","policy":"cA==","x-amz-signature":"5ec2e7"}},"asset_id":"3999b15f","asset_url":"/api/assets/v2/static/3999b15f/"}"#,
        )
        .unwrap();
        let answered = Answered {
            value: answer,
            status: 200,
            elapsed: Duration::from_micros(2140),
        };
        let shown = format!(
            "{}\n{}",
            super::asked(&answered),
            form(&answered.value, 52_943)
        );
        assert!(!shown.contains("5ec2e7"));
        insta::assert_snapshot!(shown, @r#"
           < 200 after 2.1 ms
           < {"upload_data":{"url":"http://127.0.0.1:9000/uploads","fields":{… 4 signed fields}},
           <  "asset_id":"3999b15f",
           <  "asset_url":"/api/assets/v2/static/3999b15f/"}

        2. Upload the form that it answered
           > POST /uploads (multipart/form-data)
           > Content-Type, key, policy, x-amz-signature
           > file: 52,943 bytes
        "#);
    }
}
