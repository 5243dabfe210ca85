use super::*;
use crate::app::Application;
use crate::assets::{AssetName, RequestedUpload, UniqueIn, UploadRequest};
use crate::clock::Clock;
use crate::config::{Config, Environment, Flags, Role};
use crate::http::Rooms;
use crate::s3::checksum::Wanted;
use crate::store::{Expected, ObjectMeta};

struct House {
    rooms: Rooms,
    user_id: Uuid,
    _folder: tempfile::TempDir,
}

impl House {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::from_pairs([
            ("HANGAR_LISTEN", "127.0.0.1:0"),
            ("HANGAR_DATA_DIR", folder.path().to_str().unwrap()),
        ]);
        let composed = Config::compose(Role::Standalone, &Flags::default(), &environment).unwrap();
        let app = Application::build(composed.config, Clock::default()).await;
        let rooms = app.unwrap().rooms().clone();
        Self {
            rooms,
            user_id: Uuid::new_v4(),
            _folder: folder,
        }
    }

    async fn ask(&self, external_id: Option<&str>) -> Result<RequestedUpload, AssetError> {
        let request = UploadRequest {
            entity_type: EntityType::UserAvatar,
            name: AssetName::unnamed(),
            content_type: "image/png".to_owned(),
            size: 10,
            bindings: Bindings {
                user_id: Some(self.user_id),
                workspace_id: external_id.map(|_| self.user_id),
                ..Bindings::default()
            },
            external_id: external_id.map(str::to_owned),
            external_source: external_id.map(str::to_owned),
            unique_in: external_id.map(|_| UniqueIn::Workspace),
            created_by: self.user_id,
        };
        self.rooms.assets.request_upload(request).await
    }

    async fn upload(&self, asset: &Asset) {
        let store = &self.rooms.store;
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

    async fn patch(&self, asset: &Asset) -> Result<(), AssetError> {
        let change = Change {
            attributes: None,
            updated_by: self.user_id,
            moves_pointer: true,
            takes_over: false,
        };
        let within = Within::Own {
            user_id: self.user_id,
        };
        self.rooms
            .assets
            .change(asset.id, within, change, None)
            .await
    }

    async fn current(&self) -> Option<Uuid> {
        let current = self
            .rooms
            .assets
            .current(PointerKind::UserAvatar, self.user_id);
        current.await.unwrap()
    }
}

#[actix_web::test]
async fn a_pointer_moves_when_both_are_there_in_either_order() {
    let house = House::open().await;
    let mut former: Option<Asset> = None;
    for bytes_first in [true, false, false, true] {
        let asset = house.ask(None).await.unwrap().asset;
        if bytes_first {
            house.upload(&asset).await;
        } else {
            house.patch(&asset).await.unwrap();
        }
        assert_eq!(house.current().await, former.as_ref().map(|it| it.id));
        if bytes_first {
            house.patch(&asset).await.unwrap();
        } else {
            house.upload(&asset).await;
        }
        assert_eq!(house.current().await, Some(asset.id));
        house.patch(&asset).await.unwrap();
        house.upload(&asset).await;
        assert_eq!(
            house.current().await,
            Some(asset.id),
            "again changes nothing"
        );
        if let Some(former) = former {
            assert!(house.rooms.assets.asset(former.id).await.unwrap().is_none());
        }
        former = Some(asset);
    }
}

#[actix_web::test]
async fn of_racing_pictures_one_is_current_and_all_others_are_deleted() {
    let house = House::open().await;
    for _ in 0..10 {
        let mut asked = Vec::new();
        for _ in 0..6 {
            asked.push(house.ask(None).await.unwrap().asset);
        }
        let both = asked.iter().map(|asset| async {
            let (patched, ()) = tokio::join!(house.patch(asset), house.upload(asset));
            patched.unwrap();
        });
        futures_util::future::join_all(both).await;
        let current = house.current().await.unwrap();
        for asset in asked {
            let row = house.rooms.assets.asset(asset.id).await.unwrap();
            assert_eq!(row.is_some(), asset.id == current);
        }
    }
}

#[actix_web::test]
async fn of_racing_asks_for_one_external_id_exactly_one_is_answered() {
    let house = House::open().await;
    let asks = (0..16).map(|_| house.ask(Some("one")));
    let answers = futures_util::future::join_all(asks).await;
    let (made, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((made.len(), refused.len()), (1, 15));
    let made = made.into_iter().next().unwrap().unwrap().asset.id;
    for refusal in refused {
        let Err(AssetError::Exists(known)) = refusal else {
            panic!("another refusal")
        };
        assert_eq!(known.id, made);
    }
}
