//! TLS as its clients see it: both protocols, certificates that change, and clients that do it wrong.

use crate::app::{App, presigned, spawn_with};
use hangar::app::Application;
use hangar::clock::Clock;
use hangar::config::{Config, Environment, Flags, Role};
use hangar::http::TlsFiles;
use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};
use reqwest::Version;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A certificate of its own for `localhost`, and its key, as files in a folder.
struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        let files = Self {
            folder: tempfile::tempdir().expect("a temporary folder can be made"),
        };
        files.renew();
        files
    }

    /// As [`Files::renew`], so that the files look as before: their places, sizes and times stay. Only a server that
    /// reads them again sees the change.
    fn renew_unseen(&self) -> reqwest::Certificate {
        let seen = [self.certificate(), self.key()].map(|path| Seen::of(&path));
        let other = Self::new();
        for (before, renewed) in seen.iter().zip([other.certificate(), other.key()]) {
            let renewed = std::fs::read_to_string(renewed).expect("it was written");
            before.write_over(&renewed);
        }
        self.root()
    }

    /// Spoils the key as [`Files::renew_unseen`] renews the pair.
    fn spoil_key_unseen(&self) {
        Seen::of(&self.key()).write_over("no key");
    }

    /// Writes another pair over the one that is there, and answers its certificate.
    fn renew(&self) -> reqwest::Certificate {
        self.renew_until(4096)
    }

    /// As [`Files::renew`], with a certificate that ends as this year begins.
    fn renew_until(&self, year: i32) -> reqwest::Certificate {
        let key = KeyPair::generate().expect("a key can be made");
        let mut params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        params.not_after = date_time_ymd(year, 1, 1);
        params.distinguished_name.push(DnType::CommonName, "hangar");
        let certificate = params.self_signed(&key).expect("it can be signed");
        write(&self.certificate(), &certificate.pem());
        write(&self.key(), &key.serialize_pem());
        self.root()
    }

    fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    fn root(&self) -> reqwest::Certificate {
        let pem = std::fs::read(self.certificate()).expect("it was written");
        reqwest::Certificate::from_pem(&pem).expect("a certificate")
    }

    fn settings(&self) -> TlsFiles {
        TlsFiles {
            certificate: self.certificate(),
            key: self.key(),
        }
    }
}

/// A file as a look at it sees it.
struct Seen {
    path: PathBuf,
    length: usize,
    modified: std::time::SystemTime,
}
impl Seen {
    fn of(path: &Path) -> Self {
        let meta = std::fs::metadata(path).expect("it was written");
        Self {
            path: path.to_owned(),
            length: usize::try_from(meta.len()).expect("it is small"),
            modified: meta.modified().expect("the file system keeps times"),
        }
    }

    /// Writes another text of the same length and time into the same file.
    fn write_over(&self, text: &str) {
        let text = format!("{text:\n<length$}", length = self.length);
        assert_eq!(text.len(), self.length, "the new text is not longer");
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .open(&self.path)
            .expect("the file is ours");
        file.write_all(text.as_bytes()).expect("the disk takes it");
        file.set_modified(self.modified).expect("the file is ours");
    }
}

/// As programs that renew certificates do it: whole, or not at all.
fn write(path: &Path, text: &str) {
    // Of one length, whatever a signature takes.
    let text = format!("{text:\n<2048}");
    let new = path.with_extension("new");
    std::fs::write(&new, text).expect("the folder is ours");
    std::fs::rename(new, path).expect("the folder is ours");
}

async fn spawn(files: &Files) -> App {
    let tls = files.settings();
    spawn_with(|config| config.http.tls = Some(tls)).await
}

fn client(root: reqwest::Certificate) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .tls_certs_only([root])
        .pool_max_idle_per_host(0)
}

/// `localhost`, for that is whose certificate it is.
fn host(app: &App) -> String {
    app.address.replace("127.0.0.1", "localhost")
}

fn url(app: &App, target: &str) -> String {
    format!("https://{}{target}", host(app))
}

/// Waits until clients who trust `root` alone are served.
async fn is_shown(app: &App, root: &reqwest::Certificate) -> bool {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(15) {
        if is_served(app, root).await {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

/// Whether a client that trusts `root` alone is served now.
async fn is_served(app: &App, root: &reqwest::Certificate) -> bool {
    let client = client(root.clone()).build().expect("a client");
    let asked = client.get(url(app, "/-/health/live")).send().await;
    asked.is_ok_and(|answer| answer.status() == 200)
}

#[tokio::test]
async fn every_face_is_served_over_both_protocols() {
    let files = Files::new();
    let app = spawn(&files).await;
    let http1 = client(files.root()).http1_only().build().unwrap();
    let http2 = client(files.root()).build().unwrap();
    for (client, version) in [(http1, Version::HTTP_11), (http2, Version::HTTP_2)] {
        for (path, status) in [
            ("/-/health/live", 200),
            ("/minio/health/live", 200),
            ("/api/v1/users/me/", 401),
            ("/uploads/key", 403),
        ] {
            let answer = client.get(url(&app, path)).send().await.unwrap();
            assert_eq!(answer.version(), version, "{path}");
            assert_eq!(answer.status(), status, "{path}");
            assert_eq!(answer.headers()["server"], "hangar");
            assert!(answer.headers().contains_key("date"));
        }
        let page = client
            .get(url(&app, "/"))
            .header("accept", "text/html")
            .send()
            .await
            .unwrap();
        assert!(page.text().await.unwrap().contains("<title>hangar</title>"));
    }
}

#[tokio::test]
async fn a_signature_for_the_authority_holds_over_http2_and_large_bodies_arrive_whole() {
    let files = Files::new();
    let app = spawn(&files).await;
    let client = client(files.root()).build().unwrap();
    let host = host(&app);
    let target = |method: &str| url(&app, &presigned(&app, method, &host, "/uploads/key", &[]));
    let large: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251) as u8).collect();
    let put = client
        .put(target("PUT"))
        .body(large.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(put.status(), 200, "{}", put.text().await.unwrap());
    let got = client.get(target("GET")).send().await.unwrap();
    assert_eq!(got.version(), Version::HTTP_2);
    assert_eq!(got.headers()["content-length"], "3000000");
    assert_eq!(got.bytes().await.unwrap(), large);
    let head = client.head(target("HEAD")).send().await.unwrap();
    assert_eq!(head.headers()["content-length"], "3000000");
    let gone = client.delete(target("DELETE")).send().await.unwrap();
    assert_eq!(gone.status(), 204);
}

#[tokio::test]
async fn a_body_without_a_content_length_is_stored_over_http2_too() {
    let files = Files::new();
    let app = spawn(&files).await;
    let client = client(files.root()).build().unwrap();
    let host = host(&app);
    let target = |method: &str| url(&app, &presigned(&app, method, &host, "/uploads/key", &[]));
    let pieces = futures_util::stream::iter(["ab", "c"].map(Ok::<_, std::io::Error>));
    let put = client
        .put(target("PUT"))
        .body(reqwest::Body::wrap_stream(pieces))
        .send()
        .await
        .unwrap();
    assert_eq!(put.status(), 200, "{}", put.text().await.unwrap());
    let got = client.get(target("GET")).send().await.unwrap();
    assert_eq!(got.text().await.unwrap(), "abc");
}

#[tokio::test]
async fn many_requests_share_a_connection_and_a_refused_upload_harms_none() {
    let files = Files::new();
    let app = spawn(&files).await;
    let client = reqwest::Client::builder()
        .tls_certs_only([files.root()])
        .build()
        .unwrap();
    let asked = (0..300).map(|at| {
        let (client, target) = (client.clone(), url(&app, &format!("/uploads/{at}")));
        async move {
            let asked = client.put(target).body(vec![b'x'; 2_000_000]);
            asked.send().await.unwrap().status()
        }
    });
    let answers = futures_util::future::join_all(asked).await;
    assert!(answers.iter().all(|status| *status == 403), "{answers:?}");
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_without_a_restart() {
    let files = Files::new();
    let app = spawn(&files).await;
    assert!(is_shown(&app, &files.root()).await);
    let renewed = files.renew();
    assert!(is_shown(&app, &renewed).await);
}

#[tokio::test]
async fn a_reload_shows_a_renewed_certificate_whose_files_look_as_before() {
    let files = Files::new();
    let app = spawn(&files).await;
    let renewed = files.renew_unseen();
    app.reloader.reload();
    assert!(is_shown(&app, &renewed).await);
}

#[tokio::test]
async fn a_broken_new_file_leaves_the_old_certificate_in_use_until_it_is_mended() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .finish();
    // The server reads its certificate on this thread.
    let _logged = tracing::subscriber::set_default(subscriber);
    let files = Files::new();
    let app = spawn(&files).await;
    let old = files.root();
    files.spoil_key_unseen();
    app.reloader.reload();
    log.wait_for("holds no private key").await;
    log.wait_for("the certificate in use stays").await;
    assert!(is_shown(&app, &old).await);
    let renewed = files.renew_unseen();
    app.reloader.reload();
    assert!(is_shown(&app, &renewed).await);
    assert!(!is_served(&app, &old).await);
}

/// What a server logs on the thread of its test.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);
impl Log {
    async fn wait_for(&self, text: &str) {
        let is_there = || {
            let logged = self.0.lock().expect("no thread panicked");
            String::from_utf8_lossy(&logged).contains(text)
        };
        let began = Instant::now();
        while !is_there() {
            assert!(
                began.elapsed() < Duration::from_secs(15),
                "no {text:?} was logged"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0
            .lock()
            .expect("no thread panicked")
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_certificate_that_comes_near_its_end_while_the_server_runs_is_a_warning_of_readiness() {
    /// 2099-01-01T00:00:00Z
    const END: i64 = 4_070_908_800;
    const DAY: i64 = 24 * 3600;
    let files = Files::new();
    let root = files.renew_until(2099);
    let app = spawn(&files).await;
    let client = client(root).build().unwrap();
    let mut told = Vec::new();
    for seconds_left in [15 * DAY, 14 * DAY - 60, DAY + 60, 3600, -60] {
        let now = app.clock.now().as_secs();
        let by = u64::try_from(END - seconds_left - now).expect("the clock goes forward");
        app.clock.advance(Duration::from_secs(by));
        let answer = client
            .get(url(&app, "/-/health/ready"))
            .send()
            .await
            .unwrap();
        let status = answer.status();
        told.push(format!("{status} {}", answer.text().await.unwrap()));
    }
    insta::assert_snapshot!(told.join("\n"), @r#"
    200 OK {"status":"ready","warnings":[]}
    200 OK {"status":"ready","warnings":["the TLS certificate expires in 13 days"]}
    200 OK {"status":"ready","warnings":["the TLS certificate expires in a day"]}
    200 OK {"status":"ready","warnings":["the TLS certificate expires in less than a day"]}
    200 OK {"status":"ready","warnings":["the TLS certificate has expired"]}
    "#);
}

#[tokio::test]
async fn a_plain_http_request_to_a_tls_port_is_refused_with_a_sentence() {
    let files = Files::new();
    let app = spawn(&files).await;
    let answer = app
        .raw(b"PUT /uploads/k HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx")
        .await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(
        answer.contains("Client sent an HTTP request to an HTTPS server."),
        "{answer}"
    );
}

#[tokio::test]
async fn half_open_handshakes_do_not_exhaust_the_server() {
    let files = Files::new();
    let app = spawn(&files).await;
    let mut open = Vec::new();
    for at in 0..400 {
        let mut socket = TcpStream::connect(&app.address).await.unwrap();
        if at % 2 == 0 {
            // The begin of a record that never ends.
            socket.write_all(&[22, 3, 1, 2, 0, 1]).await.unwrap();
        }
        open.push(socket);
    }
    let began = Instant::now();
    assert!(is_shown(&app, &files.root()).await);
    assert!(began.elapsed() < Duration::from_secs(5));
    // And none of them is waited for without end.
    let mut rest = Vec::new();
    let closed = open[0].read_to_end(&mut rest);
    let closed = tokio::time::timeout(Duration::from_secs(16), closed).await;
    let answered = closed.expect("the server ends a handshake that goes nowhere");
    assert!(
        answered.is_err() || rest.is_empty(),
        "it was served: {rest:?}"
    );
}

#[tokio::test]
async fn a_stop_closes_idle_connections_of_both_protocols() {
    let files = Files::new();
    let mut app = spawn(&files).await;
    let http1 = reqwest::Client::builder()
        .tls_certs_only([files.root()])
        .http1_only();
    let http2 = reqwest::Client::builder().tls_certs_only([files.root()]);
    let clients = [http1.build().unwrap(), http2.build().unwrap()];
    for client in &clients {
        client
            .get(url(&app, "/-/health/live"))
            .send()
            .await
            .unwrap();
    }
    let began = Instant::now();
    app.stopped().await;
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );
}

/// What the start says with these settings.
async fn refusal(certificate: &Path, key: &Path) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let environment = Environment::from_pairs([
        ("HANGAR_LISTEN", "127.0.0.1:0"),
        (
            "HANGAR_DATA_DIR",
            folder.path().to_str().expect("a path of ours is text"),
        ),
        (
            "HANGAR_TLS_CERT",
            certificate.to_str().expect("a path of ours is text"),
        ),
        (
            "HANGAR_TLS_KEY",
            key.to_str().expect("a path of ours is text"),
        ),
    ]);
    let composed = Config::compose(Role::Standalone, &Flags::default(), &environment)
        .expect("the settings are right");
    match Application::build(composed.config, Clock::default()).await {
        Ok(_) => "it started".to_owned(),
        Err(refusal) => {
            let left = std::fs::read_dir(folder.path())
                .expect("it is there")
                .count();
            assert_eq!(left, 0, "a refused start makes nothing");
            let said = refusal.to_string();
            let shown = said.replace(&certificate.display().to_string(), "CERT");
            shown.replace(&key.display().to_string(), "KEY")
        }
    }
}

#[tokio::test]
async fn wrong_files_stop_the_start_with_one_sentence() {
    let (one, other) = (Files::new(), Files::new());
    let absent = one.folder.path().join("absent");
    write(
        &other.certificate(),
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    let wrong = [
        (&absent, &one.key()),
        (&one.certificate(), &absent),
        (&one.key(), &one.key()),
        (&one.certificate(), &one.certificate()),
        (&one.certificate(), &other.key()),
        (&other.certificate(), &other.key()),
    ];
    let mut said = Vec::new();
    for (certificate, key) in wrong {
        said.push(refusal(certificate, key).await);
    }
    insta::assert_snapshot!(said.join("\n"), @r"
    HANGAR_TLS_CERT: CERT cannot be read: No such file or directory (os error 2).
    HANGAR_TLS_KEY: KEY cannot be read: No such file or directory (os error 2).
    HANGAR_TLS_CERT: CERT holds no certificate as PEM (-----BEGIN CERTIFICATE-----).
    HANGAR_TLS_KEY: CERT holds no private key as PEM that is not encrypted (-----BEGIN PRIVATE KEY-----, RSA PRIVATE KEY or EC PRIVATE KEY).
    HANGAR_TLS_KEY: the key in KEY does not belong to the first certificate in CERT, the file of HANGAR_TLS_CERT.
    HANGAR_TLS_CERT: the first certificate in CERT is broken.
    ");
}
