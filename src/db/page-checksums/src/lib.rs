//! A checksum on every page of an SQLite database file, held against each page that is read.
//!
//! The last 8 bytes of each page hold the CRC64-NVME of the others, bound to the page's number. SQLite leaves them free
//! where a database was made with 8 reserved bytes (byte 20 of its header), so any SQLite can read such a file. The
//! checksums are computed and verified below SQLite, by a VFS ([`VFS_NAME`]) that passes everything on to the system's:
//! a page that is not what was written is `SQLITE_IOERR_DATA`, and never a row. Pages in the `-wal` are remembered by
//! their checksums while they are written and while SQLite recovers them, and held against those when they are read.
//!
//! Whether a file has checksums is said twice: by byte 20, and by the `application_id` ([`APPLICATION_ID`]). Where one of
//! them says so and the pages disagree, the file is damaged.
//!
//! What it refuses to know: what is in the pages.
//!
//! <https://sqlite.org/fileformat2.html>, <https://sqlite.org/c3ref/io_methods.html>, <https://sqlite.org/vfs.html>

mod file;
mod page;
mod registry;
mod vfs;

pub use file::{Hole, Pages, fill_unwritten};
pub use page::{APPLICATION_ID, Protection};
pub use registry::{Damage, Watch, watch};
pub use vfs::{VFS_NAME, register, reserve_bytes, set_checkpoint_on_close};
