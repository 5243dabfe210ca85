//! Whether the server would accept an upload now.

use crate::store::Upkeep;
use crate::warnings::{Warning, in_public};

/// Why the server would refuse an upload; `None`: it would accept one.
pub(crate) async fn reason_not_ready(upkeep: &Upkeep) -> Option<String> {
    upkeep.examine_disk().await;
    let health = upkeep.health();
    if health.failed.is_some() {
        // The error may hold names of files; it is in the log.
        return Some("Nothing can be written until a restart. The log says why.".to_owned());
    }
    if !upkeep.index_is_reachable().await {
        return Some("The database does not answer.".to_owned());
    }
    let refusing: Vec<Warning> = (health.warnings.into_iter())
        .filter(Warning::refuses_uploads)
        .collect();
    in_public(&refusing).into_iter().next()
}
