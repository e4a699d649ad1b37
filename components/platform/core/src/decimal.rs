//! Positive decimals with at most two places and eight digits before them: prices, weights, values.
//!
//! The rules, and the order in which they are looked at, are those of Pydantic, which some of the original systems go by, so
//! that their clients are told what they were told.

use crate::Hundredths;

/// Most digits in all.
pub const MAX_DIGITS: usize = 10;
/// Most digits after the point.
pub const MAX_PLACES: usize = 2;
/// Most digits before the point.
pub const MAX_WHOLE: usize = MAX_DIGITS - MAX_PLACES;

/// The rule that a decimal breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// It is no number.
    NoNumber,
    /// It is infinite, or "not a number".
    NotFinite,
    /// It has more than [`MAX_DIGITS`] digits.
    TooManyDigits,
    /// It has more than [`MAX_PLACES`] places.
    TooManyPlaces,
    /// It has more than [`MAX_WHOLE`] digits before the point.
    TooLarge,
    /// It is 0 or less.
    NotPositive,
}

/// Reads decimal text, such as `1.5`, `0.01` or `1e2`. Zeros at the end do not count.
pub fn positive(text: &str) -> Result<Hundredths, Broken> {
    let text = text.trim();
    let (negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if ["nan", "snan", "inf", "infinity"].iter().any(|word| unsigned.eq_ignore_ascii_case(word)) {
        return Err(Broken::NotFinite);
    }
    let (digits, exponent) = significant(unsigned).ok_or(Broken::NoNumber)?;
    let places = usize::try_from(exponent.min(0).unsigned_abs()).unwrap_or(usize::MAX);
    let whole_zeros = usize::try_from(exponent.max(0)).unwrap_or(usize::MAX);
    let number = digits.len().saturating_add(whole_zeros).max(places);
    if number > MAX_DIGITS {
        return Err(Broken::TooManyDigits);
    }
    if places > MAX_PLACES {
        return Err(Broken::TooManyPlaces);
    }
    if number - places > MAX_WHOLE {
        return Err(Broken::TooLarge);
    }
    if negative || digits.is_empty() {
        return Err(Broken::NotPositive);
    }
    let hundredths = format!("{digits}{:0<width$}", "", width = MAX_PLACES + whole_zeros - places);
    hundredths.parse().map(Hundredths).map_err(|_| Broken::TooManyDigits)
}

/// The digits without zeros at either end, and the power of ten by which they count. Zero has no digits.
fn significant(text: &str) -> Option<(String, i64)> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, places) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{places}");
    if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = all.trim_end_matches('0');
    let zeros = all.len() - digits.len();
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Some((String::new(), 0));
    }
    Some((digits.to_owned(), i64::from(exponent) - places.len() as i64 + zeros as i64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimals_are_read_and_refused_by_the_originals_rules() {
        for (text, read) in [
            ("1.5", Ok(150)),
            ("0.01", Ok(1)),
            ("10", Ok(1_000)),
            (" 2 ", Ok(200)),
            ("1e2", Ok(10_000)),
            ("1.500", Ok(150)),
            ("15e-1", Ok(150)),
            ("+3", Ok(300)),
            (".5", Ok(50)),
            ("99999999.99", Ok(9_999_999_999)),
            ("0", Err(Broken::NotPositive)),
            ("-0", Err(Broken::NotPositive)),
            ("0.00", Err(Broken::NotPositive)),
            ("-1.5", Err(Broken::NotPositive)),
            ("0.001", Err(Broken::TooManyPlaces)),
            ("1.234", Err(Broken::TooManyPlaces)),
            ("100000000", Err(Broken::TooLarge)),
            ("123456789.1", Err(Broken::TooLarge)),
            ("12345678901", Err(Broken::TooManyDigits)),
            ("1e400", Err(Broken::TooManyDigits)),
            ("1e-400", Err(Broken::TooManyDigits)),
            ("NaN", Err(Broken::NotFinite)),
            ("-Infinity", Err(Broken::NotFinite)),
            ("", Err(Broken::NoNumber)),
            ("x", Err(Broken::NoNumber)),
            ("1,5", Err(Broken::NoNumber)),
            ("1.2.3", Err(Broken::NoNumber)),
            ("--1", Err(Broken::NoNumber)),
            ("1e", Err(Broken::NoNumber)),
            ("٣", Err(Broken::NoNumber)),
        ] {
            assert_eq!(positive(text), read.map(Hundredths), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_amount_that_may_be_is_read_as_it_is_written(minor in 1..=9_999_999_999_i64) {
            prop_assert_eq!(positive(&Hundredths(minor).to_string()), Ok(Hundredths(minor)));
        }

        #[test]
        fn nothing_stops_it(text in "[-+0-9.eEnaif ]{0,24}|\\PC{0,8}") {
            if let Ok(Hundredths(read)) = positive(&text) {
                prop_assert!((1..=9_999_999_999).contains(&read));
            }
        }
    }
}
