//! A push parser of `multipart/form-data` as S3's POST needs it: fields up to `file`, then the file's bytes.
//! RFC 2046, RFC 7578. The result never depends on how the input is cut.
use super::S3Error;
use super::policy::FormFields;
use bytes::Bytes;

/// Reads the boundary from a `Content-Type`.
/// # Errors
/// `PreconditionFailed` (412) when it is no `multipart/form-data`; `MalformedPOSTRequest` when it has no usable boundary.
pub fn boundary(_content_type: Option<&str>) -> Result<String, S3Error> {
    todo!()
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
pub struct FormParser {}
impl FormParser {
    #[must_use]
    pub fn new(_boundary: &str) -> Self {
        todo!()
    }
    /// # Errors
    /// `MalformedPOSTRequest`, `MaxPostPreDataLengthExceeded`, `InvalidArgument` (a field twice).
    pub fn push(&mut self, _input: Bytes, _events: &mut Vec<FormEvent>) -> Result<(), S3Error> {
        todo!()
    }
    /// The body has ended.
    /// # Errors
    /// `MalformedPOSTRequest` (no closing boundary, no part), `InvalidArgument` (no `file`).
    pub fn finish(self) -> Result<(), S3Error> {
        todo!()
    }
}
