//! The key of an asset's object, which holds the asset's id. Plane contract, section 1.4.
use crate::assets::entity::EntityType;
use crate::assets::model::Bindings;
use crate::s3::ObjectKey;
use crate::store::StoreError;
use uuid::Uuid;

/// `user-assets/<id>/<name>`, or `<workspace>/<id>/<name>`.
pub(super) fn asset_key_in(
    id: Uuid,
    entity_type: EntityType,
    bindings: &Bindings,
    name: &str,
) -> Result<ObjectKey, StoreError> {
    let key = match bindings.workspace_id {
        Some(workspace_id) if !entity_type.is_of_a_user() => {
            format!("{workspace_id}/{id}/{name}")
        }
        _ => format!("user-assets/{id}/{name}"),
    };
    ObjectKey::parse(&key).map_err(|error| StoreError::Unavailable(error.to_string().into()))
}

/// The id in a key that has the form of an asset's key. For any other key no row needs to be read.
pub(super) fn asset_id_in(key: &str) -> Option<Uuid> {
    let mut segments = key.splitn(3, '/');
    let (_, id, _) = (segments.next()?, segments.next()?, segments.next()?);
    parse_id(id)
}

/// An id as hangar writes it: lower case, with dashes.
#[must_use]
pub fn parse_id(text: &str) -> Option<Uuid> {
    let id = Uuid::try_parse(text).ok()?;
    let mut written = Uuid::encode_buffer();
    (id.hyphenated().encode_lower(&mut written) == text).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_key_with_an_id_in_its_middle_can_be_an_assets() {
        let id = "3999b15f-7a97-486e-b06b-d08ce45c00c9";
        assert!(asset_id_in(&format!("user-assets/{id}/me.png")).is_some());
        for key in [
            format!("user-assets/{id}"),
            format!("{id}/me.png"),
            format!("user-assets/{}/me.png", id.to_uppercase()),
            format!("user-assets/{}/me.png", id.replace('-', "")),
            "photos/2026/me.png".to_owned(),
        ] {
            assert_eq!(asset_id_in(&key), None, "{key}");
        }
    }
}
