//! The settings that single commands ask for.

use crate::assets::AssetAges;
use crate::auth::KeyFile;
use crate::config::address;
use crate::config::environment::Environment;
use crate::config::error::WrongSetting;
use crate::config::flags::{Flag, Flags};
use crate::config::settings::{DEFAULT_LISTEN, Settings};
use crate::store::StoreConfig;
use crate::telemetry::LogSettings;
use std::net::SocketAddr;
use std::path::Path;

/// Where a command finds its data folder.
/// # Errors
/// When a setting of the store is wrong.
pub fn store_config(
    data_dir: Option<Flag>,
    environment: &Environment,
) -> Result<StoreConfig, WrongSetting> {
    Settings::new(environment).store(&Flags {
        data_dir,
        ..Flags::default()
    })
}

/// How long `hangar gc` keeps assets that were never uploaded, and deleted ones.
/// # Errors
/// When one is wrong.
pub fn asset_ages(environment: &Environment) -> Result<AssetAges, WrongSetting> {
    let mut settings = Settings::new(environment);
    let policy_holds = settings.assets("")?.signed_url_expiration;
    settings.asset_ages(policy_holds)
}

/// The key file of a command that makes a secret.
/// # Errors
/// When it holds no key.
pub fn key_file(environment: &Environment) -> Result<Option<KeyFile>, WrongSetting> {
    Settings::new(environment).key_file()
}

/// Warnings about the key file, if there is one: which users may read it, and where it is stored.
/// # Errors
/// When its name is not UTF-8.
pub fn key_file_warnings(
    environment: &Environment,
    data_dir: &Path,
) -> Result<Vec<String>, WrongSetting> {
    let path = environment.get("HANGAR_KEY_FILE")?.map(str::trim);
    Ok(path.map_or_else(Vec::new, |path| {
        KeyFile::warnings(Path::new(path), data_dir)
    }))
}

/// Where a client on this machine finds the server: `HANGAR_URL`, else the address in the server's own settings.
/// # Errors
/// When one of them is wrong.
pub fn client_url(environment: &Environment) -> Result<String, WrongSetting> {
    if let Some(url) = environment.get("HANGAR_URL")? {
        return Ok(url.to_owned());
    }
    let mut settings = Settings::new(environment);
    let public_url = settings.read(
        None,
        "HANGAR_PUBLIC_URL",
        address::PUBLIC_URL,
        address::parse_public_url,
    )?;
    if let Some(url) = public_url {
        return Ok(url);
    }
    let listen = settings.read(
        None,
        "HANGAR_LISTEN",
        address::LISTEN,
        address::parse_listen,
    )?;
    let listen = listen.or_else(|| address::parse_listen(DEFAULT_LISTEN));
    let listen = listen.expect("the default is an address");
    // A port of 0 is another one at each start.
    let port = listen.first().map_or(0, SocketAddr::port);
    if port == 0 {
        return Ok(format!("http://{DEFAULT_LISTEN}"));
    }
    let scheme = match environment.get("HANGAR_TLS_CERT")? {
        Some(_) => "https",
        None => "http",
    };
    Ok(address::on_this_machine(scheme, &listen, port))
}

/// How much is logged, and in which form; `None`: not set.
/// # Errors
/// When it is no level.
pub fn log_settings(
    flag: Option<&Flag>,
    environment: &Environment,
) -> Result<Option<LogSettings>, WrongSetting> {
    Settings::new(environment).read(
        flag,
        "HANGAR_LOG",
        LogSettings::ACCEPTED,
        LogSettings::parse,
    )
}
