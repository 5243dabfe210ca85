//! The rows of users, tokens, access keys and workspaces: every statement of `auth`, and what its effects do to the index.
//!
//! Effects hold outcomes. Applying one is a plain insert, update or delete, the same at a commit and at replay.
pub(super) mod access_keys;
pub(super) mod people;
pub(super) mod workspaces;

pub use access_keys::AccessKeyListing;
pub use people::TokenListing;

use crate::store::EffectKind;

/// The kinds of effects of this module, for the store's registration.
#[must_use]
pub fn effects() -> Vec<EffectKind> {
    [
        &people::EFFECTS[..],
        &access_keys::EFFECTS,
        &workspaces::EFFECTS,
    ]
    .concat()
}
