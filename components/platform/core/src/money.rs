//! Amounts of money: whole minor units and their currency. Never a float.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A currency (ISO 4217) whose minor unit is a hundredth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Currency {
    /// Russian roubles, in kopecks.
    RUB,
    /// United States dollars, in cents.
    USD,
}

/// An amount of money. In JSON the amount is decimal text, which every client reads without loss:
/// `{"amount": "72.24", "currency": "RUB"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    /// In hundredths of the currency's unit.
    pub minor: i64,
    /// Of what.
    pub currency: Currency,
}

/// Hundredths as decimal text with two places: `7224` is `72.24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hundredths(pub i64);

impl fmt::Display for Hundredths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, size) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        write!(f, "{sign}{}.{:02}", size / 100, size % 100)
    }
}

impl Hundredths {
    /// Reads decimal text with at most two places: `72.24`, `-1`, `0.5`.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, places) = digits.split_once('.').unwrap_or((digits, "0"));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !is_number(places) || places.len() > 2 {
            return None;
        }
        let size: i64 = format!("{whole}{places:0<2}").parse().ok()?;
        Some(Self(if negative { -size } else { size }))
    }
}

#[derive(Serialize, Deserialize)]
struct Written {
    amount: String,
    currency: Currency,
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let amount = Hundredths(self.minor).to_string();
        Written { amount, currency: self.currency }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written { amount, currency } = Written::deserialize(deserializer)?;
        let minor = Hundredths::parse(&amount)
            .ok_or_else(|| D::Error::custom("an amount is decimal text with at most two places"))?
            .0;
        Ok(Self { minor, currency })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn money_is_written_as_decimal_text() {
        for (minor, text) in [(7224, "72.24"), (5, "0.05"), (0, "0.00"), (-150, "-1.50"), (100, "1.00")] {
            let money = Money { minor, currency: Currency::RUB };
            let json = format!(r#"{{"amount":"{text}","currency":"RUB"}}"#);
            assert_eq!(serde_json::to_string(&money).unwrap(), json);
            assert_eq!(serde_json::from_str::<Money>(&json).unwrap(), money);
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", "-", "1.", ".5", "1.234", "1e2", "+1", " 1", "1,5", "--1", "99999999999999999999"] {
            assert_eq!(Hundredths::parse(text), None, "{text}");
        }
        assert_eq!(Hundredths::parse("1.5"), Some(Hundredths(150)));
    }

    proptest! {
        #[test]
        fn every_amount_is_read_as_it_is_written(minor in -i64::MAX..=i64::MAX) {
            prop_assert_eq!(Hundredths::parse(&Hundredths(minor).to_string()), Some(Hundredths(minor)));
        }
    }
}
