//! The variables of webhooks, checked.

use octo_core::{SettingError, Settings, settings::text};

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
        let origin = text(settings, "webhook_origin")?;
        let host = origin.strip_prefix("https://").or(origin.strip_prefix("http://")).unwrap_or("");
        if host.is_empty() || host.contains(['/', '?', '#', '@', ' ']) {
            let rule = "must be an address such as `https://hooks.example.com`, without a path";
            return Err(SettingError::new("webhook_origin", rule));
        }
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
