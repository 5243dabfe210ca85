//! `hangar rebuild`: rebuilds the database from the log.

use crate::app;
use crate::cli::data_folder::{self, Output};
use crate::cli::failure::Failure;
use crate::cli::order;
use crate::cli::terminal;
use crate::clock::Clock;
use crate::config::Environment;
use crate::store::{Progress, Rebuilt, Source, Store};
use clap::Args;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Rebuild the database from the newest snapshot and the log after it, or from the log alone. The old database is kept in
/// the data folder, as `aside-…`. Stop the server first.
///
/// A start does the same by itself if the folder was copied or its database is damaged.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hangar rebuild
  hangar rebuild --from-log --data-dir /srv/hangar --json")]
pub(in crate::cli) struct Rebuild {
    /// The data folder [default: data] [env: HANGAR_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Use no snapshot
    #[arg(long)]
    from_log: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Rebuild {
    pub(in crate::cli) async fn run(&self, environment: &Environment) -> Result<(), Failure> {
        let output = Output::of(self.json);
        let store = data_folder::find(self.data_dir.as_deref(), environment, output)?;
        let data_dir = store.data_dir.clone();
        order::report_warnings(&store);
        let shows = !self.json && terminal::stderr_is_a_terminal();
        let source = if self.from_log {
            Source::Log
        } else {
            Source::Snapshot
        };
        let (progress, began) = (Progress::default(), Instant::now());
        let registered = app::effects().into();
        let opening = Store::open_from(store, Clock::default(), registered, source, &progress);
        let opened = terminal::while_showing(opening, shows, || {
            let done = progress.done_bytes.load(Ordering::Relaxed);
            let total = progress.total_bytes.load(Ordering::Relaxed);
            terminal::progress("applied", done, total, began.elapsed())
        });
        let (store, rebuilt) = opened
            .await
            .map_err(|error| order::refused(&error.sentence(), &data_dir))?;
        store.close().await;
        let rebuilt = rebuilt.unwrap_or_default();
        if self.json {
            let value = serde_json::to_value(rebuilt).unwrap_or_default();
            let value = data_folder::named(value, &data_dir);
            terminal::print(&terminal::pretty(&value))
        } else {
            terminal::report(&report(&rebuilt, began.elapsed()))
        }
    }
}

fn report(rebuilt: &Rebuilt, took: Duration) -> String {
    let from = rebuilt.snapshot.map_or_else(
        || "the log alone".to_owned(),
        |snapshot| format!("the snapshot at record {}", terminal::grouped(snapshot)),
    );
    let mut lines = vec![format!(
        "rebuilt the database from {from}; {} records applied in {:.1} s",
        terminal::grouped(rebuilt.records),
        took.as_secs_f64()
    )];
    let salvaged = rebuilt.salvaged;
    if salvaged.fell_back + salvaged.dropped > 0 {
        lines.push(format!(
            "the bytes of some rows are missing: {} rows have their former content, {} were dropped",
            terminal::grouped(salvaged.fell_back),
            terminal::grouped(salvaged.dropped)
        ));
    }
    lines.join("\n")
}
