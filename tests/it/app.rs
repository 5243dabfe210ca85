//! A server on a free port, with a folder and a clock of its own. Dropping it stops it.

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use hangar::app::{Application, Ended, Reloader, Stopper};
use hangar::assets::{AssetAges, AssetsConfig};
use hangar::auth::{AccessKey, KeyLimits};
use hangar::clock::Clock;
use hangar::config::Config;
use hangar::http::{HttpConfig, TrustedProxies};
use hangar::s3::BucketName;
use hangar::s3::signature::Sigv2;
use hangar::store::StoreConfig;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

pub(crate) const ACCESS_KEY: &str = "access-key";
pub(crate) const SECRET_KEY: &str = "secret-key";

pub(crate) struct App {
    pub(crate) address: String,
    pub(crate) clock: Clock,
    pub(crate) reloader: Reloader,
    folder: tempfile::TempDir,
    stopper: Stopper,
    running: Option<JoinHandle<std::io::Result<Ended>>>,
}

/// A server as it comes.
pub(crate) async fn spawn_app() -> App {
    spawn_with(|_| {}).await
}

/// A server with other settings.
pub(crate) async fn spawn_with(change: impl FnOnce(&mut Config)) -> App {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let mut config = config(folder.path());
    change(&mut config);
    start(folder, config).await
}

async fn start(folder: tempfile::TempDir, config: Config) -> App {
    let clock = Clock::default();
    let application = Application::build(config, clock.clone())
        .await
        .expect("the settings are right");
    App {
        address: format!("127.0.0.1:{}", application.port()),
        clock,
        reloader: application.reloader(),
        folder,
        stopper: application.stopper(),
        running: Some(tokio::spawn(application.run_until_stopped())),
    }
}

fn config(data_dir: &std::path::Path) -> Config {
    Config {
        store: StoreConfig {
            data_dir: data_dir.to_owned(),
            allow_unsafe_fs: true,
            multipart_expires: std::time::Duration::from_hours(7 * 24),
            grace: std::time::Duration::from_hours(24),
            min_free_bytes: Some(0),
        },
        assets: AssetsConfig {
            bucket: BucketName::parse("uploads").expect("a bucket's name"),
            region: String::new(),
            file_size_limit: 5 * 1024 * 1024,
            signed_url_expiration: Duration::from_hours(1),
            verify_content: true,
        },
        http: HttpConfig {
            listen: vec![([127, 0, 0, 1], 0).into()],
            public_url: None,
            trusted_proxies: TrustedProxies::Private,
            cors_allowed_origins: Vec::new(),
            s3_domain: None,
            region: String::new(),
            sigv2: Sigv2::Presigned,
            safe_reads: true,
            tls: None,
        },
        root_key: Some(AccessKey {
            id: ACCESS_KEY.to_owned(),
            secret: SECRET_KEY.into(),
            limits: KeyLimits::default(),
        }),
        key_file: None,
        rate_limit: None,
        standalone: true,
        asset_ages: AssetAges::default(),
        scrub_interval: None,
    }
}

impl App {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The SDK as a client in another region would use it.
    pub(crate) fn s3(&self) -> aws_sdk_s3::Client {
        self.s3_with_secret(SECRET_KEY)
    }

    pub(crate) fn s3_with_secret(&self, secret: &str) -> aws_sdk_s3::Client {
        self.s3_as(ACCESS_KEY, secret)
    }

    pub(crate) fn s3_as(&self, access_key: &str, secret: &str) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(self.url(""))
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new(access_key, secret, None, None, "test"))
            .force_path_style(true)
            .build();
        aws_sdk_s3::Client::from_conf(config)
    }

    /// Makes an access key, as people do beside a running server: its id and its secret.
    pub(crate) async fn new_access_key(&self, limits: &[&str]) -> (String, String) {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_hangar"));
        command
            .args(["access-key", "create", "--json", "--data-dir"])
            .arg(self.folder.path())
            .args(limits);
        let made = tokio::task::spawn_blocking(move || command.output())
            .await
            .expect("it does not panic")
            .expect("the command runs");
        let key: serde_json::Value =
            serde_json::from_slice(&made.stdout).expect("the command prints a key");
        let text = |name| key[name].as_str().expect("a text").to_owned();
        (text("id"), text("secret"))
    }

    /// Sends these bytes as they are and reads until the server closes, for what no client would send.
    pub(crate) async fn raw(&self, request: &[u8]) -> String {
        let mut socket = self.connected(request).await;
        read_to_end(&mut socket).await
    }

    /// As [`App::raw`], and says that nothing more will come.
    pub(crate) async fn raw_half_closed(&self, request: &[u8]) -> String {
        let mut socket = self.connected(request).await;
        socket.shutdown().await.expect("the socket is open");
        read_to_end(&mut socket).await
    }

    async fn connected(&self, request: &[u8]) -> TcpStream {
        let mut socket = TcpStream::connect(&self.address).await.expect("it listens");
        socket.write_all(request).await.expect("it reads");
        socket
    }

    /// Stops and starts again on the same folder.
    pub(crate) async fn restarted(mut self) -> Self {
        self.stopped().await;
        let folder = std::mem::replace(
            &mut self.folder,
            tempfile::tempdir().expect("a temporary folder can be made"),
        );
        let config = config(folder.path());
        start(folder, config).await
    }

    /// Waits until the server has stopped by itself.
    pub(crate) async fn stopped(&mut self) {
        self.stopper.stop();
        if let Some(running) = self.running.take() {
            running
                .await
                .expect("it does not panic")
                .expect("it stops well");
        }
    }
}

async fn read_to_end(socket: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    socket
        .read_to_end(&mut answer)
        .await
        .expect("the answer arrives, not a reset");
    String::from_utf8_lossy(&answer).into_owned()
}

impl Drop for App {
    fn drop(&mut self) {
        // The server goes with its runtime.
        self.stopper.stop();
    }
}
