//! `hangar anchor`: published projects, in place of Plane's publishing.

use crate::admin::{Order, PlaceOrder};
use crate::cli::data_folder::{self, Output};
use crate::cli::failure::Failure;
use crate::cli::order;
use crate::cli::terminal;
use crate::config::Environment;
use clap::{Args, Subcommand};
use serde::Deserialize;
use uuid::Uuid;

/// An anchor publishes a project: everyone who knows it can read the files in the project's descriptions and comments,
/// without a token. A change takes effect at the next request, also while a server runs.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hangar anchor create --workspace acme --project 3e41196c-089a-46f7-a962-d79cb6cf65ef
  hangar anchor list
  hangar anchor revoke ANCHOR")]
pub(in crate::cli) struct Anchor {
    /// The data folder of the server [default: data] [env: HANGAR_DATA_DIR]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<String>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Create(Create),
    List(List),
    Revoke(Revoke),
}

/// Publish a project and show its anchor
#[derive(Debug, Args)]
#[command(after_help = "Example:
  hangar anchor create --workspace acme --project 3e41196c-089a-46f7-a962-d79cb6cf65ef --json")]
struct Create {
    /// The slug of the workspace
    #[arg(long, value_name = "SLUG")]
    workspace: String,
    /// The project's id
    #[arg(long, value_name = "UUID")]
    project: Uuid,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Show all anchors
#[derive(Debug, Args)]
#[command(after_help = "Example:
  hangar anchor list --json")]
struct List {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Revoke an anchor: it no longer publishes the project
#[derive(Debug, Args)]
#[command(after_help = "Example:
  hangar anchor revoke 0123456789abcdef0123456789abcdef")]
struct Revoke {
    anchor: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Deserialize)]
struct Listed {
    anchors: Vec<Row>,
}
#[derive(Debug, Deserialize)]
struct Row {
    anchor: String,
    workspace: String,
    project: String,
}

impl Anchor {
    pub(in crate::cli) async fn run(&self, environment: &Environment) -> Result<(), Failure> {
        let (wanted, json) = match &self.action {
            Action::Create(create) => {
                let slug = create.workspace.clone();
                let project_id = create.project;
                (PlaceOrder::AnchorCreate { slug, project_id }, create.json)
            }
            Action::List(list) => (PlaceOrder::AnchorList, list.json),
            Action::Revoke(revoke) => {
                let anchor = revoke.anchor.clone();
                (PlaceOrder::AnchorRevoke { anchor }, revoke.json)
            }
        };
        let data_dir = self.data_dir.as_deref();
        let store = data_folder::find(data_dir, environment, Output::of(json))?;
        let data_dir = store.data_dir.clone();
        let value = order::carry_out(store, None, Order::Place(wanted)).await?;
        if json {
            let value = data_folder::named(value, &data_dir);
            return terminal::print(&terminal::pretty(&value));
        }
        match &self.action {
            Action::Create(_) => {
                let row: Row = order::read(value)?;
                terminal::print(&terminal::printable(&row.anchor))
            }
            Action::List(_) => {
                let Listed { anchors } = order::read(value)?;
                if anchors.is_empty() {
                    terminal::say("No anchors yet: `hangar anchor create` publishes a project.");
                    return Ok(());
                }
                terminal::print(&listed(&anchors))
            }
            Action::Revoke(revoke) => {
                terminal::print(&format!("Revoked {}", terminal::printable(&revoke.anchor)))
            }
        }
    }
}

fn listed(anchors: &[Row]) -> String {
    let mut rows = vec![
        ["ANCHOR", "WORKSPACE", "PROJECT"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let lines = anchors.iter();
    rows.extend(lines.map(|row| {
        vec![
            row.anchor.clone(),
            row.workspace.clone(),
            row.project.clone(),
        ]
    }));
    terminal::table(&rows)
}
