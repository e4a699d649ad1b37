//! The variables of webhooks, checked.

use octo_core::{
    SettingError, Settings,
    settings::{origin, text},
};

use crate::Secret;

/// Where events are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The address of the program that gets them.
    pub url: String,
    /// What they are signed with; `None`: nothing is sent.
    pub secret: Option<Secret>,
}

impl Config {
    /// Reads and checks the variables.
    ///
    /// # Errors
    /// Names the variable and its rule.
    pub fn read(settings: &impl Settings) -> Result<Self, SettingError> {
        let origin = origin(settings, "webhook_origin", "https://hooks.example.com")?;
        let path = text(settings, "webhook_path")?;
        if !path.starts_with('/') {
            return Err(SettingError::new("webhook_path", "must begin with `/`"));
        }
        let secret = match text(settings, "webhook_secret")?.as_str() {
            "" => None,
            text => Some(Secret::parse(text).ok_or_else(|| {
                let rule = "must be `whsec_` and 24 to 64 bytes in base64";
                SettingError::new("webhook_secret", rule)
            })?),
        };
        Ok(Self { url: format!("{origin}{path}"), secret })
    }
}
