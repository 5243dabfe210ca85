//! The JSON that the asset API answers: key by key in Plane's order. Plane contract, sections 1.3 and 3.12.
use serde::{Serialize, Serializer};
use uuid::Uuid;

/// The answer to every upload request.
#[derive(Debug, Serialize)]
pub(super) struct UploadAnswer {
    pub(super) upload_data: UploadData,
    pub(super) asset_id: Uuid,
    pub(super) asset_url: Option<String>,
}
#[derive(Debug, Serialize)]
pub(super) struct UploadData {
    /// Scheme, host and `/<bucket>`
    pub(super) url: String,
    #[serde(serialize_with = "as_object")]
    pub(super) fields: Vec<(&'static str, String)>,
}

/// `GET /api/v1/users/me/`
#[derive(Debug, Serialize)]
pub(super) struct Me {
    pub(super) id: Uuid,
    pub(super) first_name: &'static str,
    pub(super) last_name: &'static str,
    pub(super) email: String,
    pub(super) avatar: &'static str,
    /// Where the current avatar is served.
    pub(super) avatar_url: Option<String>,
    pub(super) display_name: String,
}

fn as_object<S: Serializer>(
    fields: &[(&'static str, String)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(fields.iter().map(|(name, value)| (name, value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_answer_has_its_keys_in_order() {
        let answer = UploadAnswer {
            upload_data: UploadData {
                url: "https://files.example.com/uploads".to_owned(),
                fields: vec![
                    ("Content-Type", "image/png".to_owned()),
                    ("key", "user-assets/a/ż.png".to_owned()),
                ],
            },
            asset_id: Uuid::from_u128(10),
            asset_url: None,
        };
        insta::assert_snapshot!(
            serde_json::to_string(&answer).unwrap(),
            @r#"{"upload_data":{"url":"https://files.example.com/uploads","fields":{"Content-Type":"image/png","key":"user-assets/a/ż.png"}},"asset_id":"00000000-0000-0000-0000-00000000000a","asset_url":null}"#
        );
    }

    #[test]
    fn a_user_is_shown_with_keys_in_order() {
        let me = Me {
            id: Uuid::from_u128(1),
            first_name: "",
            last_name: "",
            email: "ana@example.com".to_owned(),
            avatar: "",
            avatar_url: None,
            display_name: "ana".to_owned(),
        };
        insta::assert_snapshot!(
            serde_json::to_string(&me).unwrap(),
            @r#"{"id":"00000000-0000-0000-0000-000000000001","first_name":"","last_name":"","email":"ana@example.com","avatar":"","avatar_url":null,"display_name":"ana"}"#
        );
    }
}
