//! Logs: how much is said, and in which form.
//!
//! Lines go to stderr, in colour only on a terminal. hangar's own code speaks at the chosen level; every other crate
//! is capped at `warn`, so that even at `trace` no library prints a query string, a header or a bind of SQL. Request
//! spans and their ids belong to the edge.

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
    pub form: LogForm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogForm {
    /// Lines for people.
    Text,
    /// One JSON object for each line.
    Json,
}

impl LogSettings {
    pub(crate) const ACCEPTED: &'static str = "error, warn, info, debug, trace or off, and then perhaps \",json\", such as info or debug,json";

    #[must_use]
    pub fn at(level: LevelFilter) -> Self {
        Self {
            level,
            form: LogForm::Text,
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (level, form) = match text.split_once(',') {
            Some((level, form)) if form.trim().eq_ignore_ascii_case("json") => {
                (level.trim(), LogForm::Json)
            }
            Some(_) => return None,
            None => (text, LogForm::Text),
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
        Some(Self { level, form })
    }

    fn filter(self) -> Targets {
        Targets::new()
            .with_target("hangar", self.level)
            // It answers what it logs.
            .with_target("rustls_platform_verifier", LevelFilter::OFF)
            // What any client can bring about is no warning; the connection is closed, and who keeps it says so.
            .with_target("h2", self.level.min(LevelFilter::ERROR))
            // It reports each client that sends no HTTP as an error. hangar logs the refusal itself.
            .with_target("actix_http::h1::dispatcher", LevelFilter::OFF)
            .with_default(self.level.min(LevelFilter::WARN))
    }
}

/// Begins to log. A second call in one process changes nothing.
pub fn init(settings: LogSettings) {
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match settings.form {
        LogForm::Text => lines
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .boxed(),
        LogForm::Json => lines.json().flatten_event(true).boxed(),
    };
    let started = tracing_subscriber::registry()
        .with(lines.with_filter(settings.filter()))
        .try_init();
    if started.is_err() {
        tracing::debug!("logging has begun already");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use tracing::Level;

    #[rstest]
    #[case("info", LevelFilter::INFO, LogForm::Text)]
    #[case("WARN", LevelFilter::WARN, LogForm::Text)]
    #[case("debug,json", LevelFilter::DEBUG, LogForm::Json)]
    #[case("off, JSON", LevelFilter::OFF, LogForm::Json)]
    fn a_log_setting_is_a_level_and_perhaps_a_form(
        #[case] text: &str,
        #[case] level: LevelFilter,
        #[case] form: LogForm,
    ) {
        assert_eq!(LogSettings::parse(text), Some(LogSettings { level, form }));
    }

    #[rstest]
    fn what_is_no_level_is_refused(
        #[values("", "loud", "json", "info,xml", "hangar=debug", "info,json,json", "3")] text: &str,
    ) {
        assert_eq!(LogSettings::parse(text), None);
    }

    #[test]
    fn other_crates_never_speak_below_warn() {
        let filter = LogSettings::parse("trace").unwrap().filter();
        assert!(filter.would_enable("hangar::http", &Level::TRACE));
        for other in ["sqlx::query", "actix_http::h1", "hyper", "reqwest", "log"] {
            assert!(filter.would_enable(other, &Level::WARN), "{other}");
            assert!(!filter.would_enable(other, &Level::INFO), "{other}");
        }
        // A client that sends on after its streams were reset brings this one about.
        assert!(!filter.would_enable("h2::proto::streams::recv", &Level::WARN));
        assert!(filter.would_enable("h2::proto::streams::recv", &Level::ERROR));
        // A client that sends no HTTP would be an error of the server.
        assert!(!filter.would_enable("actix_http::h1::dispatcher", &Level::ERROR));
        let quiet = LogSettings::parse("error").unwrap().filter();
        assert!(!quiet.would_enable("actix_server", &Level::WARN));
    }
}
