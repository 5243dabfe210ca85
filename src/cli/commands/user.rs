//! `hangar user`: the users that tokens and memberships belong to.

use crate::admin::Order;
use crate::cli::data_folder::{self, Output};
use crate::cli::failure::Failure;
use crate::cli::order;
use crate::cli::terminal;
use crate::config::Environment;
use clap::{Args, Subcommand};
use serde::Deserialize;

/// `hangar token create --user` and `hangar workspace create --member` make users.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hangar user list
  hangar user remove eve@example.com")]
pub(in crate::cli) struct User {
    /// The data folder of the server [default: data] [env: HANGAR_DATA_DIR]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<String>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(List),
    Remove(Remove),
}

/// Show all users
#[derive(Debug, Args)]
#[command(after_help = "Example:
  hangar user list --json")]
struct List {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Remove a user with all tokens and memberships; the files that the user uploaded stay
#[derive(Debug, Args)]
#[command(after_help = "Example:
  hangar user remove eve@example.com")]
struct Remove {
    email: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Deserialize)]
struct Listed {
    users: Vec<Row>,
}
#[derive(Debug, Deserialize)]
struct Row {
    email: String,
    id: String,
}

impl User {
    pub(in crate::cli) async fn run(&self, environment: &Environment) -> Result<(), Failure> {
        let (wanted, json) = match &self.action {
            Action::List(list) => (Order::UserList, list.json),
            Action::Remove(remove) => {
                let email = remove.email.clone();
                (Order::UserRemove { email }, remove.json)
            }
        };
        let data_dir = self.data_dir.as_deref();
        let store = data_folder::find(data_dir, environment, Output::of(json))?;
        let data_dir = store.data_dir.clone();
        let value = order::carry_out(store, None, wanted).await?;
        if json {
            let value = data_folder::named(value, &data_dir);
            return terminal::print(&terminal::pretty(&value));
        }
        match &self.action {
            Action::List(_) => {
                let Listed { users } = order::read(value)?;
                let mut rows = vec![["EMAIL", "ID"].map(str::to_owned).to_vec()];
                rows.extend(users.into_iter().map(|row| vec![row.email, row.id]));
                terminal::print(&terminal::table(&rows))
            }
            Action::Remove(remove) => {
                terminal::print(&format!("Removed {}", terminal::printable(&remove.email)))
            }
        }
    }
}
