use super::*;
use crate::app::Application;
use crate::assets::{AssetName, RequestedUpload, UniqueIn, UploadRequest};
use crate::clock::Clock;
use crate::config::{Config, Environment, Flags, Role};
use crate::http::AppState;
use crate::s3::checksum::Wanted;
use crate::store::{Expected, ObjectMeta};

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
        let state = app.unwrap().state().clone();
        Self {
            state,
            user_id: Uuid::new_v4(),
            _folder: folder,
        }
    }

    async fn request(&self, external_id: Option<&str>) -> Result<RequestedUpload, AssetError> {
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
async fn a_pointer_moves_once_patch_and_bytes_arrived_in_either_order() {
    let fixture = Fixture::open().await;
    let mut former: Option<Asset> = None;
    for bytes_first in [true, false, false, true] {
        let asset = fixture.request(None).await.unwrap().asset;
        if bytes_first {
            fixture.upload(&asset).await;
        } else {
            fixture.patch(&asset).await.unwrap();
        }
        assert_eq!(fixture.current().await, former.as_ref().map(|it| it.id));
        if bytes_first {
            fixture.patch(&asset).await.unwrap();
        } else {
            fixture.upload(&asset).await;
        }
        assert_eq!(fixture.current().await, Some(asset.id));
        fixture.patch(&asset).await.unwrap();
        fixture.upload(&asset).await;
        assert_eq!(
            fixture.current().await,
            Some(asset.id),
            "again changes nothing"
        );
        if let Some(former) = former {
            assert!(
                fixture
                    .state
                    .assets
                    .asset(former.id)
                    .await
                    .unwrap()
                    .is_none()
            );
        }
        former = Some(asset);
    }
}

#[actix_web::test]
async fn of_racing_pictures_one_is_current_and_all_others_are_deleted() {
    let fixture = Fixture::open().await;
    for _ in 0..10 {
        let mut asked = Vec::new();
        for _ in 0..6 {
            asked.push(fixture.request(None).await.unwrap().asset);
        }
        let both = asked.iter().map(|asset| async {
            let (patched, ()) = tokio::join!(fixture.patch(asset), fixture.upload(asset));
            patched.unwrap();
        });
        futures_util::future::join_all(both).await;
        let current = fixture.current().await.unwrap();
        for asset in asked {
            let row = fixture.state.assets.asset(asset.id).await.unwrap();
            assert_eq!(row.is_some(), asset.id == current);
        }
    }
}

impl Fixture {
    async fn request_cover(&self, workspace_id: Uuid, project_id: Uuid) -> Asset {
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
    let fixture = Fixture::open().await;
    let project = Uuid::new_v4();
    let workspaces = [Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4()];
    for round in 0..10 {
        let mut asked = Vec::new();
        for workspace in workspaces {
            for _ in 0..4 {
                asked.push((workspace, fixture.request_cover(workspace, project).await));
            }
        }
        let moves = asked.iter().enumerate().map(|(at, (workspace, asset))| {
            let fixture = &fixture;
            async move {
                // Late uploads, PATCHes and bulks of all workspaces at once.
                if at % 4 == 3 {
                    fixture.upload(asset).await;
                    fixture
                        .bind(*workspace, project, vec![asset.id])
                        .await
                        .unwrap();
                } else {
                    let patching = fixture.patch_in(*workspace, asset);
                    let (patched, ()) = tokio::join!(patching, fixture.upload(asset));
                    patched.unwrap();
                }
            }
        });
        futures_util::future::join_all(moves).await;
        for workspace in workspaces {
            let pointer = Pointer::project_cover(workspace, project);
            let current = fixture.state.assets.current(pointer).await.unwrap();
            let own: Vec<&Asset> = (asked.iter())
                .filter(|(of, _)| *of == workspace)
                .map(|(_, asset)| asset)
                .collect();
            let current = own.iter().find(|asset| Some(asset.id) == current);
            let current = current.expect("the last move was one of these");
            assert!(fixture.is_there(current).await, "round {round}");
        }
    }
}

#[actix_web::test]
async fn a_move_in_one_workspace_leaves_the_cover_of_another() {
    let fixture = Fixture::open().await;
    let project = Uuid::new_v4();
    let (ours, theirs) = (Uuid::new_v4(), Uuid::new_v4());
    let cover = fixture.request_cover(ours, project).await;
    fixture.upload(&cover).await;
    fixture.patch_in(ours, &cover).await.unwrap();
    let mut former: Option<Asset> = None;
    for _ in 0..3 {
        let claimed = fixture.request_cover(theirs, project).await;
        fixture.patch_in(theirs, &claimed).await.unwrap();
        fixture.upload(&claimed).await;
        assert!(fixture.is_there(&cover).await);
        if let Some(former) = former {
            assert!(!fixture.is_there(&former).await);
        }
        former = Some(claimed);
    }
    let pointer = Pointer::project_cover(ours, project);
    let current = fixture.state.assets.current(pointer).await.unwrap();
    assert_eq!(current, Some(cover.id));
}

#[actix_web::test]
async fn a_foreign_asset_is_refused_while_its_row_is_locked() {
    let fixture = Fixture::open().await;
    let project = Uuid::new_v4();
    let (ours, theirs) = (Uuid::new_v4(), Uuid::new_v4());
    let cover = fixture.request_cover(ours, project).await;
    let (entered, has_entered) = tokio::sync::oneshot::channel();
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    // The writer holds the row for as long as this check runs.
    let store = fixture.state.store.clone();
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
    let assets = &fixture.state.assets;
    let patched = fixture.patch_in(theirs, &cover).await;
    assert!(matches!(patched, Err(AssetError::NotFound)));
    let deleted = assets.delete(cover.id, within, true, Permission::All).await;
    assert!(matches!(deleted, Err(AssetError::NotFound)));
    let restored = assets.restore(cover.id, within, Permission::All).await;
    assert!(matches!(restored, Err(AssetError::NotFound)));
    let bound = fixture.bind(theirs, project, vec![cover.id]).await;
    assert!(matches!(bound, Err(AssetError::NotFound)));
    release.send(()).unwrap();
    holding.await.unwrap();
    assert!(fixture.is_there(&cover).await);
}

#[actix_web::test]
async fn exactly_one_of_racing_requests_for_one_external_id_succeeds() {
    let fixture = Fixture::open().await;
    let asks = (0..16).map(|_| fixture.request(Some("one")));
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
