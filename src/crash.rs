//! Steps at which a process can be made to stop dead, to see what the next start makes of what it left.
//!
//! Only builds with debug assertions know them: `CRASH_AT=log-written` stops there the first time, `CRASH_AT=log-written:3`
//! the third. In a release a step is nothing at all.

/// A step that is done, of those that change what is kept.
#[inline]
pub fn step(name: &str) {
    #[cfg(debug_assertions)]
    armed::step(name);
    #[cfg(not(debug_assertions))]
    let _ = name;
}

/// `NAME` or `NAME:N`; the first call counts.
#[cfg(debug_assertions)]
pub fn arm(at: &str) {
    armed::arm(at);
}

#[cfg(debug_assertions)]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Armed {
        name: String,
        /// Times that it is passed before the end.
        left: AtomicU64,
    }

    static ARMED: OnceLock<Armed> = OnceLock::new();

    pub(super) fn arm(at: &str) {
        let (name, times) = at.split_once(':').unwrap_or((at, "1"));
        let times = times.parse().unwrap_or(1);
        drop(ARMED.set(Armed {
            name: name.to_owned(),
            left: AtomicU64::new(times),
        }));
    }

    pub(super) fn step(name: &str) {
        if let Some(armed) = ARMED.get()
            && armed.name == name
            && armed.left.fetch_sub(1, Ordering::SeqCst) == 1
        {
            std::process::abort();
        }
    }
}
