use super::*;
use crate::app::Application;
use crate::assets::{AssetName, RequestedUpload, UniqueIn, UploadRequest};
use crate::clock::Clock;
use crate::config::{Config, Environment, Flags, Role};
use crate::http::AppState;
use crate::s3::checksum::Wanted;
use crate::store::{Expected, ObjectMeta};

struct House {
    state: AppState,
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
        let state = app.unwrap().state().clone();
        Self {
            state,
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
        self.state.assets.request_upload(request).await
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
        self.state
            .assets
            .change(asset.id, within, change, Permission::All)
            .await
    }

    async fn current(&self) -> Option<Uuid> {
        let avatar = Pointer::user_avatar(self.user_id);
        self.state.assets.current(avatar).await.unwrap()
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
            assert!(house.state.assets.asset(former.id).await.unwrap().is_none());
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
            let row = house.state.assets.asset(asset.id).await.unwrap();
            assert_eq!(row.is_some(), asset.id == current);
        }
    }
}

impl House {
    async fn ask_cover(&self, workspace_id: Uuid, project_id: Uuid) -> Asset {
        let request = UploadRequest {
            entity_type: EntityType::ProjectCover,
            name: AssetName::unnamed(),
            content_type: "image/png".to_owned(),
            size: 10,
            bindings: Bindings {
                workspace_id: Some(workspace_id),
                project_id: Some(project_id),
                ..Bindings::default()
            },
            external_id: None,
            external_source: None,
            unique_in: None,
            created_by: self.user_id,
        };
        let asked = self.state.assets.request_upload(request).await;
        asked.unwrap().asset
    }

    async fn patch_in(&self, workspace_id: Uuid, asset: &Asset) -> Result<(), AssetError> {
        let change = Change {
            attributes: None,
            updated_by: self.user_id,
            moves_pointer: true,
            takes_over: false,
        };
        let within = Within::Workspace { workspace_id };
        let assets = &self.state.assets;
        assets
            .change(asset.id, within, change, Permission::All)
            .await
    }

    async fn bind(
        &self,
        workspace_id: Uuid,
        project_id: Uuid,
        ids: Vec<Uuid>,
    ) -> Result<(), AssetError> {
        let binding = Binding {
            workspace_id,
            project_id,
            entity_id: Uuid::new_v4(),
            is_public: false,
            permission: Permission::All,
        };
        self.state.assets.bind(ids, binding).await
    }

    async fn is_there(&self, asset: &Asset) -> bool {
        let row = self.state.assets.asset(asset.id).await.unwrap();
        row.is_some()
    }
}

#[actix_web::test]
async fn of_racing_covers_of_one_project_id_each_workspace_keeps_one_of_its_own() {
    let house = House::open().await;
    let project = Uuid::new_v4();
    let workspaces = [Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4()];
    for round in 0..10 {
        let mut asked = Vec::new();
        for workspace in workspaces {
            for _ in 0..4 {
                asked.push((workspace, house.ask_cover(workspace, project).await));
            }
        }
        let moves = asked.iter().enumerate().map(|(at, (workspace, asset))| {
            let house = &house;
            async move {
                // Late uploads, PATCHes and bulks of all workspaces at once.
                if at % 4 == 3 {
                    house.upload(asset).await;
                    house
                        .bind(*workspace, project, vec![asset.id])
                        .await
                        .unwrap();
                } else {
                    let patching = house.patch_in(*workspace, asset);
                    let (patched, ()) = tokio::join!(patching, house.upload(asset));
                    patched.unwrap();
                }
            }
        });
        futures_util::future::join_all(moves).await;
        for workspace in workspaces {
            let pointer = Pointer::project_cover(workspace, project);
            let current = house.state.assets.current(pointer).await.unwrap();
            let own: Vec<&Asset> = (asked.iter())
                .filter(|(of, _)| *of == workspace)
                .map(|(_, asset)| asset)
                .collect();
            let current = own.iter().find(|asset| Some(asset.id) == current);
            let current = current.expect("the last move was one of these");
            assert!(house.is_there(current).await, "round {round}");
        }
    }
}

#[actix_web::test]
async fn a_move_in_one_workspace_leaves_the_cover_of_another() {
    let house = House::open().await;
    let project = Uuid::new_v4();
    let (ours, theirs) = (Uuid::new_v4(), Uuid::new_v4());
    let cover = house.ask_cover(ours, project).await;
    house.upload(&cover).await;
    house.patch_in(ours, &cover).await.unwrap();
    let mut former: Option<Asset> = None;
    for _ in 0..3 {
        let claimed = house.ask_cover(theirs, project).await;
        house.patch_in(theirs, &claimed).await.unwrap();
        house.upload(&claimed).await;
        assert!(house.is_there(&cover).await);
        if let Some(former) = former {
            assert!(!house.is_there(&former).await);
        }
        former = Some(claimed);
    }
    let pointer = Pointer::project_cover(ours, project);
    let current = house.state.assets.current(pointer).await.unwrap();
    assert_eq!(current, Some(cover.id));
}

#[actix_web::test]
async fn a_foreign_asset_is_refused_while_its_row_is_locked() {
    let house = House::open().await;
    let project = Uuid::new_v4();
    let (ours, theirs) = (Uuid::new_v4(), Uuid::new_v4());
    let cover = house.ask_cover(ours, project).await;
    let (entered, has_entered) = tokio::sync::oneshot::channel();
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    // The writer holds the row for as long as this check runs.
    let store = house.state.store.clone();
    let holding = tokio::spawn(async move {
        let rows = vec![effects::asset_row(cover.id)];
        let recorded = store.record(rows, move |_| {
            Box::pin(async move {
                entered.send(()).unwrap();
                let _ = released.await;
                Ok::<_, AssetError>(Decision {
                    effect: None,
                    answer: (),
                })
            })
        });
        assert!(recorded.await.is_ok());
    });
    has_entered.await.unwrap();
    let within = Within::Workspace {
        workspace_id: theirs,
    };
    let assets = &house.state.assets;
    let patched = house.patch_in(theirs, &cover).await;
    assert!(matches!(patched, Err(AssetError::NotFound)));
    let deleted = assets.delete(cover.id, within, true, Permission::All).await;
    assert!(matches!(deleted, Err(AssetError::NotFound)));
    let restored = assets.restore(cover.id, within, Permission::All).await;
    assert!(matches!(restored, Err(AssetError::NotFound)));
    let bound = house.bind(theirs, project, vec![cover.id]).await;
    assert!(matches!(bound, Err(AssetError::NotFound)));
    release.send(()).unwrap();
    holding.await.unwrap();
    assert!(house.is_there(&cover).await);
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
