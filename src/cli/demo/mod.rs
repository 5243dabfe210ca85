//! `hangar demo`: a real server in a folder of its own, and one upload walked through before the eyes of whoever runs it.
//!
//! Everything shown went over HTTP as any client sends it; nothing is staged but the picture.

mod step;

use super::serve::tell_settings;
use super::signals::Signals;
use super::{Failure, flag, terminal};
use crate::admin::{self, Order};
use crate::app::Application;
use crate::client::{Ask, Client, Content};
use crate::clock::Clock;
use crate::config::{Config, DEFAULT_LISTEN, Environment, Flags, Role, on_this_machine};
use bytes::Bytes;
use clap::Args;
use std::net::TcpListener;
use std::time::Duration;

const PICTURE: &[u8] = include_bytes!("hangar.png");
const PICTURE_NAME: &str = "hangar.png";
const TOKEN_USER: &str = "admin@localhost";
const TOKEN_LIFE: Duration = Duration::from_hours(24);

/// Starts a server in a temporary folder, uploads a picture to it and shows each step, then serves it until Ctrl-C.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hangar demo
  hangar demo --listen 127.0.0.1:8080 --data-dir ./demo-data")]
pub(super) struct Demo {
    /// A data folder to keep [default: a temporary one, removed at the end]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Where to listen [default: 127.0.0.1:9000, or a free port where that is taken] [env: HANGAR_LISTEN]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
}

impl Demo {
    pub(super) async fn run(&self, environment: &Environment) -> Result<(), Failure> {
        let mut signals = Signals::listen()?;
        let folder = Folder::of(self.data_dir.as_deref())?;
        let config = self.configure(&folder, environment)?;
        let (scheme, listen) = (config.scheme(), config.http.listen.clone());
        let application = tokio::select! {
            built = Application::build(config, Clock::default()) => built?,
            _ = signals.next() => return Ok(()),
        };
        let address = on_this_machine(scheme, &listen, application.port());
        let token = token(&application).await?;
        let stopper = application.stopper();
        let ending = folder.ending();
        let mut serves = std::pin::pin!(signals.run(application));
        tokio::select! {
            served = &mut serves => served.map(drop),
            shown = show(&address, &token, &ending) => match shown {
                // A show that is over leaves the server to be looked at.
                Ok(()) => serves.await.map(drop),
                Err(failure) => {
                    stopper.stop();
                    serves.await.and(Err(failure))
                }
            },
        }
    }

    /// What the environment says holds, but the demo never touches the folder that is meant for a real server, and it
    /// speaks to itself at the address that it listens on.
    fn configure(&self, folder: &Folder, environment: &Environment) -> Result<Config, Failure> {
        let flags = Flags {
            listen: flag("--listen", self.listen.as_deref()),
            data_dir: Some(crate::config::Flag {
                name: "--data-dir",
                value: folder.path(),
            }),
            public_url: None,
        };
        let composed = Config::compose(Role::Standalone, &flags, environment)?;
        tell_settings(&composed);
        let chosen = composed
            .sources
            .iter()
            .any(|source| matches!(source.name.as_str(), "--listen" | "HANGAR_LISTEN"));
        let mut config = composed.config;
        config.http.public_url = None;
        // It would have to believe a certificate that was made for another name.
        config.http.tls = None;
        if !chosen && is_taken(DEFAULT_LISTEN) {
            for address in &mut config.http.listen {
                address.set_port(0);
            }
        }
        Ok(config)
    }
}

/// Where the demo keeps its data.
enum Folder {
    /// Removed when this is dropped.
    Temporary(tempfile::TempDir),
    Named(String),
}

impl Folder {
    fn of(name: Option<&str>) -> Result<Self, Failure> {
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            let named = std::path::absolute(name).map(|path| path.display().to_string());
            return Ok(Self::Named(named.unwrap_or_else(|_| name.to_owned())));
        }
        let made = tempfile::Builder::new().prefix("hangar-demo-").tempdir();
        made.map(Self::Temporary).map_err(|error| {
            Failure::Failed(format!(
                "no temporary folder can be made ({error}): name a folder with --data-dir"
            ))
        })
    }

    fn path(&self) -> String {
        match self {
            Self::Temporary(folder) => folder.path().display().to_string(),
            Self::Named(name) => name.clone(),
        }
    }

    fn ending(&self) -> String {
        match self {
            Self::Temporary(_) => format!("Ctrl-C stops it and removes {}.", self.path()),
            Self::Named(_) => format!("Ctrl-C stops it; {} stays.", self.path()),
        }
    }
}

fn is_taken(address: &str) -> bool {
    TcpListener::bind(address).is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse)
}

/// The first token of a new folder, else one that ends by itself.
async fn token(application: &Application) -> Result<String, Failure> {
    if let Some(token) = application.first_token() {
        return Ok(token.to_owned());
    }
    let order = Order::TokenCreate {
        email: TOKEN_USER.to_owned(),
        name: Some("demo".to_owned()),
        scopes: Vec::new(),
        expires_in: Some(TOKEN_LIFE.as_secs()),
        any_workspace: false,
    };
    let made = admin::carry_out(application.state().holder(), order)
        .await
        .map_err(Failure::Failed)?;
    let token = made.get("token").and_then(serde_json::Value::as_str);
    Ok(token
        .expect("a token that was made is in the answer")
        .to_owned())
}

/// The three requests of every upload, with what was answered.
async fn show(address: &str, token: &str, ending: &str) -> Result<(), Failure> {
    let client = Client::new(address, token)?;
    let ask = Ask {
        entity_type: "USER_AVATAR".to_owned(),
        name: PICTURE_NAME.to_owned(),
        content_type: "image/png".to_owned(),
        size: PICTURE.len() as u64,
    };
    terminal::print(&format!(
        "hangar {} runs at {address}. This is one upload, as any client of Plane's API does it.\n\n{}",
        env!("CARGO_PKG_VERSION"),
        step::ask(&ask, token)
    ))?;
    let reserved = client.request_upload(&ask).await?;
    terminal::print(&step::asked(&reserved))?;
    let reserved = reserved.value;
    terminal::print(&step::form(&reserved, PICTURE.len()))?;
    let sent = client
        .send_form(
            &reserved,
            PICTURE_NAME,
            Content::of_bytes(Bytes::from_static(PICTURE)),
        )
        .await?;
    terminal::print(&step::sent(&sent))?;
    terminal::print(&step::look(&reserved))?;
    let fetched = client.fetch(&reserved.asset_url, PICTURE.len()).await?;
    if fetched.value.bytes != PICTURE {
        return Err(Failure::Failed(
            "the picture came back changed, which must never happen: please report it".to_owned(),
        ));
    }
    terminal::print(&step::looked(&fetched))?;
    terminal::print(&format!(
        "Open it:  {}\n{ending}",
        client.address_of(&reserved.asset_url)?
    ))
}
