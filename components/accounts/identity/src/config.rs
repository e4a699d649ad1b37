//! The variables of `auth`, checked.

use std::time::Duration;

use octo_access::SigningKey;
use octo_core::{
    SettingError, Settings,
    settings::{number, seconds, switch, text},
};

use crate::{password::Rules, signing::KeyPolicy};

const SHORTEST_BOOTSTRAP_SECRET: usize = 32;

/// Everything `auth` is told by variables.
pub struct Config {
    /// Lifetime of an access token.
    pub access_token: Duration,
    /// Longest life of a session, however often it is refreshed.
    pub session: Duration,
    /// The keys that sign and that are published.
    pub keys: KeyPolicy,
    /// What makes the first administrator; `None` when nobody can.
    pub bootstrap_secret: Option<String>,
    /// Which passwords accounts may be given.
    pub password_rules: Rules,
    /// How many passwords may be hashed at once, over all instances.
    pub hash_slots: i64,
    /// Free messages of one user in a day, as the gateway counts them; 0 for none of the operator's choice.
    pub free_daily_per_user: i64,
}

impl Config {
    /// Reads and checks the variables.
    pub fn read(settings: &impl Settings) -> Result<Self, SettingError> {
        let days = number(settings, "signing_key_days", 0..=3650)?;
        let keys = KeyPolicy {
            given: key(settings, "signing_key")?,
            published: key(settings, "published_key")?,
            lifetime: (days > 0).then(|| Duration::from_secs(days * 24 * 3600)),
        };
        let bootstrap_secret = Some(text(settings, "bootstrap_secret")?).filter(|secret| !secret.is_empty());
        if bootstrap_secret.as_ref().is_some_and(|secret| secret.len() < SHORTEST_BOOTSTRAP_SECRET) {
            let rule = format!("must have at least {SHORTEST_BOOTSTRAP_SECRET} characters");
            return Err(SettingError::new("bootstrap_secret", rule));
        }
        let legacy_rules = switch(settings, "legacy_rules")?;
        Ok(Self {
            access_token: seconds(settings, "access_token_seconds", 60..=3600)?,
            session: seconds(settings, "session_seconds", 3600..=31_536_000)?,
            keys,
            bootstrap_secret,
            password_rules: if legacy_rules { Rules::Legacy } else { Rules::Modern },
            hash_slots: number(settings, "password_hash_slots", 1..=256)?,
            free_daily_per_user: number(settings, "free_daily_per_user", 0..=1_000_000)?,
        })
    }
}

fn key(settings: &impl Settings, name: &str) -> Result<Option<SigningKey>, SettingError> {
    match text(settings, name)? {
        pem if pem.trim().is_empty() => Ok(None),
        pem => {
            SigningKey::from_pem(&pem).map(Some).map_err(|error| SettingError::new(name, error.to_string()))
        }
    }
}
