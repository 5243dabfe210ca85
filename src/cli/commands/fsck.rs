//! `hangar fsck`: reads all stored data and compares it with its checksums.

use crate::admin::Order;
use crate::app;
use crate::cli::data_folder::{self, Output};
use crate::cli::failure::Failure;
use crate::cli::order;
use crate::cli::signals;
use crate::cli::terminal;
use crate::config::Environment;
use crate::store::{self, Checked, Damage, Finding, Progress, Remedy, Repair};
use crate::telemetry::with_causes;
use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Read every record, every body, every object and the database, and report damage: flipped bytes, missing and truncated
/// files, and the keys of the objects that are damaged. Only --repair changes anything. A running server does the work itself
/// and goes on serving; it rebuilds a damaged database by itself. --data-dir may also name a backup.
///
/// Exits with 0 if nothing is damaged, and with 1 if anything is. With --quiet it prints damage only.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hangar fsck
  hangar fsck --repair --from /mnt/backup/hangar
  hangar fsck --data-dir /mnt/backup/hangar --json
  hangar fsck --quiet    in a cron job: prints damage only")]
pub(in crate::cli) struct Fsck {
    /// The data folder of the server [default: data] [env: HANGAR_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Restore damaged bytes from the same bytes elsewhere in the folder
    #[arg(long)]
    repair: bool,
    /// With --repair: a backup of this folder, as another source of the same bytes
    #[arg(long, value_name = "BACKUP", requires = "repair")]
    from: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Fsck {
    pub(in crate::cli) async fn run(&self, environment: &Environment) -> Result<(), Failure> {
        let output = Output::of(self.json);
        let store = data_folder::find(self.data_dir.as_deref(), environment, output)?;
        let data_dir = store.data_dir.clone();
        let shows = !self.json && terminal::stderr_is_a_terminal();
        let from = self.from.as_ref().map(std::path::absolute).transpose();
        let repair = Repair {
            wanted: self.repair,
            from: from.map_err(|error| Failure::Failed(format!("--from is no path: {error}")))?,
        };
        if let Some(from) = &repair.from
            && !matches!(store::holds_data(from), Ok(true) | Err(_))
        {
            return Err(Failure::Usage(format!(
                "--from names {}, which holds no backup: name the folder that `hangar backup` was given",
                from.display()
            )));
        }
        let in_backup = if self.repair {
            None
        } else {
            signals::until_asked_to_stop(check_backup(&store.data_dir, shows)).await?
        };
        let is_backup = in_backup.is_some();
        let checked: Checked = match in_backup {
            Some(checked) => checked,
            None => order::carry_out_watched(store, Order::Fsck(repair), "read", shows).await?,
        };
        if self.json {
            let value = serde_json::to_value(&checked).unwrap_or_default();
            let value = data_folder::named(value, &data_dir);
            terminal::print(&terminal::pretty(&value))?;
        } else if checked.damages > 0 {
            terminal::report_trouble(&report(&checked))?;
        } else {
            terminal::report(&report(&checked))?;
        }
        let of_index = (checked.findings.iter()).filter(|it| it.damage == Damage::Index);
        let remedy = of_index.clone().find_map(|it| it.remedy);
        let of_index = of_index.count() as u64;
        match checked.damages {
            0 => Ok(()),
            damages if damages == of_index => {
                let sentence = of_damaged_index(remedy.unwrap_or(Remedy::Server));
                Err(Failure::Failed(sentence.to_owned()))
            }
            1 if is_backup => Err(Failure::Failed(
                "1 damage was found in this backup: run `hangar backup` to it again, which copies the damaged data again".to_owned(),
            )),
            damages if is_backup => Err(Failure::Failed(format!(
                "{damages} damages were found in this backup: run `hangar backup` to it again, which copies the damaged data again"
            ))),
            1 => Err(Failure::Failed(
                "1 damage was found: repair it from a backup (hangar fsck --repair --from BACKUP)".to_owned(),
            )),
            damages => Err(Failure::Failed(format!(
                "{damages} damages were found: repair them from a backup (hangar fsck --repair --from BACKUP)"
            ))),
        }
    }
}

/// How a damaged index, or a damaged snapshot of it, is repaired.
fn of_damaged_index(remedy: Remedy) -> &'static str {
    match remedy {
        Remedy::Server => {
            "the index was damaged, but no stored data: the server rebuilds it from the log by itself"
        }
        Remedy::NextStart => {
            "the index is damaged, but no stored data: the next start of the server rebuilds it from the log, and `hangar fsck --repair` does so now"
        }
        Remedy::NextBackup => {
            "the snapshot of the index in this backup is damaged, but no stored data: `hangar restore` builds the index from the log, and the next `hangar backup` to this folder replaces the snapshot"
        }
    }
}

/// `None`: it is no backup.
async fn check_backup(data_dir: &Path, shows: bool) -> Result<Option<Checked>, Failure> {
    let (progress, began) = (Arc::new(Progress::default()), Instant::now());
    let effects = app::effects();
    let checking = store::check_backup(data_dir, &effects, progress.clone());
    let checked = terminal::while_showing(checking, shows, || {
        let done = progress.done_bytes.load(Ordering::Relaxed);
        let total = progress.total_bytes.load(Ordering::Relaxed);
        terminal::progress("read", done, total, began.elapsed())
    });
    checked
        .await
        .map_err(|error| order::refused(&with_causes(&error), data_dir))
}

fn report(checked: &Checked) -> String {
    let mut lines: Vec<String> = checked.findings.iter().map(finding).collect();
    if checked.mended > 0 {
        lines.push(format!(
            "{} bodies were repaired",
            terminal::grouped(checked.mended)
        ));
    }
    if checked.index_mended > 0 {
        lines.push("the index was damaged and was rebuilt from the log".to_owned());
    }
    lines.push(format!(
        "{} records, {} bodies of {}, {} objects read; {} damaged; {} files of interrupted uploads",
        terminal::grouped(checked.records),
        terminal::grouped(checked.bodies),
        terminal::size(checked.bytes),
        terminal::grouped(checked.objects),
        checked.damages,
        checked.left_over,
    ));
    lines.join("\n")
}

/// What is damaged, and the objects that it concerns.
pub(in crate::cli) fn finding(finding: &Finding) -> String {
    let what = match finding.damage {
        Damage::Changed => "bytes have changed",
        Damage::Missing => "is missing",
        Damage::Truncated => "ends too early",
        Damage::Record => "a record cannot be read",
        Damage::Reference => "refers to missing bytes",
        Damage::Unreadable => "cannot be read",
        Damage::Index => "differs from what was written",
    };
    let (file, offset) = (terminal::printable(&finding.file), finding.offset);
    let mut lines = vec![format!("{file}, byte {offset}: {what}")];
    for hurt in &finding.hurts {
        lines.push(format!("    {}", terminal::printable(hurt)));
    }
    lines.join("\n")
}
