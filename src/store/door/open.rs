//! Opening a vault for writing, as a server and most commands do.

use crate::clock::Clock;
use crate::db;
use crate::store::door::store::Store;
use crate::store::error::Refusal;
use crate::store::error::{self, OpenError};
use crate::store::folder::Folder;
use crate::store::index;
use crate::store::index::damage::IndexFile;
use crate::store::index::view::ReadView;
use crate::store::journal::hook::Registered;
use crate::store::journal::planner::Planner;
use crate::store::journal::state::State;
use crate::store::journal::{indexer, queue, writer};
use crate::store::parts::changes::{Changes, Tasks};
use crate::store::parts::config::StoreConfig;
use crate::store::parts::index_files::remember;
use crate::store::parts::vault::{Opened, Vault};
use crate::store::progress::Progress;
use crate::store::recovery::source::{Rebuilt, Source};
use crate::store::recovery::start::{self, Started};
use crate::store::recovery::{data_folder, refusal, snapshot};
use crate::store::upkeep::folder::foreign_files;
use std::sync::Arc;
use tokio::sync::mpsc;

impl Store {
    /// Creates or opens the folder, takes its lock, migrates the index, and replays the log.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(
        config: StoreConfig,
        clock: Clock,
        registered: Registered,
    ) -> Result<Self, OpenError> {
        let progress = Progress::default();
        let opened = Self::open_from(config, clock, registered, Source::Index, &progress).await;
        opened.map(|(store, _)| store)
    }

    /// As [`Store::open`], but builds the index from another source and sets the existing one aside. `progress` counts
    /// bytes of the log. Returns how the index was rebuilt, if it was.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open_from(
        config: StoreConfig,
        clock: Clock,
        registered: Registered,
        source: Source,
        progress: &Progress,
    ) -> Result<(Self, Option<Rebuilt>), OpenError> {
        let folder = Arc::new(data_folder::open(
            &config.data_dir,
            config.allow_unsafe_fs,
            config.min_free_bytes,
        )?);
        let mut file = IndexFile::of(&folder)
            .map_err(|error| refusal::database_trouble(&error, error::is_full(&error)))?;
        let replay = async |file: &mut IndexFile| {
            start::start(&folder, &clock, &registered.effects, source, progress, file).await
        };
        let mut replayed = replay(&mut file).await;
        if matches!(replayed, Err(OpenError::Full(_))) && folder.space().let_go() {
            replayed = replay(&mut file).await;
        }
        if replayed.is_err() && file.damage.is_found() {
            // The replay found the damage: the next attempt rebuilds the index.
            file.damage.try_again();
            replayed = replay(&mut file).await;
        }
        let replayed = replayed?;
        let (rebuilt, damage) = (replayed.rebuilt, file.damage.clone());
        match Self::from_replayed(replayed, file, &folder, &config, &clock, &registered).await {
            Err(_) if damage.is_found() => {}
            opened => return Ok((opened?, rebuilt)),
        }
        // As above: the next attempt rebuilds the damaged index.
        drop(damage);
        let mut file = IndexFile::of(&folder)
            .map_err(|error| refusal::database_trouble(&error, error::is_full(&error)))?;
        let replayed = replay(&mut file).await?;
        let rebuilt = replayed.rebuilt;
        let store =
            Self::from_replayed(replayed, file, &folder, &config, &clock, &registered).await?;
        Ok((store, rebuilt))
    }

    async fn from_replayed(
        replayed: Started,
        file: IndexFile,
        folder: &Arc<Folder>,
        config: &StoreConfig,
        clock: &Clock,
        registered: &Registered,
    ) -> Result<Self, OpenError> {
        let Started {
            log,
            mut index,
            rebuilt,
        } = replayed;
        let IndexFile {
            damage: index_damage,
            checkpoints,
            ..
        } = file;
        let checkpoints = Arc::new(tokio::sync::Mutex::new(checkpoints));
        let found_at_start = index_damage.found();
        let cannot = |error: &sqlx::Error| refusal::database_trouble(error, db::is_full(error));
        if rebuilt.is_some() {
            folder.remove_run();
            remember(folder, &checkpoints, None)
                .await
                .map_err(|error| cannot(&error))?;
            let made = checkpoints.lock().await.is_made();
            made.and_then(|()| index_damage.is_made_again())
                .map_err(|error| refusal::database_trouble(&error, error::is_full(&error)))?;
        }
        let buckets = index::buckets(&mut index)
            .await
            .map_err(|error| cannot(&error))?;
        let space = folder.space().clone();
        let state = State::of(buckets, space, index_damage);
        let state = Arc::new(state.with_hook(registered.hook.clone()));
        state.set_foreign_files(foreign_files(&folder.data_dir()));
        let database = folder.database();
        let readers = db::open_readers(&database)
            .await
            .map_err(|error| cannot(&error))?;
        let planning_reader = db::open_reader(&database)
            .await
            .map_err(|error| cannot(&error))?;
        let blobs = folder.blobs().clone();
        let renewal = snapshot::Renewal::after(folder.home(), log.id()).await;
        let (requests, requested) = mpsc::channel(queue::PLACES);
        let (logged, groups) = mpsc::channel(1);
        let (released, releases) = mpsc::unbounded_channel();
        let indexer = indexer::Indexer {
            groups,
            index,
            effects: registered.effects.clone().into(),
            log: log.id(),
            committed: log.end().sequence,
            state: state.clone(),
            checkpoints: checkpoints.clone(),
            released,
        };
        let planner = Planner {
            view: ReadView::own(planning_reader),
            state: state.clone(),
            clock: clock.clone(),
        };
        let writer = writer::Writer {
            requests: requested,
            log,
            planner,
            blobs,
            state: state.clone(),
            indexer: logged,
            released: releases,
        };
        let writing = writer.start().map_err(|error| {
            let why = "the writer's thread cannot be started";
            let refusal = Refusal::because(why, error);
            OpenError::Refused(refusal.way_out("allow more processes (ulimit -u)"))
        })?;
        let tasks = Tasks {
            writer: writing,
            indexer: tokio::spawn(indexer.run()),
        };
        let opened = Opened {
            folder: folder.clone(),
            clock: clock.clone(),
            state,
            readers,
            changes: Changes::through(requests, tasks),
            checkpoints,
            renewal,
            found_at_start,
            read_only: None,
        };
        Ok(Self::over(Vault::of(opened, config)))
    }
}
