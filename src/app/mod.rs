//! The application: built from a [`Config`], run until stopped. The same two calls serve `main` and every test.
//!
//! Guarantees: when [`Application::build`] answers, the vault is open, a first start has made its keys, bucket and first
//! user, and the listeners are bound; when [`Application::run_until_stopped`] answers, what was in flight is finished or
//! given up and the vault is closed. It knows no flags, signals or terminals.

mod application;
mod error;
mod listeners;
mod root_key;
mod settings;
mod signals;

pub use application::{Application, Ended, effects};
pub use error::StartError;
pub use root_key::has_sealed_root_key;
pub use signals::{Reloader, Stopper};
