//! Steps at which a process can be made to crash, and system calls that can be made to fail. Tests use them to see what
//! is left and how the next start handles it.
//!
//! Only builds with debug assertions have them. `CRASH_AT=log-written` crashes there the first time,
//! `CRASH_AT=log-written:3` the third time. `FAULT_AT=log-sync:EIO` makes each sync of the log fail,
//! `FAULT_AT=log-sync:EIO:3` only the third. A release build ignores both.

use std::io;

/// Marks that a step that changes stored data is done. The process crashes here if the step is armed.
#[inline]
pub fn step(name: &str) {
    #[cfg(debug_assertions)]
    armed::step(name);
    #[cfg(not(debug_assertions))]
    let _ = name;
}

/// Called before a system call that can be made to fail.
///
/// # Errors
/// The error that was armed for the call.
#[inline]
#[cfg_attr(
    not(debug_assertions),
    expect(clippy::unnecessary_wraps, reason = "fails in builds that know faults")
)]
pub fn call(name: &str) -> io::Result<()> {
    #[cfg(debug_assertions)]
    armed::call(name)?;
    #[cfg(not(debug_assertions))]
    let _ = name;
    Ok(())
}

/// `crash`: `NAME` or `NAME:N`; `fault`: `NAME:ERROR` or `NAME:ERROR:N`. Only the first call has an effect.
#[cfg(debug_assertions)]
pub fn arm(crash: Option<&str>, fault: Option<&str>) {
    armed::arm(crash, fault);
}

#[cfg(debug_assertions)]
mod armed {
    use rustix::io::Errno;
    use std::io;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Point {
        name: String,
        error: Errno,
        /// `None`: every time.
        nth: Option<u64>,
        passed: AtomicU64,
    }

    static CRASH: OnceLock<Point> = OnceLock::new();
    static FAULT: OnceLock<Point> = OnceLock::new();

    pub(super) fn arm(crash: Option<&str>, fault: Option<&str>) {
        if let Some(at) = crash {
            let (name, nth) = at.split_once(':').unwrap_or((at, "1"));
            drop(CRASH.set(point(name, "", Some(nth))));
        }
        if let Some(at) = fault {
            let mut parts = at.splitn(3, ':');
            let (name, error) = (parts.next(), parts.next());
            let (name, error) = (name.unwrap_or_default(), error.unwrap_or_default());
            drop(FAULT.set(point(name, error, parts.next())));
        }
    }

    fn point(name: &str, error: &str, nth: Option<&str>) -> Point {
        let error = match error {
            "ENOSPC" => Errno::NOSPC,
            "EMFILE" => Errno::MFILE,
            "EROFS" => Errno::ROFS,
            _ => Errno::IO,
        };
        Point {
            name: name.to_owned(),
            error,
            nth: nth.map(|nth| nth.parse().unwrap_or(1)),
            passed: AtomicU64::new(0),
        }
    }

    /// The error of an armed point, if it is due now.
    fn is_due(point: &OnceLock<Point>, name: &str) -> Option<Errno> {
        let point = point.get().filter(|point| point.name == name)?;
        let time = point.passed.fetch_add(1, Ordering::SeqCst) + 1;
        let is_due = point.nth.is_none_or(|nth| nth == time);
        is_due.then_some(point.error)
    }

    pub(super) fn step(name: &str) {
        if is_due(&CRASH, name).is_some() {
            std::process::abort();
        }
    }

    pub(super) fn call(name: &str) -> io::Result<()> {
        is_due(&FAULT, name).map_or(Ok(()), |error| Err(error.into()))
    }
}
