//! `hangar access-key`: access keys of S3 clients, with a running server or without one.

use crate::admin::Order;
use crate::auth::KeyLimits;
use crate::cli::data_folder::{self, Output};
use crate::cli::failure::Failure;
use crate::cli::order;
use crate::cli::terminal;
use crate::config::{self, Environment};
use crate::s3::BucketName;
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::Value;

/// A change takes effect at the next request, also while a server runs. The root key pair is not among these keys: it
/// comes from the settings, or from the file @hangar/keys in the data folder.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hangar access-key create --name backup
  hangar access-key create --read-only --bucket uploads --prefix avatars/
  hangar access-key list
  hangar access-key revoke ID")]
pub(in crate::cli) struct AccessKey {
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

/// Make a key and show its secret, once
#[derive(Debug, Args)]
#[command(
    after_help = "If the secrets are sealed (HANGAR_KEY_FILE) and no server runs, this command needs that setting too.

Examples:
  hangar access-key create --name backup
  hangar access-key create --read-only --bucket uploads --prefix avatars/ --json"
)]
struct Create {
    /// Allow reads and listings only
    #[arg(long)]
    read_only: bool,
    /// Limit the key to this bucket [default: every bucket]
    #[arg(long, value_name = "BUCKET", value_parser = parse_bucket)]
    bucket: Option<BucketName>,
    /// Limit the key to objects whose names begin with this [default: the whole bucket]
    #[arg(long, value_name = "PREFIX", requires = "bucket", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    prefix: Option<String>,
    /// A name for the key
    #[arg(long)]
    name: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Show all keys, without their secrets
#[derive(Debug, Args)]
#[command(after_help = "Example:
  hangar access-key list --json")]
struct List {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Revoke a key: the next request signed with it is refused, presigned ones too
#[derive(Debug, Args)]
#[command(after_help = "Example:
  hangar access-key revoke \"$(hangar access-key list --json | jq -r '.access_keys[0].id')\"")]
struct Revoke {
    /// The id, as `hangar access-key list` shows it
    id: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn parse_bucket(text: &str) -> Result<BucketName, &'static str> {
    BucketName::parse(text).map_err(|_| "give a bucket's name: 3 to 63 of a-z, 0-9, . and -")
}

impl AccessKey {
    pub(in crate::cli) async fn run(&self, environment: &Environment) -> Result<(), Failure> {
        let json = match &self.action {
            Action::Create(create) => create.json,
            Action::List(list) => list.json,
            Action::Revoke(revoke) => revoke.json,
        };
        let mut key_file = None;
        if matches!(self.action, Action::Create(_)) {
            key_file = config::key_file(environment)?;
        }
        let store = data_folder::find(self.data_dir.as_deref(), environment, Output::of(json))?;
        let data_dir = store.data_dir.clone();
        for warning in config::key_file_warnings(environment, &data_dir)? {
            terminal::say_unless_quiet(&format!("hangar: {}", terminal::printable(&warning)));
        }
        let value = order::carry_out(store, key_file, self.action.order()).await?;
        let value = data_folder::named(value, &data_dir);
        match &self.action {
            Action::Create(create) => {
                if let Some(warning) = value.get("warning").and_then(Value::as_str) {
                    terminal::say(&format!("hangar: {}", terminal::printable(warning)));
                }
                if create.json {
                    return terminal::print(&terminal::pretty(&value));
                }
                let url = terminal::printable(&config::client_url(environment)?);
                terminal::print(&created(&order::read(value)?, &url))
            }
            Action::List(List { json: true }) | Action::Revoke(Revoke { json: true, .. }) => {
                terminal::print(&terminal::pretty(&value))
            }
            Action::List(_) => {
                let Keys { access_keys } = order::read(value)?;
                if access_keys.is_empty() {
                    terminal::say(
                        "No access keys beside the root pair yet: `hangar access-key create` makes one.",
                    );
                    return Ok(());
                }
                terminal::print(&listed(&access_keys))
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
            Self::Create(create) => Order::AccessKeyCreate {
                name: create.name.clone(),
                limits: KeyLimits {
                    read_only: create.read_only,
                    bucket: create.bucket.clone(),
                    prefix: create.prefix.clone(),
                },
            },
            Self::List(_) => Order::AccessKeyList,
            Self::Revoke(revoke) => Order::AccessKeyRevoke {
                id: revoke.id.clone(),
            },
        }
    }
}

/// A key as an order's answer has it: the secret where it was just made.
#[derive(Debug, Deserialize)]
struct Row {
    id: String,
    #[serde(default)]
    secret: Option<String>,
    #[serde(default)]
    name: String,
    read_only: bool,
    bucket: Option<String>,
    prefix: Option<String>,
    #[serde(default)]
    created_at: Value,
    #[serde(default)]
    revoked_at: Value,
}

impl Row {
    fn may(&self) -> &'static str {
        if self.read_only {
            "read"
        } else {
            "read and write"
        }
    }
}

#[derive(Debug, Deserialize)]
struct Keys {
    access_keys: Vec<Row>,
}

fn created(row: &Row, address: &str) -> String {
    let line = |label: &str, text: &str| vec![label.to_owned(), text.to_owned()];
    let secret = row.secret.as_deref().unwrap_or_default();
    let mut rows = vec![line("ID", &row.id), line("Secret", secret)];
    if !row.name.is_empty() {
        rows.push(line("Name", &row.name));
    }
    rows.push(line("May", row.may()));
    let (reach, example) = match (&row.bucket, &row.prefix) {
        (None, _) => ("every bucket".to_owned(), String::new()),
        (Some(bucket), None) => (format!("bucket {bucket}"), format!(" s3://{bucket}")),
        (Some(bucket), Some(prefix)) => (
            format!("bucket {bucket}, keys that begin with {prefix}"),
            format!(
                " {}",
                terminal::quoted(format!("s3://{bucket}/{prefix}").as_ref())
            ),
        ),
    };
    rows.push(line("In", &reach));
    format!(
        "{}\n\
         Keep the secret: it is shown this once. To use it:\n  \
         export AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={secret}\n  \
         aws --endpoint-url {address} s3 ls{example}",
        terminal::table(&rows),
        row.id,
    )
}

fn listed(keys: &[Row]) -> String {
    let head = ["ID", "NAME", "MAY", "BUCKET", "PREFIX", "CREATED", "STATE"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for row in keys {
        let or = |text: Option<&str>, absent: &str| text.unwrap_or(absent).to_owned();
        let state = if row.revoked_at.is_null() {
            "active"
        } else {
            "revoked"
        };
        rows.push(vec![
            row.id.clone(),
            or(Some(row.name.as_str()).filter(|name| !name.is_empty()), "-"),
            row.may().to_owned(),
            or(row.bucket.as_deref(), "every"),
            or(row.prefix.as_deref(), "-"),
            terminal::moment(&row.created_at).unwrap_or_else(|| "-".to_owned()),
            state.to_owned(),
        ]);
    }
    terminal::table(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(limits: &Value) -> Row {
        let mut row = json!({
            "id": "AAAABBBBCCCCDDDDEEEE", "secret": "0123456789abcdef0123456789abcdef01234567", "name": "backup",
            "read_only": false, "bucket": null, "prefix": null, "created_at": "2026-11-23T09:18:10Z",
        });
        let limits = limits.as_object().unwrap().clone();
        row.as_object_mut().unwrap().extend(limits);
        order::read(row).unwrap()
    }

    #[test]
    fn a_new_key_is_shown_with_what_it_may_do_and_what_to_type_next() {
        insta::assert_snapshot!(created(&row(&json!({})), "http://127.0.0.1:9000"), @r"
        ID      AAAABBBBCCCCDDDDEEEE
        Secret  0123456789abcdef0123456789abcdef01234567
        Name    backup
        May     read and write
        In      every bucket
        Keep the secret: it is shown this once. To use it:
          export AWS_ACCESS_KEY_ID=AAAABBBBCCCCDDDDEEEE AWS_SECRET_ACCESS_KEY=0123456789abcdef0123456789abcdef01234567
          aws --endpoint-url http://127.0.0.1:9000 s3 ls
        ");
        let limits =
            json!({"name": "", "read_only": true, "bucket": "uploads", "prefix": "it's mine/"});
        insta::assert_snapshot!(created(&row(&limits), "https://files.example.com"), @r"
        ID      AAAABBBBCCCCDDDDEEEE
        Secret  0123456789abcdef0123456789abcdef01234567
        May     read
        In      bucket uploads, keys that begin with it's mine/
        Keep the secret: it is shown this once. To use it:
          export AWS_ACCESS_KEY_ID=AAAABBBBCCCCDDDDEEEE AWS_SECRET_ACCESS_KEY=0123456789abcdef0123456789abcdef01234567
          aws --endpoint-url https://files.example.com s3 ls 's3://uploads/it'\''s mine/'
        ");
    }

    #[test]
    fn a_list_is_a_table_without_secrets() {
        let rows = [
            row(&json!({"name": "back\u{1b}[31mup"})),
            row(
                &json!({"name": "", "read_only": true, "bucket": "uploads", "revoked_at": "2026-11-23T09:20:10Z"}),
            ),
            row(&json!({"bucket": "uploads", "prefix": "a/", "revoked_at": null})),
        ];
        insta::assert_snapshot!(listed(&rows), @r"
        ID                    NAME         MAY             BUCKET   PREFIX  CREATED               STATE
        AAAABBBBCCCCDDDDEEEE  back?[31mup  read and write  every    -       2026-11-23 09:18 UTC  active
        AAAABBBBCCCCDDDDEEEE  -            read            uploads  -       2026-11-23 09:18 UTC  revoked
        AAAABBBBCCCCDDDDEEEE  backup       read and write  uploads  a/      2026-11-23 09:18 UTC  active
        ");
    }
}
