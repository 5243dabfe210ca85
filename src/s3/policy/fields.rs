//! The fields of a form that stand before its file.

use crate::s3::values::error::S3Error;

/// The fields of a form that stand before `file`. Names lower case, unique.
#[derive(Debug, Clone, Default)]
pub struct FormFields {
    pub fields: Vec<(String, String)>,
}

impl FormFields {
    #[must_use]
    pub fn get(&self, lower_case_name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(name, _)| name == lower_case_name)
            .map(|(_, value)| value.as_str())
    }
    /// As [`FormFields::get`], for a field that the form must have.
    pub(super) fn required(&self, name: &'static str) -> Result<&str, S3Error> {
        self.get(&name.to_ascii_lowercase())
            .ok_or_else(|| missing_field(name, ""))
    }
    /// Those of `names` that the form does not have.
    pub(super) fn missing_of(&self, names: &[&'static str]) -> Vec<&'static str> {
        let is_missing = |name: &&&str| self.get(&name.to_ascii_lowercase()).is_none();
        names.iter().filter(is_missing).copied().collect()
    }
}

// AWS: the words for a missing field, whichever it is
pub(super) fn missing_field(name: &'static str, more: &str) -> S3Error {
    S3Error::invalid_argument(
        format!(
            "Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the fields.{more}"
        ),
        name,
        "",
    )
}
