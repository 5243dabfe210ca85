//! The root access key of a folder without one in its settings: made once, stored, readable only by its user, and
//! sealed if there is a key file.

use crate::app::error::StartError;
use crate::auth::{AccessKey, KeyFile, KeyLimits, SealError, StoredSecret};
use crate::store::Dir;
use crate::store::Store;
use serde::{Deserialize, Serialize};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// What the file holds.
#[derive(Serialize, Deserialize)]
struct Kept {
    access_key_id: String,
    secret_access_key: StoredSecret,
}

/// Why the key cannot be read or made. The texts follow a colon.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("{0}. Mend the file")]
    File(#[from] io::Error),
    #[error("it does not hold a key pair. Mend the file")]
    NoPair,
    #[error("{0}")]
    Sealed(#[from] SealError),
}

/// The stored key, or a new one. A key that is stored open is sealed if there is a key file.
///
/// # Errors
/// A sentence that names the file.
pub(super) async fn read_or_make(
    path: &Path,
    key_file: Option<KeyFile>,
) -> Result<AccessKey, StartError> {
    let path: PathBuf = path.to_owned();
    tokio::task::spawn_blocking(move || {
        let key = match read(&path, key_file.as_ref()) {
            Ok(Some(key)) => Ok(key),
            Ok(None) => make(&path, key_file.as_ref()),
            Err(trouble) => Err(trouble),
        };
        key.map_err(|trouble| {
            StartError::Refused(format!(
                "The access key in {} cannot be used: {trouble}, or set MINIO_ROOT_USER and MINIO_ROOT_PASSWORD.",
                path.display()
            ))
        })
    })
    .await
    .map_err(|panicked| StartError::Refused(panicked.to_string()))?
}

/// A pair that the settings stand in for today is the root pair again when they are gone: it does not lie open either.
pub(super) async fn seal_unused(path: &Path, key_file: Option<KeyFile>) {
    let path: PathBuf = path.to_owned();
    let sealing = tokio::task::spawn_blocking(move || {
        if key_file.is_some()
            && let Err(trouble) = read(&path, key_file.as_ref())
        {
            tracing::warn!(
                "the unused access key in {} is not sealed: {trouble}",
                path.display()
            );
        }
    });
    drop(sealing.await);
}

/// Whether a key is kept there, and sealed.
pub(super) fn is_sealed(path: &Path) -> bool {
    matches!(kept(path), Ok(Some(kept)) if kept.secret_access_key.is_sealed())
}

fn kept(path: &Path) -> Result<Option<Kept>, Trouble> {
    const MOST_BYTES: u64 = 64 << 10;
    let (folder, name) = place(path)?;
    let Some(text) = folder.read_short(name, MOST_BYTES)? else {
        return Ok(None);
    };
    // The parser's words may quote what it read.
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|_| Trouble::NoPair)
}

/// `None`: none is kept yet.
fn read(path: &Path, key_file: Option<&KeyFile>) -> Result<Option<AccessKey>, Trouble> {
    use secrecy::ExposeSecret;
    let Some(kept) = kept(path)? else {
        return Ok(None);
    };
    let id = kept.access_key_id;
    let opened = kept.secret_access_key.open(&id, key_file)?;
    if id.is_empty() || opened.secret.expose_secret().is_empty() {
        return Err(Trouble::NoPair);
    }
    if let Some(better) = opened.better {
        write(path, &id, better)?;
        tracing::info!(file = %path.display(), "the root pair is sealed now");
    }
    Ok(Some(AccessKey::root(id, opened.secret)))
}

fn make(path: &Path, key_file: Option<&KeyFile>) -> Result<AccessKey, Trouble> {
    let key = AccessKey::generate(KeyLimits::default());
    write(
        path,
        &key.id,
        StoredSecret::of(&key.id, &key.secret, key_file)?,
    )?;
    Ok(key)
}

/// Written whole or not at all: a temporary name, synced, then the file's own, and the folder synced.
fn write(path: &Path, id: &str, secret: StoredSecret) -> io::Result<()> {
    let kept = Kept {
        access_key_id: id.to_owned(),
        secret_access_key: secret,
    };
    let (folder, name) = place(path)?;
    let temporary = format!("{name}.new");
    // What an interrupted start left under this name may be readable for others.
    folder.remove(&temporary)?;
    let mut file = folder.make_new(&temporary)?;
    file.write_all(&serde_json::to_vec_pretty(&kept)?)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    folder.rename(&temporary, &folder, name)?;
    folder.sync()
}

/// The folder of a file, which may be reached by links, and the file's name in it, which may not be one.
fn place(path: &Path) -> io::Result<(Dir, &str)> {
    let name = path.file_name().and_then(|name| name.to_str());
    let (Some(folder), Some(name)) = (path.parent(), name) else {
        return Err(ErrorKind::InvalidFilename.into());
    };
    Ok((Dir::open(folder)?, name))
}

pub(super) fn root_key_path(store: &Store) -> PathBuf {
    store.home().join("keys")
}

/// Whether the folder's own root pair is sealed: then no secret in the folder may be stored open.
#[must_use]
pub fn has_sealed_root_key(store: &Store) -> bool {
    is_sealed(&root_key_path(store))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn key_file(folder: &Path, name: &str, byte: u8) -> KeyFile {
        let path = folder.join(name);
        fs::write(&path, hex::encode([byte; 32])).unwrap();
        KeyFile::read(&path).unwrap()
    }

    #[tokio::test]
    async fn a_key_is_made_once_and_kept_for_its_user_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let made = read_or_make(&path, None).await.unwrap();
        assert_eq!((made.id.len(), made.secret.expose_secret().len()), (20, 40));
        let read = read_or_make(&path, None).await.unwrap();
        assert_eq!(read.id, made.id);
        assert_eq!(read.secret.expose_secret(), made.secret.expose_secret());
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!is_sealed(&path));
    }

    #[tokio::test]
    async fn a_key_that_was_kept_open_is_sealed_once_there_is_a_key_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let key_file = key_file(folder.path(), "key", 1);
        let made = read_or_make(&path, None).await.unwrap();
        for _ in 0..2 {
            let read = read_or_make(&path, Some(key_file.clone())).await.unwrap();
            assert_eq!(read.secret.expose_secret(), made.secret.expose_secret());
            assert!(is_sealed(&path));
            let text = fs::read_to_string(&path).unwrap();
            assert!(!text.contains(made.secret.expose_secret()));
        }
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[tokio::test]
    async fn a_kept_key_that_the_settings_stand_in_for_is_sealed_too_and_none_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let key_file = key_file(folder.path(), "key", 1);
        seal_unused(&path, Some(key_file.clone())).await;
        assert!(!path.exists());
        read_or_make(&path, None).await.unwrap();
        seal_unused(&path, None).await;
        assert!(!is_sealed(&path));
        seal_unused(&path, Some(key_file)).await;
        assert!(is_sealed(&path));
    }

    #[tokio::test]
    async fn a_sealed_key_without_its_key_file_stops_the_start_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let [mine, other] =
            [("mine", 1), ("other", 2)].map(|(name, byte)| key_file(folder.path(), name, byte));
        read_or_make(&path, Some(mine)).await.unwrap();
        let before = fs::read(&path).unwrap();
        for (key_file, says) in [
            (None, "it is sealed, and HANGAR_KEY_FILE is not set. Set it"),
            (Some(other), "does not open it. Set HANGAR_KEY_FILE"),
        ] {
            let refused = read_or_make(&path, key_file).await.unwrap_err();
            assert!(refused.to_string().contains(says), "{refused}");
        }
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[tokio::test]
    async fn a_broken_file_is_refused_and_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        for broken in [
            "{\"access_key_id\":\"",
            r#"{"access_key_id":"a","secret_access_key":""}"#,
            "",
        ] {
            fs::write(&path, broken).unwrap();
            let refused = read_or_make(&path, None).await.unwrap_err().to_string();
            let expected = format!("The access key in {} cannot be used: ", path.display());
            assert!(refused.starts_with(&expected), "{refused}");
            assert_eq!(fs::read_to_string(&path).unwrap(), broken);
        }
    }
}
