//! `hangar gc`: deletes what has expired, or prints what would be deleted.

use crate::admin::{Cleared, Order};
use crate::cli::data_folder::{self, Output};
use crate::cli::failure::Failure;
use crate::cli::order;
use crate::cli::terminal;
use crate::config::{self, Environment};
use clap::Args;

/// Delete what has expired: assets that never got bytes, assets that were deleted long ago, objects by lifecycle rules,
/// abandoned uploads, and bytes that nothing refers to. A server does this by itself, each hour.
///
/// While a server runs, bytes are kept for HANGAR_GRACE, and nothing expires in the first hour after a start. Without a
/// server, bytes are freed at once: make sure that no copy of the folder is being made meanwhile.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hangar gc --dry-run
  hangar gc --json
  hangar gc --quiet --data-dir /srv/hangar    in a cron job: prints errors only")]
pub(in crate::cli) struct Gc {
    /// The data folder of the server [default: data] [env: HANGAR_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Only print what would be deleted: nothing in the folder changes
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Gc {
    pub(in crate::cli) async fn run(&self, environment: &Environment) -> Result<(), Failure> {
        let dry_run = self.dry_run;
        let ages = config::asset_ages(environment)?;
        let output = Output::of(self.json);
        let store = data_folder::find(self.data_dir.as_deref(), environment, output)?;
        let data_dir = store.data_dir.clone();
        let value = order::carry_out(
            store,
            None,
            Order::Gc {
                dry_run,
                ages: Some(ages),
            },
        )
        .await?;
        if self.json {
            let value = data_folder::named(value, &data_dir);
            return terminal::print(&terminal::pretty(&value));
        }
        terminal::report(&summary(&order::read(value)?))
    }
}

fn summary(cleared: &Cleared) -> String {
    let Cleared {
        dry_run,
        by_age,
        assets,
        ended,
        freed,
    } = cleared;
    let rows = [
        ("assets that never got bytes", assets.unuploaded, None),
        ("assets deleted long ago", assets.deleted, None),
        ("objects by lifecycle rules", ended.objects, None),
        ("abandoned uploads", ended.uploads, None),
        (
            "bodies that nothing refers to",
            freed.bodies,
            Some(freed.bytes),
        ),
        (
            "files of interrupted uploads",
            freed.left_over,
            Some(freed.left_over_bytes),
        ),
    ];
    let mut lines = vec![if *dry_run {
        "Would be deleted:".to_owned()
    } else {
        "Deleted:".to_owned()
    }];
    for (what, count, bytes) in rows {
        let bytes = bytes.map_or_else(String::new, |bytes| format!("  {}", terminal::size(bytes)));
        lines.push(format!("  {count:>8}  {what}{bytes}"));
    }
    if freed.waiting > 0 {
        lines.push(format!(
            "  {:>8}  more are kept for now (HANGAR_GRACE)  {}",
            freed.waiting,
            terminal::size(freed.waiting_bytes)
        ));
    }
    if !by_age {
        lines.push(
            "Nothing expires by age yet: the server first observes its clock for an hour."
                .to_owned(),
        );
    }
    lines.join("\n")
}
