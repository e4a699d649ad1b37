//! The variables of the shop, checked.

use std::{ops::RangeInclusive, time::Duration};

use octo_core::{SettingError, Settings, settings::number};

/// Everything the shop is told by variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How long an order stays created, then in processing.
    pub processing: Duration,
    /// How long an order stays in processing, then on its way.
    pub shipping: Duration,
    /// How many seconds an order is on its way: drawn from this range.
    pub delivery_seconds: RangeInclusive<u64>,
    /// How long the original's clients still see an order that was delivered.
    pub delivered_shown: Duration,
    /// What those who have paid access save, in percent.
    pub paid_discount: i64,
}

impl Config {
    /// Reads and checks the variables.
    ///
    /// # Errors
    /// Names the variable and its rule.
    pub fn read(settings: &impl Settings) -> Result<Self, SettingError> {
        let seconds = |name| number::<u64>(settings, name, 0..=31_536_000);
        let (least, most) = (seconds("shop_delivery_min_seconds")?, seconds("shop_delivery_max_seconds")?);
        if least > most {
            return Err(SettingError::new(
                "shop_delivery_min_seconds",
                "must not be more than `shop_delivery_max_seconds`",
            ));
        }
        Ok(Self {
            processing: Duration::from_secs(seconds("shop_created_seconds")?),
            shipping: Duration::from_secs(seconds("shop_processing_seconds")?),
            delivery_seconds: least..=most,
            delivered_shown: Duration::from_secs(seconds("shop_delivered_shown_seconds")?),
            paid_discount: number(settings, "shop_paid_discount_percent", 0..=90)?,
        })
    }

    /// What is taken off `total` for a customer who has paid access, or has not; in whole minor units, rounded down.
    pub fn discount(&self, total: i64, paid_access: bool) -> i64 {
        if paid_access { (i128::from(total) * i128::from(self.paid_discount) / 100) as i64 } else { 0 }
    }
}
