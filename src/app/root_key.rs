//! The root access key of a folder that got none from its settings: made once, kept, readable for its user alone.

use super::StartError;
use crate::auth::AccessKey;
use rand::RngExt;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const ID_CHARACTERS: usize = 20;
const SECRET_CHARACTERS: usize = 40;
/// No character that a shell, a URL or a person would stumble over.
const ALPHABET: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const SECRET_ALPHABET: &[u8; 62] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// What the file holds.
#[derive(Serialize, Deserialize)]
struct Kept {
    access_key_id: String,
    secret_access_key: String,
}

/// # Errors
/// A sentence that names the file.
pub(super) async fn read_or_make(path: &Path) -> Result<AccessKey, StartError> {
    let path: PathBuf = path.to_owned();
    tokio::task::spawn_blocking(move || {
        read(&path)
            .or_else(|error| match error.kind() {
                ErrorKind::NotFound => make(&path),
                _ => Err(error),
            })
            .map_err(|error| {
                StartError::Refused(format!(
                    "The access key in {} cannot be read or made: {error}. Mend the file, or set MINIO_ROOT_USER and MINIO_ROOT_PASSWORD.",
                    path.display()
                ))
            })
    })
    .await
    .map_err(|panicked| StartError::Refused(panicked.to_string()))?
}

fn read(path: &Path) -> io::Result<AccessKey> {
    let kept: Kept = serde_json::from_slice(&fs::read(path)?)
        // The parser's words may quote what it read.
        .map_err(|_| io::Error::new(ErrorKind::InvalidData, "it does not hold a key pair"))?;
    if kept.access_key_id.is_empty() || kept.secret_access_key.is_empty() {
        return Err(io::Error::new(
            ErrorKind::InvalidData,
            "it does not hold a key pair",
        ));
    }
    Ok(AccessKey::root(
        kept.access_key_id,
        kept.secret_access_key.into(),
    ))
}

/// Written whole or not at all: a temporary name, synced, then the file's own, and the folder synced.
fn make(path: &Path) -> io::Result<AccessKey> {
    let key = AccessKey::root(
        random(ID_CHARACTERS, ALPHABET),
        SecretString::from(random(SECRET_CHARACTERS, SECRET_ALPHABET)),
    );
    let kept = Kept {
        access_key_id: key.id.clone(),
        secret_access_key: key.secret.expose_secret().to_owned(),
    };
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    // What an interrupted start left under this name may be readable for others.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(&serde_json::to_vec_pretty(&kept)?)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(key)
}

fn random(characters: usize, alphabet: &[u8]) -> String {
    let mut generator = rand::rng();
    (0..characters)
        .map(|_| char::from(alphabet[generator.random_range(..alphabet.len())]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[tokio::test]
    async fn a_key_is_made_once_and_kept_for_its_user_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let made = read_or_make(&path).await.unwrap();
        assert_eq!((made.id.len(), made.secret.expose_secret().len()), (20, 40));
        let read = read_or_make(&path).await.unwrap();
        assert_eq!(read.id, made.id);
        assert_eq!(read.secret.expose_secret(), made.secret.expose_secret());
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[tokio::test]
    async fn a_broken_file_is_refused_and_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        fs::write(&path, "{\"access_key_id\":\"").unwrap();
        assert!(read_or_make(&path).await.is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"access_key_id\":\"");
    }
}
