//! Warnings about settings, which stand for as long as the server runs with them.

use crate::auth::{AccessKey, KeyFile};
use crate::config::Config;
use crate::warnings::Warning;
use secrecy::ExposeSecret;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Pairs that examples and other servers ship: MinIO's own, and Plane's `.env`.
const KNOWN_PAIRS: [(&str, &str); 2] = [("minioadmin", "minioadmin"), ("access-key", "secret-key")];

pub(super) fn warnings(config: &Config) -> Vec<Warning> {
    let tls = config.http.tls.as_ref();
    let mut warnings: Vec<Warning> = tls
        .and_then(|files| open_tls_key(&files.key))
        .into_iter()
        .collect();
    let is_local = config.http.listen.iter().all(|it| it.ip().is_loopback());
    if let Some(root) = &config.root_key
        && !is_local
        && is_known(root)
    {
        warnings.push(Warning::KnownRootKey {
            id: root.id.clone(),
        });
    }
    warnings
}

fn is_known(root: &AccessKey) -> bool {
    let secret = root.secret.expose_secret();
    (KNOWN_PAIRS.iter())
        .any(|(known_id, known_secret)| (&*root.id, secret) == (*known_id, *known_secret))
}

fn open_tls_key(path: &Path) -> Option<Warning> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & KeyFile::OPEN_TO_OTHERS != 0).then(|| Warning::SecretFileOpen {
        setting: "HANGAR_TLS_KEY",
        path: path.to_owned(),
        mode,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Flags, Role};
    use rstest::rstest;

    fn kinds(environment: &[(&str, &str)]) -> Vec<&'static str> {
        let environment = Environment::from_pairs(environment.iter().copied());
        let composed = Config::compose(Role::Standalone, &Flags::default(), &environment).unwrap();
        let warnings = warnings(&composed.config);
        warnings.iter().map(Warning::kind).collect()
    }

    #[rstest]
    #[case::minios("minioadmin", "minioadmin", ":9000", true)]
    #[case::planes("access-key", "secret-key", "0.0.0.0:9000", true)]
    #[case::on_loopback("access-key", "secret-key", "127.0.0.1:9000", false)]
    #[case::another_secret("access-key", "5a7c31e09bd4", ":9000", false)]
    fn a_root_pair_from_examples_is_warned_of_beyond_loopback(
        #[case] id: &str,
        #[case] secret: &str,
        #[case] listen: &str,
        #[case] is_warned_of: bool,
    ) {
        let environment = [
            ("AWS_ACCESS_KEY_ID", id),
            ("AWS_SECRET_ACCESS_KEY", secret),
            ("HANGAR_LISTEN", listen),
        ];
        let expected: &[&str] = if is_warned_of {
            &["known-root-key"]
        } else {
            &[]
        };
        assert_eq!(kinds(&environment), expected);
    }

    #[rstest]
    #[case(0o644, true)]
    #[case(0o620, true)]
    #[case(0o640, false)]
    #[case(0o600, false)]
    #[case(0o400, false)]
    fn a_tls_key_that_other_users_may_read_is_warned_of(
        #[case] mode: u32,
        #[case] is_warned_of: bool,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "a key").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(open_tls_key(&path).is_some(), is_warned_of);
    }
}
