//! libFuzzer inside a test of Rust's own harness: so a law that is fuzzed may stand beside the private parser that it is
//! about, and no sanitizer, and so no nightly toolchain, is needed.
//!
//! This is the one place with `unsafe` code, and it is built for `tests/fuzz/run` alone (the feature `fuzz`).
use std::ffi::{CString, c_char, c_int};
use std::sync::OnceLock;

unsafe extern "C" {
    /// libFuzzer's own `main`.
    fn LLVMFuzzerRunDriver(
        count: *mut c_int,
        arguments: *mut *mut *mut c_char,
        one_input: unsafe extern "C" fn(*const u8, usize) -> c_int,
    ) -> c_int;
    /// Of `libfuzzer-sys`: calls [`rust_fuzzer_test_input`].
    fn LLVMFuzzerTestOneInput(data: *const u8, length: usize) -> c_int;
}

static LAW: OnceLock<fn(&[u8])> = OnceLock::new();

/// Holds `law` to what libFuzzer finds, until `FUZZ_ARGUMENTS` (<https://llvm.org/docs/LibFuzzer.html#options>) say that
/// it is enough; then the process ends. A law that panics ends it at once, and the input is kept as the arguments say.
///
/// # Panics
/// When it is called twice.
pub fn run(law: fn(&[u8])) -> ! {
    let arguments = std::env::var("FUZZ_ARGUMENTS").unwrap_or_default();
    LAW.set(law).expect("one law for each process");
    libfuzzer_sys::initialize(std::ptr::null(), std::ptr::null());
    let mut arguments: Vec<*mut c_char> = ["fuzz".to_owned()]
        .into_iter()
        .chain(arguments.split_whitespace().map(str::to_owned))
        .map(|argument| CString::new(argument).expect("no NUL").into_raw())
        .collect();
    let mut count = c_int::try_from(arguments.len()).expect("a few arguments");
    arguments.push(std::ptr::null_mut());
    let mut pointer = arguments.as_mut_ptr();
    // SAFETY: `pointer` is to `count` C strings and a null behind them, none of which is ever freed.
    let code =
        unsafe { LLVMFuzzerRunDriver(&raw mut count, &raw mut pointer, LLVMFuzzerTestOneInput) };
    std::process::exit(code)
}

// SAFETY: `libfuzzer-sys` looks for a function of this name and type, and there is no other.
#[unsafe(no_mangle)]
#[expect(
    improper_ctypes_definitions,
    reason = "it is called from Rust alone, by the same declaration"
)]
extern "C" fn rust_fuzzer_test_input(input: &[u8]) -> c_int {
    LAW.get().expect("set before libFuzzer runs")(input);
    0
}
