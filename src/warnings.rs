//! Standing warnings: conditions that the operator should know of for as long as they last.
//!
//! This is the one list of their kinds. The module that can see such a condition returns a [`Warning`] at each check, and
//! none once the condition is over; no warning has to be cancelled. Each has two texts: [`Warning::sentence`], with names
//! and with what to do, for the log and for commands; and [`in_public`], counts and words alone, for readiness, which
//! needs no token. [`WarningLog`] decides when a warning is logged.

use crate::s3::time::{self, Timestamp};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const MIB: u64 = 1 << 20;
/// A warning that lasts is logged again after this time.
const REPEAT_AFTER: Duration = Duration::from_hours(24);
/// A warning that ends and comes back within this time is not logged again: a disk around its limit would fill the log.
const QUIET_AFTER_LOGGING: Duration = Duration::from_hours(1);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// Uploads are refused: the reserve is used up, or even a small file does not fit (because of a quota, too).
    DiskFull,
    /// Uploads are refused: less is free than `HANGAR_MIN_FREE`.
    DiskBelowMinFree {
        min_free_bytes: u64,
    },
    /// Uploads are refused: the file system is mounted read-only.
    DiskReadOnly,
    /// Uploads are refused: the last one failed, and so does writing a small file. `cause`: the error of the system.
    FolderUnwritable {
        cause: String,
    },
    /// Uploads are accepted, but little space is left.
    DiskNearlyFull {
        free_bytes: u64,
        min_free_bytes: u64,
    },
    /// At the rate of the last day, uploads are refused after this time.
    DiskFullSoon {
        within: Duration,
    },
    /// The background check found damaged bodies.
    DamagedBodies {
        count: u64,
    },
    /// Files of MinIO lie beside `@hangar`. `count` folders look like its buckets; `buckets` names some of them.
    MinioFiles {
        data_dir: PathBuf,
        buckets: Vec<String>,
        count: usize,
    },
    /// A bucket policy gives permissions to everybody. `opening`: the end of "it lets everybody …".
    BucketOpenToEverybody {
        bucket: String,
        opening: String,
        /// The server's address, for the command that deletes the policy
        endpoint: String,
    },
    CertificateNotYetValid {
        certificate: PathBuf,
        from: Timestamp,
    },
    CertificateExpiresSoon {
        certificate: PathBuf,
        at: Timestamp,
        days_left: u64,
    },
    CertificateExpired {
        certificate: PathBuf,
        at: Timestamp,
    },
    /// Other users of the machine may read or change a file with a secret.
    SecretFileOpen {
        setting: &'static str,
        path: PathBuf,
        mode: u32,
    },
    /// The root key pair is published in examples or by other servers, and other machines can reach this server.
    KnownRootKey {
        id: String,
    },
}

impl Warning {
    /// The name of its kind in the log, which never changes.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::DiskFull => "disk-full",
            Self::DiskBelowMinFree { .. } => "disk-below-min-free",
            Self::DiskReadOnly => "disk-read-only",
            Self::FolderUnwritable { .. } => "folder-unwritable",
            Self::DiskNearlyFull { .. } => "disk-nearly-full",
            Self::DiskFullSoon { .. } => "disk-full-soon",
            Self::DamagedBodies { .. } => "damaged-bodies",
            Self::MinioFiles { .. } => "minio-files",
            Self::BucketOpenToEverybody { .. } => "bucket-open-to-everybody",
            Self::CertificateNotYetValid { .. } => "certificate-not-yet-valid",
            Self::CertificateExpiresSoon { .. } => "certificate-expires-soon",
            Self::CertificateExpired { .. } => "certificate-expired",
            Self::SecretFileOpen { .. } => "secret-file-open",
            Self::KnownRootKey { .. } => "known-root-key",
        }
    }

    /// Tells warnings of one kind apart, where there may be several.
    fn subject(&self) -> &str {
        match self {
            Self::BucketOpenToEverybody { bucket, .. } => bucket,
            Self::SecretFileOpen { setting, .. } => setting,
            _ => "",
        }
    }

    /// Whether uploads are refused while it lasts: the server is not ready then.
    #[must_use]
    pub fn refuses_uploads(&self) -> bool {
        match self {
            Self::DiskFull
            | Self::DiskBelowMinFree { .. }
            | Self::DiskReadOnly
            | Self::FolderUnwritable { .. } => true,
            Self::DiskNearlyFull { .. }
            | Self::DiskFullSoon { .. }
            | Self::DamagedBodies { .. }
            | Self::MinioFiles { .. }
            | Self::BucketOpenToEverybody { .. }
            | Self::CertificateNotYetValid { .. }
            | Self::CertificateExpiresSoon { .. }
            | Self::CertificateExpired { .. }
            | Self::SecretFileOpen { .. }
            | Self::KnownRootKey { .. } => false,
        }
    }

    /// The condition and what to do about it, for the operator: with names, paths and commands.
    #[must_use]
    pub fn sentence(&self) -> String {
        const ROOM: &str = "delete files, or give the data folder a larger disk";
        match self {
            Self::DiskFull => {
                format!("the disk is full, or a quota is: uploads are refused, deletes are not; {ROOM}")
            }
            Self::DiskBelowMinFree { min_free_bytes } => format!(
                "less than {} MiB are free on the disk (HANGAR_MIN_FREE): uploads are refused, deletes are not; {ROOM}",
                min_free_bytes.div_ceil(MIB)
            ),
            Self::DiskReadOnly => {
                "the data folder is on a file system that is mounted read-only: nothing can be written; mount it \
                 read-write (after an error of the disk, check it first: the kernel's log says why)"
                    .to_owned()
            }
            Self::FolderUnwritable { cause } => format!(
                "no file can be written in the data folder ({cause}): uploads are refused; look at its owner, its mode \
                 and its disk"
            ),
            Self::DiskNearlyFull {
                free_bytes,
                min_free_bytes: 0,
            } => format!(
                "only {} MiB are free on the disk, and a full disk takes no uploads: {ROOM}",
                free_bytes / MIB
            ),
            Self::DiskNearlyFull {
                free_bytes,
                min_free_bytes,
            } => format!(
                "only {} MiB are free on the disk; below {} MiB (HANGAR_MIN_FREE) uploads are refused: {ROOM}",
                free_bytes / MIB,
                min_free_bytes.div_ceil(MIB)
            ),
            Self::DiskFullSoon { within } => format!(
                "at the rate of the last day uploads are refused for lack of room in {}: {ROOM}",
                hours(*within)
            ),
            Self::DamagedBodies { count } => {
                format!("{count} stored bodies are damaged: run `hangar fsck`")
            }
            Self::MinioFiles {
                data_dir,
                buckets,
                count,
            } => format!(
                "the data folder {} holds files that MinIO wrote{}: hangar does not read them and does not change them, \
                 so its buckets do not have these objects; to have them, run MinIO on this folder on another port and copy \
                 each bucket with an S3 client (rclone copy --metadata minio:BUCKET hangar:BUCKET); when you no longer \
                 need MinIO's files, move them out of the folder, and this warning ends",
                data_dir.display(),
                folder_list(buckets, *count)
            ),
            Self::BucketOpenToEverybody {
                bucket,
                opening,
                endpoint,
            } => format!(
                "the policy of bucket {bucket} lets everybody {opening}, without a key; if that is not meant, close it \
                 with the root key pair: aws s3api delete-bucket-policy --endpoint-url {endpoint} --bucket {bucket}"
            ),
            Self::CertificateNotYetValid { certificate, from } => format!(
                "the TLS certificate in {} is not valid before {}: clients refuse it; look at the clock of this machine, \
                 or put a valid certificate there",
                certificate.display(),
                time::iso8601_secs(*from)
            ),
            Self::CertificateExpiresSoon {
                certificate,
                at,
                days_left,
            } => format!(
                "the TLS certificate in {} expires at {}, in {}: renew it; it is read again when the file changes",
                certificate.display(),
                time::iso8601_secs(*at),
                days(*days_left)
            ),
            Self::CertificateExpired { certificate, at } => format!(
                "the TLS certificate in {} expired at {}: clients refuse it; renew it, it is read again when the file \
                 changes",
                certificate.display(),
                time::iso8601_secs(*at)
            ),
            Self::SecretFileOpen {
                setting,
                path,
                mode,
            } => format!(
                "{setting}: other users of this machine may read or change {} (mode {mode:03o}): chmod 600 it",
                path.display()
            ),
            Self::KnownRootKey { id } => format!(
                "the root key pair ({id} and its secret) is published in examples, and other machines can reach this \
                 server: set another pair (MINIO_ROOT_USER and MINIO_ROOT_PASSWORD; under Plane, AWS_ACCESS_KEY_ID and \
                 AWS_SECRET_ACCESS_KEY in plane.env)"
            ),
        }
    }
}

/// Lists the named buckets, and says how many more there are.
fn folder_list(buckets: &[String], count: usize) -> String {
    if buckets.is_empty() {
        return String::new();
    }
    // The name of a folder may hold any character.
    let mut names: Vec<String> = buckets.iter().map(|name| format!("{name:?}")).collect();
    if count > names.len() {
        names.push(format!("{} more", count - names.len()));
    }
    format!(" (folders {})", names.join(", "))
}

fn hours(duration: Duration) -> String {
    match duration.as_secs() / 3600 {
        0 => "less than an hour".to_owned(),
        1 => "about an hour".to_owned(),
        hours => format!("about {hours} hours"),
    }
}

fn days(count: u64) -> String {
    match count {
        0 => "less than a day".to_owned(),
        1 => "a day".to_owned(),
        count => format!("{count} days"),
    }
}

/// The texts for readiness: counts and words, no name, key, path or command. All warnings of one kind have one text. A
/// secret that may be known has none: it would invite attackers.
#[must_use]
pub fn in_public(warnings: &[Warning]) -> Vec<String> {
    let of_kind = |kind: &Warning| {
        let same = warnings.iter().filter(|it| it.kind() == kind.kind());
        same.count()
    };
    let mut texts = Vec::new();
    for (at, warning) in warnings.iter().enumerate() {
        let is_first = !(warnings[..at].iter()).any(|before| before.kind() == warning.kind());
        if is_first {
            texts.extend(public_text(warning, of_kind(warning)));
        }
    }
    texts
}

/// The text for `count` warnings of this kind.
fn public_text(warning: &Warning, count: usize) -> Option<String> {
    Some(match warning {
        Warning::DiskFull => "the disk is full: uploads are refused, deletes are not".to_owned(),
        Warning::DiskBelowMinFree { min_free_bytes } => format!(
            "less than {} MiB are free on the disk: uploads are refused, deletes are not",
            min_free_bytes.div_ceil(MIB)
        ),
        Warning::DiskReadOnly => "the disk is read-only: uploads are refused".to_owned(),
        Warning::FolderUnwritable { .. } => {
            "nothing can be written to the disk: uploads are refused".to_owned()
        }
        Warning::DiskNearlyFull { free_bytes, .. } => {
            format!("the disk is nearly full: {} MiB are free", free_bytes / MIB)
        }
        Warning::DiskFullSoon { within } => format!(
            "at the rate of the last day the disk is full in {}",
            hours(*within)
        ),
        Warning::DamagedBodies { count: 1 } => "1 stored body is damaged".to_owned(),
        Warning::DamagedBodies { count } => format!("{count} stored bodies are damaged"),
        Warning::MinioFiles { .. } => {
            "the data folder holds files of MinIO, which are not read".to_owned()
        }
        Warning::BucketOpenToEverybody { .. } if count == 1 => {
            "1 bucket is open to everybody by its policy".to_owned()
        }
        Warning::BucketOpenToEverybody { .. } => {
            format!("{count} buckets are open to everybody by their policies")
        }
        Warning::CertificateNotYetValid { .. } => "the TLS certificate is not valid yet".to_owned(),
        Warning::CertificateExpiresSoon { days_left, .. } => {
            format!("the TLS certificate expires in {}", days(*days_left))
        }
        Warning::CertificateExpired { .. } => "the TLS certificate has expired".to_owned(),
        Warning::SecretFileOpen { .. } | Warning::KnownRootKey { .. } => return None,
    })
}

/// Logs each warning when it begins, and once a day for as long as it lasts.
#[derive(Debug, Default)]
pub struct WarningLog {
    logged: Mutex<BTreeMap<(&'static str, String), Logged>>,
}

#[derive(Debug)]
struct Logged {
    at: Duration,
    is_standing: bool,
}

impl WarningLog {
    /// Logs the warnings that are due, and the end of those that are over. `now`: by the monotonic clock.
    pub fn update(&self, standing: &[Warning], now: Duration) {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        for (kind, subject) in ended(&mut logged, standing) {
            tracing::info!(kind, subject, "a warning ended");
        }
        for warning in due(&mut logged, standing, now) {
            // Without fields: an operator would copy them with the command that ends the sentence.
            tracing::warn!("{}", warning.sentence());
        }
    }

    /// Logs a warning at once, even if it was logged before: an operation has just caused it.
    pub fn log(&self, warning: &Warning, now: Duration) {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        logged.remove(&key(warning));
        for warning in due(&mut logged, std::slice::from_ref(warning), now) {
            tracing::warn!("{}", warning.sentence());
        }
    }
}

type Log = BTreeMap<(&'static str, String), Logged>;

fn key(warning: &Warning) -> (&'static str, String) {
    (warning.kind(), warning.subject().to_owned())
}

/// The warnings that are over since the last call.
fn ended(logged: &mut Log, standing: &[Warning]) -> Vec<(&'static str, String)> {
    let mut ended = Vec::new();
    for ((kind, subject), entry) in logged {
        let still = (standing.iter()).any(|it| it.kind() == *kind && it.subject() == subject);
        if entry.is_standing && !still {
            entry.is_standing = false;
            ended.push((*kind, subject.clone()));
        }
    }
    ended
}

/// The warnings to log now.
fn due<'a>(logged: &mut Log, standing: &'a [Warning], now: Duration) -> Vec<&'a Warning> {
    logged
        .retain(|_, entry| entry.is_standing || now.saturating_sub(entry.at) < QUIET_AFTER_LOGGING);
    let mut due = Vec::new();
    for warning in standing {
        let entry = logged.entry(key(warning)).or_insert(Logged {
            at: Duration::MAX,
            is_standing: true,
        });
        entry.is_standing = true;
        let is_new = entry.at == Duration::MAX;
        if is_new || now.saturating_sub(entry.at) >= REPEAT_AFTER {
            entry.at = now;
            due.push(warning);
        }
    }
    due
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const HOUR: Duration = Duration::from_hours(1);

    fn open_bucket(name: &str) -> Warning {
        Warning::BucketOpenToEverybody {
            bucket: name.to_owned(),
            opening: "read all objects".to_owned(),
            endpoint: "http://127.0.0.1:9000".to_owned(),
        }
    }

    fn minio_files(buckets: &[&str], count: usize) -> Warning {
        Warning::MinioFiles {
            data_dir: "/export".into(),
            buckets: buckets.iter().map(ToString::to_string).collect(),
            count,
        }
    }

    /// One of each kind.
    fn all() -> Vec<Warning> {
        let at = Timestamp::from_secs(1_800_000_000);
        let certificate = PathBuf::from("/etc/tls/cert.pem");
        vec![
            Warning::DiskFull,
            Warning::DiskBelowMinFree {
                min_free_bytes: 10 * MIB,
            },
            Warning::DiskReadOnly,
            Warning::FolderUnwritable {
                cause: "Permission denied (os error 13)".to_owned(),
            },
            Warning::DiskNearlyFull {
                free_bytes: 15 * MIB,
                min_free_bytes: 10 * MIB,
            },
            Warning::DiskFullSoon { within: HOUR * 5 },
            Warning::DamagedBodies { count: 2 },
            minio_files(&["uploads"], 1),
            open_bucket("uploads"),
            Warning::CertificateNotYetValid {
                certificate: certificate.clone(),
                from: at,
            },
            Warning::CertificateExpiresSoon {
                certificate: certificate.clone(),
                at,
                days_left: 13,
            },
            Warning::CertificateExpired { certificate, at },
            Warning::SecretFileOpen {
                setting: "HANGAR_KEY_FILE",
                path: "/etc/hangar/key".into(),
                mode: 0o644,
            },
            Warning::KnownRootKey {
                id: "minioadmin".to_owned(),
            },
        ]
    }

    #[test]
    fn readiness_names_no_bucket_path_setting_or_command() {
        let texts = in_public(&all());
        assert_eq!(
            texts.len(),
            all().len() - 2,
            "a known secret is not published"
        );
        for text in &texts {
            for private in [
                "/",
                "`",
                "uploads is",
                "HANGAR",
                "hangar ",
                "aws ",
                "minioadmin",
                "os error",
            ] {
                assert!(!text.contains(private), "{text}");
            }
        }
        insta::assert_snapshot!(texts.join("\n"), @r#"
        the disk is full: uploads are refused, deletes are not
        less than 10 MiB are free on the disk: uploads are refused, deletes are not
        the disk is read-only: uploads are refused
        nothing can be written to the disk: uploads are refused
        the disk is nearly full: 15 MiB are free
        at the rate of the last day the disk is full in about 5 hours
        2 stored bodies are damaged
        the data folder holds files of MinIO, which are not read
        1 bucket is open to everybody by its policy
        the TLS certificate is not valid yet
        the TLS certificate expires in 13 days
        the TLS certificate has expired
        "#);
    }

    #[test]
    fn the_log_says_what_to_do() {
        let sentences: Vec<String> = all().iter().map(Warning::sentence).collect();
        insta::assert_snapshot!(sentences.join("\n"), @r#"
        the disk is full, or a quota is: uploads are refused, deletes are not; delete files, or give the data folder a larger disk
        less than 10 MiB are free on the disk (HANGAR_MIN_FREE): uploads are refused, deletes are not; delete files, or give the data folder a larger disk
        the data folder is on a file system that is mounted read-only: nothing can be written; mount it read-write (after an error of the disk, check it first: the kernel's log says why)
        no file can be written in the data folder (Permission denied (os error 13)): uploads are refused; look at its owner, its mode and its disk
        only 15 MiB are free on the disk; below 10 MiB (HANGAR_MIN_FREE) uploads are refused: delete files, or give the data folder a larger disk
        at the rate of the last day uploads are refused for lack of room in about 5 hours: delete files, or give the data folder a larger disk
        2 stored bodies are damaged: run `hangar fsck`
        the data folder /export holds files that MinIO wrote (folders "uploads"): hangar does not read them and does not change them, so its buckets do not have these objects; to have them, run MinIO on this folder on another port and copy each bucket with an S3 client (rclone copy --metadata minio:BUCKET hangar:BUCKET); when you no longer need MinIO's files, move them out of the folder, and this warning ends
        the policy of bucket uploads lets everybody read all objects, without a key; if that is not meant, close it with the root key pair: aws s3api delete-bucket-policy --endpoint-url http://127.0.0.1:9000 --bucket uploads
        the TLS certificate in /etc/tls/cert.pem is not valid before 2027-01-15T08:00:00Z: clients refuse it; look at the clock of this machine, or put a valid certificate there
        the TLS certificate in /etc/tls/cert.pem expires at 2027-01-15T08:00:00Z, in 13 days: renew it; it is read again when the file changes
        the TLS certificate in /etc/tls/cert.pem expired at 2027-01-15T08:00:00Z: clients refuse it; renew it, it is read again when the file changes
        HANGAR_KEY_FILE: other users of this machine may read or change /etc/hangar/key (mode 644): chmod 600 it
        the root key pair (minioadmin and its secret) is published in examples, and other machines can reach this server: set another pair (MINIO_ROOT_USER and MINIO_ROOT_PASSWORD; under Plane, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in plane.env)
        "#);
    }

    #[test]
    fn open_buckets_are_one_count_in_readiness() {
        let warnings = [open_bucket("a"), Warning::DiskFull, open_bucket("b")];
        assert_eq!(
            in_public(&warnings),
            [
                "2 buckets are open to everybody by their policies",
                "the disk is full: uploads are refused, deletes are not"
            ]
        );
    }

    #[rstest]
    #[case(minio_files(&[], 0), "wrote: hangar")]
    #[case(minio_files(&["a", "b\n"], 9), r#"wrote (folders "a", "b\n", 7 more): hangar"#)]
    fn only_a_few_folders_of_minio_are_listed(#[case] warning: Warning, #[case] says: &str) {
        let sentence = warning.sentence();
        assert!(sentence.contains(says), "{sentence}");
    }

    #[test]
    fn a_warning_is_logged_when_it_begins_and_once_a_day() {
        let (mut log, standing) = (Log::new(), [Warning::DiskFull, open_bucket("a")]);
        let mut lines = 0;
        for minute in 0..60 * 50 {
            let now = Duration::from_mins(minute);
            assert!(ended(&mut log, &standing).is_empty());
            lines += due(&mut log, &standing, now).len();
        }
        assert_eq!(lines, 6, "at the start, after 24 and after 48 hours");
    }

    #[test]
    fn another_bucket_or_kind_is_another_warning() {
        let mut log = Log::new();
        assert_eq!(due(&mut log, &[open_bucket("a")], HOUR).len(), 1);
        let now = [open_bucket("a"), open_bucket("b"), Warning::DiskFull];
        assert_eq!(due(&mut log, &now, HOUR), [&now[1], &now[2]]);
    }

    #[test]
    fn a_warning_that_comes_and_goes_is_logged_once_an_hour() {
        let (mut log, mut lines, mut ends) = (Log::new(), 0, 0);
        for minute in 0..121 {
            let standing = [Warning::DiskFull];
            let standing = if minute % 2 == 0 { &standing[..] } else { &[] };
            ends += ended(&mut log, standing).len();
            lines += due(&mut log, standing, Duration::from_mins(minute)).len();
        }
        assert_eq!((lines, ends), (3, 60));
    }
}
