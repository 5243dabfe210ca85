//! The application: built from a [`Config`], run until stopped. The same two calls serve `main` and every test.
use crate::assets::Assets;
use crate::auth::{AccessKeys, Auth};
use crate::clock::Clock;
use crate::config::Config;
use crate::store::{OpenError, Store};

/// What the handlers share.
#[derive(Clone)]
pub struct Rooms {
    pub config: std::sync::Arc<Config>,
    pub clock: Clock,
    pub store: Store,
    pub auth: Auth,
    pub keys: AccessKeys,
    pub assets: Assets,
}
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Store(#[from] OpenError),
    /// One sentence that names the setting and what to do.
    #[error("{0}")]
    Refused(String),
}
/// A server that is bound and ready, and not serving yet.
pub struct Application {}
impl Application {
    /// Opens the vault, makes what a first start makes (keys, bucket, first user), binds the listeners (the public one,
    /// and the administration listener written to `@hangar/run`).
    /// # Errors
    /// See [`StartError`].
    pub async fn build(_config: Config, _clock: Clock) -> Result<Self, StartError> {
        todo!()
    }
    /// The first bound port.
    #[must_use]
    pub fn port(&self) -> u16 {
        todo!()
    }
    /// On a folder that was new: the secret of the first token, to be shown once.
    #[must_use]
    pub fn first_token(&self) -> Option<&str> {
        todo!()
    }
    #[must_use]
    pub fn rooms(&self) -> &Rooms {
        todo!()
    }
    /// Asks a running server to stop; what is in flight gets 8 seconds.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        todo!()
    }
    /// # Errors
    /// When the listener fails.
    pub async fn run_until_stopped(self) -> std::io::Result<()> {
        todo!()
    }
}
#[derive(Clone)]
pub struct Stopper {}
impl Stopper {
    pub async fn stop(&self) {
        todo!()
    }
}
