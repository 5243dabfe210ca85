//! Output: results to stdout, messages to stderr, and the text of both.

use crate::cli::failure::Failure;
use serde_json::Value;
use std::ffi::OsStr;
use std::future::Future;
use std::io::{ErrorKind, IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

/// Prints a result to stdout. A reader that closed the pipe (`… | head`) is no error.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::Failed(format!(
            "the result cannot be written to stdout: {error}"
        ))),
        _ => Ok(()),
    }
}

/// Prints a message to stderr. If stderr is closed, the message is lost.
pub(super) fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

impl Failure {
    /// Prints it: help that was asked for to stdout, the rest to stderr.
    pub fn print(&self) {
        match self {
            // The reader that closed the pipe has read enough.
            Self::Help(text) => drop(print(text.trim_end())),
            Self::Guidance(text) => say(text.trim_end()),
            Self::Usage(sentence) | Self::Failed(sentence) => {
                say(&format!("hangar: {sentence}"));
            }
        }
    }
}

/// Whether only errors are printed: `--quiet`, `--log error` or `HANGAR_LOG=error`, as in a cron job.
pub(super) fn is_quiet() -> bool {
    !tracing::enabled!(tracing::Level::WARN)
}

/// Prints a message that a cron job does not need.
pub(super) fn say_unless_quiet(text: &str) {
    if !is_quiet() {
        say(text);
    }
}

/// Prints a report of success to stdout, or nothing if only errors are printed.
pub(super) fn report(text: &str) -> Result<(), Failure> {
    if is_quiet() { Ok(()) } else { print(text) }
}

/// Prints a report of problems: to stdout, or to stderr if only errors are printed.
pub(super) fn report_trouble(text: &str) -> Result<(), Failure> {
    if is_quiet() {
        say(text);
        return Ok(());
    }
    print(text)
}

/// Prints a line in place of the line before; `""` clears it.
pub(super) fn show(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = write!(stderr, "\r\x1b[K{text}").and_then(|()| stderr.flush());
}

/// The progress of long work, and about how long it will take.
pub(super) fn progress(what: &str, done_bytes: u64, total_bytes: u64, took: Duration) -> String {
    let percent = (done_bytes * 100).checked_div(total_bytes).unwrap_or(0);
    let left = total_bytes.saturating_sub(done_bytes);
    let estimate = (took.as_secs() * left).checked_div(done_bytes).unwrap_or(0);
    let (done, total) = (size(done_bytes), size(total_bytes));
    format!("{done} of {total} {what}, {percent} %, about {estimate} s left")
}

/// Waits for work, and shows its progress if `shows`.
pub(super) async fn while_showing<T>(
    work: impl Future<Output = T>,
    shows: bool,
    mut line: impl FnMut() -> String,
) -> T {
    const EVERY: Duration = Duration::from_millis(500);
    let mut work = std::pin::pin!(work);
    loop {
        match tokio::time::timeout(EVERY, &mut work).await {
            Ok(done) => {
                if shows {
                    show("");
                }
                return done;
            }
            Err(_) if shows => show(&line()),
            Err(_) => {}
        }
    }
}

/// Whether a person reads stderr.
pub(super) fn stderr_is_a_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// Text that came from elsewhere, on one line and without control characters.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

/// These bytes as one word of a shell.
pub(super) fn quoted(text: &OsStr) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-:@%+,=".contains(c);
    match text.to_str() {
        Some(text) if !text.is_empty() && text.chars().all(is_plain) => text.to_owned(),
        Some(text) if !text.chars().any(char::is_control) => {
            format!("'{}'", text.replace('\'', r"'\''"))
        }
        // A terminal shows none of these bytes; POSIX: printf takes them in octal.
        _ => {
            let octal = text.as_bytes().iter().map(|byte| match byte {
                b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'/' | b'.' | b'_' | b'-' => {
                    char::from(*byte).to_string()
                }
                byte => format!("\\{byte:03o}"),
            });
            format!("\"$(printf '{}')\"", octal.collect::<String>())
        }
    }
}

/// Rows as columns of equal width, the first row being the head. Cells are made printable here.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    const GAP: usize = 2;
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| printable(cell)).collect())
        .collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let lines: Vec<String> = rows
        .iter()
        .map(|row| {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', width + GAP - cell.chars().count()));
            }
            line.trim_end().to_owned()
        })
        .collect();
    lines.join("\n")
}

/// JSON for people and programs.
pub(super) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("a JSON value can be written")
}

/// A time of an answer: text as in RFC 3339, or milliseconds.
pub(super) fn instant(value: &Value) -> Option<jiff::Timestamp> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(millis) => jiff::Timestamp::from_millisecond(millis.as_i64()?).ok(),
        _ => None,
    }
}

/// For people: to the minute.
pub(super) fn moment(value: &Value) -> Option<String> {
    instant(value).map(|at| at.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

/// `1,234,567`
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A secret that a person can recognise and that cannot be used.
pub(super) fn shortened_secret(secret: &str) -> String {
    const SHOWN_CHARS: usize = 14;
    let shown: String = secret.chars().take(SHOWN_CHARS).collect();
    format!("{shown}…")
}

/// Bytes in the largest unit that fits.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let (mut whole, mut tenths, mut unit) = (bytes, 0, "bytes");
    for next in UNITS {
        if whole < 1024 {
            break;
        }
        tenths = whole % 1024 * 10 / 1024;
        whole /= 1024;
        unit = next;
    }
    if unit == "bytes" {
        format!("{whole} {unit}")
    } else {
        format!("{whole}.{tenths} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_for_a_shell_means_what_it_was() {
        for text in [
            "/srv/hangar",
            "my files",
            "it's",
            "$HOME `id`",
            "",
            "two\nlines",
            "-n",
            "ż",
            "a\\b",
            "tab\there",
            "100%",
        ] {
            let word = quoted(OsStr::new(text));
            assert!(!word.chars().any(char::is_control), "{word}");
            let echoed = std::process::Command::new("sh")
                .arg("-c")
                .arg(format!("printf '%s' {word}"))
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(echoed.stdout).unwrap(), text, "{word}");
        }
        let bytes = OsStr::from_bytes(b"/srv/\xff%");
        assert_eq!(quoted(bytes), r#""$(printf '/srv/\377\045')""#);
    }

    #[test]
    fn a_size_is_shown_in_the_largest_unit_that_fits() {
        let shown: Vec<_> = [0, 1023, 1024, 1536, 5 << 20, 3 << 40]
            .into_iter()
            .map(size)
            .collect();
        insta::assert_snapshot!(shown.join(", "), @"0 bytes, 1023 bytes, 1.0 KiB, 1.5 KiB, 5.0 MiB, 3.0 TiB");
    }
}
