//! The handles by which a running server is asked to stop, or to read its files again.

use std::sync::Arc;
use tokio::sync::{Notify, watch};

/// A handle that stops the server.
#[derive(Clone)]
pub struct Stopper {
    pub(super) ask: Arc<watch::Sender<bool>>,
}

impl Stopper {
    /// Asks the server to stop. `Application::run_until_stopped` returns when it has stopped.
    pub fn stop(&self) {
        self.ask.send_replace(true);
    }
}

/// A handle that makes the server read its files again.
#[derive(Clone)]
pub struct Reloader(pub(super) Arc<Notify>);

impl Reloader {
    pub fn reload(&self) {
        self.0.notify_one();
    }
}
