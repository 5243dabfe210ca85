//! `hangar backup` and `hangar restore`: a copy of the data folder for another place, and the way back.

use crate::admin::Order;
use crate::app;
use crate::cli::commands::fsck;
use crate::cli::data_folder::{self, Output};
use crate::cli::failure::Failure;
use crate::cli::order;
use crate::cli::terminal;
use crate::clock::Clock;
use crate::config::Flag;
use crate::config::{self, Environment};
use crate::store::{self, Copies, Progress, Store, Verify};
use clap::Args;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Copy everything to another folder: objects, assets, users, tokens and keys, as they are at one moment. A running server
/// makes the backup itself and goes on serving, so its user must be able to write to that folder. The next backup to the
/// same folder copies new data only, and an interrupted one continues. Every byte of the backup is compared with its
/// checksum, also the bytes of earlier backups, and damaged ones are copied again.
///
/// If root runs it without a server, the new files belong to the owner of the data folder. The backup holds the secrets
/// of the folder: keep it as safe as the folder. Exits with 1 if anything is damaged.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hangar backup /mnt/backup/hangar
  hangar backup /mnt/backup/hangar --data-dir /srv/hangar --json
  hangar backup --quiet /mnt/backup/hangar    in a cron job: prints errors only")]
pub(in crate::cli) struct Backup {
    /// The folder of the backup; made if it is missing
    #[arg(value_name = "DEST")]
    to: PathBuf,
    /// Do not read earlier backups again: damage in them is not found
    #[arg(long)]
    quick: bool,
    /// The data folder of the server [default: data] [env: HANGAR_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Restore a backup, or a plain copy of a data folder, into a new data folder. From a copy it restores all that the copy's
/// log holds; it refuses a copy whose log is damaged. An interrupted restore continues when it is run again.
///
/// If root runs it, the new files belong to the owner of the target folder, or to the owner of the backup if that folder
/// is missing or belongs to root.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hangar restore /mnt/backup/hangar --data-dir /srv/hangar
  hangar fsck --data-dir /srv/hangar")]
pub(in crate::cli) struct Restore {
    /// The folder that `hangar backup` was given, or a copy of a data folder
    #[arg(value_name = "SOURCE")]
    from: PathBuf,
    /// The new data folder [default: data] [env: HANGAR_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Backup {
    pub(in crate::cli) async fn run(&self, environment: &Environment) -> Result<(), Failure> {
        let output = Output::of(self.json);
        let store = data_folder::find(self.data_dir.as_deref(), environment, output)?;
        let data_dir = store.data_dir.clone();
        let shows = !self.json && terminal::stderr_is_a_terminal();
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
        let before = last_change(&to);
        let copies: Copies = order::carry_out_watched(store, order, "copied", shows).await?;
        let shown = to.display();
        if !is_written(before.as_ref().ok(), last_change(&to)) {
            return Err(Failure::Failed(format!(
                "the server wrote the backup to {shown} as it sees that path, but the folder of that name here did not change: the server runs in a container, or under systemd with PrivateTmp; mount the folder in the server's container and run this command there, or name a folder outside /tmp"
            )));
        }
        let to = shown;
        report(&copies, &format!("backed up to {to}"), &data_dir, output)
    }
}

impl Restore {
    pub(in crate::cli) async fn run(&self, environment: &Environment) -> Result<(), Failure> {
        let data_dir = Flag::given("--data-dir", self.data_dir.as_deref());
        let config = config::store_config(data_dir, environment)?;
        order::report_warnings(&config);
        let shows = !self.json && terminal::stderr_is_a_terminal();
        let (progress, began) = (Progress::default(), Instant::now());
        let data_dir = config.data_dir.clone();
        let failed = |sentence: String| order::refused(&sentence, &data_dir);
        let restoring = store::restore(&self.from, &config, &progress);
        let copies = terminal::while_showing(restoring, shows, || {
            let done = progress.done_bytes.load(Ordering::Relaxed);
            let total = progress.total_bytes.load(Ordering::Relaxed);
            terminal::progress("copied", done, total, began.elapsed())
        });
        let copies = copies.await.map_err(|error| failed(error.sentence()))?;
        // Its database is made here, so that the first start is as quick as any.
        let opened = Store::open(config, Clock::default(), app::effects().into()).await;
        opened
            .map_err(|error| failed(error.sentence()))?
            .close()
            .await;
        let shown = data_dir.display();
        if only_root_can_open(&data_dir) {
            let folder = terminal::quoted(data_dir.as_os_str());
            terminal::say_unless_quiet(&format!(
                "hangar: {shown} belongs to root: if the server runs as another user, run `chown -R USER:GROUP {folder}` before its start"
            ));
        }
        let output = Output::of(self.json);
        report(&copies, &format!("restored to {shown}"), &data_dir, output)
    }
}

/// When the files of a backup last changed: each backup makes and removes a marker among them.
fn last_change(to: &Path) -> io::Result<(i64, i64)> {
    let home = std::fs::metadata(to.join("@hangar"))?;
    Ok((home.mtime(), home.mtime_nsec()))
}

/// Whether the backup that a server reports is in the folder that this command sees. A server in a container has other
/// folders by the same names.
fn is_written(before: Option<&(i64, i64)>, after: io::Result<(i64, i64)>) -> bool {
    match after {
        Ok(after) => before != Some(&after),
        // Another error (the server's user is another one) says nothing.
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

/// Whether a server that runs as another user could not open it: the files belong to root, or their owner cannot enter the
/// folder, which root made for itself.
fn only_root_can_open(data_dir: &Path) -> bool {
    const OTHERS_ENTER: u32 = 0o001;
    let home = std::fs::metadata(data_dir.join("@hangar"));
    let is_of_root = home.is_ok_and(|home| home.uid() == 0);
    let folder = std::fs::metadata(data_dir);
    is_of_root || folder.is_ok_and(|it| it.uid() == 0 && it.mode() & OTHERS_ENTER == 0)
}

fn report(copies: &Copies, what: &str, data_dir: &Path, output: Output) -> Result<(), Failure> {
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
                "{} bodies were damaged in the backup, and were copied again",
                terminal::grouped(copies.renewed)
            ));
        }
        if copies.unverified > 0 {
            lines.push(format!(
                "{} bodies were in the backup already and were not read (--quick)",
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
            "{} bodies are damaged in the source: `hangar fsck` lists the keys of their objects",
            copies.damages
        )));
    }
    Ok(())
}
