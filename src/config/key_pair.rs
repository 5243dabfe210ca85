//! The root key pair of the environment: hangar's own names, MinIO's, then Plane's.
//!
//! A pair is whole or an error: half a pair would start a server whose clients all fail. No message of this module
//! ever holds a secret's value.

use crate::auth::AccessKey;
use crate::config::environment::Environment;
use crate::config::error::WrongSetting;
use secrecy::{ExposeSecret, SecretString};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Pairs by precedence.
const PAIRS: [[&str; 2]; 3] = [
    ["HANGAR_ACCESS_KEY_ID", "HANGAR_SECRET_ACCESS_KEY"],
    ["MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"],
    ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
];
/// More than any key needs; a larger file is not a secret but a mistake.
const MAX_FILE_BYTES: u64 = 4096;
/// MinIO: shorter ones are refused there. Here they only warn, for they may be in use already.
const MIN_ID_CHARS: usize = 3;
const MIN_SECRET_CHARS: usize = 8;

pub(super) struct Found {
    pub key: AccessKey,
    /// The variables that it came from.
    pub names: Vec<String>,
    pub warnings: Vec<String>,
}

struct Half {
    name: String,
    value: SecretString,
}

/// The first whole pair. Every pair is checked, so that half a pair is never ignored silently.
pub(super) fn find(environment: &Environment) -> Result<Option<Found>, WrongSetting> {
    let mut first = None;
    for [id_name, secret_name] in PAIRS {
        let pair = match (half(environment, id_name)?, half(environment, secret_name)?) {
            (Some(id), Some(secret)) => found(id, secret)?,
            (None, None) => continue,
            (Some(id), None) => return Err(half_pair(&id.name, secret_name)),
            (None, Some(secret)) => return Err(half_pair(&secret.name, id_name)),
        };
        first = first.or(Some(pair));
    }
    Ok(first)
}

fn half_pair(present: &str, absent: &str) -> WrongSetting {
    WrongSetting::Sentence(format!(
        "{present} is set without {absent}: set both (each may be a file, by {absent}_FILE and its like) or neither"
    ))
}

fn found(id: Half, secret: Half) -> Result<Found, WrongSetting> {
    let text = id.value.expose_secret();
    if text
        .chars()
        .any(|c| c.is_whitespace() || c.is_control() || matches!(c, ',' | '='))
    {
        // AWS: the id stands in `Credential=ID/…,`, which ends at a comma or white space.
        return Err(WrongSetting::Sentence(format!(
            "{} holds white space, a comma or an equals sign, which no signed request can carry: choose another access key id",
            id.name
        )));
    }
    let mut warnings = Vec::new();
    for (half, minimum) in [(&id, MIN_ID_CHARS), (&secret, MIN_SECRET_CHARS)] {
        if half.value.expose_secret().chars().count() < minimum {
            warnings.push(format!(
                "{} is shorter than {minimum} characters, which is easily guessed and which MinIO would refuse",
                half.name
            ));
        }
    }
    Ok(Found {
        key: AccessKey::root(text.to_owned(), secret.value),
        names: vec![id.name, secret.name],
        warnings,
    })
}

/// A value from `NAME` or from the file that `NAME_FILE` names.
fn half(environment: &Environment, name: &str) -> Result<Option<Half>, WrongSetting> {
    let file_name = format!("{name}_FILE");
    match (environment.get(name)?, environment.get(&file_name)?) {
        (Some(_), Some(_)) => Err(WrongSetting::Sentence(format!(
            "{name} and {file_name} are both set: keep one of them"
        ))),
        (Some(value), None) => Ok(Some(Half {
            name: name.to_owned(),
            value: value.into(),
        })),
        (None, Some(path)) => Ok(Some(Half {
            value: read_secret(&file_name, path)?,
            name: file_name,
        })),
        (None, None) => Ok(None),
    }
}

fn read_secret(name: &str, path: &str) -> Result<SecretString, WrongSetting> {
    let wrong = |what: &str| WrongSetting::Sentence(format!("{name} names {path:?}, which {what}"));
    let mut text = String::new();
    std::fs::File::open(secret_path(path))
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text))
        .map_err(|error| {
            wrong(&format!(
                "cannot be read ({error}): check the path and its owner"
            ))
        })?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(wrong("is too long for a key: it must hold the key alone"));
    }
    // Editors and `echo` end a file with a line break, which is no part of the secret.
    let value = text.trim_end_matches(['\r', '\n']);
    if value.is_empty() {
        return Err(wrong("is empty: write the key into it"));
    }
    Ok(value.into())
}

/// MinIO: a bare name is a Docker secret, `/run/secrets/NAME`, unless there is such a file here.
fn secret_path(path: &str) -> PathBuf {
    let here = Path::new(path);
    if here.components().count() == 1 && !here.exists() {
        return Path::new("/run/secrets").join(here);
    }
    here.to_owned()
}
