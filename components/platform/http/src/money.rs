//! Amounts of money, as responses have them and the OpenAPI document describes them.

use octo_core::{Currency, Hundredths, Money};
use serde::Serialize;
use utoipa::ToSchema;

/// An amount of money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Money)]
pub struct MoneyBody {
    /// Decimal text with two places.
    #[schema(example = "72.24")]
    amount: String,
    currency: CurrencyBody,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Currency)]
#[allow(clippy::upper_case_acronyms)]
enum CurrencyBody {
    RUB,
    USD,
}

impl From<Money> for MoneyBody {
    fn from(of: Money) -> Self {
        let currency = match of.currency {
            Currency::RUB => CurrencyBody::RUB,
            Currency::USD => CurrencyBody::USD,
        };
        Self { amount: Hundredths(of.minor).to_string(), currency }
    }
}

/// An amount of roubles, from kopecks.
pub fn roubles(minor: i64) -> MoneyBody {
    Money { minor, currency: Currency::RUB }.into()
}

/// An amount of US dollars, from cents.
pub fn dollars(minor: i64) -> MoneyBody {
    Money { minor, currency: Currency::USD }.into()
}
