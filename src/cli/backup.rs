//! `hangar backup` and `hangar restore`: a copy of the data folder for another place, and the way back.

use super::data_folder::{self, Output};
use super::{Failure, flag, fsck, order, terminal};
use crate::admin::Order;
use crate::clock::Clock;
use crate::config::{self, Environment};
use crate::store::{self, Copies, Progress, Store, Verify};
use clap::Args;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Copy everything to another folder: objects, assets, people, tokens and keys, as they are at one moment. A running server
/// is asked to do it, and serves on meanwhile; it must be able to write there. The next backup to the same folder copies
/// what is new, and one that was cut off goes on. Every byte of the backup is held against its checksum, also those of former
/// backups, and what has rotted is copied again.
///
/// Run by root without a server beside it, what it makes belongs to the owner of the data folder. The backup holds the
/// secrets of the folder: keep it as safe as the folder. Exits with 1 where anything is damaged.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hangar backup /mnt/backup/hangar
  hangar backup /mnt/backup/hangar --data-dir /srv/hangar --json
  hangar backup --quiet /mnt/backup/hangar    in a cron job: says only what went wrong")]
pub(super) struct Backup {
    /// The folder that holds the backup; it is made where it is missing
    #[arg(value_name = "DEST")]
    to: PathBuf,
    /// Do not read again what the backup holds already: what has rotted in it is not found
    #[arg(long)]
    quick: bool,
    /// The data folder of the server [default: data] [env: HANGAR_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Put a backup, or a plain copy of a data folder, into a new data folder. Of a copy all that its log holds is restored; a copy
/// whose log is damaged is refused. A restore that was cut off goes on when it is run again.
///
/// Run by root, what it makes belongs to the owner of the backup, or of the folder to restore into where that is there.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hangar restore /mnt/backup/hangar --data-dir /srv/hangar
  hangar fsck --data-dir /srv/hangar")]
pub(super) struct Restore {
    /// The folder that `hangar backup` was given, or a copy of a data folder
    #[arg(value_name = "SOURCE")]
    from: PathBuf,
    /// The data folder to be made [default: data] [env: HANGAR_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Backup {
    pub(super) async fn run(&self, environment: &Environment) -> Result<(), Failure> {
        let output = Output::of(self.json);
        let store = data_folder::find(self.data_dir.as_deref(), environment, output)?;
        let data_dir = store.data_dir.clone();
        let shows = !self.json && terminal::talks_to_a_person();
        // A server has another folder to begin from.
        let to = std::path::absolute(&self.to).map_err(|error| {
            let shown = self.to.display();
            Failure::Failed(format!("{shown} is no path: {error}"))
        })?;
        // SQLite and orders to a server take no other.
        if to.to_str().is_none() {
            let shown = to.display();
            return Err(Failure::Usage(format!(
                "{shown} is not UTF-8: name another folder for the backup"
            )));
        }
        let verify = if self.quick { Verify::New } else { Verify::All };
        let order = Order::Backup {
            to: to.clone(),
            verify,
        };
        let copies: Copies = order::carry_out_watched(store, order, "copied", shows).await?;
        let to = to.display();
        told(&copies, &format!("backed up to {to}"), &data_dir, output)
    }
}

impl Restore {
    pub(super) async fn run(&self, environment: &Environment) -> Result<(), Failure> {
        let data_dir = flag("--data-dir", self.data_dir.as_deref());
        let config = config::store_config(data_dir, environment)?;
        order::report_warnings(&config);
        let shows = !self.json && terminal::talks_to_a_person();
        let (progress, began) = (Progress::default(), Instant::now());
        let data_dir = config.data_dir.clone();
        let failed = |error: &dyn std::fmt::Display| order::refused(&error.to_string(), &data_dir);
        let restoring = store::restore(&self.from, &config, &progress);
        let copies = terminal::while_showing(restoring, shows, || {
            let done = progress.done_bytes.load(Ordering::Relaxed);
            let total = progress.total_bytes.load(Ordering::Relaxed);
            terminal::progress("copied", done, total, began.elapsed())
        });
        let copies = copies.await.map_err(|error| failed(&error))?;
        // Its database is made here, so that the first start is as quick as any.
        let opened = Store::open(config, Clock::default(), order::effects()).await;
        opened.map_err(|error| failed(&error))?.close().await;
        let shown = data_dir.display();
        if belongs_to_root(&data_dir) {
            let folder = terminal::quoted(data_dir.as_os_str());
            terminal::talk(&format!(
                "hangar: {shown} belongs to root, as the backup does: where the server runs as another user, run `chown -R USER:GROUP {folder}` before its start"
            ));
        }
        let output = Output::of(self.json);
        told(&copies, &format!("restored to {shown}"), &data_dir, output)
    }
}

/// Whether a server that runs as another user could not open it.
fn belongs_to_root(data_dir: &Path) -> bool {
    let home = std::fs::metadata(data_dir.join("@hangar"));
    home.is_ok_and(|home| home.uid() == 0)
}

fn told(copies: &Copies, what: &str, data_dir: &Path, output: Output) -> Result<(), Failure> {
    if output == Output::Json {
        let value = serde_json::to_value(copies).unwrap_or_default();
        let value = data_folder::named(value, data_dir);
        terminal::print(&terminal::pretty(&value))?;
    } else {
        let mut lines: Vec<String> = copies.findings.iter().map(fsck::finding).collect();
        lines.push(format!(
            "{what}: {} records, {} new files, {} copied; {} files were there, {} were removed",
            terminal::grouped(copies.records),
            terminal::grouped(copies.blobs),
            terminal::size(copies.bytes),
            terminal::grouped(copies.kept),
            terminal::grouped(copies.removed),
        ));
        if copies.renewed > 0 {
            lines.push(format!(
                "{} bodies had rotted in the backup, and are whole again",
                terminal::grouped(copies.renewed)
            ));
        }
        if copies.unverified > 0 {
            lines.push(format!(
                "{} bodies were in the backup already and were not read again; without --quick they are",
                terminal::grouped(copies.unverified)
            ));
        }
        let text = lines.join("\n");
        if copies.damages > 0 {
            terminal::report_trouble(&text)?;
        } else {
            terminal::report(&text)?;
        }
    }
    if copies.damages > 0 {
        return Err(Failure::Failed(format!(
            "{} bodies are damaged where they were copied from: `hangar fsck` tells which keys they hurt",
            copies.damages
        )));
    }
    Ok(())
}
