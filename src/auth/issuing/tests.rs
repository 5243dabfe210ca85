use super::*;
use crate::auth::KeyFile;
use crate::auth::seal::tests::{KEY, OTHER, key_file};
use crate::clock::Clock;
use crate::s3::BucketName;
use crate::s3::sigv4::Scope;
use crate::store::{Store, StoreConfig};
use secrecy::ExposeSecret;
use std::path::Path;
use std::time::Duration;

async fn store(folder: &Path) -> Store {
    let config = StoreConfig {
        data_dir: folder.to_owned(),
        allow_unsafe_fs: true,
        multipart_expires: Duration::from_hours(24),
        grace: Duration::from_hours(24),
        min_free_bytes: Some(0),
    };
    Store::open(config, Clock::default(), crate::auth::effects().into())
        .await
        .unwrap()
}

/// A vault that was opened by one start.
struct Started {
    store: Store,
    auth: Auth,
    keys: Result<AccessKeys, String>,
}
impl Started {
    fn keys(&self) -> &AccessKeys {
        self.keys.as_ref().unwrap()
    }
}
async fn start(folder: &Path, key_file: Option<KeyFile>) -> Started {
    let store = store(folder).await;
    let auth = Auth::new(store.clone(), Clock::default(), key_file, true);
    let root = AccessKey::root("ROOT".to_owned(), "root-secret".into());
    let keys = auth.open_keys(root).await.map_err(|error| match error {
        AuthError::Refused(sentence) => sentence,
        AuthError::Store(error) => panic!("{error}"),
    });
    Started { store, auth, keys }
}

async fn create(auth: &Auth) -> CreatedAccessKey {
    auth.create_access_key(NewAccessKey::default())
        .await
        .unwrap()
}

/// Whether a file of the folder holds these bytes.
fn holds(folder: &Path, needle: &str) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, needle);
        }
        let bytes = std::fs::read(&path).unwrap();
        bytes
            .windows(needle.len())
            .any(|window| window == needle.as_bytes())
    })
}

#[tokio::test]
async fn a_key_signs_from_its_creation_to_its_revocation_and_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let limits = KeyLimits {
        read_only: true,
        bucket: BucketName::parse("photos").ok(),
        prefix: Some("a/".to_owned()),
    };
    let first = start(folder.path(), None).await;
    let wanted = NewAccessKey {
        name: Some("backup".to_owned()),
        limits: limits.clone(),
    };
    let made = first.auth.create_access_key(wanted).await.unwrap();
    assert!(made.lacks_bucket);
    let id = made.key.id.clone();
    let found = first.keys().find(&id).unwrap();
    assert_eq!(found.limits, limits);
    first.store.close().await;

    let second = start(folder.path(), None).await;
    let found = second.keys().find(&id).unwrap();
    assert_eq!(
        found.secret.expose_secret(),
        made.key.secret.expose_secret()
    );
    assert_eq!(found.limits, limits);
    let scope = Scope {
        day: "20261123".to_owned(),
        region: String::new(),
    };
    assert!(second.keys().signing_key(&id, &scope).is_some());
    second.auth.revoke_access_key(&id).await.unwrap();
    assert!(second.keys().find(&id).is_none());
    assert!(second.keys().signing_key(&id, &scope).is_none());
    second.auth.revoke_access_key(&id).await.unwrap();
    second.store.close().await;

    let third = start(folder.path(), None).await;
    assert!(third.keys().find(&id).is_none());
    let listed = third.auth.access_keys().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].name, "backup");
    assert!(listed[0].revoked_at.is_some());
    third.store.close().await;
}

#[tokio::test]
async fn with_a_key_file_no_secret_is_in_the_folder_and_no_start_works_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let first = start(folder.path(), Some(key_file(&[KEY]))).await;
    let made = create(&first.auth).await;
    let (id, secret) = (made.key.id, made.key.secret);
    first.store.close().await;
    assert!(holds(folder.path(), &id));
    assert!(!holds(folder.path(), secret.expose_secret()));

    for (key_file, says) in [
        (None, "it is sealed, and HANGAR_KEY_FILE is not set"),
        (Some(key_file(&[OTHER])), "does not open it"),
    ] {
        let refused = start(folder.path(), key_file).await;
        let sentence = refused.keys.err().unwrap();
        assert!(sentence.contains(says), "{sentence}");
        assert!(sentence.contains(&id), "{sentence}");
        refused.store.close().await;
    }
    let again = start(folder.path(), Some(key_file(&[KEY]))).await;
    let found = again.keys().find(&id).unwrap();
    assert_eq!(found.secret.expose_secret(), secret.expose_secret());
    again.store.close().await;
}

#[tokio::test]
async fn an_unsealed_secret_is_sealed_by_the_next_start_and_by_each_newer_key() {
    let folder = tempfile::tempdir().unwrap();
    let open = start(folder.path(), None).await;
    let made = create(&open.auth).await;
    open.store.close().await;
    for key_file in [
        key_file(&[OTHER]),
        key_file(&[KEY, OTHER]),
        key_file(&[KEY]),
    ] {
        let started = start(folder.path(), Some(key_file)).await;
        let found = started.keys().find(&made.key.id).unwrap();
        assert_eq!(
            found.secret.expose_secret(),
            made.key.secret.expose_secret()
        );
        let mut view = started.auth.view().await.unwrap();
        assert!(access_keys::holds_sealed_secrets(&mut view).await.unwrap());
        drop(view);
        started.store.close().await;
    }
}

#[tokio::test]
async fn limits_that_no_key_can_have_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let started = start(folder.path(), None).await;
    let bucket = || BucketName::parse("photos").ok();
    for (name, bucket, prefix) in [
        (None, None, Some("a/".to_owned())),
        (None, bucket(), Some(String::new())),
        (None, bucket(), Some("a".repeat(1025))),
        (None, bucket(), Some("a\0".to_owned())),
        (Some("a\u{1b}[2J".to_owned()), None, None),
    ] {
        let limits = KeyLimits {
            read_only: false,
            bucket,
            prefix,
        };
        let refused = started
            .auth
            .create_access_key(NewAccessKey { name, limits });
        assert!(matches!(refused.await, Err(AuthError::Refused(_))));
    }
    let unknown = started.auth.revoke_access_key("ROOT").await;
    assert!(matches!(unknown, Err(AuthError::Refused(_))));
    assert!(started.keys().find("ROOT").is_some());
    assert!(started.auth.access_keys().await.unwrap().is_empty());
    started.store.close().await;
}
