//! Where an administration command runs: in the server that has locked the folder, or in this process if none has.
//!
//! A server states in `DATA/@hangar/run` where it accepts commands and with which secret; the lock on the folder, not that
//! file, says whether there is one, for a crash leaves the file behind.

use crate::admin::{self, FolderUse, Holder, Housekeeper, Ongoing, Order};
use crate::app;
use crate::auth::{self, Auth, KeyFile};
use crate::cli::failure::Failure;
use crate::cli::signals;
use crate::cli::terminal;
use crate::clock::Clock;
use crate::store::{self, Dir, OpenError, Refusal, Store, StoreConfig};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

/// A server that starts or stops holds the lock a moment longer than it accepts commands.
const PATIENCE: Duration = Duration::from_secs(5);
/// A server that has begun an order and is gone may be starting anew.
const PATIENCE_FOR_A_RESTART: Duration = if cfg!(test) {
    Duration::from_secs(1)
} else {
    Duration::from_mins(1)
};
const PAUSE: Duration = Duration::from_millis(100);
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);
const MAX_RUN_BYTES: u64 = 4096;

#[derive(serde::Deserialize)]
struct Run {
    address: SocketAddr,
    secret: String,
}

impl Run {
    /// The secret and the order never leave this machine: they are one header and one body on loopback.
    fn is_believed(&self) -> bool {
        let is_plain =
            !self.secret.is_empty() && self.secret.bytes().all(|it| it.is_ascii_alphanumeric());
        is_plain && self.address.ip().is_loopback() && self.address.port() != 0
    }
}

/// What a server answers to an order.
#[derive(serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Ok(Value),
    Error(String),
}

/// `key_file`: of this command's environment, for when it does the work itself; a server has its own.
pub(super) async fn carry_out(
    config: StoreConfig,
    key_file: Option<KeyFile>,
    order: Order,
) -> Result<Value, Failure> {
    carry_out_while(config, key_file, order, |_| false).await
}

/// An order that takes its time: it is repeated until it is done. `what` is being done with bytes, as `read`; it `shows`
/// how far it is.
pub(super) async fn carry_out_watched<T: serde::de::DeserializeOwned>(
    config: StoreConfig,
    order: Order,
    what: &str,
    shows: bool,
) -> Result<T, Failure> {
    let began = Instant::now();
    let value = carry_out_while(config, None, order, |value| {
        let Some((done, total)) = still_running(value) else {
            return false;
        };
        if shows {
            terminal::show(&terminal::progress(what, done, total, began.elapsed()));
        }
        true
    });
    let value = value.await;
    if shows {
        terminal::show("");
    }
    match read(value?)? {
        Ongoing::Done(done) => Ok(done),
        Ongoing::Running { .. } => Err(Failure::Failed("it did not end".to_owned())),
    }
}

/// How far it is; `None`: it is done.
fn still_running(value: &Value) -> Option<(u64, u64)> {
    let running = value.get("running")?;
    let number = |name: &str| running.get(name)?.as_u64();
    Some((number("done_bytes")?, number("total_bytes")?))
}

async fn carry_out_while(
    config: StoreConfig,
    key_file: Option<KeyFile>,
    order: Order,
    goes_on: impl FnMut(&Value) -> bool,
) -> Result<Value, Failure> {
    report_warnings(&config);
    if order.only_looks() {
        return signals::until_asked_to_stop(try_until_done(config, key_file, order, goes_on))
            .await;
    }
    try_until_done(config, key_file, order, goes_on).await
}

async fn try_until_done(
    config: StoreConfig,
    key_file: Option<KeyFile>,
    order: Order,
    mut goes_on: impl FnMut(&Value) -> bool,
) -> Result<Value, Failure> {
    let mut started = Instant::now();
    let mut has_a_server = false;
    loop {
        let clock = Clock::default();
        let opened = if has_a_server {
            // A command that took the folder now would keep the server from starting again.
            Err(OpenError::Locked(Refusal::default()))
        } else if order.only_looks() {
            Store::look(&config, clock.clone(), app::effects()).await
        } else {
            Store::open(config.clone(), clock.clone(), app::effects().into()).await
        };
        match opened {
            Ok(store) => {
                let outcome = carry_out_alone(&store, clock, key_file, order, goes_on).await;
                store.close().await;
                return outcome;
            }
            Err(OpenError::Refused(refusal) | OpenError::Full(refusal)) => {
                return Err(refused(&refusal.sentence(), &config.data_dir));
            }
            Err(OpenError::Locked(_)) => {}
        }
        let run = running(&config.data_dir)?;
        if let Some(run) = &run
            && let Some(value) = ask(run, &order).await?
        {
            if !goes_on(&value) {
                return Ok(value);
            }
            started = Instant::now();
            has_a_server = true;
            continue;
        }
        if has_a_server && started.elapsed() > PATIENCE_FOR_A_RESTART {
            return Err(Failure::Failed(format!(
                "the server of {} stopped before it was done, and none has started since: run this command again",
                config.data_dir.display()
            )));
        }
        if !has_a_server && started.elapsed() > PATIENCE {
            return Err(server_is_unreachable(&config.data_dir, run.as_ref()));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// A refusal of a folder, which it names.
pub(super) fn refused(sentence: &str, data_dir: &Path) -> Failure {
    let shown = data_dir.display().to_string();
    Failure::Failed(if sentence.contains(&shown) {
        sentence.to_owned()
    } else {
        format!("{sentence} (the data folder is {shown})")
    })
}

/// The error if another process has locked the folder and cannot be reached.
fn server_is_unreachable(data_dir: &Path, run: Option<&Run>) -> Failure {
    let shown = data_dir.display();
    let file = data_dir.join("@hangar/run");
    let file = file.display();
    let why = match run {
        Some(run) => format!(
            "no server answers at {}, the address in {file}",
            run.address
        ),
        None => format!("{file}, which names its address, is missing"),
    };
    Failure::Failed(format!(
        "another hangar process uses {shown}, but {why}: if a server is starting or stopping, or another command is running, try again in a moment; if the server runs in a container, run this command there (docker exec CONTAINER hangar …)"
    ))
}

async fn carry_out_alone(
    store: &Store,
    clock: Clock,
    key_file: Option<KeyFile>,
    order: Order,
    mut goes_on: impl FnMut(&Value) -> bool,
) -> Result<Value, Failure> {
    let makes_a_secret = matches!(order, Order::AccessKeyCreate { .. });
    if makes_a_secret && key_file.is_none() && app::has_sealed_root_key(store) {
        return Err(Failure::Failed(auth::SEALED_FOLDER.to_owned()));
    }
    let auth = Auth::new(store.clone(), clock, key_file, true);
    let ages = match &order {
        Order::Gc { ages, .. } => *ages,
        _ => None,
    };
    let keeper = Housekeeper::new(store.clone(), ages.unwrap_or_default(), None);
    let holder = Holder {
        auth: &auth,
        keeper: &keeper,
        folder_use: FolderUse::Exclusive,
    };
    loop {
        let value = admin::carry_out(holder, order.clone())
            .await
            .map_err(Failure::Failed)?;
        if !goes_on(&value) {
            return Ok(value);
        }
    }
}

/// Logs the warnings of the folder, with and without a running server.
pub(super) fn report_warnings(config: &StoreConfig) {
    for warning in store::folder_warnings(config) {
        tracing::warn!("{}", warning.sentence());
    }
}

/// An order's answer.
pub(super) fn read<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, Failure> {
    serde_json::from_value(value).map_err(|_| {
        Failure::Failed(
            "the server's answer means nothing to this command: use the same version of hangar for both"
                .to_owned(),
        )
    })
}

/// What `run` says; `None` where it is missing or half written.
fn running(data_dir: &Path) -> Result<Option<Run>, Failure> {
    let home = data_dir.join("@hangar");
    let text = match Dir::open(&home).and_then(|dir| dir.read_short("run", MAX_RUN_BYTES)) {
        Ok(Some(text)) => text,
        Ok(None) => return Ok(None),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(Failure::Failed(format!(
                "a server holds the folder, and {} cannot be read ({error}): run this as the server's user",
                home.join("run").display()
            )));
        }
    };
    Ok(serde_json::from_slice::<Run>(&text)
        .ok()
        .filter(Run::is_believed))
}

/// `None` if no server listens: then nothing was done, and a retry is safe.
async fn ask(run: &Run, order: &Order) -> Result<Option<Value>, Failure> {
    let broken = |error: reqwest::Error| {
        Failure::Failed(format!(
            "the server did not answer ({error}): look whether the order was carried out before giving it again"
        ))
    };
    let connection = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .redirect(reqwest::redirect::Policy::none())
        .timeout(ANSWER_TIMEOUT)
        .build()
        .map_err(broken)?;
    let answer = connection
        .post(format!("http://{}/order", run.address))
        .bearer_auth(&run.secret)
        .json(order)
        .send()
        .await;
    let response = match answer {
        Err(error) if error.is_connect() => return Ok(None),
        Err(error) => return Err(broken(error.without_url())),
        Ok(response) => response,
    };
    let status = response.status();
    let body = response
        .bytes()
        .await
        .map_err(|error| broken(error.without_url()))?;
    match serde_json::from_slice(&body) {
        // The server has just started anew, with a new secret.
        _ if status == reqwest::StatusCode::UNAUTHORIZED => Ok(None),
        Ok(Answer::Ok(value)) => Ok(Some(value)),
        Ok(Answer::Error(sentence)) => Err(Failure::Failed(super::terminal::printable(&sentence))),
        // Another process took the port of a server that is gone.
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// A listener that answers one order, and what it was asked.
    async fn run_beside(
        status: &'static str,
        body: &'static str,
    ) -> (Run, tokio::task::JoinHandle<String>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = String::new();
            while !request.ends_with('}') {
                let mut piece = [0; 1024];
                let read = stream.read(&mut piece).await.unwrap();
                request.push_str(std::str::from_utf8(&piece[..read]).unwrap());
            }
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
            request
        });
        let secret = "s3cr3t".to_owned();
        (Run { address, secret }, seen)
    }

    #[tokio::test]
    async fn an_order_goes_to_the_server_with_the_secret_of_its_start() {
        let (run, seen) = run_beside("200 OK", r#"{"ok":{"tokens":[]}}"#).await;
        let answer = ask(&run, &Order::TokenList).await;
        assert_eq!(answer, Ok(Some(serde_json::json!({"tokens": []}))));
        let request = seen.await.unwrap();
        assert!(request.starts_with("POST /order HTTP/1.1\r\n"), "{request}");
        assert!(
            request.contains("authorization: Bearer s3cr3t\r\n"),
            "{request}"
        );
        assert!(request.ends_with(r#"{"order":"token_list"}"#), "{request}");
    }

    #[tokio::test]
    async fn a_refusal_of_the_server_is_shown_in_its_own_words() {
        for status in ["400 Bad Request", "404 Not Found", "503 Unavailable"] {
            let (run, _) = run_beside(status, r#"{"error":"there is no such token"}"#).await;
            assert_eq!(
                ask(&run, &Order::TokenList).await,
                Err(Failure::Failed("there is no such token".to_owned()))
            );
        }
    }

    #[tokio::test]
    async fn a_server_that_does_not_know_the_secret_is_another_one() {
        for (status, body) in [
            ("401 Unauthorized", r#"{"error":"wrong secret"}"#),
            ("404 Not Found", "<html>"),
        ] {
            let (run, _) = run_beside(status, body).await;
            assert_eq!(ask(&run, &Order::TokenList).await, Ok(None));
        }
    }

    #[tokio::test]
    async fn a_run_file_without_a_listener_means_no_server() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let secret = String::new();
        assert_eq!(
            ask(&Run { address, secret }, &Order::TokenList).await,
            Ok(None)
        );
    }

    #[tokio::test]
    async fn a_run_file_that_points_to_another_machine_is_not_trusted() {
        let folder = tempfile::tempdir().unwrap();
        assert!(running(folder.path()).unwrap().is_none());
        std::fs::create_dir(folder.path().join("@hangar")).unwrap();
        let path = folder.path().join("@hangar/run");
        for (text, believed) in [
            (r#"{"address":"127.0.0.1:1","secret":"x"}"#, true),
            (r#"{"address":"[::1]:1","secret":"x"}"#, true),
            (r#"{"address":"192.0.2.1:1","secret":"x"}"#, false),
            (r#"{"address":"127.0.0.1:0","secret":"x"}"#, false),
            (r#"{"address":"127.0.0.1:1","secret":""}"#, false),
            (
                r#"{"address":"127.0.0.1:1","secret":"x\r\nHost: y"}"#,
                false,
            ),
            (r#"{"address":"localhost:1","secret":"x"}"#, false),
            (r#"{"address":"127.0.0.1:1","#, false),
            ("", false),
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(
                running(folder.path()).unwrap().is_some(),
                believed,
                "{text}"
            );
        }
        // Another file in its place is neither followed nor waited for.
        std::fs::remove_file(&path).unwrap();
        let elsewhere = folder.path().join("elsewhere");
        std::fs::write(&elsewhere, r#"{"address":"127.0.0.1:1","secret":"x"}"#).unwrap();
        std::os::unix::fs::symlink(elsewhere, &path).unwrap();
        let Err(Failure::Failed(refusal)) = running(folder.path()) else {
            panic!("the link was followed")
        };
        assert!(refusal.contains("is not a regular file"), "{refusal}");
    }

    /// Otherwise a check that takes hours would keep the server from restarting.
    #[tokio::test]
    async fn a_command_does_not_take_the_folder_of_a_server_that_has_begun_its_order() {
        let folder = tempfile::tempdir().unwrap();
        let settings = [("HANGAR_DATA_DIR", folder.path())];
        let environment = crate::config::Environment::from_pairs(settings);
        let config = crate::config::store_config(None, &environment).unwrap();
        let open = || Store::open(config.clone(), Clock::default(), app::effects().into());
        let store = open().await.unwrap();
        let running = r#"{"ok":{"running":{"done_bytes":0,"total_bytes":1}}}"#;
        let (run, seen) = run_beside("200 OK", running).await;
        let said = serde_json::json!({"address": run.address, "secret": run.secret});
        store.announce(&said.to_string()).await.unwrap();
        let order = Order::Fsck(store::Repair::default());
        let asked = carry_out_watched::<Value>(config.clone(), order, "read", false);
        let stopped = async {
            seen.await.unwrap();
            // Another test may get its port.
            std::fs::remove_file(folder.path().join("@hangar/run")).unwrap();
            store.close().await;
            // Starts and stops as it likes.
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_millis(150)).await;
                open().await.unwrap().close().await;
            }
        };
        let (outcome, ()) = tokio::join!(asked, stopped);
        let Err(Failure::Failed(sentence)) = outcome else {
            panic!("{outcome:?}")
        };
        assert!(
            sentence.contains("stopped before it was done"),
            "{sentence}"
        );
    }
}
