//! The variables of loyalty, checked.

use octo_core::{
    Hundredths, SettingError, Settings, UnixMillis, UtcDay,
    settings::{number, text},
};

use crate::schema::NEVER;

/// Everything loyalty is told by variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The points for registering.
    pub registration_points: i64,
    /// How many days points are valid; `None` for ever.
    pub valid_days: Option<i64>,
    /// How many points each [`purchase_amount`](Self::purchase_amount) of a purchase gives; 0 for none.
    pub purchase_points: i64,
    /// In the minor unit of the purchase's currency.
    pub purchase_amount: Hundredths,
    /// How many operations a member has in a day; `i64::MAX` for any number.
    pub daily_operations: i64,
}

impl Config {
    /// Reads and checks the variables.
    ///
    /// # Errors
    /// Names the variable and its rule.
    pub fn read(settings: &impl Settings) -> Result<Self, SettingError> {
        let amount =
            Hundredths::parse(&text(settings, "loyalty_purchase_amount")?).filter(|amount| amount.0 > 0);
        let amount = amount.ok_or_else(|| {
            SettingError::new(
                "loyalty_purchase_amount",
                "must be a positive decimal with at most two places, such as `100.00`",
            )
        })?;
        let operations = number(settings, "loyalty_daily_operations", 0..=1_000_000)?;
        Ok(Self {
            registration_points: number(settings, "loyalty_registration_points", 0..=1_000_000)?,
            valid_days: Some(number(settings, "loyalty_points_valid_days", 0..=3650)?)
                .filter(|days| *days > 0),
            purchase_points: number(settings, "loyalty_purchase_points", 0..=1_000_000)?,
            purchase_amount: amount,
            daily_operations: if operations == 0 { i64::MAX } else { operations },
        })
    }

    /// When points given at `now` end: with the last day (in UTC) on which they are valid.
    pub fn end_of_points(&self, now: UnixMillis) -> i64 {
        self.valid_days.map_or(NEVER, |days| UtcDay(UtcDay::containing(now).0 + days + 1).start().0)
    }

    /// The points for a purchase of `total`, in the minor unit of its currency: for each whole amount.
    pub fn points_for(&self, total: i64) -> i64 {
        (total.max(0) / self.purchase_amount.0).saturating_mul(self.purchase_points)
    }
}
