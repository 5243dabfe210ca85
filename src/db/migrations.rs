//! The migrations of the index, in their order. They only add; one that was released is never changed.
//!
//! The list is written by hand: `sqlx::migrate!` would build sqlx and SQLite a second time, for the compiler.

use sqlx::SqlStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use std::sync::LazyLock;

/// The names and texts of `migrations/*.sql`.
macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("../../migrations/", $name, ".sql")))),+]
    };
}

const FILES: [(&str, &str); 8] = files![
    "0001_objects",
    "0002_people_and_assets",
    "0003_uploads",
    "0004_access_keys",
    "0005_workspaces",
    "0006_asset_lookups",
    "0007_bodies_of_blobs",
    "0008_pointers_of_workspaces",
];

pub(super) static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let migrations = (1..).zip(FILES).map(|(version, (name, sql))| {
        let description = name[5..].replace('_', " ").into();
        let sql = SqlStr::from_static(sql);
        Migration::new(version, description, MigrationType::Simple, sql, false)
    });
    Migrator::with_migrations(migrations.collect())
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_in_the_list_under_its_number() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        let files = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let listed = FILES.map(|(name, _)| format!("{name}.sql"));
        assert_eq!(names, listed);
        for (version, name) in (1..).zip(names) {
            assert_eq!(name[..5], format!("{version:04}_"));
        }
    }
}
