//! `hangar token`: tokens of the asset API, with a running server or without one.

use crate::admin::Order;
use crate::cli::data_folder::{self, Output};
use crate::cli::failure::Failure;
use crate::cli::order;
use crate::cli::terminal;
use crate::clock::{Clock, Timestamp};
use crate::config::{Environment, parse_duration};
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// A change takes effect at the next request, also while a server runs.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hangar token create --user me@example.com --expires 90d
  hangar token list
  hangar token revoke ID")]
pub(in crate::cli) struct Token {
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

/// Make a token and show it, once; an unknown user is created
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hangar token create --user me@example.com
  hangar token create --user ci@example.com --name ci --scope assets:write --expires 90d --json")]
struct Create {
    /// The user of the token
    #[arg(long, value_name = "EMAIL")]
    user: String,
    /// A name for the token
    #[arg(long)]
    name: Option<String>,
    /// What the token allows; can be repeated [default: assets:read and assets:write]
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// The token's lifetime: a number and its unit, such as 30s, 15m, 12h or 90d [default: no end]
    #[arg(long, value_name = "DURATION", value_parser = parse_expiry)]
    expires: Option<Duration>,
    /// '*' makes the token valid in every workspace
    #[arg(long, value_name = "WORKSPACE", value_parser = ["*"])]
    workspace: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Show all tokens, without their secrets
#[derive(Debug, Args)]
#[command(after_help = "Example:
  hangar token list --json")]
struct List {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Revoke a token: the next request with it is refused
#[derive(Debug, Args)]
#[command(after_help = "Example:
  hangar token revoke \"$(hangar token list --json | jq -r '.tokens[0].id')\"")]
struct Revoke {
    /// The id, as `hangar token list` shows it
    id: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn parse_expiry(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    // Days are meant more often than the seconds that settings of this kind have.
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!(
            "it has no unit: write {text}d for days, {text}h for hours, {text}m for minutes or {text}s for seconds"
        ));
    }
    parse_duration(text)
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "give a duration such as 30s, 15m, 12h or 90d".to_owned())
}

impl Token {
    pub(in crate::cli) async fn run(&self, environment: &Environment) -> Result<(), Failure> {
        let json = match &self.action {
            Action::Create(create) => create.json,
            Action::List(list) => list.json,
            Action::Revoke(revoke) => revoke.json,
        };
        let store = data_folder::find(self.data_dir.as_deref(), environment, Output::of(json))?;
        let data_dir = store.data_dir.clone();
        let value = order::carry_out(store, None, self.action.order()).await?;
        if json {
            let value = data_folder::named(value, &data_dir);
            return terminal::print(&terminal::pretty(&value));
        }
        match &self.action {
            Action::Create(_) => terminal::print(&created(&order::read(value)?)),
            Action::List(_) => {
                let Tokens { tokens } = order::read(value)?;
                if tokens.is_empty() {
                    terminal::say("No tokens yet: `hangar token create --user EMAIL` makes one.");
                    return Ok(());
                }
                terminal::print(&listed(&tokens, Clock::default().now()))
            }
            Action::Revoke(revoke) => {
                terminal::print(&format!("Revoked {}", terminal::printable(&revoke.id)))
            }
        }
    }
}

impl Action {
    fn order(&self) -> Order {
        match self {
            Self::Create(create) => Order::TokenCreate {
                email: create.user.clone(),
                name: create.name.clone(),
                scopes: create.scopes.clone(),
                expires_in: create.expires.map(|expires| expires.as_secs()),
                any_workspace: create.workspace.is_some(),
            },
            Self::List(_) => Order::TokenList,
            Self::Revoke(revoke) => Order::TokenRevoke {
                id: revoke.id.clone(),
            },
        }
    }
}

/// A token as an order's answer has it: the secret where it was just made, else its hint.
#[derive(Debug, Deserialize)]
struct Row {
    #[serde(default)]
    token: Option<String>,
    id: String,
    user: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    created_at: Value,
    #[serde(default)]
    expires_at: Value,
    #[serde(default)]
    revoked_at: Value,
    #[serde(default)]
    hint: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Tokens {
    tokens: Vec<Row>,
}

fn created(row: &Row) -> String {
    let line = |label: &str, text: String| vec![label.to_owned(), text];
    let token = row.token.clone().unwrap_or_default();
    let mut rows = vec![line("Token", token), line("ID", row.id.clone())];
    rows.push(line("User", row.user.clone()));
    if let Some(name) = row.name.as_ref().filter(|name| !name.is_empty()) {
        rows.push(line("Name", name.clone()));
    }
    rows.push(line("Scopes", row.scopes.join(" ")));
    rows.push(line(
        "Expires",
        terminal::moment(&row.expires_at).unwrap_or_else(|| "never".to_owned()),
    ));
    format!(
        "{}\nKeep the token: it is shown this once.",
        terminal::table(&rows)
    )
}

fn listed(tokens: &[Row], now: Timestamp) -> String {
    let head = [
        "ID", "TOKEN", "USER", "NAME", "SCOPES", "CREATED", "EXPIRES", "STATE",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for row in tokens {
        let or_dash = |text: Option<String>| {
            text.filter(|text| !text.is_empty())
                .unwrap_or_else(|| "-".to_owned())
        };
        let state = if !row.revoked_at.is_null() {
            "revoked"
        } else if terminal::instant(&row.expires_at)
            .is_some_and(|at| at.as_millisecond() <= now.as_millis())
        {
            "expired"
        } else {
            "active"
        };
        rows.push(vec![
            row.id.clone(),
            or_dash(row.hint.clone()),
            row.user.clone(),
            or_dash(row.name.clone()),
            or_dash(Some(row.scopes.join(" "))),
            or_dash(terminal::moment(&row.created_at)),
            terminal::moment(&row.expires_at).unwrap_or_else(|| "never".to_owned()),
            state.to_owned(),
        ]);
    }
    terminal::table(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::order::read;
    use serde_json::json;

    #[test]
    fn a_new_token_is_shown_with_what_it_may_do() {
        let row: Row = read(json!({
            "token": "plane_api_0123456789abcdef0123456789abcdef", "id": "tok_1", "user": "me@example.com",
            "name": "laptop", "scopes": ["assets:read", "assets:write"], "expires_at": "2026-11-24T09:18:10Z",
        }))
        .unwrap();
        insta::assert_snapshot!(created(&row), @r"
        Token    plane_api_0123456789abcdef0123456789abcdef
        ID       tok_1
        User     me@example.com
        Name     laptop
        Scopes   assets:read assets:write
        Expires  2026-11-24 09:18 UTC
        Keep the token: it is shown this once.
        ");
    }

    #[test]
    fn a_list_is_a_table_that_no_name_can_disturb() {
        let Tokens { tokens } = read(json!({"tokens": [
            {"id": "tok_1", "user": "me@example.com", "name": "lap\u{1b}[31mtop\n", "scopes": ["assets:read"],
             "created_at": 1_764_000_000_000_i64, "expires_at": null, "revoked_at": null, "hint": "…cdef"},
            {"id": "tok_22", "user": "ci@example.com", "name": null, "scopes": [],
             "created_at": "2026-11-23T09:18:10Z", "expires_at": "2026-11-23T10:00:00Z", "revoked_at": null, "hint": "…0001"},
            {"id": "tok_3", "user": "x@example.com", "name": "", "scopes": ["assets:write"],
             "created_at": "2026-11-23T09:18:10Z", "expires_at": "2027-11-23T10:00:00Z",
             "revoked_at": "2026-11-23T09:20:10Z", "hint": null},
        ]}))
        .unwrap();
        let now = Timestamp::from_secs(1_795_438_800 + 3600 * 24);
        insta::assert_snapshot!(listed(&tokens, now), @r"
        ID      TOKEN  USER            NAME          SCOPES        CREATED               EXPIRES               STATE
        tok_1   …cdef  me@example.com  lap?[31mtop?  assets:read   2025-11-24 16:00 UTC  never                 active
        tok_22  …0001  ci@example.com  -             -             2026-11-23 09:18 UTC  2026-11-23 10:00 UTC  expired
        tok_3   -      x@example.com   -             assets:write  2026-11-23 09:18 UTC  2027-11-23 10:00 UTC  revoked
        ");
    }
}
