//! The VFS: what SQLite calls, and what is passed on to the system's own.
//!
//! SQLite calls the methods of one file one after the other, under the lock of the connection that it belongs to.

use super::page::{self, HEADER_BYTES, Header, Protection};
use super::registry::Shared;
use libsqlite3_sys as ffi;
use sqlx::sqlite::LockedSqliteHandle;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::offset_of;
use std::ptr::{null, null_mut};
use std::sync::OnceLock;

/// For connections that are to hold pages against their checksums.
pub const VFS_NAME: &str = "hangar";
const NAME: &CStr = c"hangar";

/// What SQLite allocates for a file: ours, and behind it the system's.
#[repr(C)]
struct ShimFile {
    base: ffi::sqlite3_file,
    state: *mut State,
}

/// Behind [`ShimFile`], aligned as whatever SQLite allocates.
const INNER_AT: usize = size_of::<ShimFile>().next_multiple_of(8);
const _: () = assert!(offset_of!(ShimFile, base) == 0);

/// `-wal`: a header, then frames of a header and a page each. <https://sqlite.org/fileformat2.html#walformat>
const JOURNAL_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

enum State {
    Database(Database),
    Journal(Shared),
}

struct Database {
    shared: Shared,
    /// `None` until there is one.
    header: Option<Header>,
    /// Pages that were written before there was a header: where, and how long.
    early: Vec<(ffi::sqlite3_int64, c_int)>,
    /// A page with its checksum, on its way to the file.
    buffer: Vec<u8>,
}

struct Registered(c_int);

/// Makes [`VFS_NAME`] known to SQLite, once in a process.
///
/// # Errors
/// SQLite's code.
pub fn register() -> Result<(), c_int> {
    static REGISTERED: OnceLock<Registered> = OnceLock::new();
    let Registered(code) = REGISTERED.get_or_init(|| {
        // SAFETY: a null name asks for the default VFS; SQLite never frees it.
        let system = unsafe { ffi::sqlite3_vfs_find(null()) };
        // SAFETY: what SQLite answers is a VFS or null, and it lives as long as the process.
        let Some(inner) = (unsafe { system.as_ref() }) else {
            return Registered(ffi::SQLITE_ERROR);
        };
        let own = Box::new(ffi::sqlite3_vfs {
            iVersion: inner.iVersion.min(2),
            szOsFile: inner.szOsFile + c_int::try_from(INNER_AT).expect("a few bytes"),
            mxPathname: inner.mxPathname,
            pNext: null_mut(),
            zName: NAME.as_ptr(),
            pAppData: system.cast(),
            xOpen: Some(open),
            xDelete: Some(delete),
            xAccess: Some(access),
            xFullPathname: Some(full_pathname),
            // Extensions are not loaded.
            xDlOpen: None,
            xDlError: None,
            xDlSym: None,
            xDlClose: None,
            xRandomness: Some(randomness),
            xSleep: Some(sleep),
            xCurrentTime: Some(current_time),
            xGetLastError: Some(last_error),
            xCurrentTimeInt64: Some(current_time_int64),
            xSetSystemCall: None,
            xGetSystemCall: None,
            xNextSystemCall: None,
        });
        // SAFETY: SQLite keeps the pointer; it is leaked and lives as long as the process. It does not become the default.
        Registered(unsafe { ffi::sqlite3_vfs_register(Box::leak(own), 0) })
    });
    if *code == ffi::SQLITE_OK {
        Ok(())
    } else {
        Err(*code)
    }
}

/// Has databases that this connection makes (also by `VACUUM INTO`) leave room for checksums in each page.
///
/// # Errors
/// SQLite's code.
pub fn reserve_bytes(connection: &mut LockedSqliteHandle<'_>) -> Result<(), c_int> {
    let mut bytes = c_int::try_from(page::CHECKSUM_BYTES).expect("8");
    // SAFETY: the handle is open and locked by the caller; the argument of this control is an int, which SQLite reads and
    // writes during the call. <https://sqlite.org/c3ref/c_fcntl_begin_atomic_write.html#sqlitefcntlreservebytes>
    let code = unsafe {
        ffi::sqlite3_file_control(
            connection.as_raw_handle().as_ptr(),
            null(),
            ffi::SQLITE_FCNTL_RESERVE_BYTES,
            (&raw mut bytes).cast(),
        )
    };
    if code == ffi::SQLITE_OK {
        Ok(())
    } else {
        Err(code)
    }
}

/// Whether SQLite moves the `-wal` into the database by itself when the last connection is closed.
///
/// # Errors
/// SQLite's code.
pub fn set_checkpoint_on_close(
    connection: &mut LockedSqliteHandle<'_>,
    is_on: bool,
) -> Result<(), c_int> {
    // SAFETY: the handle is open and locked by the caller; this option takes an int and a pointer that may be null.
    // <https://sqlite.org/c3ref/c_dbconfig_defensive.html#sqlitedbconfignockptonclose>
    let code = unsafe {
        ffi::sqlite3_db_config(
            connection.as_raw_handle().as_ptr(),
            ffi::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE,
            c_int::from(!is_on),
            null_mut::<c_int>(),
        )
    };
    if code == ffi::SQLITE_OK {
        Ok(())
    } else {
        Err(code)
    }
}

/// Passes a call of our VFS on to the system's.
macro_rules! pass_to_vfs {
    ($name:ident, $method:ident($($argument:ident: $kind:ty),*) -> $answer:ty, $missing:expr) => {
        unsafe extern "C" fn $name(vfs: *mut ffi::sqlite3_vfs, $($argument: $kind),*) -> $answer {
            // SAFETY: SQLite calls with the VFS that was registered, whose `pAppData` is the system's; both live as long
            // as the process.
            let inner = unsafe { (*vfs).pAppData.cast::<ffi::sqlite3_vfs>() };
            // SAFETY: as above; the arguments are passed on as they came.
            unsafe { (*inner).$method.map_or($missing, |call| call(inner, $($argument),*)) }
        }
    };
}

pass_to_vfs!(delete, xDelete(name: *const c_char, sync: c_int) -> c_int, ffi::SQLITE_ERROR);
pass_to_vfs!(access, xAccess(name: *const c_char, flags: c_int, out: *mut c_int) -> c_int, ffi::SQLITE_ERROR);
pass_to_vfs!(full_pathname, xFullPathname(name: *const c_char, length: c_int, out: *mut c_char) -> c_int, ffi::SQLITE_ERROR);
pass_to_vfs!(randomness, xRandomness(length: c_int, out: *mut c_char) -> c_int, 0);
pass_to_vfs!(sleep, xSleep(microseconds: c_int) -> c_int, 0);
pass_to_vfs!(current_time, xCurrentTime(out: *mut f64) -> c_int, ffi::SQLITE_ERROR);
pass_to_vfs!(last_error, xGetLastError(length: c_int, out: *mut c_char) -> c_int, 0);
pass_to_vfs!(current_time_int64, xCurrentTimeInt64(out: *mut ffi::sqlite3_int64) -> c_int, ffi::SQLITE_ERROR);

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: as in `pass_to_vfs`.
    let inner_vfs = unsafe { (*vfs).pAppData.cast::<ffi::sqlite3_vfs>() };
    // SAFETY: as above.
    let Some(open) = (unsafe { (*inner_vfs).xOpen }) else {
        return ffi::SQLITE_CANTOPEN;
    };
    let is_journal = flags & ffi::SQLITE_OPEN_WAL != 0;
    if name.is_null() || !(is_journal || flags & ffi::SQLITE_OPEN_MAIN_DB != 0) {
        // SAFETY: what SQLite allocated is longer than the system's file, which takes its beginning and answers for itself.
        return unsafe { open(inner_vfs, name, file, flags, out_flags) };
    }
    // SAFETY: `szOsFile` has room for the system's file there.
    let inner = unsafe { inner_of(file) };
    // SAFETY: SQLite asks that a method table is set or null in the end; the memory is ours until then.
    unsafe {
        (*file).pMethods = null();
        (*inner).pMethods = null();
    }
    // SAFETY: the arguments are SQLite's own, and the file has its room.
    let code = unsafe { open(inner_vfs, name, inner, flags, out_flags) };
    if code != ffi::SQLITE_OK {
        // SAFETY: the system's VFS has set its methods, or left them null.
        if let Some(close) = unsafe { (*inner).pMethods.as_ref() }.and_then(|it| it.xClose) {
            // SAFETY: a file whose methods are set is closed once.
            unsafe { close(inner) };
        }
        return code;
    }
    // SAFETY: a name that is not null is a string that ends with 0. <https://sqlite.org/c3ref/filename.html>
    let path = unsafe { CStr::from_ptr(name) }.to_bytes();
    let state = if is_journal {
        State::Journal(Shared::of(path.strip_suffix(b"-wal").unwrap_or(path)))
    } else {
        State::Database(Database {
            shared: Shared::of(path),
            header: None,
            early: Vec::new(),
            buffer: Vec::new(),
        })
    };
    // SAFETY: the memory is at least as long as a `ShimFile`, and aligned for pointers.
    unsafe {
        (*file.cast::<ShimFile>()).state = Box::into_raw(Box::new(state));
        (*file).pMethods = &raw const METHODS;
    }
    code
}

/// # Safety
/// `file` is one that SQLite allocated for this VFS.
unsafe fn inner_of(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: `szOsFile` bytes were allocated, of which the system's file begins there.
    unsafe { file.byte_add(INNER_AT) }
}

/// # Safety
/// `file` was opened by [`open`] with our methods and is not closed; no other reference to its state is alive.
unsafe fn state_of<'a>(file: *mut ffi::sqlite3_file) -> &'a mut State {
    // SAFETY: `open` put a boxed state there, which `close` alone takes away; SQLite calls one method of a file at a time.
    unsafe { &mut *(*file.cast::<ShimFile>()).state }
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 3,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: Some(fetch),
    xUnfetch: Some(unfetch),
};

/// Passes a call of a file's method on to the system's file.
macro_rules! pass_to_file {
    ($name:ident, $method:ident($($argument:ident: $kind:ty),*) -> $answer:ty, $missing:expr) => {
        unsafe extern "C" fn $name(file: *mut ffi::sqlite3_file, $($argument: $kind),*) -> $answer {
            // SAFETY: SQLite calls with a file that `open` has opened, so the system's lies behind ours.
            let inner = unsafe { inner_of(file) };
            // SAFETY: its methods were set when it was opened; the arguments are passed on as they came.
            unsafe { (*(*inner).pMethods).$method.map_or($missing, |call| call(inner, $($argument),*)) }
        }
    };
}

pass_to_file!(system_read, xRead(to: *mut c_void, amount: c_int, at: ffi::sqlite3_int64) -> c_int, ffi::SQLITE_IOERR_READ);
pass_to_file!(system_write, xWrite(from: *const c_void, amount: c_int, at: ffi::sqlite3_int64) -> c_int, ffi::SQLITE_IOERR_WRITE);
pass_to_file!(system_truncate, xTruncate(size: ffi::sqlite3_int64) -> c_int, ffi::SQLITE_IOERR_TRUNCATE);
pass_to_file!(system_close, xClose() -> c_int, ffi::SQLITE_OK);
pass_to_file!(sync, xSync(flags: c_int) -> c_int, ffi::SQLITE_IOERR_FSYNC);
pass_to_file!(file_size, xFileSize(out: *mut ffi::sqlite3_int64) -> c_int, ffi::SQLITE_IOERR_FSTAT);
pass_to_file!(lock, xLock(level: c_int) -> c_int, ffi::SQLITE_IOERR_LOCK);
pass_to_file!(unlock, xUnlock(level: c_int) -> c_int, ffi::SQLITE_IOERR_UNLOCK);
pass_to_file!(check_reserved_lock, xCheckReservedLock(out: *mut c_int) -> c_int, ffi::SQLITE_IOERR_CHECKRESERVEDLOCK);
pass_to_file!(file_control, xFileControl(what: c_int, argument: *mut c_void) -> c_int, ffi::SQLITE_NOTFOUND);
pass_to_file!(sector_size, xSectorSize() -> c_int, 0);
pass_to_file!(system_characteristics, xDeviceCharacteristics() -> c_int, 0);
pass_to_file!(shm_map, xShmMap(region: c_int, size: c_int, extend: c_int, out: *mut *mut c_void) -> c_int, ffi::SQLITE_IOERR_SHMMAP);
pass_to_file!(shm_lock, xShmLock(offset: c_int, count: c_int, flags: c_int) -> c_int, ffi::SQLITE_IOERR_SHMLOCK);
pass_to_file!(shm_barrier, xShmBarrier() -> (), ());
pass_to_file!(shm_unmap, xShmUnmap(delete: c_int) -> c_int, ffi::SQLITE_OK);

/// As the system's, but for parts of pages: SQLite would read long values past the checksums of their pages.
unsafe extern "C" fn device_characteristics(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: the file is one of ours.
    let all = unsafe { system_characteristics(file) };
    all & !ffi::SQLITE_IOCAP_SUBPAGE_READ
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: the file is one of ours; it is closed once.
    let code = unsafe { system_close(file) };
    // SAFETY: `open` made the box; after this call SQLite calls nothing of the file.
    drop(unsafe { Box::from_raw((*file.cast::<ShimFile>()).state) });
    code
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    to: *mut c_void,
    amount: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: the file is one of ours, and `to` has room for `amount` bytes.
    let code = unsafe { system_read(file, to, amount, at) };
    let is_short = code == ffi::SQLITE_IOERR_SHORT_READ;
    let (Ok(length), Ok(offset)) = (usize::try_from(amount), usize::try_from(at)) else {
        return code;
    };
    if code != ffi::SQLITE_OK && !is_short {
        return code;
    }
    // SAFETY: no other reference to the state is alive: each call takes its own.
    let state = unsafe { state_of(file) };
    // What came is not what was written, perhaps only on its way: once more.
    for is_again in [false, true] {
        if is_again {
            // SAFETY: as above.
            let again = unsafe { system_read(file, to, amount, at) };
            if again != code {
                return again;
            }
        }
        // SAFETY: the system's file has filled it, with zeros where the file ended.
        let bytes = unsafe { std::slice::from_raw_parts(to.cast::<u8>(), length) };
        let is_right = match state {
            State::Database(database) => {
                if database.header.is_none() {
                    // SAFETY: as above, and `header` is a buffer of its own.
                    database.header = unsafe { read_header(file) };
                }
                database.is_right(bytes, offset, is_short)
            }
            State::Journal(shared) => is_short || is_right_frame(shared, bytes, offset),
        };
        if is_right {
            return code;
        }
    }
    match state {
        State::Database(database) => {
            let page_bytes = database.header.map_or(0, |header| header.page_bytes);
            let page = offset.checked_div(page_bytes).unwrap_or(0) + 1;
            (database.shared).report(u32::try_from(page).unwrap_or(u32::MAX), false);
        }
        State::Journal(shared) => {
            let frame = frame_of(length, offset).map_or(0, |(frame, _)| frame) + 1;
            shared.report(u32::try_from(frame).unwrap_or(u32::MAX), true);
        }
    }
    ffi::SQLITE_IOERR_DATA
}

/// # Safety
/// `file` is one that [`open`] opened.
unsafe fn read_header(file: *mut ffi::sqlite3_file) -> Option<Header> {
    let mut header = [0_u8; HEADER_BYTES];
    let length = c_int::try_from(HEADER_BYTES).expect("100");
    // SAFETY: the file is one of ours, and the buffer has its length.
    let code = unsafe { system_read(file, header.as_mut_ptr().cast(), length, 0) };
    // Pages behind the first may be written before it.
    let is_there = code == ffi::SQLITE_OK && header.iter().any(|byte| *byte != 0);
    is_there.then(|| Header::parse(&header))
}

impl Database {
    /// Whether what was read can be what was written.
    fn is_right(&mut self, bytes: &[u8], at: usize, is_short: bool) -> bool {
        let Some(header) = self.header else {
            return true;
        };
        // SQLite reads pages whole, and the header alone before it knows how long they are.
        let is_of_header = at + bytes.len() <= HEADER_BYTES;
        if header.protection != Protection::Checksums || is_of_header {
            return true;
        }
        if bytes.len() != header.page_bytes || !at.is_multiple_of(header.page_bytes) {
            return false;
        }
        let Ok(number) = u32::try_from(at / header.page_bytes + 1) else {
            return false;
        };
        if !header.is_wal && bytes.iter().all(|byte| *byte == 0) {
            // A page of a copy under way that SQLite has not written, since nothing is in it.
            return true;
        }
        let is_right = !is_short && page::is_whole(number, bytes);
        if is_right && at == 0 {
            self.learn(Header::parse(bytes));
        }
        is_right
    }

    /// Takes in a header that is sure. Checksums that a file has are never given up.
    fn learn(&mut self, new: Header) {
        let known = self
            .header
            .filter(|known| known.protection == Protection::Checksums);
        self.header = Some(match known {
            Some(known) => Header {
                protection: known.protection,
                page_bytes: known.page_bytes,
                ..new
            },
            None => new,
        });
    }

    /// Whether the page at `at` gets a checksum; then it is in the buffer with it.
    fn seal(&mut self, bytes: &[u8], at: usize) -> bool {
        let Some(header) = self.header.filter(|header| header.has_reserve) else {
            return false;
        };
        let is_page = bytes.len() == header.page_bytes && at.is_multiple_of(header.page_bytes);
        let Some(number) = (at / header.page_bytes.max(1) + 1)
            .try_into()
            .ok()
            .filter(|_| is_page)
        else {
            return false;
        };
        self.buffer.clear();
        self.buffer.extend_from_slice(bytes);
        page::seal(number, &mut self.buffer);
        true
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    from: *const c_void,
    amount: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    let (Ok(length), Ok(offset)) = (usize::try_from(amount), usize::try_from(at)) else {
        return ffi::SQLITE_IOERR_WRITE;
    };
    // SAFETY: SQLite gives `amount` bytes, which it does not change during the call.
    let bytes = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), length) };
    // SAFETY: no other reference to the state is alive: each call takes its own.
    let state = unsafe { state_of(file) };
    let database = match state {
        State::Database(database) => database,
        State::Journal(shared) => {
            // SAFETY: the file is one of ours; the arguments are passed on as they came.
            let code = unsafe { system_write(file, from, amount, at) };
            if code == ffi::SQLITE_OK {
                remember(shared, bytes, offset);
            } else {
                shared.journal.forget_from(0);
            }
            return code;
        }
    };
    if offset == 0 && page::is_page(length) {
        database.learn(Header::parse(bytes));
    } else if database.header.is_none() {
        // SAFETY: the file is one of ours.
        database.header = unsafe { read_header(file) };
    }
    if database.header.is_none() {
        database.early.push((at, amount));
    }
    if database.seal(bytes, offset) {
        // SAFETY: the file is one of ours, and the buffer holds `amount` bytes.
        let code = unsafe { system_write(file, database.buffer.as_ptr().cast(), amount, at) };
        let early = std::mem::take(&mut database.early);
        if code != ffi::SQLITE_OK || early.is_empty() {
            return code;
        }
        // SAFETY: the file is one of ours.
        return unsafe { seal_early(file, database, early) };
    }
    // SAFETY: the file is one of ours; the arguments are passed on as they came.
    unsafe { system_write(file, from, amount, at) }
}

/// Gives pages that were written before the first one their checksums.
///
/// # Safety
/// `file` is one that [`open`] opened, and `database` its state.
unsafe fn seal_early(
    file: *mut ffi::sqlite3_file,
    database: &mut Database,
    early: Vec<(ffi::sqlite3_int64, c_int)>,
) -> c_int {
    for (at, amount) in early {
        let (Ok(length), Ok(offset)) = (usize::try_from(amount), usize::try_from(at)) else {
            continue;
        };
        let mut bytes = vec![0_u8; length];
        // SAFETY: the file is one of ours, and the buffer has room for `amount` bytes.
        let code = unsafe { system_read(file, bytes.as_mut_ptr().cast(), amount, at) };
        if code != ffi::SQLITE_OK {
            return code;
        }
        if database.seal(&bytes, offset) {
            // SAFETY: as above.
            let code = unsafe { system_write(file, database.buffer.as_ptr().cast(), amount, at) };
            if code != ffi::SQLITE_OK {
                return code;
            }
        }
    }
    ffi::SQLITE_OK
}

/// The frame of a `-wal` that was read or written, from 0, and where in the bytes its page begins.
fn frame_of(length: usize, at: usize) -> Option<(usize, usize)> {
    let (frame_bytes, start, page_at) = if page::is_page(length) {
        (length + FRAME_HEADER, JOURNAL_HEADER + FRAME_HEADER, 0)
    } else if length > FRAME_HEADER && page::is_page(length - FRAME_HEADER) {
        (length, JOURNAL_HEADER, FRAME_HEADER)
    } else {
        return None;
    };
    let after = at.checked_sub(start)?;
    (after.is_multiple_of(frame_bytes)).then_some((after / frame_bytes, page_at))
}

/// Whether a frame of the `-wal` is what was written, or recovered. What SQLite reads first of all it verifies itself.
fn is_right_frame(shared: &Shared, bytes: &[u8], at: usize) -> bool {
    let Some((frame, page_at)) = frame_of(bytes.len(), at) else {
        return true;
    };
    let sum = sum_of(&bytes[page_at..]);
    match shared.journal.is(frame, sum) {
        Some(is_right) => is_right,
        None => {
            // Whole frames are what it reads when it recovers.
            if page_at > 0 {
                shared.journal.set(frame, sum);
            }
            true
        }
    }
}

fn remember(shared: &Shared, bytes: &[u8], at: usize) {
    match frame_of(bytes.len(), at) {
        Some((frame, page_at)) => shared.journal.set(frame, sum_of(&bytes[page_at..])),
        None if at > 0 && bytes.len() == FRAME_HEADER => {}
        // The journal begins anew, or a frame is written in pieces.
        None => shared.journal.forget_from(0),
    }
}

fn sum_of(page: &[u8]) -> u64 {
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, page)
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: ffi::sqlite3_int64) -> c_int {
    // SAFETY: no other reference to the state is alive: each call takes its own.
    if let State::Journal(shared) = unsafe { state_of(file) }
        && size == 0
    {
        shared.journal.forget_from(0);
    }
    // SAFETY: the file is one of ours.
    unsafe { system_truncate(file, size) }
}

/// Pages are read, never mapped: so each is verified.
unsafe extern "C" fn fetch(
    _file: *mut ffi::sqlite3_file,
    _at: ffi::sqlite3_int64,
    _amount: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: SQLite gives a place for the answer; null says that the page is to be read.
    unsafe { *out = null_mut() };
    ffi::SQLITE_OK
}

unsafe extern "C" fn unfetch(
    _file: *mut ffi::sqlite3_file,
    _at: ffi::sqlite3_int64,
    _mapped: *mut c_void,
) -> c_int {
    ffi::SQLITE_OK
}
