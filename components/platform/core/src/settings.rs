//! Raw variables parsed once into checked values, with errors that name the variable and the rule.

use std::{fmt::Display, ops::RangeInclusive, str::FromStr, time::Duration};

use crate::Settings;

/// A variable that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the variable `{name}` {rule}")]
pub struct SettingError {
    /// The variable's name in spin.toml.
    pub name: String,
    /// What it must be, as the rest of a sentence; never the value of a secret.
    pub rule: String,
}

impl SettingError {
    /// `name` breaks `rule`, such as "must be a whole number".
    pub fn new(name: &str, rule: impl Into<String>) -> Self {
        Self { name: name.to_owned(), rule: rule.into() }
    }
}

/// The text of `name`.
pub fn text(settings: &impl Settings, name: &str) -> Result<String, SettingError> {
    settings.get(name).ok_or_else(|| SettingError::new(name, "is not given to this component in spin.toml"))
}

/// An address without a path, of a host that may be called; `example` is one.
pub fn origin(settings: &impl Settings, name: &str, example: &str) -> Result<String, SettingError> {
    let origin = text(settings, name)?;
    let host = origin.strip_prefix("https://").or(origin.strip_prefix("http://")).unwrap_or("");
    if host.is_empty() || host.contains(['/', '?', '#', '@', ' ']) {
        let rule = format!("must be an address such as `{example}`, without a path");
        return Err(SettingError::new(name, rule));
    }
    Ok(origin)
}

/// A whole number in `range`.
pub fn number<N>(settings: &impl Settings, name: &str, range: RangeInclusive<N>) -> Result<N, SettingError>
where
    N: FromStr + PartialOrd + Display,
{
    let raw = text(settings, name)?;
    raw.trim().parse().ok().filter(|value| range.contains(value)).ok_or_else(|| {
        let rule = format!("must be a whole number from {} to {}; it is `{raw}`", range.start(), range.end());
        SettingError::new(name, rule)
    })
}

/// A switch: `on` or `off`.
pub fn switch(settings: &impl Settings, name: &str) -> Result<bool, SettingError> {
    match text(settings, name)?.trim() {
        "on" => Ok(true),
        "off" => Ok(false),
        other => Err(SettingError::new(name, format!("must be `on` or `off`; it is `{other}`"))),
    }
}

/// A time given in whole milliseconds.
pub fn milliseconds(
    settings: &impl Settings,
    name: &str,
    range: RangeInclusive<u64>,
) -> Result<Duration, SettingError> {
    number(settings, name, range).map(Duration::from_millis)
}

/// A time given in whole seconds.
pub fn seconds(
    settings: &impl Settings,
    name: &str,
    range: RangeInclusive<u64>,
) -> Result<Duration, SettingError> {
    number(settings, name, range).map(Duration::from_secs)
}
