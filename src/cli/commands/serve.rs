//! `hangar serve`, and `hangar server DIR` with MinIO's command line.

use crate::app::Application;
use crate::app::{Ended, StartError};
use crate::cli::failure::Failure;
use crate::cli::signals::Signals;
use crate::cli::terminal;
use crate::clock::Clock;
use crate::config::Flag;
use crate::config::{Composed, Config, Environment, Flags, Role, on_this_machine};
use crate::store::OpenError;
use clap::Args;
use std::collections::VecDeque;
use std::io;
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// Flags come first, then HANGAR_*, then MINIO_ROOT_*, then AWS_* and Plane's other names, then the defaults.
/// An empty value counts as unset.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hangar serve
  hangar serve --listen :9000 --data-dir /var/lib/hangar --public-url https://files.example.com

Environment (docs/settings.md describes each):
  HANGAR_LISTEN, HANGAR_DATA_DIR, HANGAR_PUBLIC_URL, HANGAR_LOG    as the flags
  HANGAR_ALLOW_UNSAFE_FS     true: start on NFS, CIFS, 9p or FUSE (default false)

Environment, connections:
  HANGAR_TLS_CERT and HANGAR_TLS_KEY
                             PEM files: serve HTTPS and nothing else (default: HTTP)
  HANGAR_TRUSTED_PROXIES     proxies whose X-Forwarded-* count: private, none, or
                             networks (default: the private ranges, but their
                             X-Forwarded-For counts for limits only)
  CORS_ALLOWED_ORIGINS       pages that may call the asset API (default: any)

Environment, keys:
  HANGAR_ACCESS_KEY_ID and HANGAR_SECRET_ACCESS_KEY,
  MINIO_ROOT_USER and MINIO_ROOT_PASSWORD,
  AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
                             the root key pair; each may be NAME_FILE (default: a
                             random pair, made once and kept in the data folder)
  HANGAR_KEY_FILE            seals the secrets of all kept keys; a file outside the
                             data folder that `head -c 32 /dev/urandom | base64`
                             makes (default: not sealed, in files of mode 0600)

Environment, S3:
  AWS_S3_BUCKET_NAME         the bucket of assets (default uploads)
  AWS_REGION                 the region of signatures; us-east-1 and an empty region
                             are accepted too (default: any)
  HANGAR_S3_DOMAIN           also serve buckets as BUCKET.DOMAIN
  HANGAR_S3_SIGV2            where Signature Version 2 is also accepted: off,
                             presigned (URLs and forms), or on (Authorization
                             headers as well) (default presigned)
  HANGAR_SAFE_READS          false: let browsers run HTML, SVG and scripts from
                             buckets (default true)
  HANGAR_GRACE               how long the bytes of deleted objects stay on the disk
                             (default 24h)
  HANGAR_MIN_FREE            with less than this free on the disk no uploads are
                             taken (default 1 % of the disk, at most 1GiB)
  HANGAR_SCRUB_INTERVAL      how often all stored bytes are compared with their
                             checksums (default 30d; or off)
  HANGAR_MULTIPART_EXPIRES   when an unfinished upload in parts is aborted
                             (default 7d)

Environment, assets:
  FILE_SIZE_LIMIT            the largest file that the asset API accepts, in bytes or
                             as 5MiB or 1GB (default 5242880)
  SIGNED_URL_EXPIRATION      how long upload policies and presigned URLs hold, in
                             seconds or as 15m or 12h (default 3600)
  HANGAR_VERIFY_CONTENT      false: do not check that a picture is one (default true)
  API_KEY_RATE_LIMIT         requests that a token may make to the public API
                             (default 60/minute; or off)
  UNUPLOADED_ASSET_DELETE_DAYS
                             days after which an asset without bytes is deleted
                             (default 7)
  HARD_DELETE_AFTER_DAYS     days for which a deleted asset can be restored
                             (default 60)")]
pub(in crate::cli) struct Serve {
    /// Where to listen: HOST:PORT, or :PORT for all addresses [default: 127.0.0.1:9000] [env: HANGAR_LISTEN]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// The data folder; made if it is missing [default: data] [env: HANGAR_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Scheme and host under which clients know this server [env: HANGAR_PUBLIC_URL]
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
}

/// The settings are those of `hangar serve`. No user is made and no secret printed: users and tokens are Plane's, and
/// the root key pair is the one of the environment.
#[derive(Debug, Args)]
#[command(after_help = "Example, as in a compose file that ran MinIO:
  MINIO_ROOT_USER=… MINIO_ROOT_PASSWORD=… hangar server /export --console-address :9090

Set Plane's AWS_S3_ENDPOINT_URL to this server, and the same key pair in both. The environment is the
same as for `hangar serve`: see its --help.")]
pub(in crate::cli) struct Server {
    /// The data folder; made if it is missing [env: HANGAR_DATA_DIR]
    #[arg(value_name = "DIR")]
    dir: Option<String>,
    /// Where to listen: HOST:PORT, or :PORT for all addresses [default: :9000] [env: HANGAR_LISTEN]
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,
    /// Accepted as MinIO does, and ignored: hangar has no console
    #[arg(long, value_name = "ADDRESS")]
    console_address: Option<String>,
}

impl Serve {
    pub(in crate::cli) async fn run(&self, environment: &Environment) -> Result<(), Failure> {
        let flags = Flags {
            listen: Flag::given("--listen", self.listen.as_deref()),
            data_dir: Flag::given("--data-dir", self.data_dir.as_deref()),
            public_url: Flag::given("--public-url", self.public_url.as_deref()),
        };
        serve(Config::compose(Role::Standalone, &flags, environment)?).await
    }
}

impl Server {
    pub(in crate::cli) async fn run(&self, environment: &Environment) -> Result<(), Failure> {
        let dir = self.dir.as_deref().filter(|dir| !dir.is_empty());
        if dir.is_none() && environment.get("HANGAR_DATA_DIR")?.is_none() {
            // MinIO: it takes DIR from MINIO_VOLUMES too, and that may name many disks.
            return Err(Failure::Usage(
                "`hangar server` needs the data folder: write it as in `hangar server /export`, or set HANGAR_DATA_DIR (MINIO_VOLUMES is not read)"
                    .to_owned(),
            ));
        }
        // MinIO: `http://host{1...4}/export{1...4}` names many disks of many machines.
        if let Some(dir) = dir.filter(|dir| dir.contains("://") || dir.contains("...")) {
            return Err(Failure::Usage(format!(
                "DIR is {dir:?}, but hangar keeps everything in one folder of this machine: name one folder, such as /export"
            )));
        }
        let flags = Flags {
            listen: Flag::given("--address", self.address.as_deref()),
            data_dir: Flag::given("DIR", dir),
            public_url: None,
        };
        let composed = Config::compose(Role::InPlaceOfMinio, &flags, environment)?;
        if let Some(address) = &self.console_address {
            tracing::info!(
                "--console-address {} is ignored: hangar has no console",
                terminal::printable(address)
            );
        }
        serve(composed).await
    }
}

async fn serve(composed: Composed) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    log_sources(&composed);
    let config = composed.config;
    let makes_token = command_that_makes_a_token(&config);
    let (scheme, listen) = (config.scheme(), config.http.listen.clone());
    let mut listeners = Vec::new();
    let mut restarts = Restarts::default();
    loop {
        let application = tokio::select! {
            built = build(&config, &listeners) => built?,
            // The log survives a stop at any moment.
            name = signals.next() => {
                tracing::info!(signal = name, "stopped before the start was over");
                return Ok(());
            }
        };
        let address = on_this_machine(scheme, &listen, application.port());
        let data_dir = config.store.data_dir.display();
        tracing::info!(address = %address, data_dir = %data_dir, "hangar is ready");
        if listeners.is_empty() {
            if config.standalone {
                welcome(&application, &address, &makes_token);
            } else {
                point_plane_here(scheme, application.port(), config.root_key.is_some());
            }
        }
        listeners = application.listeners().map_err(|error| {
            Failure::Failed(format!(
                "the listeners cannot be kept ({error}): raise the limit of open files"
            ))
        })?;
        match signals.run(application).await? {
            Ended::Stopped => return Ok(()),
            Ended::IndexDamaged => restarts.admit(Instant::now())?,
        }
        tracing::warn!("the server restarts, and rebuilds the index");
    }
}

/// Builds the application: on these listeners where there are any, in the place of one that has ended.
async fn build(config: &Config, listeners: &[TcpListener]) -> Result<Application, Failure> {
    /// A command may have locked the folder meanwhile, and rebuilds the index itself.
    const PATIENCE: Duration = Duration::from_mins(1);
    const PAUSE: Duration = Duration::from_millis(100);
    let (config, clock) = (config.clone(), Clock::default());
    if listeners.is_empty() {
        return Ok(Application::build(config, clock).await?);
    }
    let began = Instant::now();
    loop {
        let kept: io::Result<Vec<TcpListener>> =
            listeners.iter().map(TcpListener::try_clone).collect();
        let kept = kept.map_err(|error| {
            Failure::Failed(format!("the listeners cannot be used again: {error}"))
        })?;
        match Application::build_on(kept, config.clone(), clock.clone()).await {
            Err(StartError::Store(OpenError::Locked(_))) if began.elapsed() < PATIENCE => {
                tokio::time::sleep(PAUSE).await;
            }
            built => return Ok(built?),
        }
    }
}

/// How often a server has restarted by itself.
#[derive(Default)]
struct Restarts(VecDeque<Instant>);

impl Restarts {
    /// # Errors
    /// When it is too often: then the disk or the memory is probably faulty.
    fn admit(&mut self, now: Instant) -> Result<(), Failure> {
        const WITHIN: Duration = Duration::from_hours(1);
        const MOST: usize = 5;
        while let Some(first) = self.0.front()
            && now.saturating_duration_since(*first) > WITHIN
        {
            self.0.pop_front();
        }
        if self.0.len() == MOST {
            return Err(Failure::Failed(format!(
                "the index was damaged {} times within an hour: look at the disk and at the memory of this machine, then \
                 start again, which rebuilds the index from the log",
                MOST + 1
            )));
        }
        self.0.push_back(now);
        Ok(())
    }
}

pub(in crate::cli) fn log_sources(composed: &Composed) {
    if composed.sources.is_empty() {
        tracing::info!("settings: all at their defaults");
    } else {
        let sources: Vec<_> = composed.sources.iter().map(ToString::to_string).collect();
        tracing::info!("settings: {}", sources.join(" "));
    }
    for warning in &composed.warnings {
        tracing::warn!("{warning}");
    }
}

/// It names the folder, so that it works in any current folder and environment.
fn command_that_makes_a_token(config: &Config) -> String {
    let folder = terminal::quoted(config.store.data_dir.as_os_str());
    format!("hangar token create --user admin@localhost --data-dir {folder}")
}

/// In MinIO's place it is Plane that has to find it, and that signs with the pair of its own environment.
fn point_plane_here(scheme: &str, port: u16, has_pair: bool) {
    tracing::info!(
        "set Plane's AWS_S3_ENDPOINT_URL={scheme}://HOST:{port}, where HOST is the name of this machine or container to Plane's, such as plane-minio"
    );
    if !has_pair {
        tracing::warn!(
            "no key pair is set, so Plane cannot sign with the random one that was made: set MINIO_ROOT_USER and \
             MINIO_ROOT_PASSWORD to the pair that Plane has"
        );
    }
}

/// On a terminal the first token is shown, once; where stderr may be a file, only the command that makes one.
fn welcome(application: &Application, address: &str, makes_token: &str) {
    if !terminal::stderr_is_a_terminal() {
        if application.first_token().is_some() {
            tracing::info!("make a token with: {makes_token}");
        }
        return;
    }
    let next = match application.first_token() {
        Some(token) => format!(
            "The token of admin@localhost, shown this once: {token}\n\
             Upload a picture:  HANGAR_TOKEN={token} hangar upload --url {address} me.png"
        ),
        None => format!(
            "Make a token:      {makes_token}\n\
             Upload a picture:  HANGAR_TOKEN=… hangar upload --url {address} me.png"
        ),
    };
    terminal::say(&format!(
        "\nhangar is ready at {address}\n{next}\nCtrl-C stops it.\n"
    ));
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn composed(data_dir: Option<&str>, listen: &str) -> Composed {
        let flags = Flags {
            data_dir: Flag::given("--data-dir", data_dir),
            listen: Flag::given("--listen", Some(listen)),
            public_url: None,
        };
        Config::compose(Role::Standalone, &flags, &Environment::default()).unwrap()
    }

    #[test]
    fn a_server_starts_anew_by_itself_five_times_an_hour_at_most() {
        let (mut restarts, began) = (Restarts::default(), Instant::now());
        let minutes = |minutes| began + Duration::from_mins(minutes);
        for minute in 0..5 {
            restarts.admit(minutes(minute)).unwrap();
        }
        let Err(Failure::Failed(sentence)) = restarts.admit(minutes(59)) else {
            panic!("the sixth was admitted")
        };
        assert!(
            sentence.starts_with("the index was damaged 6 times"),
            "{sentence}"
        );
        restarts.admit(minutes(61)).unwrap();
    }

    #[rstest]
    #[case(None, "HERE/data")]
    #[case(Some("/srv/hangar"), "/srv/hangar")]
    #[case(Some("/srv/my files"), "'/srv/my files'")]
    #[case(Some("/srv/it's"), r"'/srv/it'\''s'")]
    #[case(Some("below"), "HERE/below")]
    fn the_command_that_makes_a_token_finds_the_same_folder_from_anywhere(
        #[case] data_dir: Option<&str>,
        #[case] names: &str,
    ) {
        let here = std::env::current_dir().unwrap();
        let names = names.replace("HERE", here.to_str().unwrap());
        let command = command_that_makes_a_token(&composed(data_dir, "").config);
        assert_eq!(
            command,
            format!("hangar token create --user admin@localhost --data-dir {names}")
        );
    }

    #[rstest]
    #[case(":80", "http://127.0.0.1:9377")]
    #[case("0.0.0.0:80", "http://127.0.0.1:9377")]
    #[case("[::]:80", "http://[::1]:9377")]
    #[case("192.0.2.1:80", "http://192.0.2.1:9377")]
    fn the_address_shown_can_be_opened_here(#[case] listen: &str, #[case] shown: &str) {
        let config = composed(None, listen).config;
        let address = on_this_machine(config.scheme(), &config.http.listen, 9377);
        assert_eq!(address, shown);
    }
}
