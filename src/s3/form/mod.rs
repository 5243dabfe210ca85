//! A push parser of `multipart/form-data` as S3's POST needs it: fields up to `file`, then the file's bytes.
//! RFC 2046, RFC 7578; <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html>
//!
//! The result never depends on how the input is cut, memory never grows with the file, and all that stands before it
//! is bounded. A form that breaks the grammar, or ends before its closing boundary, is an error and never a shorter
//! file. It knows no policies, and reads no value but a part's name.
use crate::s3::form::delimiter::{Delimiter, Step};
use crate::s3::form::head::PartHead;
use crate::s3::policy::fields::FormFields;
use crate::s3::policy::file_name::{MAX_BYTES_BEFORE_FILE, MAX_FIELD_BYTES};
use crate::s3::values::error::{ErrorCode, S3Error};
use crate::s3::values::header_parameters::parameters;
use bytes::{Buf as _, Bytes};

mod delimiter;
mod head;
#[cfg(test)]
mod tests;

/// Fields before the file.
const MAX_FIELDS: usize = 100;
/// Bytes of one part's headers.
const MAX_HEAD_BYTES: usize = 8 * 1024;
/// Bytes that may follow the file: its form is checked, and the rest of it ignored.
const MAX_BYTES_AFTER_FILE: usize = 1 << 20;
/// RFC 2046: characters of a boundary.
const MAX_BOUNDARY_BYTES: usize = 70;

/// Reads the boundary from a `Content-Type`.
/// # Errors
/// `PreconditionFailed` (412) when it is no `multipart/form-data`; `MalformedPOSTRequest` when it has no usable boundary.
pub fn boundary(content_type: Option<&str>) -> Result<String, S3Error> {
    let content_type = content_type.unwrap_or_default();
    let kind = content_type.split(';').next().unwrap_or_default();
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        // AWS: the code, the words and the element for a body of another kind
        return Err(S3Error::new(ErrorCode::PreconditionFailed).extra(
            "Condition",
            "Bucket POST must be of the enclosure-type multipart/form-data",
        ));
    }
    let (_, parameters) = parameters(content_type.as_bytes())
        .ok_or_else(|| malformed("The Content-Type of the form is not well-formed."))?;
    let mut boundaries = parameters
        .into_iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case(b"boundary"))
        .map(|(_, value)| value);
    let boundary = boundaries
        .next()
        .ok_or_else(|| malformed("The Content-Type of the form has no boundary."))?;
    if boundaries.next().is_some() {
        return Err(malformed(
            "The Content-Type of the form states two boundaries.",
        ));
    }
    String::from_utf8(boundary)
        .ok()
        .filter(|boundary| is_boundary(boundary))
        .ok_or_else(|| {
            malformed("The boundary of the form is not 1 to 70 characters that RFC 2046 allows.")
        })
}
fn is_boundary(text: &str) -> bool {
    (1..=MAX_BOUNDARY_BYTES).contains(&text.len())
        && !text.ends_with(' ')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte))
}

/// What the parser has found.
#[derive(Debug)]
pub enum FormEvent {
    /// The head of the part named `file` was read: these fields came before it.
    FileBegins {
        fields: FormFields,
        file_name: Option<String>,
    },
    /// Bytes of the file.
    Data(Bytes),
    /// The file's closing delimiter was read. What follows it (fields, epilogue) is checked for its form and dropped.
    FileEnds,
}

/// Where in the form the next byte stands.
enum Section {
    /// Before the first delimiter.
    Preamble,
    /// In the header lines of a part, the line end of its delimiter read.
    Head(Vec<u8>),
    /// In the value of a field that stands before the file.
    Field { name: String, value: Vec<u8> },
    /// In the file's content.
    File,
    /// In a part after the file.
    Ignored,
    /// Behind the closing delimiter.
    Epilogue(Epilogue),
}
enum Epilogue {
    /// On the closing delimiter's own line.
    Line,
    /// That line's CR was read.
    Cr,
    /// On later lines, which may hold anything.
    Anything,
}
/// See the module's comment. After an error it must not be used again.
pub struct FormParser {
    delimiter: Delimiter,
    section: Section,
    /// What may be the start of a delimiter, from this input or an earlier one.
    held: Vec<u8>,
    fields: FormFields,
    file_seen: bool,
    /// Bytes read before the file's content, and after it.
    bytes_before: usize,
    bytes_after: usize,
}
impl FormParser {
    #[must_use]
    pub fn new(boundary: &str) -> Self {
        Self {
            delimiter: Delimiter::new(boundary),
            section: Section::Preamble,
            held: Vec::new(),
            fields: FormFields::default(),
            file_seen: false,
            bytes_before: 0,
            bytes_after: 0,
        }
    }
    /// # Errors
    /// `MalformedPOSTRequest`, `MaxPostPreDataLengthExceeded`, `InvalidArgument` (a field twice).
    pub fn push(&mut self, mut input: Bytes, events: &mut Vec<FormEvent>) -> Result<(), S3Error> {
        while !input.is_empty() {
            let read = match self.section {
                Section::File => self.push_file(&input, events)?,
                Section::Preamble | Section::Field { .. } | Section::Ignored => {
                    self.push_data(&input)?
                }
                Section::Head(_) | Section::Epilogue(_) => 0,
            };
            input.advance(read);
            if read == 0 {
                self.push_byte(input.get_u8(), events)?;
            }
        }
        Ok(())
    }
    /// The body has ended.
    /// # Errors
    /// `MalformedPOSTRequest` (no closing boundary, no part), `InvalidArgument` (no `file`).
    pub fn finish(self) -> Result<(), S3Error> {
        match self.section {
            Section::Preamble if self.bytes_before == 0 => {
                Err(malformed("The form has no part: the body arrived empty."))
            }
            Section::Preamble => Err(malformed(
                "The form has no part: no line of the body is the boundary that Content-Type states.",
            )),
            Section::Epilogue(_) if self.file_seen => Ok(()),
            Section::Epilogue(_) if self.fields.fields.is_empty() => Err(malformed(
                "The form has no part: its first boundary closes it.",
            )),
            Section::Epilogue(_)
                if self.fields.fields.iter().all(|(_, value)| value.is_empty()) =>
            {
                Err(malformed(
                    "The form has no part named 'file', and all its fields arrived empty.",
                ))
            }
            Section::Epilogue(_) => Err(one_file()),
            _ => Err(malformed("The form ends before its closing boundary.")),
        }
    }

    /// Reads everything but the file's content, whose size is bounded: one byte.
    fn push_byte(&mut self, byte: u8, events: &mut Vec<FormEvent>) -> Result<(), S3Error> {
        self.count_bytes(1)?;
        match &mut self.section {
            Section::Head(head) => {
                if push_head(head, byte)? {
                    let head = std::mem::take(head);
                    self.begin_part(&head, events)?;
                }
                Ok(())
            }
            Section::Epilogue(epilogue) => epilogue.push(byte),
            Section::Preamble | Section::Field { .. } | Section::File | Section::Ignored => {
                self.push_content(byte)
            }
        }
    }
    fn count_bytes(&mut self, count: usize) -> Result<(), S3Error> {
        if self.file_seen {
            self.bytes_after += count;
            if self.bytes_after > MAX_BYTES_AFTER_FILE {
                return Err(malformed("More than 1 MiB follows the file in the form."));
            }
        } else {
            self.bytes_before += count;
            if self.bytes_before > MAX_BYTES_BEFORE_FILE {
                return Err(too_large());
            }
        }
        Ok(())
    }
    /// Reads what is no delimiter for sure of the preamble, of a field's value or of an ignored part, and answers how many
    /// bytes that took.
    fn push_data(&mut self, input: &[u8]) -> Result<usize, S3Error> {
        if !self.delimiter.is_idle() {
            return Ok(0);
        }
        let length = self.delimiter.next_in(input).unwrap_or(input.len());
        self.count_bytes(length)?;
        self.held.extend_from_slice(&input[..length]);
        self.keep_held()?;
        Ok(length)
    }
    /// Reads one byte of the preamble, of a field's value or of an ignored part.
    fn push_content(&mut self, byte: u8) -> Result<(), S3Error> {
        match self.delimiter.feed(byte) {
            Step::Continues => self.held.push(byte),
            Step::Starts => {
                self.keep_held()?;
                self.held.push(byte);
            }
            Step::Data => {
                self.held.push(byte);
                self.keep_held()?;
            }
            Step::NextPart => {
                self.end_part()?;
                self.section = Section::Head(Vec::new());
            }
            Step::Close => {
                self.end_part()?;
                self.section = Section::Epilogue(Epilogue::Line);
            }
            Step::BareLf => return Err(bare_line_end()),
        }
        Ok(())
    }
    /// The bytes held back are no delimiter: they belong to a field's value, or are dropped.
    fn keep_held(&mut self) -> Result<(), S3Error> {
        if let Section::Field { value, .. } = &mut self.section {
            value.extend_from_slice(&self.held);
            if value.len() > MAX_FIELD_BYTES {
                return Err(too_large());
            }
        }
        self.held.clear();
        Ok(())
    }
    fn end_part(&mut self) -> Result<(), S3Error> {
        self.held.clear();
        if let Section::Field { name, value } =
            std::mem::replace(&mut self.section, Section::Ignored)
        {
            let value = String::from_utf8(value).map_err(|_| {
                malformed("The value of a form field is not UTF-8.").extra("ArgumentName", &name)
            })?;
            self.fields.fields.push((name, value));
        }
        Ok(())
    }
    /// The head of a part is complete: decides what its content is.
    fn begin_part(&mut self, head: &[u8], events: &mut Vec<FormEvent>) -> Result<(), S3Error> {
        self.delimiter.restart_at_line_start();
        let part = PartHead::parse(head);
        let is_file = |part: &PartHead| part.name.eq_ignore_ascii_case("file");
        if self.file_seen {
            if part.is_ok_and(|part| is_file(&part)) {
                return Err(one_file());
            }
            self.section = Section::Ignored;
            return Ok(());
        }
        let part = part.map_err(malformed)?;
        if is_file(&part) {
            self.file_seen = true;
            self.section = Section::File;
            events.push(FormEvent::FileBegins {
                fields: std::mem::take(&mut self.fields),
                file_name: part.file_name,
            });
            return Ok(());
        }
        let name = part.name.to_lowercase();
        if self.fields.get(&name).is_some() {
            return Err(S3Error::invalid_argument(
                "The form states a field twice before the file.",
                name,
                "",
            ));
        }
        if self.fields.fields.len() == MAX_FIELDS {
            return Err(too_large());
        }
        self.section = Section::Field {
            name,
            value: Vec::new(),
        };
        Ok(())
    }

    /// Reads the file's content and answers how many bytes it took. Hands out slices of the input; only what may be a
    /// delimiter cut in two is copied.
    fn push_file(&mut self, input: &Bytes, events: &mut Vec<FormEvent>) -> Result<usize, S3Error> {
        // input[..candidate] is data, input[candidate..at] may be a delimiter that `held` begins
        let mut candidate = 0;
        let mut at = 0;
        while at < input.len() {
            if self.delimiter.is_idle() {
                let Some(next) = self.delimiter.next_in(&input[at..]) else {
                    candidate = input.len();
                    break;
                };
                at += next;
            }
            let step = self.delimiter.feed(input[at]);
            match step {
                Step::Continues => {}
                Step::Data | Step::Starts => {
                    emit(events, Bytes::from(std::mem::take(&mut self.held)));
                    candidate = if step == Step::Starts { at } else { at + 1 };
                }
                Step::NextPart | Step::Close => {
                    self.held.clear();
                    emit(events, input.slice(..candidate));
                    events.push(FormEvent::FileEnds);
                    self.section = if step == Step::Close {
                        Section::Epilogue(Epilogue::Line)
                    } else {
                        Section::Head(Vec::new())
                    };
                    return Ok(at + 1);
                }
                Step::BareLf => return Err(bare_line_end()),
            }
            at += 1;
        }
        emit(events, input.slice(..candidate));
        self.held.extend_from_slice(&input[candidate..]);
        Ok(input.len())
    }
}
impl Epilogue {
    fn push(&mut self, byte: u8) -> Result<(), S3Error> {
        *self = match (&self, byte) {
            (Self::Line, b' ' | b'\t') => Self::Line,
            (Self::Line, b'\r') => Self::Cr,
            (Self::Cr, b'\n') | (Self::Anything, _) => Self::Anything,
            (Self::Line, b'\n') => return Err(bare_line_end()),
            (Self::Line | Self::Cr, _) => {
                return Err(malformed(
                    "Something other than a line end follows the closing boundary.",
                ));
            }
        };
        Ok(())
    }
}
/// Adds a byte to a part's header lines; answers whether they are complete.
fn push_head(head: &mut Vec<u8>, byte: u8) -> Result<bool, S3Error> {
    let after_cr = head.last() == Some(&b'\r');
    if after_cr != (byte == b'\n') {
        return Err(bare_line_end());
    }
    head.push(byte);
    if head.len() > MAX_HEAD_BYTES {
        return Err(too_large());
    }
    Ok(head == b"\r\n" || head.ends_with(b"\r\n\r\n"))
}
fn emit(events: &mut Vec<FormEvent>, data: Bytes) {
    if !data.is_empty() {
        events.push(FormEvent::Data(data));
    }
}
fn malformed(message: &'static str) -> S3Error {
    S3Error::with_message(ErrorCode::MalformedPOSTRequest, message)
}
fn bare_line_end() -> S3Error {
    malformed("A line of the form ends in LF or CR alone; multipart/form-data wants CR LF.")
}
fn one_file() -> S3Error {
    S3Error::invalid_argument(
        "POST requires exactly one file upload per request",
        "file",
        "",
    )
}
/// One error for all the limits, so that it does not matter which of them is met first.
fn too_large() -> S3Error {
    S3Error::new(ErrorCode::MaxPostPreDataLengthExceeded)
}
