//! Opens the index for writing.

use crate::db::{self, DatabaseError};
use crate::store::folder::Folder;
use crate::store::index::apply::prepare;
use sqlx::{Connection, SqliteConnection};

/// Opens the index for writing and brings its tables up to date.
pub(in crate::store) async fn open(folder: &Folder) -> Result<SqliteConnection, DatabaseError> {
    let mut index = db::open_writer(&folder.database()).await?;
    if let Err(error) = prepare(&mut index).await {
        // As in [`db::open_writer`].
        drop(index.close().await);
        return Err(error.into());
    }
    Ok(index)
}
