//! The price: (0.5 x weight in kg + 0.01 x value in dollars) x rate, rounded half to even to kopecks.

use octo_core::Hundredths;

use crate::Rate;

/// The formula, for people.
pub const FORMULA: &str = "(0.5 x weight + 0.01 x value) x rate / nominal, half to even";

/// The price in hundredths of a rouble of a parcel of `weight` (hundredths of a kilogram) and `value` (cents). `None` when
/// it would be less than a kopeck or more than can be kept: then the rate cannot be right.
///
/// Exact: with weights and values of at most ten digits and rates of at most twelve nothing here overflows.
pub fn price(weight: Hundredths, value: Hundredths, rate: &Rate) -> Option<Hundredths> {
    let (weight, value) = (i128::from(weight.0), i128::from(value.0));
    // 0.5 x weight + 0.01 x value is (50 weight + value) / 10 000 dollars; a hundredth of that is a kopeck's share.
    let numerator = (50 * weight + value).checked_mul(i128::from(rate.value.digits))?;
    let denominator = 10_i128.checked_pow(rate.value.places)?.checked_mul(100 * i128::from(rate.nominal))?;
    let kopecks = i64::try_from(half_to_even(numerator, denominator)).ok()?;
    (kopecks > 0).then_some(Hundredths(kopecks))
}

/// `numerator / denominator`, both positive, rounded to the nearest whole number, and to the even one of two.
fn half_to_even(numerator: i128, denominator: i128) -> i128 {
    let (whole, rest) = (numerator / denominator, numerator % denominator);
    match (rest * 2).cmp(&denominator) {
        std::cmp::Ordering::Less => whole,
        std::cmp::Ordering::Greater => whole + 1,
        std::cmp::Ordering::Equal => whole + whole % 2,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use octo_core::decimal;

    use crate::{MoscowDay, Quoted};

    fn rate(text: &str, nominal: i64) -> Rate {
        Rate { value: Quoted::parse(text).unwrap(), nominal, day: MoscowDay(0), source: String::new() }
    }

    fn of(weight: &str, value: &str, rate: &Rate) -> String {
        let price = price(decimal::positive(weight).unwrap(), decimal::positive(value).unwrap(), rate);
        price.map_or_else(|| "none".to_owned(), |price| price.to_string())
    }

    #[test]
    fn prices_are_those_of_the_original() {
        for (weight, value, usd, cost) in [
            ("1.5", "10.99", "84.004", "72.24"),
            ("1", "1", "84.004", "42.84"),
            ("2", "100", "100", "200.00"),
            ("0.01", "0.01", "84.004", "0.43"),
            ("10", "0.01", "90", "450.01"),
            ("99999999.99", "99999999.99", "84.004", "4284203999.57"),
        ] {
            assert_eq!(of(weight, value, &rate(usd, 1)), cost, "{weight} {value} {usd}");
        }
    }

    #[test]
    fn halves_go_to_the_even_kopeck_and_the_nominal_counts() {
        // 0.01 kg and 0.50 dollars are 0.01 dollars.
        for (usd, cost) in
            [("0.5", "none"), ("1.5", "0.02"), ("2.5", "0.02"), ("3.5", "0.04"), ("2.51", "0.03")]
        {
            assert_eq!(of("0.01", "0.50", &rate(usd, 1)), cost, "{usd}");
        }
        assert_eq!(of("1.5", "10.99", &rate("840.04", 10)), "72.24");
        assert_eq!(of("2", "100", &rate("1", 3)), "0.67");
        assert_eq!(of("0.01", "0.01", &rate("0.000000000001", 1)), "none", "never 0.00");
    }

    proptest! {
        /// Against the definition: the price is a whole number of kopecks that is at most half a kopeck away from the exact
        /// quotient, and even where it is just half.
        #[test]
        fn every_price_is_the_exact_one_rounded(
            weight in 1..=9_999_999_999_i64,
            value in 1..=9_999_999_999_i64,
            digits in 1..=999_999_999_999_i64,
            places in 0..=12_u32,
            nominal in 1..=1_000_000_i64,
        ) {
            let rate = Rate { value: Quoted { digits, places }, nominal, day: MoscowDay(0), source: String::new() };
            let numerator = (50 * i128::from(weight) + i128::from(value)) * i128::from(digits);
            let denominator = 100 * 10_i128.pow(places) * i128::from(nominal);
            match price(Hundredths(weight), Hundredths(value), &rate) {
                Some(Hundredths(kopecks)) => {
                    let distance = (numerator - i128::from(kopecks) * denominator).abs() * 2;
                    prop_assert!(distance <= denominator);
                    prop_assert!(distance < denominator || kopecks % 2 == 0);
                }
                None => {
                    let exceeds = numerator / denominator >= i128::from(i64::MAX);
                    prop_assert!(numerator * 2 <= denominator || exceeds);
                }
            }
        }
    }
}
