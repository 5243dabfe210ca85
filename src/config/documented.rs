//! The settings as docs/settings.md describes them, for the tests that hold the page against the code.

const PAGE: &str = include_str!("../../docs/settings.md");

/// One row of the table of settings.
#[derive(Debug)]
pub(crate) struct Documented {
    /// Names of the first column, and of the text, where other names of a pair stand.
    pub(crate) names: Vec<&'static str>,
    /// The default, where it is a value that can be written in the setting.
    pub(crate) default: Option<&'static str>,
}

/// Every row of the table of settings.
pub(crate) fn settings() -> Vec<Documented> {
    let rows = PAGE.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<_> = row.split(" | ").collect();
        let text = cells.first().into_iter().chain(cells.get(2));
        let names = text.flat_map(|cell| codes(cell)).filter(|name| {
            name.len() > 3
                && name
                    .bytes()
                    .all(|it| it.is_ascii_uppercase() || it.is_ascii_digit() || it == b'_')
        });
        let default = cells.get(1).copied().unwrap_or_default();
        let value = default
            .strip_prefix('`')
            .and_then(|rest| rest.strip_suffix('`'))
            .filter(|value| !value.contains('`'));
        Documented {
            names: names.collect(),
            default: value,
        }
    })
    .collect()
}

/// The examples of durations and of sizes in the page's first paragraph.
pub(crate) fn quantities() -> (Vec<&'static str>, Vec<&'static str>) {
    let (_, durations) = PAGE.split_once("Durations are").unwrap_or_default();
    let (durations, sizes) = durations.split_once("; sizes are").unwrap_or_default();
    let (sizes, _) = sizes.split_once("or a number of bytes").unwrap_or_default();
    (codes(durations).collect(), codes(sizes).collect())
}

/// The texts between backticks.
fn codes(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.split('`').skip(1).step_by(2)
}
