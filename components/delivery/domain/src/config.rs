//! The variables of delivery, checked.

use std::time::Duration;

use octo_core::{
    SettingError, Settings,
    settings::{number, origin, seconds, text},
};

/// Everything delivery is told by variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where the rate is: an address without a path.
    pub rate_origin: String,
    /// And its path.
    pub rate_path: String,
    /// How long a rate that was fetched is used before it is asked for again; also no longer than its day.
    pub rate_refresh: Duration,
    /// How old a rate may be, in days, where there is no newer one.
    pub rate_max_days: i64,
    /// How many parcels a client may register in a day; `None` for any number.
    pub daily_per_client: Option<i64>,
    /// What links in the original's lists begin with; it ends with `/`.
    pub host_url: String,
}

impl Config {
    /// Reads and checks the variables.
    ///
    /// # Errors
    /// Names the variable and its rule.
    pub fn read(settings: &impl Settings) -> Result<Self, SettingError> {
        let rate_path = text(settings, "delivery_rate_path")?;
        if !rate_path.starts_with('/') {
            return Err(SettingError::new("delivery_rate_path", "must begin with `/`"));
        }
        let rate_origin = origin(settings, "delivery_rate_origin", "https://www.cbr-xml-daily.ru")?;
        let host_url = text(settings, "delivery_host_url")?;
        if !host_url.starts_with("http") || !host_url.ends_with('/') {
            let rule = "must be an address that ends with `/`, such as `https://octo.example.com/`";
            return Err(SettingError::new("delivery_host_url", rule));
        }
        Ok(Self {
            rate_origin,
            rate_path,
            rate_refresh: seconds(settings, "delivery_rate_refresh_seconds", 1..=86_400)?,
            rate_max_days: number(settings, "delivery_rate_max_days", 1..=60)?,
            daily_per_client: Some(number(settings, "parcels_daily_per_client", 0..=1_000_000)?)
                .filter(|most| *most > 0),
            host_url,
        })
    }
}
