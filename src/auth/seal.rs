//! Secrets at rest: sealed by the key of `HANGAR_KEY_FILE`, where there is one.
//!
//! The file is text: a key a line, 32 bytes as base64 or as hex. The first key seals, all of them open; so a key is
//! replaced by putting a new one on a line before it. A sealed secret is base64 of 24 random bytes of nonce and what
//! XChaCha20-Poly1305 makes of the secret, with the access key's id as associated data: it cannot be opened as the
//! secret of another key. <https://datatracker.ietf.org/doc/html/draft-irtf-cfrg-xchacha>
//!
//! It refuses to know where secrets are stored.
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use rand::TryRng;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
/// Room for some ninety keys.
const MAX_FILE_BYTES: u64 = 4096;
/// Separates secrets that are sealed here from other data that the file's keys may seal one day.
const PURPOSE: &str = "hangar access key ";
const HOW_TO_MAKE_ONE: &str = "`head -c 32 /dev/urandom | base64 > FILE` makes a key file";

/// The keys of `HANGAR_KEY_FILE`. Cheap to clone.
#[derive(Debug, Clone)]
pub struct KeyFile {
    path: PathBuf,
    /// Never empty: the first one seals.
    keys: Arc<[SecretBox<[u8; KEY_BYTES]>]>,
}

impl KeyFile {
    /// # Errors
    /// One sentence that names the setting and says how to make a key file.
    pub fn read(path: &Path) -> Result<Self, String> {
        let shown = path.to_string_lossy();
        let wrong = |what: &str| {
            format!("HANGAR_KEY_FILE names {shown:?}, which {what}; {HOW_TO_MAKE_ONE}")
        };
        let mut text = String::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text))
            .map_err(|error| wrong(&format!("cannot be read ({error})")))?;
        let text = SecretString::from(text);
        if text.expose_secret().len() as u64 > MAX_FILE_BYTES {
            return Err(wrong("is too long: it must hold keys alone"));
        }
        let lines = text.expose_secret().lines().map(str::trim);
        let keys: Option<Vec<_>> = lines.filter(|line| !line.is_empty()).map(parse).collect();
        match keys {
            None => Err(wrong(
                "holds a line that is no key: 32 bytes as base64 or hex",
            )),
            Some(keys) if keys.is_empty() => Err(wrong("is empty")),
            Some(keys) => Ok(Self {
                path: path.to_owned(),
                keys: keys.into(),
            }),
        }
    }

    /// Bits of the mode of a secret file: others may read or write it, or the group may write it.
    pub const OPEN_TO_OTHERS: u32 = 0o026;

    /// The warnings about a key file: that other users may read or change it, or that it lies in the data folder.
    #[must_use]
    pub fn warnings(path: &Path, data_dir: &Path) -> Vec<String> {
        use std::os::unix::fs::MetadataExt;
        let shown = path.display();
        let mut warnings = Vec::new();
        let mode = std::fs::metadata(path).map_or(0, |file| file.mode() & 0o777);
        if mode & Self::OPEN_TO_OTHERS != 0 {
            warnings.push(format!(
                "HANGAR_KEY_FILE names {shown}, which other users can read or change (mode {mode:04o}): `chmod 600` it"
            ));
        }
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let lies_inside = path.starts_with(data_dir) || real(path).starts_with(real(data_dir));
        if lies_inside {
            warnings.push(format!(
                "HANGAR_KEY_FILE lies in the data folder ({shown}), so each copy of that folder holds the key too: keep it elsewhere"
            ));
        }
        warnings
    }

    /// The path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn seal(&self, id: &str, secret: &str) -> Result<String, SealError> {
        let mut nonce = [0; NONCE_BYTES];
        rand::rngs::SysRng
            .try_fill_bytes(&mut nonce)
            .map_err(|_| SealError::NoRandomness)?;
        let first = self.keys.first().expect("a key file holds a key");
        let mut sealed = nonce.to_vec();
        let text = cipher(first)
            .encrypt(&XNonce::from(nonce), payload(secret.as_bytes(), &aad(id)))
            .expect("a secret is far shorter than what the cipher takes");
        sealed.extend(text);
        Ok(STANDARD.encode(sealed))
    }

    /// The secret, and which key it was sealed by; `None`: by none of these.
    fn open(&self, id: &str, sealed: &str) -> Option<(SecretString, usize)> {
        let sealed = STANDARD.decode(sealed).ok()?;
        let (nonce, text) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let nonce = XNonce::from(*nonce);
        self.keys.iter().enumerate().find_map(|(place, key)| {
            let secret = cipher(key).decrypt(&nonce, payload(text, &aad(id))).ok()?;
            Some((String::from_utf8(secret).ok()?.into(), place))
        })
    }
}

/// 32 bytes as 64 hex digits or as base64.
fn parse(line: &str) -> Option<SecretBox<[u8; KEY_BYTES]>> {
    let bytes = match hex::decode(line) {
        Ok(bytes) => bytes,
        Err(_) => STANDARD.decode(line).ok()?,
    };
    let bytes = SecretBox::new(bytes.into_boxed_slice());
    let key: [u8; KEY_BYTES] = bytes.expose_secret().try_into().ok()?;
    Some(SecretBox::new(Box::new(key)))
}

fn cipher(key: &SecretBox<[u8; KEY_BYTES]>) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.expose_secret().into())
}

fn aad(id: &str) -> Vec<u8> {
    [PURPOSE, id].concat().into_bytes()
}

fn payload<'a>(msg: &'a [u8], aad: &'a [u8]) -> Payload<'a, 'a> {
    Payload { msg, aad }
}

/// Why a stored secret cannot be used. The texts follow a colon.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SealError {
    #[error(
        "it is sealed, and HANGAR_KEY_FILE is not set. Set it to the file that the secret was sealed with"
    )]
    NoKeyFile,
    #[error(
        "it is sealed, and the key in {0:?} does not open it. Set HANGAR_KEY_FILE to the file that it was sealed with"
    )]
    WrongKey(PathBuf),
    #[error("the system's random generator does not answer")]
    NoRandomness,
}

/// A secret as it is stored on the disk.
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum StoredSecret {
    Sealed { sealed: String },
    Plain(String),
}

/// A secret that was read from the disk.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) secret: SecretString,
    /// The form in which it should be stored, where it is stored in another form.
    pub(crate) better: Option<StoredSecret>,
}

impl StoredSecret {
    /// The form in which this secret has to be stored: sealed where there is a key file.
    pub(crate) fn of(
        id: &str,
        secret: &SecretString,
        key_file: Option<&KeyFile>,
    ) -> Result<Self, SealError> {
        let secret = secret.expose_secret();
        Ok(match key_file {
            None => Self::Plain(secret.to_owned()),
            Some(key_file) => Self::Sealed {
                sealed: key_file.seal(id, secret)?,
            },
        })
    }

    pub(crate) fn is_sealed(&self) -> bool {
        matches!(self, Self::Sealed { .. })
    }

    pub(crate) fn open(&self, id: &str, key_file: Option<&KeyFile>) -> Result<Opened, SealError> {
        let (secret, is_well) = match (self, key_file) {
            (Self::Plain(secret), key_file) => (secret.clone().into(), key_file.is_none()),
            (Self::Sealed { .. }, None) => return Err(SealError::NoKeyFile),
            (Self::Sealed { sealed }, Some(key_file)) => {
                let (secret, place) = key_file
                    .open(id, sealed)
                    .ok_or_else(|| SealError::WrongKey(key_file.path.clone()))?;
                (secret, place == 0)
            }
        };
        let better = if is_well {
            None
        } else {
            Some(Self::of(id, &secret, key_file)?)
        };
        Ok(Opened { secret, better })
    }
}

/// Never shows the secret.
impl std::fmt::Debug for StoredSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_sealed() {
            "Sealed(…)"
        } else {
            "Plain(…)"
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    /// A key file with these lines.
    pub(in crate::auth) fn key_file(lines: &[&str]) -> KeyFile {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, lines.join("\n")).unwrap();
        KeyFile::read(&path).unwrap()
    }
    pub(in crate::auth) const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    pub(in crate::auth) const KEY_IN_HEX: &str =
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    pub(in crate::auth) const OTHER: &str =
        "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    fn sealed(by: &KeyFile) -> StoredSecret {
        StoredSecret::of("ID", &"secret".into(), Some(by)).unwrap()
    }

    #[test]
    fn base64_and_hex_are_the_same_key() {
        let opened = sealed(&key_file(&[KEY])).open("ID", Some(&key_file(&[KEY_IN_HEX])));
        let opened = opened.unwrap();
        assert_eq!(opened.secret.expose_secret(), "secret");
        assert!(opened.better.is_none());
    }

    #[test]
    fn a_secret_opens_for_its_own_id_and_key_alone() {
        let key = key_file(&[KEY]);
        let wrong = Err(SealError::WrongKey(key.path.clone()));
        let other = key_file(&[OTHER]);
        assert_eq!(
            sealed(&key).open("OTHER", Some(&key)).map(drop),
            wrong.map(drop::<Opened>)
        );
        assert_eq!(
            sealed(&key).open("ID", Some(&other)).map(drop),
            Err(SealError::WrongKey(other.path.clone()))
        );
        assert_eq!(
            sealed(&key).open("ID", None).map(drop),
            Err(SealError::NoKeyFile)
        );
    }

    #[test]
    fn a_plain_secret_or_one_under_an_older_key_is_to_be_sealed_anew() {
        let old = key_file(&[OTHER]);
        let both = key_file(&[KEY, "", OTHER]);
        let new = key_file(&[KEY]);
        for stored in [StoredSecret::Plain("secret".to_owned()), sealed(&old)] {
            let better = stored.open("ID", Some(&both)).unwrap().better.unwrap();
            assert!(better.is_sealed());
            let opened = better.open("ID", Some(&new)).unwrap();
            assert_eq!(opened.secret.expose_secret(), "secret");
            assert!(opened.better.is_none());
        }
        let plain = StoredSecret::Plain("secret".to_owned());
        assert!(plain.open("ID", None).unwrap().better.is_none());
    }

    #[test]
    fn two_seals_of_one_secret_differ() {
        let key = key_file(&[KEY]);
        let text = |stored| serde_json::to_string(&stored).unwrap();
        assert_ne!(text(sealed(&key)), text(sealed(&key)));
        assert!(!text(sealed(&key)).contains("secret"));
    }

    #[test]
    fn neither_keys_nor_secrets_show_themselves() {
        let key = key_file(&[KEY]);
        let shown = format!("{key:?} {:?}", StoredSecret::Plain("hunter2".to_owned()));
        assert!(
            !shown.contains("hunter2") && !shown.contains("[0, 1, 2"),
            "{shown}"
        );
    }

    #[rstest]
    #[case("", "is empty")]
    #[case("\n \n", "is empty")]
    #[case("AAECAwQFBgcICQoLDA0ODw==", "holds a line that is no key")]
    #[case("correct horse battery staple", "holds a line that is no key")]
    #[case("000102030405060708090a0b0c0d0e0f", "holds a line that is no key")]
    fn a_file_without_a_whole_key_is_refused_with_the_way_to_make_one(
        #[case] text: &str,
        #[case] says: &str,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, text).unwrap();
        let sentence = KeyFile::read(&path).unwrap_err();
        assert!(sentence.starts_with("HANGAR_KEY_FILE names"), "{sentence}");
        assert!(sentence.contains(says), "{sentence}");
        assert!(sentence.contains("head -c 32 /dev/urandom"), "{sentence}");
        assert!(text.trim().is_empty() || !sentence.contains(text.trim()));
    }

    #[test]
    fn a_missing_a_binary_and_an_endless_file_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert!(KeyFile::read(&path).unwrap_err().contains("cannot be read"));
        std::fs::write(&path, [0xff; 32]).unwrap();
        assert!(KeyFile::read(&path).unwrap_err().contains("cannot be read"));
        assert!(
            KeyFile::read(Path::new("/dev/zero"))
                .unwrap_err()
                .contains("too long")
        );
    }

    proptest! {
        #[test]
        fn a_changed_seal_never_opens(at in 0_usize..46, bit in 0_u8..8) {
            let key = key_file(&[KEY]);
            let StoredSecret::Sealed { sealed } = sealed(&key) else { unreachable!() };
            let mut bytes = STANDARD.decode(sealed).unwrap();
            prop_assert_eq!(bytes.len(), 24 + 6 + 16);
            bytes[at] ^= 1 << bit;
            let changed = StoredSecret::Sealed { sealed: STANDARD.encode(bytes) };
            let opened = changed.open("ID", Some(&key)).map(drop);
            prop_assert_eq!(opened, Err(SealError::WrongKey(key.path.clone())));
        }

        #[test]
        fn no_text_that_claims_to_be_a_seal_panics(sealed in ".{0,80}") {
            let claimed = StoredSecret::Sealed { sealed };
            let key = key_file(&[KEY]);
            let opened = claimed.open("ID", Some(&key)).map(drop);
            prop_assert_eq!(opened, Err(SealError::WrongKey(key.path.clone())));
        }
    }

    mod fuzz {
        use super::*;
        use crate::tests::fuzz;

        /// Of `secret`, for `ID`, by [`KEY`].
        const SEALED: &str = include_str!("../../tests/fuzz/corpus/auth/seal/sealed");

        #[test]
        fn no_text_opens_but_the_one_that_was_sealed() {
            fuzz::check(module_path!(), |input| {
                let Ok(stored) = serde_json::from_slice::<StoredSecret>(input) else {
                    return;
                };
                let seal: StoredSecret = serde_json::from_str(SEALED).unwrap();
                let key = key_file(&[KEY]);
                let opened = stored.open("ID", Some(&key));
                match (&stored, &seal) {
                    (StoredSecret::Sealed { sealed }, StoredSecret::Sealed { sealed: seal }) => {
                        assert_eq!(opened.is_ok(), sealed == seal);
                        let of_another = stored.open("OTHER", Some(&key)).map(drop);
                        assert_eq!(of_another, Err(SealError::WrongKey(key.path.clone())));
                    }
                    _ => assert!(opened.unwrap().better.is_some()),
                }
            });
        }

        #[test]
        fn a_key_file_holds_keys_of_32_bytes_or_is_refused() {
            fuzz::check(module_path!(), |input| {
                let Ok(text) = std::str::from_utf8(input) else {
                    return;
                };
                for line in text.lines().map(str::trim) {
                    if let Some(key) = parse(line) {
                        let bytes = key.expose_secret();
                        let hexed = hex::encode(bytes);
                        let encoded = STANDARD.encode(bytes);
                        assert!(line.eq_ignore_ascii_case(&hexed) || line == encoded);
                    }
                }
            });
        }
    }
}
