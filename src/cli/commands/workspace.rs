//! `hangar workspace`: workspaces and their members, with a running server or without one.

use crate::admin::{Member, Order, PlaceOrder};
use crate::auth::Role;
use crate::cli::data_folder::{self, Output};
use crate::cli::failure::Failure;
use crate::cli::order;
use crate::cli::terminal;
use crate::config::Environment;
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::Value;

/// Plane's workspaces, for a hangar that answers Plane's API without a Plane. A change takes effect at the next request, also
/// while a server runs.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hangar workspace create acme --member ada@example.com:admin --member bob@example.com:guest
  hangar workspace list
  hangar workspace member add acme eve@example.com:member
  hangar workspace member remove acme eve@example.com")]
pub(in crate::cli) struct Workspace {
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
    /// Add a member, change a member's role, or remove a member
    #[command(subcommand)]
    Member(MemberAction),
}

/// Make a workspace; unknown members are created
#[derive(Debug, Args)]
#[command(after_help = "Example:
  hangar workspace create acme --member ada@example.com:admin --json")]
struct Create {
    /// As it stands in Plane's addresses: 1 to 48 of a-z, 0-9, _ and -
    slug: String,
    /// A member and the role: admin, member or guest (or 20, 15, 5); can be repeated
    #[arg(long = "member", value_name = "EMAIL:ROLE", value_parser = parse_member)]
    members: Vec<Member>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Show all workspaces and their members
#[derive(Debug, Args)]
#[command(after_help = "Example:
  hangar workspace list --json")]
struct List {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum MemberAction {
    Add(Add),
    Remove(Remove),
}

/// Add a member, or change a member's role
#[derive(Debug, Args)]
#[command(after_help = "Example:
  hangar workspace member add acme eve@example.com:guest")]
struct Add {
    slug: String,
    #[arg(value_name = "EMAIL:ROLE", value_parser = parse_member)]
    member: Member,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Remove a member: the member's next request in this workspace is refused
#[derive(Debug, Args)]
#[command(after_help = "Example:
  hangar workspace member remove acme eve@example.com")]
struct Remove {
    slug: String,
    email: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn parse_member(text: &str) -> Result<Member, &'static str> {
    const FORM: &str = "write EMAIL:ROLE, where ROLE is admin, member, guest, or 20, 15, 5";
    let (email, role) = text.rsplit_once(':').ok_or(FORM)?;
    let role = Role::parse(role).ok_or(FORM)?;
    Ok(Member {
        email: email.to_owned(),
        role: role.number(),
    })
}

#[derive(Debug, Deserialize)]
struct Listed {
    workspaces: Vec<Row>,
}
#[derive(Debug, Deserialize)]
struct Row {
    id: String,
    slug: String,
    members: Vec<MemberRow>,
}
#[derive(Debug, Deserialize)]
struct MemberRow {
    email: String,
    role: String,
}

impl Workspace {
    pub(in crate::cli) async fn run(&self, environment: &Environment) -> Result<(), Failure> {
        let output = Output::of(self.action.wants_json());
        let store = data_folder::find(self.data_dir.as_deref(), environment, output)?;
        let data_dir = store.data_dir.clone();
        let value = order::carry_out(store, None, Order::Place(self.action.order())).await?;
        if output == Output::Json {
            let value = data_folder::named(value, &data_dir);
            return terminal::print(&terminal::pretty(&value));
        }
        terminal::print(&self.action.summary(value)?)
    }
}

impl Action {
    fn order(&self) -> PlaceOrder {
        match self {
            Self::Create(create) => PlaceOrder::WorkspaceCreate {
                slug: create.slug.clone(),
                members: create.members.clone(),
            },
            Self::List(_) => PlaceOrder::WorkspaceList,
            Self::Member(MemberAction::Add(add)) => PlaceOrder::MemberAdd {
                slug: add.slug.clone(),
                member: add.member.clone(),
            },
            Self::Member(MemberAction::Remove(remove)) => PlaceOrder::MemberRemove {
                slug: remove.slug.clone(),
                email: remove.email.clone(),
            },
        }
    }

    fn wants_json(&self) -> bool {
        match self {
            Self::Create(create) => create.json,
            Self::List(list) => list.json,
            Self::Member(MemberAction::Add(add)) => add.json,
            Self::Member(MemberAction::Remove(remove)) => remove.json,
        }
    }

    fn summary(&self, value: Value) -> Result<String, Failure> {
        Ok(match self {
            Self::Create(_) => listed(&[order::read(value)?]),
            Self::List(_) => {
                let Listed { workspaces } = order::read(value)?;
                if workspaces.is_empty() {
                    return Ok(
                        "No workspaces yet: `hangar workspace create SLUG` makes one.".to_owned(),
                    );
                }
                listed(&workspaces)
            }
            Self::Member(MemberAction::Add(add)) => format!(
                "{} is in {}",
                terminal::printable(&add.member.email),
                terminal::printable(&add.slug)
            ),
            Self::Member(MemberAction::Remove(remove)) => format!(
                "{} is no longer in {}",
                terminal::printable(&remove.email),
                terminal::printable(&remove.slug)
            ),
        })
    }
}

fn listed(workspaces: &[Row]) -> String {
    let mut rows = vec![["SLUG", "ID", "MEMBER", "ROLE"].map(str::to_owned).to_vec()];
    for workspace in workspaces {
        let mut place = vec![workspace.slug.clone(), workspace.id.clone()];
        let none = MemberRow {
            email: "-".to_owned(),
            role: "-".to_owned(),
        };
        let members = if workspace.members.is_empty() {
            std::slice::from_ref(&none)
        } else {
            &workspace.members
        };
        for member in members {
            let mut row = std::mem::replace(&mut place, vec![String::new(), String::new()]);
            row.extend([member.email.clone(), member.role.clone()]);
            rows.push(row);
        }
    }
    terminal::table(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_an_email_and_a_role() {
        for (text, role) in [("ada@example.com:admin", 20), ("bob@example.com:5", 5)] {
            assert_eq!(parse_member(text).unwrap().role, role);
        }
        for text in ["ada@example.com", "ada@example.com:owner", ""] {
            let refusal = parse_member(text).unwrap_err();
            assert!(
                refusal.starts_with("write EMAIL:ROLE"),
                "{text:?}: {refusal}"
            );
        }
    }

    #[test]
    fn a_list_names_a_workspace_once_and_each_member() {
        let row = |json| serde_json::from_value::<Row>(json).unwrap();
        let rows = [
            row(serde_json::json!({"id": "1", "slug": "acme", "members": [
                {"email": "ada@example.com", "role": "admin"}, {"email": "bob@example.com", "role": "guest"}]})),
            row(serde_json::json!({"id": "2", "slug": "empty", "members": []})),
        ];
        insta::assert_snapshot!(listed(&rows), @r"
        SLUG   ID  MEMBER           ROLE
        acme   1   ada@example.com  admin
                   bob@example.com  guest
        empty  2   -                -
        ");
    }
}
