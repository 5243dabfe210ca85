//! Builds the application, and runs it.

use crate::admin::Housekeeper;
use crate::app::error::StartError;
use crate::app::root_key::{self, root_key_path};
use crate::app::signals::{Reloader, Stopper};
use crate::app::{listeners, settings};
use crate::assets::{self, Assets, PointerHook};
use crate::auth::{self, Auth, AuthError};
use crate::clock::Clock;
use crate::config::{Config, on_this_machine};
use crate::http::tls::Tls;
use crate::http::{self, AppState, Server};
use crate::store::{EffectKind, Registered, Store};
use crate::telemetry::with_causes;
use secrecy::{ExposeSecret, SecretString};
use std::net::TcpListener;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The effects of all modules: each process that opens a vault must know all of them.
#[must_use]
pub fn effects() -> Vec<EffectKind> {
    [auth::effects(), assets::effects()].concat()
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to stop.
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
        let prepared = Prepared {
            tls,
            watch: http::Watch::new(endpoint(&config, port), settings::warnings(&config)),
            pointer_hook: Arc::new(PointerHook::new(clock.clone())),
        };
        let registered = Registered {
            effects: effects(),
            hook: Some(prepared.pointer_hook.clone()),
        };
        let open = || Store::open(config.store.clone(), clock.clone(), registered.clone());
        let mut store = open().await?;
        let wire_up = |store| wire_up(config.clone(), clock.clone(), store, prepared.clone());
        let mut wired = wire_up(store.clone()).await;
        if wired.is_err() && store.upkeep().is_index_damaged() {
            // The damage was found during the start; the next opening rebuilds the index.
            store.close().await;
            store = open().await?;
            wired = wire_up(store.clone()).await;
        }
        match wired {
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

    /// Clones of the public listeners, for a server that replaces this one: clients that connect in between wait.
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

    /// Makes a running server read its TLS certificate again.
    #[must_use]
    pub fn reloader(&self) -> Reloader {
        self.reloader.clone()
    }

    /// Serves until it is asked to stop, or until the index is found damaged.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn run_until_stopped(mut self) -> std::io::Result<Ended> {
        // Background tasks, for as long as it serves.
        let mut background = JoinSet::new();
        let keeper = self.state.keeper.clone();
        background.spawn(async move { keeper.run().await });
        let keeper = self.state.keeper.clone();
        background.spawn(async move { keeper.verify_index().await });
        let upkeep = self.state.store.upkeep();
        background.spawn(async move { upkeep.clear_caches_when_idle().await });
        let state = &self.state;
        background.spawn((state.watch.clone()).run(
            state.store.upkeep(),
            state.tls.clone(),
            state.clock.clone(),
        ));
        if let Some(tls) = self.state.tls.clone() {
            let state = self.state.clone();
            let shown = tls.clone();
            let was_read = move || state.watch.certificate_was_read(&shown, &state.clock);
            background.spawn(tls.keep_current(self.reloader.0, was_read));
        }
        let public = http::serve(self.listeners, &self.state)?;
        let (public_handle, administration_handle) =
            (public.handle(), self.administration.handle());
        let mut serving = tokio::spawn(public);
        let administering = tokio::spawn(self.administration);
        let upkeep = self.state.store.upkeep();
        let ended = tokio::select! {
            // The sender lives in `self.stopper`, so this ends by being asked alone.
            _ = self.asked_to_stop.wait_for(|asked| *asked) => None,
            () = upkeep.index_is_damaged() => None,
            ended = &mut serving => Some(ended),
        };
        let ended = if let Some(ended) = ended {
            ended
        } else {
            public_handle.stop(true).await;
            serving.await
        };
        background.shutdown().await;
        administration_handle.stop(false).await;
        let _ = administering.await;
        self.state.store.close().await;
        ended.unwrap_or_else(|panicked| Err(std::io::Error::other(panicked)))?;
        Ok(if self.state.store.upkeep().is_index_damaged() {
            Ended::IndexDamaged
        } else {
            Ended::Stopped
        })
    }
}

/// The address at which this machine reaches the server: its public URL, else one of its listeners.
fn endpoint(config: &Config, port: u16) -> String {
    match &config.http.public_url {
        Some(url) => url.clone(),
        None => on_this_machine(config.scheme(), &config.http.listen, port),
    }
}

/// What a start prepares before the vault is open.
#[derive(Clone)]
struct Prepared {
    tls: Option<Tls>,
    watch: http::Watch,
    /// Of the vault that is about to be opened.
    pointer_hook: Arc<PointerHook>,
}

/// Builds the state of the server around an open vault.
async fn wire_up(
    config: Config,
    clock: Clock,
    store: Store,
    prepared: Prepared,
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
        AuthError::Store(error) => StartError::Refused(format!(
            "The access keys cannot be opened: {}.",
            with_causes(&error)
        )),
    })?;
    let assets = Assets::new(
        config.assets.clone(),
        store.clone(),
        keys.clone(),
        clock.clone(),
        prepared.pointer_hook,
    );
    let assets = assets.await.map_err(|error| {
        StartError::Refused(format!(
            "The assets cannot be looked up: {}.",
            with_causes(&error)
        ))
    })?;
    let trouble = |error: crate::store::StoreError| {
        StartError::Refused(format!(
            "The first start could not be recorded: {}.",
            with_causes(&error)
        ))
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
    let rate_limits = http::RateLimits::new(config.rate_limit, clock.clone());
    let response_cache = http::ResponseCache::new(&store);
    let keeper = Housekeeper::new(store.clone(), config.asset_ages, config.scrub_interval);
    let state = AppState {
        config: Arc::new(config.http),
        clock,
        store,
        auth,
        keys,
        assets,
        keeper: Arc::new(keeper),
        rate_limits: Arc::new(rate_limits),
        response_cache,
        tls: prepared.tls,
        watch: prepared.watch,
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
