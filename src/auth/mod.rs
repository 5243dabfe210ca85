//! The callers: users and tokens of the asset API, access keys of the S3 side.
//!
//! Guarantees: a token is found by the hash of its secret, from memory while it is in use; the very next request with a
//! revoked token or key is refused, since a change invalidates every row that was cached before it. Every change is a
//! record of the store's log. It refuses to know requests and headers. Rules: Plane contract, sections 1.1 and 2.2; S3
//! contract, section 5.
pub mod access_key;
mod error;
mod issuing;
mod membership;
mod principal;
mod registry;
mod rows;
mod seal;
mod token;
mod tokens;
mod user;
mod workspace;

pub use access_key::{AccessKey, AccessKeys, KeyLimits};
pub use error::AuthError;
pub use issuing::{CreatedAccessKey, NewAccessKey, SEALED_FOLDER};
pub use principal::Principal;
pub use registry::Auth;
pub use rows::{AccessKeyListing, TokenListing, effects};
pub use seal::KeyFile;
pub(crate) use seal::{SealError, StoredSecret};
pub use token::{DEFAULT_SCOPES, KNOWN_SCOPES};
pub use tokens::{CreatedToken, NewToken};
pub use user::User;
pub use workspace::{Anchor, Role, Workspace, WorkspaceListing};
