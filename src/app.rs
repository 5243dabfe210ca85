//! The application: built from a [`Config`], run until stopped. The same two calls serve `main` and every test.
//!
//! Guarantees: when [`Application::build`] answers, the vault is open, a first start has made its keys, bucket and first
//! user, and the listeners are bound; when [`Application::run_until_stopped`] answers, what was in flight is finished or
//! given up and the vault is closed. Refuses to know flags, signals and terminals.

mod listeners;
mod root_key;
mod settings;

use crate::admin::Housekeeper;
use crate::assets::{self, Assets, PointerHook};
use crate::auth::{self, Auth, AuthError};
use crate::clock::Clock;
use crate::config::{Config, on_this_machine};
use crate::http::tls::Tls;
use crate::http::{self, AppState, Server};
use crate::store::{OpenError, Registered, Store};
use secrecy::{ExposeSecret, SecretString};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Store(#[from] OpenError),
    /// One sentence that names the setting and what to do.
    #[error("{0}")]
    Refused(String),
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to.
    Stopped,
    /// The index is damaged. The next [`Application::build`] makes it again.
    IndexDamaged,
}

/// A server that is bound and ready, and not serving yet.
pub struct Application {
    state: AppState,
    listeners: Vec<TcpListener>,
    administration: Server,
    port: u16,
    first_token: Option<String>,
    reloader: Reloader,
    stopper: Stopper,
    asked_to_stop: watch::Receiver<bool>,
}

impl Application {
    /// Opens the vault, makes what a first start makes (keys, bucket, first user), binds the listeners (the public one,
    /// and the administration listener written to `@hangar/run`).
    /// # Errors
    /// See [`StartError`].
    pub async fn build(config: Config, clock: Clock) -> Result<Self, StartError> {
        let listeners = listeners::bind(&config.http.listen)?;
        Self::build_on(listeners, config, clock).await
    }

    /// As [`Application::build`], on listeners that are bound already.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn build_on(
        listeners: Vec<TcpListener>,
        config: Config,
        clock: Clock,
    ) -> Result<Self, StartError> {
        let port = match listeners.first().map(TcpListener::local_addr) {
            Some(Ok(address)) => address.port(),
            _ => {
                return Err(StartError::Refused(
                    "HANGAR_LISTEN names no address.".to_owned(),
                ));
            }
        };
        let tls = match config.http.tls.clone() {
            Some(files) => Some(
                Tls::open(files)
                    .await
                    .map_err(|refusal| StartError::Refused(format!("{refusal}.")))?,
            ),
            None => None,
        };
        let at_hand = AtHand {
            tls,
            watch: http::Watch::new(endpoint(&config, port), settings::warnings(&config)),
            pointer_hook: Arc::new(PointerHook::new(clock.clone())),
        };
        let registered = Registered {
            effects: [auth::effects(), assets::effects()].concat(),
            hook: Some(at_hand.pointer_hook.clone()),
        };
        let open = || Store::open(config.store.clone(), clock.clone(), registered.clone());
        let mut store = open().await?;
        let furnish = |store| furnish(config.clone(), clock.clone(), store, at_hand.clone());
        let mut furnished = furnish(store.clone()).await;
        if furnished.is_err() && store.is_index_damaged() {
            // It was found on the way, and is made again by the next opening.
            store.close().await;
            store = open().await?;
            furnished = furnish(store.clone()).await;
        }
        match furnished {
            Ok((state, administration, first_token)) => {
                let (ask, asked_to_stop) = watch::channel(false);
                Ok(Self {
                    state,
                    listeners,
                    administration,
                    port,
                    first_token,
                    reloader: Reloader(Arc::default()),
                    stopper: Stopper { ask: Arc::new(ask) },
                    asked_to_stop,
                })
            }
            Err(refusal) => {
                store.close().await;
                Err(refusal)
            }
        }
    }

    /// The first bound port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The public listeners once more, for a server that takes this one's place: who connects in between waits.
    ///
    /// # Errors
    /// When the system has no file descriptor left.
    pub fn listeners(&self) -> std::io::Result<Vec<TcpListener>> {
        self.listeners.iter().map(TcpListener::try_clone).collect()
    }

    /// On a folder that was new: the secret of the first token, to be shown once.
    #[must_use]
    pub fn first_token(&self) -> Option<&str> {
        self.first_token.as_deref()
    }

    #[must_use]
    pub fn state(&self) -> &AppState {
        &self.state
    }

    /// Asks a running server to stop; what is in flight gets 8 seconds.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Has a running server read again what it may: the certificate of TLS.
    #[must_use]
    pub fn reloader(&self) -> Reloader {
        self.reloader.clone()
    }

    /// Serves until it is asked to stop, or until the index is found damaged.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn run_until_stopped(mut self) -> std::io::Result<Ended> {
        // What is to be done beside serving, for as long as it serves.
        let mut chores = JoinSet::new();
        let keeper = self.state.keeper.clone();
        chores.spawn(async move { keeper.run().await });
        let keeper = self.state.keeper.clone();
        chores.spawn(async move { keeper.verify_index().await });
        let store = self.state.store.clone();
        chores.spawn(async move { store.rest_when_idle().await });
        chores.spawn(http::Watch::run(self.state.clone()));
        if let Some(tls) = self.state.tls.clone() {
            let state = self.state.clone();
            let was_read = move || state.watch.certificate_was_read(&state);
            chores.spawn(tls.keep_current(self.reloader.0, was_read));
        }
        let public = http::serve(self.listeners, &self.state)?;
        let (public_handle, administration_handle) =
            (public.handle(), self.administration.handle());
        let mut serving = tokio::spawn(public);
        let administering = tokio::spawn(self.administration);
        let ended = tokio::select! {
            // The sender lives in `self.stopper`, so this ends by being asked alone.
            _ = self.asked_to_stop.wait_for(|asked| *asked) => None,
            () = self.state.store.index_is_damaged() => None,
            ended = &mut serving => Some(ended),
        };
        let ended = if let Some(ended) = ended {
            ended
        } else {
            public_handle.stop(true).await;
            serving.await
        };
        chores.shutdown().await;
        administration_handle.stop(false).await;
        let _ = administering.await;
        self.state.store.close().await;
        ended.unwrap_or_else(|panicked| Err(std::io::Error::other(panicked)))?;
        Ok(if self.state.store.is_index_damaged() {
            Ended::IndexDamaged
        } else {
            Ended::Stopped
        })
    }
}

/// Whoever holds one can end the server.
#[derive(Clone)]
pub struct Stopper {
    ask: Arc<watch::Sender<bool>>,
}

impl Stopper {
    /// Asks; [`Application::run_until_stopped`] answers when it is done.
    pub fn stop(&self) {
        self.ask.send_replace(true);
    }
}

fn root_key_path(store: &Store) -> PathBuf {
    store.home().join("keys")
}

/// Whether the folder's own root pair is sealed: then no secret beside it may lie open.
#[must_use]
pub fn has_sealed_root_key(store: &Store) -> bool {
    root_key::is_sealed(&root_key_path(store))
}

/// Whoever holds one can have the server read its files again.
#[derive(Clone)]
pub struct Reloader(Arc<Notify>);

impl Reloader {
    pub fn reload(&self) {
        self.0.notify_one();
    }
}

/// The address at which this machine reaches the server: as clients know it, else one that can be opened here.
fn endpoint(config: &Config, port: u16) -> String {
    match &config.http.public_url {
        Some(url) => url.clone(),
        None => on_this_machine(config.scheme(), &config.http.listen, port),
    }
}

/// What a start has made before the vault was open.
#[derive(Clone)]
struct AtHand {
    tls: Option<Tls>,
    watch: http::Watch,
    /// Of the vault that is about to be opened.
    pointer_hook: Arc<PointerHook>,
}

/// What an open vault needs to serve.
async fn furnish(
    config: Config,
    clock: Clock,
    store: Store,
    at_hand: AtHand,
) -> Result<(AppState, Server, Option<String>), StartError> {
    let root = match &config.root_key {
        Some(key) => {
            root_key::seal_unused(&root_key_path(&store), config.key_file.clone()).await;
            key.clone()
        }
        None => root_key::read_or_make(&root_key_path(&store), config.key_file.clone()).await?,
    };
    let is_local = config.http.listen.iter().all(|it| it.ip().is_loopback());
    let auth = Auth::new(
        store.clone(),
        clock.clone(),
        config.key_file.clone(),
        is_local,
    );
    let keys = auth.open_keys(root).await.map_err(|error| match error {
        AuthError::Refused(sentence) => StartError::Refused(sentence),
        AuthError::Store(error) => {
            StartError::Refused(format!("The access keys cannot be opened: {error}."))
        }
    })?;
    let assets = Assets::new(
        config.assets.clone(),
        store.clone(),
        keys.clone(),
        clock.clone(),
        at_hand.pointer_hook,
    );
    let assets = assets.await.map_err(|error| {
        StartError::Refused(format!("The assets cannot be looked up: {error}."))
    })?;
    let trouble = |error: crate::store::StoreError| {
        StartError::Refused(format!("The first start could not be recorded: {error}."))
    };
    if store.bucket(&config.assets.bucket).is_none() {
        store
            .create_bucket(config.assets.bucket.clone())
            .await
            .map_err(trouble)?;
    }
    let first_token = if config.standalone {
        auth.first_start().await.map_err(trouble)?
    } else {
        None
    };
    let limits = http::Limits::new(config.rate_limit, clock.clone());
    let known = http::KnownAnswers::new(&store);
    let keeper = Housekeeper::new(store.clone(), config.asset_ages, config.scrub_interval);
    let state = AppState {
        config: Arc::new(config.http),
        clock,
        store,
        auth,
        keys,
        assets,
        keeper: Arc::new(keeper),
        limits: Arc::new(limits),
        known,
        tls: at_hand.tls,
        watch: at_hand.watch,
    };
    let secret = SecretString::from(hex::encode(rand::random::<[u8; 32]>()));
    let (address, administration) =
        http::admin::listen(state.clone(), secret.clone()).map_err(|error| {
            StartError::Refused(format!(
                "The loopback listener for commands cannot be bound: {error}."
            ))
        })?;
    let announcement = serde_json::json!({
        "address": address.to_string(),
        "secret": secret.expose_secret(),
    });
    state
        .store
        .announce(&announcement.to_string())
        .await
        .map_err(trouble)?;
    Ok((state, administration, first_token))
}
