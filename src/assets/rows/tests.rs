mod older_logs;

use super::effects::*;
use super::reading::*;
use crate::assets::entity::{EntityType, PointerKind};
use crate::assets::model::{Asset, Bindings, Micros};
use crate::assets::pointer::Pointer;
use crate::s3::{BucketName, ObjectKey};
use crate::store::{BareIndex, Effect};
use uuid::Uuid;

const ID: &str = "3999b15f-7a97-486e-b06b-d08ce45c00c9";
const USER: &str = "87027c3a-068e-46d4-9359-008fbe42ea1d";

async fn index() -> BareIndex {
    let mut index = older_logs::older_index().await;
    older_logs::migrate(&mut index).await;
    index
}
fn id(text: &str) -> Uuid {
    Uuid::try_parse(text).unwrap()
}
fn avatar() -> Asset {
    Asset {
        id: id(ID),
        entity_type: EntityType::UserAvatar,
        bucket: BucketName::parse("uploads").unwrap(),
        key: ObjectKey::parse(&format!("user-assets/{ID}/me.png")).unwrap(),
        content_type: "image/png".to_owned(),
        attributes: r#"{"name":"me.png","note":"a\u0000\"b","size":73}"#.to_owned(),
        size: 73,
        bindings: Bindings {
            user_id: Some(id(USER)),
            ..Bindings::default()
        },
        external_id: None,
        external_source: None,
        created_by: id(USER),
        updated_by: None,
        created_at: Micros::from_micros(1_790_000_000_123_456),
        updated_at: Micros::from_micros(1_790_000_000_123_456),
        deleted_at: None,
        pointer_wanted: false,
    }
}
async fn index_with(asset: &Asset) -> BareIndex {
    let mut index = index().await;
    index.apply(&EFFECTS, &[&requested(asset)]).await;
    index
}

#[tokio::test]
async fn a_requested_asset_is_read_back_as_it_was() {
    let asset = avatar();
    let mut index = index_with(&asset).await;
    assert_eq!(
        super::reading::asset(index.view(), asset.id).await.unwrap(),
        Some(asset)
    );
    assert_eq!(
        super::reading::asset(index.view(), Uuid::nil())
            .await
            .unwrap(),
        None
    );
}

#[tokio::test]
async fn every_binding_of_an_asset_is_kept() {
    let mut asset = avatar();
    asset.entity_type = EntityType::IssueAttachment;
    asset.bindings = Bindings {
        user_id: None,
        workspace_id: Some(Uuid::from_u128(1)),
        project_id: Some(Uuid::from_u128(2)),
        issue_id: Some(Uuid::from_u128(3)),
        comment_id: Some(Uuid::from_u128(4)),
        page_id: Some(Uuid::from_u128(5)),
        draft_issue_id: Some(Uuid::from_u128(6)),
    };
    asset.external_id = Some("42".to_owned());
    asset.external_source = Some("jira".to_owned());
    asset.pointer_wanted = true;
    let mut index = index_with(&asset).await;
    assert_eq!(
        super::reading::asset(index.view(), asset.id).await.unwrap(),
        Some(asset)
    );
}

#[tokio::test]
async fn the_type_asked_for_is_found_at_the_assets_own_key_only() {
    let mut index = index_with(&avatar()).await;
    let key = format!("user-assets/{ID}/me.png");
    let at = content_type_at(index.view(), id(ID), "uploads", &key).await;
    assert_eq!(at.unwrap().as_deref(), Some("image/png"));
    for (bucket, key) in [("uploads", "user-assets/x/me.png"), ("other", &key)] {
        let at = content_type_at(index.view(), id(ID), bucket, key).await;
        assert_eq!(at.unwrap(), None);
    }
}

#[tokio::test]
async fn a_change_replaces_attributes_or_leaves_them() {
    let asset = avatar();
    let mut index = index_with(&asset).await;
    let mut changed = Changed {
        id: asset.id,
        attributes: None,
        updated_by: asset.created_by,
        updated_at: Micros::from_micros(2_000_000_000_000_000),
        pointer_wanted: Some(true),
        created_by: None,
        moved: None,
    };
    index.apply(&EFFECTS, &[&changed.effect()]).await;
    let found = super::reading::asset(index.view(), asset.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.attributes, asset.attributes);
    assert_eq!(found.updated_by, Some(asset.created_by));
    assert_eq!(found.updated_at, changed.updated_at);
    assert!(found.pointer_wanted);

    changed.attributes = Some(r#"{"a":[1,{"b":null}]}"#.to_owned());
    changed.pointer_wanted = None;
    index.apply(&EFFECTS, &[&changed.effect()]).await;
    let found = super::reading::asset(index.view(), asset.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.attributes, r#"{"a":[1,{"b":null}]}"#);
    assert!(found.pointer_wanted);
}

#[tokio::test]
async fn a_deleted_asset_is_not_found_and_only_the_named_pointer_is_emptied() {
    let asset = avatar();
    let mut index = index_with(&asset).await;
    let pointers = "INSERT INTO pointers (kind, workspace_id, owner_id, asset_id)
         VALUES ('user_avatar', '', ?1, ?2), ('user_cover', '', ?1, ?2)";
    index.run(pointers, [USER.into(), ID.into()]).await;
    let deleted = Deleted {
        id: asset.id,
        deleted_at: Micros::from_micros(3),
        emptied: vec![Pointer::user_avatar(id(USER))],
    };
    index.apply(&EFFECTS, &[&deleted.effect()]).await;
    assert_eq!(
        super::reading::asset(index.view(), asset.id).await.unwrap(),
        None
    );
    let avatar = pointed_to(index.view(), Pointer::user_avatar(id(USER))).await;
    assert_eq!(avatar.unwrap(), None);
    let cover = Pointer {
        kind: PointerKind::UserCover,
        ..Pointer::user_avatar(id(USER))
    };
    let cover = pointed_to(index.view(), cover).await;
    assert_eq!(cover.unwrap(), Some(asset.id));
}
