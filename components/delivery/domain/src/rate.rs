//! The rate: how many roubles a dollar costs, as the central bank's daily JSON says.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::value::RawValue;

use crate::MoscowDay;

/// The currency that values are declared in, as the source names it.
const DOLLAR: &str = "USD";

/// Most digits of a rate. Together with the bounds on weights and values every price is then exact in 128 bits.
const MAX_DIGITS: usize = 12;

/// Most days a rate may be ahead: the bank sets the next day's rate in the evening, and on a Friday that of Saturday.
pub const MAX_DAYS_AHEAD: i64 = 3;

/// A positive decimal, exactly as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quoted {
    /// Without the point.
    pub digits: i64,
    /// How many of the digits stand after the point.
    pub places: u32,
}

/// A rate of exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many roubles [`nominal`](Self::nominal) dollars cost.
    pub value: Quoted,
    /// For how many dollars the value is; 1 or more.
    pub nominal: i64,
    /// The day that the bank set it for.
    pub day: MoscowDay,
    /// Where it is from.
    pub source: String,
}

impl Quoted {
    /// Reads a positive decimal of at most twelve digits, such as `84.004`.
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, places) = text.split_once('.').unwrap_or((text, ""));
        let number = format!("{whole}{places}");
        let has_point_inside = !text.contains('.') || !places.is_empty();
        let is_plain =
            !whole.is_empty() && has_point_inside && number.bytes().all(|byte| byte.is_ascii_digit());
        if !is_plain || number.trim_start_matches('0').len() > MAX_DIGITS || places.len() > MAX_DIGITS {
            return None;
        }
        let digits = number.parse().ok().filter(|digits| *digits > 0)?;
        Some(Self { digits, places: u32::try_from(places.len()).ok()? })
    }
}

impl fmt::Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = self.places as usize;
        let digits = format!("{:0>width$}", self.digits, width = places + 1);
        let (whole, after) = digits.split_at(digits.len() - places);
        if places == 0 { f.write_str(whole) } else { write!(f, "{whole}.{after}") }
    }
}

impl Serialize for Quoted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Quoted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| D::Error::custom("must be a positive decimal of at most twelve digits"))
    }
}

/// Why the answer of a source is not used. The text is for the log and for operators.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(pub String);

impl Unusable {
    fn because(reason: impl ToString) -> Self {
        Self(reason.to_string())
    }
}

#[derive(Deserialize)]
struct Daily<'a> {
    #[serde(rename = "Date")]
    date: String,
    #[serde(rename = "Valute", borrow)]
    currencies: BTreeMap<String, &'a RawValue>,
}

#[derive(Deserialize)]
struct Currency<'a> {
    #[serde(rename = "Nominal")]
    nominal: i64,
    #[serde(rename = "Value", borrow)]
    value: &'a RawValue,
}

impl Rate {
    /// Reads the central bank's daily JSON. The value never becomes a binary float: its digits are read as they stand.
    ///
    /// # Errors
    /// When it is anything else, or says of the dollar what cannot be.
    pub fn read(json: &[u8], source: &str) -> Result<Self, Unusable> {
        let daily: Daily<'_> = serde_json::from_slice(json)
            .map_err(|error| Unusable(format!("it is no daily JSON: {error}")))?;
        let day = daily.date.get(..10).and_then(MoscowDay::parse);
        let day = day.ok_or_else(|| Unusable::because("`Date` is no date"))?;
        let currency = daily.currencies.get(DOLLAR).ok_or_else(|| Unusable::because("there is no USD"))?;
        let Currency { nominal, value } = serde_json::from_str(currency.get())
            .map_err(|error| Unusable(format!("USD is not as it should be: {error}")))?;
        if !(1..=1_000_000).contains(&nominal) {
            return Err(Unusable(format!("the `Nominal` of USD is {nominal}")));
        }
        let value = Quoted::parse(value.get()).ok_or_else(|| {
            Unusable::because("the `Value` of USD is no positive number of at most twelve digits")
        })?;
        Ok(Self { value, nominal, day, source: source.to_owned() })
    }

    /// Whether it may be used on `today`: it is at most `max_days` old, and not of a day further ahead than
    /// [`MAX_DAYS_AHEAD`].
    ///
    /// # Errors
    /// When it may not.
    pub fn check_day(&self, today: MoscowDay, max_days: i64) -> Result<(), Unusable> {
        match today.since(self.day) {
            age if age > max_days => Err(Unusable(format!("it is of {}, {age} days ago", self.day))),
            age if age < -MAX_DAYS_AHEAD => Err(Unusable(format!("it is of {}, in {} days", self.day, -age))),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Rate, String> {
        Rate::read(text.as_bytes(), "test").map_err(|unusable| unusable.0)
    }

    fn daily(usd: &str) -> String {
        format!(r#"{{"Date":"2026-11-27T11:30:00+03:00","Timestamp":"x","Valute":{{"EUR":7,"USD":{usd}}}}}"#)
    }

    #[test]
    fn the_banks_json_is_read() {
        let rate =
            read(&daily(r#"{"ID":"R01235","CharCode":"USD","Nominal":1,"Value":84.004,"Previous":84}"#));
        let rate = rate.unwrap();
        assert_eq!((rate.value.digits, rate.value.places, rate.nominal), (84_004, 3, 1));
        assert_eq!((rate.value.to_string(), rate.day.to_string()), ("84.004".into(), "2026-11-27".into()));
        for (text, shown) in
            [("84", "84"), ("0.05", "0.05"), ("100.10", "100.10"), ("7.0000000001", "7.0000000001")]
        {
            let rate = read(&daily(&format!(r#"{{"Nominal":10,"Value":{text}}}"#))).unwrap();
            assert_eq!((rate.value.to_string().as_str(), rate.nominal), (shown, 10));
        }
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for wrong in [
            "",
            "<html>Service unavailable</html>",
            "{}",
            "[]",
            "null",
            r#"{"Date":"2026-11-27","Valute":{}}"#,
            r#"{"Date":"2026-11-27","Valute":[]}"#,
            r#"{"Date":"soon","Valute":{"USD":{"Nominal":1,"Value":84.0}}}"#,
            r#"{"Date":"2026-02-30","Valute":{"USD":{"Nominal":1,"Value":84.0}}}"#,
            r#"{"Valute":{"USD":{"Nominal":1,"Value":84.0}}}"#,
            r#"{"Date":"2026-11-27","Valute":{"EUR":{"Nominal":1,"Value":84.0}}}"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        for value in
            ["0", "0.0", "-84.0", "null", r#""84,0""#, r#""84.0""#, "1e2", "[84]", "true", "1234567890123"]
        {
            assert!(read(&daily(&format!(r#"{{"Nominal":1,"Value":{value}}}"#))).is_err(), "{value}");
        }
        for nominal in ["0", "-1", "1.5", "null", r#""1""#, "1000001"] {
            assert!(read(&daily(&format!(r#"{{"Nominal":{nominal},"Value":84.0}}"#))).is_err(), "{nominal}");
        }
        assert!(read(&daily("{}")).is_err());
    }

    #[test]
    fn a_rate_is_used_for_days_that_are_near() {
        let of = |date: &str| Rate {
            value: Quoted { digits: 84, places: 0 },
            nominal: 1,
            day: MoscowDay::parse(date).unwrap(),
            source: String::new(),
        };
        let day = |date: &str| MoscowDay::parse(date).unwrap();
        assert_eq!(of("2026-11-27").check_day(day("2026-11-26"), 14), Ok(()), "tomorrow's, in the evening");
        assert_eq!(of("2026-12-30").check_day(day("2027-01-09"), 14), Ok(()), "holidays");
        assert!(of("2026-12-30").check_day(day("2027-01-14"), 14).is_err());
        assert!(of("2027-01-14").check_day(day("2026-12-30"), 14).is_err());
    }
}
