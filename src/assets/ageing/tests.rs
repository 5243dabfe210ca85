use super::*;
use crate::app::Application;
use crate::assets::{
    AssetError, AssetName, Bindings, Change, EntityType, Permission, Pointer, UploadRequest, Within,
};
use crate::clock::Clock;
use crate::config::{Config, Environment, Flags, Role};
use crate::http::AppState;
use crate::s3::checksum::Wanted;
use crate::s3::conditional::WritePrecondition;
use crate::store::{Expected, ObjectMeta, Target};
use uuid::Uuid;

const DAY: Duration = Duration::from_hours(24);

struct Fixture {
    state: AppState,
    user_id: Uuid,
    _folder: tempfile::TempDir,
}

impl Fixture {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::from_pairs([
            ("HANGAR_LISTEN", "127.0.0.1:0"),
            ("HANGAR_DATA_DIR", folder.path().to_str().unwrap()),
        ]);
        let composed = Config::compose(Role::Standalone, &Flags::default(), &environment).unwrap();
        let app = Application::build(composed.config, Clock::default()).await;
        Self {
            state: app.unwrap().state().clone(),
            user_id: Uuid::new_v4(),
            _folder: folder,
        }
    }

    async fn request(&self) -> Asset {
        let request = UploadRequest {
            entity_type: EntityType::UserAvatar,
            name: AssetName::unnamed(),
            content_type: "image/png".to_owned(),
            size: 10,
            bindings: Bindings {
                user_id: Some(self.user_id),
                ..Bindings::default()
            },
            external_id: None,
            external_source: None,
            unique_in: None,
            created_by: self.user_id,
        };
        self.state
            .assets
            .request_upload(request)
            .await
            .unwrap()
            .asset
    }

    async fn upload(&self, asset: &Asset) {
        let store = &self.state.store;
        let mut staging = store.stage(&Wanted::default(), 10);
        staging.write(b"0123456789"[..].into()).await.unwrap();
        let target = Target {
            bucket: asset.bucket.clone(),
            key: asset.key.clone(),
            meta: ObjectMeta::default(),
        };
        let sealed = staging.seal(&Expected::default()).await.unwrap();
        let committed = store.commit(target, sealed, WritePrecondition::None);
        committed.await.unwrap();
    }

    fn own(&self) -> Within {
        Within::Own {
            user_id: self.user_id,
        }
    }

    async fn delete(&self, asset: &Asset) {
        let assets = &self.state.assets;
        assets
            .delete(asset.id, self.own(), false, Permission::All)
            .await
            .unwrap();
    }

    async fn restore(&self, asset: &Asset) -> bool {
        let assets = &self.state.assets;
        let restoring = assets.restore(asset.id, self.own(), Permission::All);
        match restoring.await {
            Ok(()) => true,
            Err(AssetError::NotFound) => false,
            Err(error) => panic!("{error:?}"),
        }
    }

    async fn purge(&self, mode: Mode) -> (u64, u64) {
        let (store, ages) = (&self.state.store, AssetAges::default());
        let purged = purge(store, ages, store.now(), mode).await.unwrap();
        (purged.unuploaded, purged.deleted)
    }

    async fn has_object(&self, asset: &Asset) -> bool {
        let object = self.state.store.object(&asset.bucket, &asset.key).await;
        object.unwrap().is_some()
    }
}

#[actix_web::test]
async fn an_asset_that_never_got_bytes_is_purged_after_a_week_and_an_uploaded_one_stays() {
    let fixture = Fixture::open().await;
    let (empty, uploaded) = (fixture.request().await, fixture.request().await);
    fixture.upload(&uploaded).await;
    fixture.state.clock.advance(DAY * 6);
    assert_eq!(fixture.purge(Mode::Do).await, (0, 0));
    fixture.state.clock.advance(DAY * 2);
    assert_eq!(fixture.purge(Mode::Tell).await, (1, 0));
    assert_eq!(fixture.purge(Mode::Do).await, (1, 0));
    assert_eq!(fixture.purge(Mode::Do).await, (0, 0));
    let assets = &fixture.state.assets;
    let gone = assets.find(empty.id, &fixture.own()).await;
    assert!(matches!(gone, Err(AssetError::NotFound)), "{gone:?}");
    let kept = assets.find(uploaded.id, &fixture.own()).await.unwrap();
    assert_eq!(kept.id, uploaded.id);
    assert!(fixture.has_object(&uploaded).await);
}

#[actix_web::test]
async fn a_deleted_asset_is_purged_with_its_object_after_sixty_days_and_a_restored_one_stays() {
    let fixture = Fixture::open().await;
    let (deleted, restored) = (fixture.request().await, fixture.request().await);
    for asset in [&deleted, &restored] {
        fixture.upload(asset).await;
        fixture.delete(asset).await;
    }
    fixture.state.clock.advance(DAY * 59);
    assert_eq!(fixture.purge(Mode::Do).await, (0, 0));
    assert!(fixture.restore(&restored).await);
    fixture.state.clock.advance(DAY * 2);
    assert_eq!(fixture.purge(Mode::Do).await, (0, 1));
    assert!(!fixture.has_object(&deleted).await);
    assert!(!fixture.restore(&deleted).await);
    assert!(fixture.has_object(&restored).await);
}

#[actix_web::test]
async fn a_pointer_is_removed_with_the_asset_that_it_named() {
    let fixture = Fixture::open().await;
    let asset = fixture.request().await;
    fixture.upload(&asset).await;
    let change = Change {
        attributes: None,
        updated_by: fixture.user_id,
        moves_pointer: true,
        takes_over: false,
    };
    let assets = &fixture.state.assets;
    let changing = assets.change(asset.id, fixture.own(), change, Permission::All);
    changing.await.unwrap();
    // The project's route deletes without emptying the pointer, so that a restore finds it.
    fixture.delete(&asset).await;
    let avatar = Pointer::user_avatar(fixture.user_id);
    assert_eq!(assets.current(avatar).await.unwrap(), Some(asset.id));
    fixture.state.clock.advance(DAY * 61);
    assert_eq!(fixture.purge(Mode::Do).await, (0, 1));
    assert_eq!(assets.current(avatar).await.unwrap(), None);
}
