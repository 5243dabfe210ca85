//! Whether the server would take an upload now.

use crate::store::Upkeep;
use crate::warnings::{Warning, in_public};

/// Why no upload would be taken; `None`: one would be.
pub(crate) async fn reason_not_ready(upkeep: &Upkeep) -> Option<String> {
    upkeep.examine_disk().await;
    let health = upkeep.health();
    if health.failed.is_some() {
        // What failed may hold names of files; the log has it.
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
