//! A setting that stops the start.

/// A setting that stops the start. Its text is one sentence for the administrator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongSetting {
    #[error("{setting} is {value:?}, but must be {accepted}")]
    Value {
        setting: String,
        value: String,
        accepted: &'static str,
    },
    #[error("{0}")]
    Sentence(String),
}
