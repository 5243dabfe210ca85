//! How a command fails: one sentence, and an exit code.

use crate::app::StartError;
use crate::client::ClientError;
use crate::config::WrongSetting;
use std::error::Error;

/// Why a command did not succeed, as it is printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// A wrong command line, or a wrong setting.
    Usage(String),
    Failed(String),
    /// Requested text (`--help`, `--version`); no failure.
    Help(String),
    /// Help that is shown because the command line is empty.
    Guidance(String),
}

impl Failure {
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Help(_) => 0,
            Self::Failed(_) => 1,
            Self::Usage(_) | Self::Guidance(_) => 2,
        }
    }
}

impl From<WrongSetting> for Failure {
    fn from(wrong: WrongSetting) -> Self {
        Self::Usage(wrong.to_string())
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Self::Failed(match error {
            StartError::Store(error) => error.sentence(),
            StartError::Refused(sentence) => sentence,
        })
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let mut cause = error.source();
        while let Some(error) = cause {
            tracing::debug!(%error, "caused by");
            cause = error.source();
        }
        match error {
            ClientError::BadAddress { .. } | ClientError::UnusableToken => {
                Self::Usage(error.to_string())
            }
            _ => Self::Failed(error.to_string()),
        }
    }
}

impl From<clap::Error> for Failure {
    fn from(error: clap::Error) -> Self {
        use clap::error::ErrorKind;
        match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Self::Help(error.to_string()),
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                Self::Guidance(error.to_string())
            }
            _ => Self::Usage(sentence_of(&error.to_string())),
        }
    }
}

/// clap's paragraphs as one sentence: what is wrong, its tip, and where to read on.
fn sentence_of(text: &str) -> String {
    let joined = |paragraph: &str| {
        let words: Vec<_> = paragraph.split_whitespace().collect();
        words.join(" ")
    };
    let mut paragraphs = text.split("\n\n").map(joined);
    let first = paragraphs.next().unwrap_or_default();
    let mut sentence = first.strip_prefix("error: ").unwrap_or(&first).to_owned();
    for paragraph in paragraphs {
        if let Some(tip) = paragraph.strip_prefix("tip: ") {
            sentence.push_str("; ");
            sentence.push_str(tip);
        }
    }
    sentence.push_str(" (--help shows examples)");
    sentence
}
