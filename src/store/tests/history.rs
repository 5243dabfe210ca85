//! Random histories against a `BTreeMap`, through restarts, lost indexes and copied folders.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
enum Step {
    Put {
        key: u8,
        size: usize,
    },
    Delete {
        key: u8,
    },
    Note {
        id: u8,
        text: u8,
    },
    /// Several changes at once, so that they share groups.
    Together(Vec<Step>),
    Restart,
    /// The process dies: nothing is closed.
    Kill,
    LoseIndex,
    CopyFolder,
}

fn change() -> impl Strategy<Value = Step> {
    let size = prop_oneof![0..100usize, 4000..5000usize, 262_100..262_200usize];
    prop_oneof![
        4 => (0..6u8, size).prop_map(|(key, size)| Step::Put { key, size }),
        2 => (0..6u8).prop_map(|key| Step::Delete { key }),
        1 => (0..3u8, any::<u8>()).prop_map(|(id, text)| Step::Note { id, text }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => change(),
        4 => prop::collection::vec(change(), 2..12).prop_map(Step::Together),
        1 => Just(Step::Restart),
        1 => Just(Step::Kill),
        1 => Just(Step::LoseIndex),
        1 => Just(Step::CopyFolder),
    ]
}

#[derive(Debug, Default, Clone, PartialEq)]
struct Model {
    objects: BTreeMap<String, Vec<u8>>,
    notes: BTreeMap<String, String>,
}

struct World {
    runtime: tokio::runtime::Runtime,
    folders: Vec<tempfile::TempDir>,
    store: Option<Store>,
    model: Model,
    count: usize,
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

impl World {
    fn new() -> Self {
        let (runtime, folder) = (runtime(), tempfile::tempdir().unwrap());
        let store = Some(runtime.block_on(opened(folder.path())));
        Self {
            runtime,
            folders: vec![folder],
            store,
            model: Model::default(),
            count: 0,
        }
    }

    fn folder(&self) -> &Path {
        self.folders.last().unwrap().path()
    }

    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Together(steps) => {
                // Of one row only the first change takes part, so that the outcome does not depend on the race.
                let mut seen = std::collections::BTreeSet::new();
                let mut changes = Vec::new();
                for step in steps {
                    let row = match &step {
                        Step::Put { key, .. } | Step::Delete { key } => format!("object {key}"),
                        Step::Note { id, .. } => format!("note {id}"),
                        other => panic!("not one change: {other:?}"),
                    };
                    if seen.insert(row) {
                        changes.push(self.change(step));
                    }
                }
                self.runtime
                    .block_on(futures_util::future::join_all(changes));
            }
            Step::Put { .. } | Step::Delete { .. } | Step::Note { .. } => {
                let change = self.change(step);
                self.runtime.block_on(change);
            }
            Step::Restart => {
                self.close();
                self.reopen();
            }
            Step::Kill => {
                self.runtime.block_on(self.store().announce("{}")).unwrap();
                self.store = None;
                std::mem::replace(&mut self.runtime, runtime())
                    .shutdown_timeout(std::time::Duration::from_secs(10));
                self.reopen();
            }
            Step::LoseIndex => {
                let before = self.dump();
                self.close();
                super::log::lose_index(self.folder());
                self.reopen();
                assert_eq!(self.dump(), before);
            }
            Step::CopyFolder => {
                let before = self.dump();
                let copy = tempfile::tempdir().unwrap();
                copy_folder(self.folder(), copy.path());
                self.close();
                self.folders.push(copy);
                self.reopen();
                assert_eq!(self.dump(), before);
            }
        }
    }

    fn change(&mut self, step: Step) -> BoxFuture<'static, ()> {
        self.count += 1;
        let store = self.store().clone();
        match step {
            Step::Put { key: at, size } => {
                let mut body = pattern(size);
                body.extend_from_slice(self.count.to_string().as_bytes());
                let at = format!("key {at}");
                self.model.objects.insert(at.clone(), body.clone());
                Box::pin(async move { drop(put(&store, &at, &body).await) })
            }
            Step::Delete { key: at } => {
                let at = format!("key {at}");
                self.model.objects.remove(&at);
                Box::pin(async move {
                    store
                        .delete(name("uploads"), key(&at), WritePrecondition::None)
                        .await
                        .unwrap();
                })
            }
            Step::Note { id, text } => {
                let (id, text) = (format!("note {id}"), text.to_string());
                self.model.notes.insert(id.clone(), text.clone());
                Box::pin(async move { store.record_new(note(&id, &text)).await.unwrap() })
            }
            other => panic!("not one change: {other:?}"),
        }
    }

    fn close(&mut self) {
        let store = self.store.take().unwrap();
        self.runtime.block_on(store.close());
    }

    fn reopen(&mut self) {
        let store = self.runtime.block_on(open(self.folder())).unwrap();
        self.store = Some(store);
    }

    fn dump(&self) -> Vec<String> {
        self.runtime.block_on(dump(self.store()))
    }

    fn seen(&self) -> Model {
        self.runtime.block_on(async {
            let mut seen = Model::default();
            let request = ListRequest {
                max: 1000,
                ..ListRequest::default()
            };
            for listed in self
                .store()
                .list(&name("uploads"), &request)
                .await
                .unwrap()
                .objects
            {
                let at = listed.key.as_str().to_owned();
                let body = get(self.store(), &at).await.unwrap();
                seen.objects.insert(at, body);
            }
            let mut connection = self.store().readers().acquire().await.unwrap();
            let notes = sqlx::query("SELECT id, text FROM notes")
                .fetch_all(&mut *connection)
                .await;
            for row in notes.unwrap_or_default() {
                seen.notes.insert(row.get(0), row.get(1));
            }
            seen
        })
    }
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir_all(&to).unwrap();
            copy_folder(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn a_random_history_is_what_a_map_would_hold(steps in prop::collection::vec(step(), 1..30)) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
        }
        assert_eq!(world.seen(), world.model);
        world.close();
        world.reopen();
        assert_eq!(world.seen(), world.model);
        world.close();
    }
}
