//! Logs: their level and their format.
//!
//! Lines go to stderr, in colour only on a terminal. hangar's own code logs at the chosen level; every other crate logs at
//! `warn` at most, so that even at `trace` no library logs a query string, a header or a bound value of SQL. The spans and
//! ids of requests belong to the edge.

use std::io::IsTerminal;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// `HANGAR_LOG`: `LEVEL[,json]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSettings {
    pub level: LevelFilter,
    pub format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// Each line is a JSON object.
    Json,
}

impl LogSettings {
    pub(crate) const ACCEPTED: &'static str = "error, warn, info, debug, trace or off, and then perhaps \",json\", such as info or debug,json";

    #[must_use]
    pub fn at(level: LevelFilter) -> Self {
        Self {
            level,
            format: LogFormat::Text,
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (level, format) = match text.split_once(',') {
            Some((level, format)) if format.trim().eq_ignore_ascii_case("json") => {
                (level.trim(), LogFormat::Json)
            }
            Some(_) => return None,
            None => (text, LogFormat::Text),
        };
        let level = match level.to_ascii_lowercase().as_str() {
            "off" => LevelFilter::OFF,
            "error" => LevelFilter::ERROR,
            "warn" => LevelFilter::WARN,
            "info" => LevelFilter::INFO,
            "debug" => LevelFilter::DEBUG,
            "trace" => LevelFilter::TRACE,
            _ => return None,
        };
        Some(Self { level, format })
    }

    fn filter(self) -> Targets {
        Targets::new()
            .with_target("hangar", self.level)
            // It returns each error that it logs.
            .with_target("rustls_platform_verifier", LevelFilter::OFF)
            // It warns of faults that any client can cause. The connection is closed then, and the edge logs that.
            .with_target("h2", self.level.min(LevelFilter::ERROR))
            // It logs an error for each client that does not send HTTP. hangar logs the refusal itself.
            .with_target("actix_http::h1::dispatcher", LevelFilter::OFF)
            .with_default(self.level.min(LevelFilter::WARN))
    }
}

/// Starts logging. A second call in the same process changes nothing.
pub fn init(settings: LogSettings) {
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match settings.format {
        LogFormat::Text => lines
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let started = tracing_subscriber::registry()
        .with(lines.with_filter(settings.filter()))
        .try_init();
    if started.is_err() {
        tracing::debug!("logging was already started");
    }
}

/// An error and its causes as one text, for logs and commands. A cause that the text before it holds already is left out.
#[must_use]
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use tracing::Level;

    #[rstest]
    #[case("info", LevelFilter::INFO, LogFormat::Text)]
    #[case("WARN", LevelFilter::WARN, LogFormat::Text)]
    #[case("debug,json", LevelFilter::DEBUG, LogFormat::Json)]
    #[case("off, JSON", LevelFilter::OFF, LogFormat::Json)]
    fn a_log_setting_is_a_level_and_perhaps_a_format(
        #[case] text: &str,
        #[case] level: LevelFilter,
        #[case] format: LogFormat,
    ) {
        assert_eq!(
            LogSettings::parse(text),
            Some(LogSettings { level, format })
        );
    }

    #[rstest]
    fn an_unknown_level_is_refused(
        #[values("", "loud", "json", "info,xml", "hangar=debug", "info,json,json", "3")] text: &str,
    ) {
        assert_eq!(LogSettings::parse(text), None);
    }

    #[test]
    fn other_crates_never_log_below_warn() {
        let filter = LogSettings::parse("trace").unwrap().filter();
        assert!(filter.would_enable("hangar::http", &Level::TRACE));
        for other in ["sqlx::query", "actix_http::h1", "hyper", "reqwest", "log"] {
            assert!(filter.would_enable(other, &Level::WARN), "{other}");
            assert!(!filter.would_enable(other, &Level::INFO), "{other}");
        }
        // A client that keeps sending after its streams were reset causes this one.
        assert!(!filter.would_enable("h2::proto::streams::recv", &Level::WARN));
        assert!(filter.would_enable("h2::proto::streams::recv", &Level::ERROR));
        // A client that does not send HTTP would be logged as an error of the server.
        assert!(!filter.would_enable("actix_http::h1::dispatcher", &Level::ERROR));
        let quiet = LogSettings::parse("error").unwrap().filter();
        assert!(!quiet.would_enable("actix_server", &Level::WARN));
    }
}
