//! `hangar upload`: a file to hangar, or to any Plane.

use crate::cli::failure::Failure;
use crate::cli::terminal;
use crate::client::{self, Ask, Client, Content, Progress};
use crate::config::{self, Environment};
use clap::Args;
use clap::builder::PossibleValuesParser;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::AsyncReadExt;

/// Bytes that are enough to recognise any type of file.
const HEAD_BYTES: u64 = 8192;

/// The file becomes an asset of the token's user; its address is printed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  HANGAR_TOKEN=plane_api_… hangar upload me.png
  hangar upload cover.jpg --entity-type USER_COVER --url https://files.example.com --json")]
pub(in crate::cli) struct Upload {
    /// The file to upload
    file: PathBuf,
    /// The use of the picture
    #[arg(long, value_name = "TYPE", default_value = "USER_AVATAR", value_parser = PossibleValuesParser::new(["USER_AVATAR", "USER_COVER"]))]
    entity_type: String,
    /// The file's media type [default: found from its first bytes]
    #[arg(long = "type", value_name = "MIME")]
    content_type: Option<String>,
    /// The file's name on the server [default: its own name]
    #[arg(long)]
    name: Option<String>,
    /// Scheme and host of the server [default: HANGAR_PUBLIC_URL, HANGAR_LISTEN, or http://127.0.0.1:9000] [env: HANGAR_URL]
    #[arg(long)]
    url: Option<String>,
    /// A token of the asset API [env: HANGAR_TOKEN, which other users of this machine cannot see]
    #[arg(long)]
    token: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Debug, serde::Serialize)]
struct Uploaded {
    asset_id: String,
    asset_url: String,
    url: String,
    size: u64,
    content_type: String,
}

impl Upload {
    pub(in crate::cli) async fn run(&self, environment: &Environment) -> Result<(), Failure> {
        let client = self.client(environment)?;
        let (file, size_bytes, detected) = open(&self.file).await?;
        let ask = Ask {
            entity_type: self.entity_type.clone(),
            name: self.name_there(),
            content_type: self.content_type(detected)?,
            size: size_bytes,
        };
        let reserved = client.request_upload(&ask).await?.value;
        let (progress, bar) = progress(size_bytes);
        let content = Content::streamed(file, size_bytes, progress);
        let sent = client.send_form(&reserved, &ask.name, content).await;
        bar.finish_and_clear();
        sent?;
        let url = client.address_of(&reserved.asset_url)?.to_string();
        if !self.json {
            return terminal::print(&url);
        }
        let uploaded = Uploaded {
            asset_id: reserved.asset_id,
            asset_url: reserved.asset_url,
            url,
            size: size_bytes,
            content_type: ask.content_type,
        };
        terminal::print(
            &serde_json::to_string_pretty(&uploaded).expect("texts and a number can be written"),
        )
    }

    fn client(&self, environment: &Environment) -> Result<Client, Failure> {
        let said = |flag: &Option<String>| flag.clone().filter(|text| !text.is_empty());
        let from_environment = environment.get("HANGAR_TOKEN")?.map(str::to_owned);
        let Some(token) = said(&self.token).or(from_environment) else {
            return Err(Failure::Usage(
                "an upload needs a token: set HANGAR_TOKEN or give --token (`hangar token create --user EMAIL` makes one)"
                    .to_owned(),
            ));
        };
        let url = match said(&self.url) {
            Some(url) => url,
            None => config::client_url(environment)?,
        };
        Ok(Client::new(&url, &token)?)
    }

    fn name_there(&self) -> String {
        let own = || self.file.file_name().unwrap_or_default().to_string_lossy();
        match self.name.as_deref() {
            Some(name) if !name.is_empty() => name.to_owned(),
            _ => own().into_owned(),
        }
    }

    fn content_type(&self, detected: Option<&'static str>) -> Result<String, Failure> {
        let said = self.content_type.as_deref().filter(|text| !text.is_empty());
        said.or(detected).map(str::to_owned).ok_or_else(|| {
            Failure::Failed(format!(
                "the first bytes of {} do not tell what it is: say it with --type, such as --type image/png",
                shown(&self.file)
            ))
        })
    }
}

fn shown(path: &Path) -> String {
    terminal::printable(&path.display().to_string())
}

/// The file, its length, and what its first bytes say.
async fn open(path: &Path) -> Result<(tokio::fs::File, u64, Option<&'static str>), Failure> {
    let unreadable =
        |error: std::io::Error| Failure::Failed(format!("{} cannot be read: {error}", shown(path)));
    // Its type is checked before it is opened: opening a pipe waits for a writer.
    let metadata = tokio::fs::metadata(path).await.map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(Failure::Failed(format!(
            "{} is no file: name one",
            shown(path)
        )));
    }
    let mut file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    let size_bytes = file.metadata().await.map_err(unreadable)?.len();
    if size_bytes == 0 {
        return Err(client::ClientError::Empty.into());
    }
    let mut head = Vec::new();
    (&mut file)
        .take(HEAD_BYTES)
        .read_to_end(&mut head)
        .await
        .map_err(unreadable)?;
    tokio::io::AsyncSeekExt::rewind(&mut file)
        .await
        .map_err(unreadable)?;
    Ok((file, size_bytes, client::media_type(&head)))
}

/// A bar on a terminal, nothing elsewhere.
fn progress(size_bytes: u64) -> (Progress, indicatif::ProgressBar) {
    let bar = if terminal::stderr_is_a_terminal() {
        let style = indicatif::ProgressStyle::with_template(
            "{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        )
        .expect("the template is well-formed");
        indicatif::ProgressBar::new(size_bytes).with_style(style)
    } else {
        indicatif::ProgressBar::hidden()
    };
    let moved = bar.clone();
    (Arc::new(move |bytes| moved.inc(bytes)), bar)
}
