//! The line that parts a form: `CRLF -- boundary`, padding, `CRLF`; or with `--` behind the boundary, which ends it.
//! RFC 2046, section 5.1.1.
//!
//! A machine that takes one byte at a time, so that cuts of the input cannot matter; what lies before the next byte that
//! it needs to see is found by a search. A line that begins as the
//! delimiter does and goes on in another way (`--boundaryX`) is data.

use memchr::memchr;
use memchr::memmem::Finder;

/// Spaces and tabs that may stand behind a boundary. RFC 2046 sets no bound; gateways add one or two.
const MAX_PADDING: usize = 64;

pub(super) struct Delimiter {
    /// CR LF `--` boundary. CR occurs at its start only, so that a failed match can only begin again with a CR.
    pattern: Vec<u8>,
    finder: Finder<'static>,
    state: State,
}
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    /// So many bytes of the pattern were there.
    Pattern(usize),
    /// The whole pattern, and so many bytes of padding.
    Padding(usize),
    /// The pattern and one dash.
    Dash,
    /// The pattern, padding and CR.
    Cr,
}
/// What one more byte means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It is data, and so is what was held back.
    Data,
    /// What was held back is data; a delimiter may start here.
    Starts,
    /// It may still become a delimiter.
    Continues,
    /// It completes the delimiter of one more part.
    NextPart,
    /// It completes the closing delimiter.
    Close,
    /// It ends the delimiter's line, and a CR is missing before it.
    BareLf,
}
impl Delimiter {
    pub(super) fn new(boundary: &str) -> Self {
        let pattern = [b"\r\n--", boundary.as_bytes()].concat();
        Self {
            finder: Finder::new(&pattern).into_owned(),
            pattern,
            state: State::Pattern(2),
        }
    }
    /// While it is idle: where in the input it has to go on. All before that is data; `None`: all of it.
    pub(super) fn next_in(&self, input: &[u8]) -> Option<usize> {
        self.finder.find(input).or_else(|| {
            // Only the input's end can hold the beginning of a pattern that is cut in two.
            let end = input.len().saturating_sub(self.pattern.len() - 1);
            memchr(b'\r', &input[end..]).map(|at| end + at)
        })
    }
    /// At the start of the body and of a part's content the line break before the delimiter is already there.
    pub(super) fn restart_at_line_start(&mut self) {
        self.state = State::Pattern(2);
    }
    pub(super) fn is_idle(&self) -> bool {
        self.state == State::Idle
    }
    pub(super) fn feed(&mut self, byte: u8) -> Step {
        let (state, step) = match (self.state, byte) {
            (State::Pattern(count), _) if self.pattern[count] == byte => {
                if count + 1 == self.pattern.len() {
                    (State::Padding(0), Step::Continues)
                } else {
                    (State::Pattern(count + 1), Step::Continues)
                }
            }
            (State::Padding(count), b' ' | b'\t') if count < MAX_PADDING => {
                (State::Padding(count + 1), Step::Continues)
            }
            (State::Padding(0), b'-') => (State::Dash, Step::Continues),
            (State::Padding(_), b'\r') => (State::Cr, Step::Continues),
            (State::Padding(_), b'\n') => (State::Idle, Step::BareLf),
            (State::Dash, b'-') => (State::Idle, Step::Close),
            (State::Cr, b'\n') => (State::Idle, Step::NextPart),
            (_, b'\r') => (State::Pattern(1), Step::Starts),
            _ => (State::Idle, Step::Data),
        };
        self.state = state;
        step
    }
}
