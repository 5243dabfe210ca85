//! What of the settings the operator should know for as long as the server runs with them.

use crate::auth::AccessKey;
use crate::config::Config;
use crate::warnings::Warning;
use secrecy::ExposeSecret;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Pairs that examples and other servers ship: MinIO's own, and Plane's `.env`.
const KNOWN_PAIRS: [(&str, &str); 2] = [("minioadmin", "minioadmin"), ("access-key", "secret-key")];
/// Bits of a mode: others may read or write, or the group may write.
const OPEN_TO_OTHERS: u32 = 0o026;

pub(super) fn warnings(config: &Config) -> Vec<Warning> {
    let key_file = config
        .key_file
        .as_ref()
        .map(|file| ("HANGAR_KEY_FILE", file.path()));
    let tls_key = config
        .http
        .tls
        .as_ref()
        .map(|files| ("HANGAR_TLS_KEY", &*files.key));
    let mut warnings: Vec<Warning> = [key_file, tls_key]
        .into_iter()
        .flatten()
        .filter_map(|(setting, path)| open_secret_file(setting, path))
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

fn open_secret_file(setting: &'static str, path: &Path) -> Option<Warning> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & OPEN_TO_OTHERS != 0).then(|| Warning::SecretFileOpen {
        setting,
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
    fn a_root_pair_that_everybody_knows_is_warned_of_beyond_loopback(
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
    fn a_key_file_that_other_users_may_read_is_warned_of(
        #[case] mode: u32,
        #[case] is_warned_of: bool,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "0".repeat(64)).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let expected: &[&str] = if is_warned_of {
            &["secret-file-open"]
        } else {
            &[]
        };
        assert_eq!(
            kinds(&[("HANGAR_KEY_FILE", path.to_str().unwrap())]),
            expected
        );
    }
}
