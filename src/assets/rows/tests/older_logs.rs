//! Records and indexes from the time when a project had one pointer for all workspaces.
//!
//! The law: migrating an older index gives the same rows as replaying the older log with today's code. They stay the
//! same when newer records follow, however replay groups them.
use super::*;
use crate::assets::pointer_hook::moved_to;
use proptest::prelude::*;
use std::collections::HashSet;

pub(super) async fn older_index() -> BareIndex {
    let tables = include_str!("../../../../migrations/0002_people_and_assets.sql");
    BareIndex::with_tables(tables).await
}

pub(super) async fn migrate(index: &mut BareIndex) {
    let migration = include_str!("../../../../migrations/0008_pointers_of_workspaces.sql");
    index.migrate(migration).await;
}

const KINDS: [EntityType; 4] = [
    EntityType::UserAvatar,
    EntityType::WorkspaceLogo,
    EntityType::ProjectCover,
    EntityType::ProjectCover,
];

#[derive(Debug, Clone)]
enum Step {
    Ask {
        kind: usize,
        workspace: u128,
        project: u128,
    },
    Move {
        asset: prop::sample::Index,
        by_upload: bool,
    },
    Bind {
        asset: prop::sample::Index,
        project: u128,
    },
    Delete {
        asset: prop::sample::Index,
        empties: bool,
    },
    Restore {
        asset: prop::sample::Index,
    },
    Purge {
        asset: prop::sample::Index,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let asset = any::<prop::sample::Index>;
    prop_oneof![
        6 => (0..KINDS.len(), 1..4_u128, 1..3_u128)
            .prop_map(|(kind, workspace, project)| Step::Ask { kind, workspace, project }),
        10 => (asset(), any::<bool>()).prop_map(|(asset, by_upload)| Step::Move { asset, by_upload }),
        4 => (asset(), 1..3_u128).prop_map(|(asset, project)| Step::Bind { asset, project }),
        3 => (asset(), any::<bool>()).prop_map(|(asset, empties)| Step::Delete { asset, empties }),
        2 => asset().prop_map(|asset| Step::Restore { asset }),
        1 => asset().prop_map(|asset| Step::Purge { asset }),
    ]
}

/// How records were made, and applied, when pointers were kept by owner alone.
mod older {
    use super::*;

    fn pointer(asset: &Asset) -> (&'static str, Uuid) {
        let pointer = Pointer::of(asset).unwrap();
        (pointer.kind.as_str(), pointer.owner_id)
    }

    fn lock((kind, owner): (&str, Uuid)) -> String {
        format!("pointer:{kind}:{owner}")
    }

    async fn pointed_to(index: &mut BareIndex, (kind, owner): (&str, Uuid)) -> Option<String> {
        let pointer = "SELECT asset_id FROM pointers WHERE kind = ?1 AND owner_id = ?2";
        let row = index.view().row(pointer, [kind.into(), owner.into()]).await;
        Some(row.unwrap()?.text("asset_id").unwrap().to_owned())
    }

    pub(super) async fn moved(
        index: &mut BareIndex,
        asset: &Asset,
        by_upload: bool,
    ) -> Option<Effect> {
        let owner = pointer(asset);
        let replaced = pointed_to(index, owner).await;
        if replaced == Some(asset.id.to_string()) {
            return None;
        }
        let mut touches = vec![asset_row(asset.id), lock(owner)];
        touches.extend(replaced.iter().map(|id| format!("asset:{id}")));
        let (kind, owner_id) = owner;
        let mut moved = serde_json::json!({"kind": kind, "owner_id": owner_id, "at": 7});
        if let Some(replaced) = replaced {
            moved["replaced"] = replaced.into();
        }
        let mut data = serde_json::json!({"id": asset.id, "moved": moved});
        if !by_upload {
            data["updated_by"] = asset.created_by.to_string().into();
            data["updated_at"] = 7.into();
        }
        Some(Effect {
            kind: if by_upload { POINTED } else { CHANGED },
            rows: touches,
            data,
        })
    }

    pub(super) fn bound(asset: &Asset, project: Uuid) -> Effect {
        Effect {
            kind: BOUND,
            rows: vec![asset_row(asset.id), lock(("project_cover", project))],
            data: serde_json::json!({
                "assets": [{"id": asset.id, "project_id": project}],
                "project_id": project,
                "cover": asset.id,
            }),
        }
    }

    pub(super) async fn deleted(index: &mut BareIndex, asset: &Asset, empties: bool) -> Effect {
        let owner = pointer(asset);
        let names_it = pointed_to(index, owner).await == Some(asset.id.to_string());
        let (mut touches, mut emptied) = (vec![asset_row(asset.id)], Vec::new());
        if empties && names_it {
            touches.push(lock(owner));
            let (kind, owner_id) = owner;
            emptied.push(serde_json::json!({"kind": kind, "owner_id": owner_id}));
        }
        Effect {
            kind: DELETED,
            rows: touches,
            data: serde_json::json!({"id": asset.id, "deleted_at": 8, "emptied": emptied}),
        }
    }

    async fn run(index: &mut BareIndex, statement: &'static str, rows: &str) {
        index.run(statement, [rows.into()]).await;
    }

    /// The statements on pointers as they were. Those on assets have not changed since.
    pub(super) async fn apply(index: &mut BareIndex, effect: &Effect) {
        let all = serde_json::json!([{"sequence": 1, "at": 0, "data": effect.data}]).to_string();
        match effect.kind {
            REQUESTED | RESTORED => index.apply(&EFFECTS, &[effect]).await,
            CHANGED | POINTED => {
                if effect.kind == CHANGED {
                    let mut unmoved = effect.clone();
                    unmoved.data.as_object_mut().unwrap().remove("moved");
                    index.apply(&EFFECTS, &[&unmoved]).await;
                }
                move_pointers(index, &all).await;
            }
            BOUND => {
                let statement =
                    "UPDATE assets SET project_id = json_extract(?1, '$[0].data.project_id')
                     WHERE id = json_extract(?1, '$[0].data.cover')";
                run(index, statement, &all).await;
                let statement = "INSERT INTO pointers (kind, owner_id, asset_id)
                     SELECT 'project_cover', value ->> '$.data.project_id', value ->> '$.data.cover'
                     FROM json_each(?1) WHERE value ->> '$.data.cover' IS NOT NULL
                     ON CONFLICT DO UPDATE SET asset_id = excluded.asset_id";
                run(index, statement, &all).await;
            }
            DELETED => {
                let mut unemptied = effect.clone();
                unemptied.data["emptied"] = serde_json::json!([]);
                index.apply(&EFFECTS, &[&unemptied]).await;
                let statement = "DELETE FROM pointers
                     WHERE (kind, owner_id) IN
                           (SELECT emptied.value ->> '$.kind', emptied.value ->> '$.owner_id'
                            FROM json_each(?1) AS record,
                                 json_each(record.value, '$.data.emptied') AS emptied)";
                run(index, statement, &all).await;
            }
            PURGED => {
                let statement = "DELETE FROM assets
                     WHERE id IN (SELECT value ->> '$.data.id' FROM json_each(?1))";
                run(index, statement, &all).await;
            }
            other => panic!("{other} is no kind of an older log"),
        }
    }

    async fn move_pointers(index: &mut BareIndex, rows: &str) {
        for statement in [
            "UPDATE assets SET pointer_wanted = 0
             WHERE id IN (SELECT value ->> '$.data.id' FROM json_each(?1)
                          WHERE value -> '$.data.moved' IS NOT NULL)",
            "INSERT INTO pointers (kind, owner_id, asset_id)
             SELECT value ->> '$.data.moved.kind', value ->> '$.data.moved.owner_id', value ->> '$.data.id'
             FROM json_each(?1) WHERE value -> '$.data.moved' IS NOT NULL
             ON CONFLICT DO UPDATE SET asset_id = excluded.asset_id",
            "UPDATE assets SET deleted_at = moved.at
             FROM (SELECT value ->> '$.data.moved.replaced' AS id, value ->> '$.data.moved.at' AS at
                   FROM json_each(?1)) AS moved
             WHERE assets.id = moved.id AND assets.deleted_at IS NULL",
        ] {
            run(index, statement, rows).await;
        }
    }
}

/// Today's records.
mod newer {
    use super::*;

    pub(super) async fn moved(
        index: &mut BareIndex,
        asset: &Asset,
        by_upload: bool,
    ) -> Option<Effect> {
        let at = Micros::from_micros(7);
        let moved = moved_to(index.view(), asset, at).await.unwrap()?;
        if by_upload {
            let id = asset.id;
            return Some(Pointed { id, moved }.effect());
        }
        let changed = Changed {
            id: asset.id,
            attributes: None,
            updated_by: asset.created_by,
            updated_at: at,
            pointer_wanted: None,
            created_by: None,
            moved: Some(moved),
        };
        Some(changed.effect())
    }

    pub(super) async fn bound(index: &mut BareIndex, asset: &Asset, project: Uuid) -> Effect {
        let workspace_id = asset.bindings.workspace_id.unwrap();
        let pointer = Pointer::project_cover(workspace_id, project);
        let bindings = Bindings {
            project_id: Some(project),
            ..Bindings::default()
        };
        let bound = Bound {
            assets: vec![BoundAsset {
                id: asset.id,
                bindings,
            }],
            workspace_id,
            project_id: project,
            cover: Some(asset.id),
            former_cover: pointed_to(index.view(), pointer).await.unwrap(),
        };
        bound.effect()
    }

    pub(super) async fn deleted(index: &mut BareIndex, asset: &Asset, empties: bool) -> Effect {
        let pointer = Pointer::of(asset).unwrap();
        let names_it = pointed_to(index.view(), pointer).await.unwrap() == Some(asset.id);
        let emptied = (empties && names_it).then_some(pointer);
        let deleted = Deleted {
            id: asset.id,
            deleted_at: Micros::from_micros(8),
            emptied: emptied.into_iter().collect(),
        };
        deleted.effect()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Era {
    Older,
    Newer,
}

/// The live index, and the log that made it.
struct World {
    index: BareIndex,
    asked: Vec<Uuid>,
    log: Vec<Effect>,
}
impl World {
    async fn new() -> Self {
        Self {
            index: older_index().await,
            asked: Vec::new(),
            log: Vec::new(),
        }
    }

    async fn take(&mut self, era: Era, step: &Step) {
        let Some(effect) = self.plan(era, step).await else {
            return;
        };
        match era {
            Era::Older => older::apply(&mut self.index, &effect).await,
            Era::Newer => apply(&mut self.index, &[&effect]).await,
        }
        self.log.push(effect);
    }

    /// `None`: there is nothing to record.
    async fn plan(&mut self, era: Era, step: &Step) -> Option<Effect> {
        match *step {
            Step::Ask {
                kind,
                workspace,
                project,
            } => {
                let id = Uuid::from_u128((self.asked.len() as u128 + 1) << 64);
                self.asked.push(id);
                let bindings = Bindings {
                    user_id: Some(Uuid::from_u128(workspace)),
                    workspace_id: Some(Uuid::from_u128(workspace)),
                    project_id: Some(Uuid::from_u128(project << 32)),
                    ..Bindings::default()
                };
                let entity_type = KINDS[kind];
                let asset = Asset {
                    id,
                    entity_type,
                    bindings,
                    ..avatar()
                };
                Some(requested(&asset))
            }
            Step::Move { asset, by_upload } => {
                let asset = self.held(asset).await?;
                match era {
                    Era::Older => older::moved(&mut self.index, &asset, by_upload).await,
                    Era::Newer => newer::moved(&mut self.index, &asset, by_upload).await,
                }
            }
            Step::Bind { asset, project } => {
                let asset = self.held(asset).await?;
                let project = Uuid::from_u128(project << 32);
                if asset.entity_type != EntityType::ProjectCover {
                    return None;
                }
                Some(match era {
                    Era::Older => older::bound(&asset, project),
                    Era::Newer => newer::bound(&mut self.index, &asset, project).await,
                })
            }
            Step::Delete { asset, empties } => {
                let asset = self.held(asset).await?;
                Some(match era {
                    Era::Older => older::deleted(&mut self.index, &asset, empties).await,
                    Era::Newer => newer::deleted(&mut self.index, &asset, empties).await,
                })
            }
            Step::Restore { asset } => {
                let id = self.deleted(asset).await?.id;
                Some(Restored { id }.effect())
            }
            Step::Purge { asset } => Some(purged(self.deleted(asset).await?.id)),
        }
    }

    async fn held(&mut self, chosen: prop::sample::Index) -> Option<Asset> {
        let id = (!self.asked.is_empty()).then(|| *chosen.get(&self.asked))?;
        asset(self.index.view(), id).await.unwrap()
    }

    async fn deleted(&mut self, chosen: prop::sample::Index) -> Option<Asset> {
        let id = (!self.asked.is_empty()).then(|| *chosen.get(&self.asked))?;
        let asset = any_asset(self.index.view(), id).await.unwrap();
        asset.filter(|asset| asset.deleted_at.is_some())
    }
}

/// As the store applies a group.
async fn apply(index: &mut BareIndex, group: &[&Effect]) {
    index.apply(&EFFECTS, group).await;
}

/// As the store replays a log: records share a group while they touch different rows.
async fn replay(log: &[Effect]) -> BareIndex {
    let mut index = index().await;
    let (mut group, mut held) = (Vec::new(), HashSet::new());
    for effect in log {
        if effect.rows.iter().any(|row| held.contains(row)) {
            apply(&mut index, &group).await;
            group.clear();
            held.clear();
        }
        held.extend(effect.rows.iter());
        group.push(effect);
    }
    apply(&mut index, &group).await;
    index
}

/// All rows of assets and pointers.
async fn dump(index: &mut BareIndex) -> Vec<String> {
    let all = "SELECT json_array(kind, workspace_id, owner_id, asset_id) AS one FROM pointers
         UNION ALL
         SELECT json_array(id, entity_type, workspace_id, project_id, deleted_at, updated_by, updated_at,
                           pointer_wanted)
         FROM assets
         ORDER BY 1";
    let rows = index.view().rows(all, []).await.unwrap();
    let texts = rows.iter().map(|row| row.text("one").unwrap().to_owned());
    texts.collect()
}

#[test]
fn an_older_index_that_is_migrated_is_the_older_log_replayed() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let steps = || prop::collection::vec(step(), 0..40);
    proptest!(|(before in steps(), after in steps())| {
        runtime.block_on(async {
            let mut world = World::new().await;
            for step in &before {
                world.take(Era::Older, step).await;
            }
            migrate(&mut world.index).await;
            let migrated = dump(&mut world.index).await;
            prop_assert_eq!(dump(&mut replay(&world.log).await).await, migrated);
            for step in &after {
                world.take(Era::Newer, step).await;
            }
            let live = dump(&mut world.index).await;
            prop_assert_eq!(dump(&mut replay(&world.log).await).await, live);
            Ok(())
        })?;
    });
}

#[tokio::test]
async fn an_older_move_over_another_workspaces_cover_ends_as_it_ended() {
    let cover = |number: u128, workspace: u128| Asset {
        id: Uuid::from_u128(number),
        entity_type: EntityType::ProjectCover,
        bindings: Bindings {
            workspace_id: Some(Uuid::from_u128(workspace)),
            project_id: Some(Uuid::from_u128(77)),
            ..Bindings::default()
        },
        ..avatar()
    };
    let pointer =
        |workspace| Pointer::project_cover(Uuid::from_u128(workspace), Uuid::from_u128(77));
    let (ours, theirs, again) = (cover(11, 1), cover(12, 2), cover(13, 1));
    let mut world = World::new().await;
    for asset in [&ours, &theirs] {
        let asked = requested(asset);
        older::apply(&mut world.index, &asked).await;
        let moved = older::moved(&mut world.index, asset, false).await.unwrap();
        older::apply(&mut world.index, &moved).await;
        world.log.extend([asked, moved]);
    }
    migrate(&mut world.index).await;
    for index in [&mut world.index, &mut replay(&world.log).await] {
        assert_eq!(asset(index.view(), ours.id).await.unwrap(), None);
        assert!(asset(index.view(), theirs.id).await.unwrap().is_some());
        assert_eq!(pointed_to(index.view(), pointer(1)).await.unwrap(), None);
        let current = pointed_to(index.view(), pointer(2)).await.unwrap();
        assert_eq!(current, Some(theirs.id));
        // From now on each workspace has its own.
        apply(index, &[&requested(&again)]).await;
        let moved = newer::moved(index, &again, false).await.unwrap();
        apply(index, &[&moved]).await;
        assert_eq!(
            pointed_to(index.view(), pointer(1)).await.unwrap(),
            Some(again.id)
        );
        let current = pointed_to(index.view(), pointer(2)).await.unwrap();
        assert_eq!(current, Some(theirs.id));
        assert!(asset(index.view(), theirs.id).await.unwrap().is_some());
    }
}
