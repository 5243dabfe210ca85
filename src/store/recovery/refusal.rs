//! Reasons why a folder is not opened, each as a sentence for the operator.

use crate::db;
use crate::store::error::{OpenError, Refusal, copy_of, is_full};
use crate::store::folder::way_out;
use crate::store::record::reader::{Before, ScanError};
use crate::store::record::segments::End;
use crate::store::recovery::salvage::SalvageError;
use crate::store::recovery::snapshot::Survey;
use std::io;

pub(in crate::store) const MAKE_DO: &str = "`hangar rebuild` makes do with what is left";

/// Refuses the folder if its own snapshots show that it had another log, or a longer one.
pub(in crate::store) fn refuse_lost_records(survey: &Survey) -> Result<(), OpenError> {
    if let Some(name) = &survey.own_of_another_log {
        return Err(lost(&format!(
            "is not the one that {name} was made from ({MAKE_DO})"
        )));
    }
    let mut lost_ones = survey.of_log.iter().filter(|(_, is_reached)| !is_reached);
    match lost_ones.find(|(snapshot, _)| snapshot.is_own) {
        None => Ok(()),
        Some((snapshot, _)) => Err(lost(&format!(
            "does not go on to record {} without damage, which {} holds ({MAKE_DO})",
            snapshot.end.sequence, snapshot.name
        ))),
    }
}

/// Refuses the folder if the name of an unreadable snapshot shows that the log was longer.
pub(in crate::store) fn refuse_end_before(survey: &Survey, end: End) -> Result<(), OpenError> {
    match &survey.unreadable {
        Some((name, sequence)) if *sequence > end.sequence => Err(lost(&format!(
            "ends before record {sequence}, which the name of {name} says ({MAKE_DO})"
        ))),
        _ => Ok(()),
    }
}

/// Why an index that knows a record does not belong to the log next to it; `None` if it does.
pub(in crate::store) fn not_before(before: Before, sequence: u64) -> Option<OpenError> {
    match before {
        Before::ThisLog => None,
        Before::Shorter => Some(lost(&format!(
            "ends before record {sequence}, which its database knows ({MAKE_DO})"
        ))),
        Before::Other => Some(lost(&format!(
            "is not the one that its database knows: a segment before record {sequence} is missing, or belongs to another log"
        ))),
    }
}

pub(in crate::store) fn lost(how: &str) -> OpenError {
    let refusal = Refusal::from(format!("the log in the data folder {how}"));
    OpenError::Refused(refusal.way_out(
        "restore the folder from a backup, or set HANGAR_DATA_DIR (--data-dir) to another folder",
    ))
}

pub(in crate::store) fn newer(what: &str) -> OpenError {
    let refusal = Refusal::from(format!(
        "the {what} in the data folder was written by a newer hangar"
    ));
    OpenError::Refused(
        refusal
            .way_out("start that version, or set HANGAR_DATA_DIR (--data-dir) to another folder"),
    )
}

pub(in crate::store) fn log_trouble(error: &ScanError) -> OpenError {
    match error {
        ScanError::Newer(_) | ScanError::Unread(_) => newer("log"),
        ScanError::Damaged { .. } | ScanError::Mixed { .. } => {
            OpenError::Refused(Refusal::from(error.to_string()).way_out(
                "restore the data folder from a backup, or set HANGAR_DATA_DIR (--data-dir) to another folder",
            ))
        }
        ScanError::Io(source) if is_full(source) => full(),
        ScanError::Io(source) => cannot("the log in the data folder cannot be used", source),
    }
}

pub(in crate::store) fn salvage_trouble(error: &SalvageError) -> OpenError {
    match error {
        SalvageError::Index(error) => database_trouble(error, db::is_full(error)),
        SalvageError::Log(error) => log_trouble(error),
        SalvageError::Io(error) if is_full(error) => full(),
        SalvageError::Io(error) => {
            cannot("the bodies in the data folder cannot be looked at", error)
        }
    }
}

fn cannot(what: &str, error: &io::Error) -> OpenError {
    OpenError::Refused(Refusal::because(what, copy_of(error)).way_out(way_out(error)))
}

pub(in crate::store) fn database_trouble(
    error: &dyn std::error::Error,
    is_full: bool,
) -> OpenError {
    if is_full {
        return full();
    }
    let cause = error
        .source()
        .map_or_else(String::new, |cause| format!(" ({cause})"));
    let refusal = Refusal::from(format!(
        "the database in the data folder cannot be used: {error}{cause}"
    ));
    OpenError::Refused(
        refusal.way_out("set HANGAR_DATA_DIR (--data-dir) to a folder that this user may write"),
    )
}

pub(in crate::store) fn full() -> OpenError {
    OpenError::Full(
        "the disk of the data folder is full, and its reserve is used up: free some MiB on it, or give it a larger disk"
            .to_owned()
            .into(),
    )
}
