//! The variables of subscriptions, checked.

use std::time::Duration;

use octo_core::{
    SettingError, Settings,
    settings::{milliseconds, switch},
};

/// Everything subscriptions are told by variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// How long a caller waits for the reply to a notification.
    pub reply_wait: Duration,
    /// Whether what the original's clients need and nobody else should have is allowed.
    pub legacy_rules: bool,
}

impl Config {
    /// Reads and checks the variables.
    ///
    /// # Errors
    /// Names the variable and its rule.
    pub fn read(settings: &impl Settings) -> Result<Self, SettingError> {
        Ok(Self {
            // Platforms give up on a request after 30 s.
            reply_wait: milliseconds(settings, "subscriptions_reply_wait_ms", 0..=25_000)?,
            legacy_rules: switch(settings, "legacy_rules")?,
        })
    }
}
