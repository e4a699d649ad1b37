//! Our own responses. Times are RFC 3339, money is decimal text with its currency.

use http::StatusCode;
use octo_core::{Hundredths, Problem};
use octo_delivery::{
    Entry, MoscowDay, Parcel, Rate, RateStatus, Receipt, Refusal, State, price::FORMULA, sums::Sum, types,
    types::ParcelType,
};
use octo_http::{
    Response,
    money::{MoneyBody, dollars, roubles},
    respond,
};
use serde::Serialize;
use utoipa::ToSchema;

/// What the original assignment has shown in place of a price that there is not yet.
const NOT_PRICED: &str = "Не рассчитано";

/// A type of parcels.
#[derive(Serialize, ToSchema)]
#[schema(as = ParcelType)]
pub(crate) struct TypeBody {
    #[schema(example = 2)]
    id: i64,
    #[schema(example = "Электроника")]
    name: String,
}

impl From<&ParcelType> for TypeBody {
    fn from(of: &ParcelType) -> Self {
        Self { id: of.id, name: of.name.clone() }
    }
}

/// A parcel as its owner and administrators see it.
#[derive(Serialize, ToSchema)]
#[schema(as = Parcel)]
pub(crate) struct ParcelBody {
    id: i64,
    #[schema(example = "Phone")]
    name: String,
    /// In kilograms, as decimal text.
    #[schema(example = "1.50")]
    weight: String,
    /// What the contents are worth.
    value: MoneyBody,
    r#type: TypeBody,
    state: StateBody,
    /// What it costs to send it; null while nobody knows.
    #[schema(required)]
    cost: Option<MoneyBody>,
    /// The same as text, where `cost=text` is asked for: "Не рассчитано" when there is no price.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "Не рассчитано")]
    cost_text: Option<String>,
    /// Why there is no price, where it could not be found out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<String>,
    /// The company that carries it.
    #[schema(required)]
    carrier: Option<CarrierBody>,
    #[schema(format = DateTime)]
    created_at: String,
}

/// How a parcel stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ParcelState)]
pub(crate) enum StateBody {
    /// Its price is being found out.
    Pending,
    /// It has its price.
    Priced,
    /// Its price could not be found out.
    Failed,
    /// Its owner canceled it.
    Canceled,
}

/// A company that carries a parcel.
#[derive(Serialize, ToSchema)]
#[schema(as = Carrier)]
pub(crate) struct CarrierBody {
    /// Its number.
    #[schema(example = 7)]
    company_id: i64,
    /// Since when.
    #[schema(format = DateTime)]
    bound_at: String,
}

impl ParcelBody {
    /// The parcel; `with_text` has its price as text too.
    pub(crate) fn of(parcel: &Parcel, with_text: bool) -> Self {
        let as_text =
            || parcel.cost.map_or_else(|| NOT_PRICED.to_owned(), |cost| Hundredths(cost).to_string());
        Self {
            id: parcel.id,
            name: parcel.name.clone(),
            weight: Hundredths(parcel.weight).to_string(),
            value: dollars(parcel.value),
            r#type: TypeBody { id: parcel.type_id, name: parcel.type_name.clone() },
            state: match parcel.state {
                State::Pending => StateBody::Pending,
                State::Priced => StateBody::Priced,
                State::Failed => StateBody::Failed,
                State::Canceled => StateBody::Canceled,
            },
            cost: parcel.cost.map(roubles),
            cost_text: with_text.then(as_text),
            // What went wrong inside is for operators.
            error: parcel.error.as_ref().map(|_| "there was no rate to price it with".to_owned()),
            carrier: carrier(parcel),
            created_at: parcel.created_at.to_string(),
        }
    }
}

/// The company that carries a parcel.
pub(crate) fn carrier(parcel: &Parcel) -> Option<CarrierBody> {
    let (company_id, bound_at) = parcel.carrier.zip(parcel.carrier_at)?;
    Some(CarrierBody { company_id, bound_at: bound_at.to_string() })
}

/// A rate of exchange.
#[derive(Serialize, ToSchema)]
#[schema(as = Rate)]
pub(crate) struct RateBody {
    /// How many roubles `nominal` dollars cost, as decimal text.
    #[schema(example = "84.004")]
    value: String,
    #[schema(example = 1)]
    nominal: i64,
    /// The day that it was set for.
    #[schema(format = Date, example = "2026-11-27")]
    date: String,
    /// Where it is from.
    #[schema(example = "https://www.cbr-xml-daily.ru")]
    source: String,
}

impl From<&Rate> for RateBody {
    fn from(of: &Rate) -> Self {
        Self {
            value: of.value.to_string(),
            nominal: of.nominal,
            date: of.day.to_string(),
            source: of.source.clone(),
        }
    }
}

/// The rate that parcels are priced with, and how its source does.
#[derive(Serialize, ToSchema)]
#[schema(as = RateStatus)]
pub(crate) struct RateStatusBody {
    /// The newest good rate; null when there never was one.
    #[schema(required)]
    rate: Option<RateBody>,
    /// Whether it is too old to be used.
    stale: bool,
    /// When the source last sent a good one.
    #[schema(required, format = DateTime)]
    fetched_at: Option<String>,
    /// How often the source has failed.
    failures: i64,
    /// Why it failed the last time, if it has not sent a good one since; for administrators.
    #[schema(required)]
    error: Option<String>,
}

impl RateStatusBody {
    /// What went wrong inside is for operators.
    pub(crate) fn conceal_error(&mut self) {
        self.error = None;
    }

    pub(crate) fn of(status: &RateStatus, today: MoscowDay, max_days: i64) -> Self {
        Self {
            rate: status.rate.as_ref().map(RateBody::from),
            stale: status.rate.as_ref().is_none_or(|rate| rate.check_day(today, max_days).is_err()),
            fetched_at: (status.fetched_at.0 > 0).then(|| status.fetched_at.to_string()),
            failures: status.failures,
            error: status.error.clone(),
        }
    }
}

/// What it would cost to send a parcel.
#[derive(Serialize, ToSchema)]
#[schema(as = ParcelQuote)]
pub(crate) struct QuoteBody {
    pub(crate) cost: MoneyBody,
    pub(crate) rate: RateBody,
    #[schema(example = "(0.5 x weight + 0.01 x value) x rate / nominal, half to even")]
    formula: &'static str,
}

impl QuoteBody {
    pub(crate) fn of(cost: Hundredths, rate: &Rate) -> Self {
        Self { cost: roubles(cost.0), rate: rate.into(), formula: FORMULA }
    }
}

/// How a parcel got its price.
#[derive(Serialize, ToSchema)]
#[schema(as = ParcelReceipt)]
pub(crate) struct ReceiptBody {
    parcel_id: i64,
    type_id: i64,
    #[schema(example = "1.50")]
    weight: String,
    value: MoneyBody,
    cost: MoneyBody,
    rate: RateBody,
    formula: &'static str,
    /// The day, in Moscow, in whose sum it is.
    #[schema(format = Date)]
    day: String,
    #[schema(format = DateTime)]
    priced_at: String,
}

impl From<&Receipt> for ReceiptBody {
    fn from(of: &Receipt) -> Self {
        Self {
            parcel_id: of.parcel_id,
            type_id: of.type_id,
            weight: Hundredths(of.weight).to_string(),
            value: dollars(of.value),
            cost: roubles(of.cost),
            rate: (&of.rate).into(),
            formula: FORMULA,
            day: of.day.to_string(),
            priced_at: of.priced_at.to_string(),
        }
    }
}

/// Something that happened to a parcel.
#[derive(Serialize, ToSchema)]
#[schema(as = ParcelHistoryEntry)]
pub(crate) struct EntryBody {
    id: i64,
    /// `registered`, a state, or `carrier`.
    #[schema(example = "priced")]
    event: String,
    /// The number of the company, where one was bound.
    #[schema(required)]
    detail: Option<String>,
    #[schema(format = DateTime)]
    at: String,
}

impl From<&Entry> for EntryBody {
    fn from(of: &Entry) -> Self {
        Self {
            id: of.id,
            event: of.event.clone(),
            detail: of.detail.clone().filter(|_| of.event == "carrier"),
            at: of.at.to_string(),
        }
    }
}

/// What the prices of one type come to on one day.
#[derive(Serialize, ToSchema)]
#[schema(as = ParcelSum)]
pub(crate) struct SumBody {
    /// In Moscow.
    #[schema(format = Date)]
    day: String,
    r#type: TypeBody,
    /// How many parcels were priced.
    parcels: i64,
    /// What they cost together.
    total: MoneyBody,
}

impl From<&Sum> for SumBody {
    fn from(of: &Sum) -> Self {
        Self {
            day: of.day.to_string(),
            r#type: TypeBody { id: of.type_id, name: of.type_name.clone() },
            parcels: of.number,
            total: roubles(of.total),
        }
    }
}

/// A parcel at its address.
pub(crate) fn created(parcel: &Parcel, repeated: bool) -> Response {
    respond::created(&ParcelBody::of(parcel, false), &format!("/parcels/{}", parcel.id), repeated)
}

pub(crate) fn no_such_parcel() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "no-such-parcel",
        "There is no such parcel",
        "It does not exist, or it is somebody else's.",
    )
}

pub(crate) fn no_such_type() -> Problem {
    Problem::invalid("/type", "must be the number of a type; GET /parcels/types lists them")
}

/// Why something is refused.
pub(crate) fn problem(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::NoSuchType => no_such_type(),
        Refusal::NoSuchParcel => no_such_parcel(),
        Refusal::KeyReused => octo_http::idempotency::Refusal::Mismatch.into(),
        Refusal::Carried(company) => Problem::new(
            StatusCode::CONFLICT,
            "parcel-carried",
            "A company carries this parcel",
            format!("Company {company} was the first that asked for it."),
        )
        .with("company_id", company),
        Refusal::Canceled => Problem::new(
            StatusCode::CONFLICT,
            "parcel-canceled",
            "The parcel was canceled",
            "Its owner does not want it to be sent.",
        ),
        Refusal::Sql(error) => error.into(),
    }
}

/// The client has registered as many parcels as may be in a day.
pub(crate) fn too_many_parcels(seconds: u64) -> Problem {
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too-many-parcels",
        "Too many parcels today",
        format!("No more parcels can be registered from here today. Try again in {seconds} s."),
    )
    .retry_after(seconds)
}

/// Why a type is not changed.
pub(crate) fn type_problem(refusal: types::Refusal) -> Problem {
    match refusal {
        types::Refusal::NameTaken => Problem::new(
            StatusCode::CONFLICT,
            "parcel-type-taken",
            "Another type has this name",
            "GET /parcels/types lists the types there are.",
        ),
        types::Refusal::NoSuchType => Problem::new(
            StatusCode::NOT_FOUND,
            "no-such-parcel-type",
            "There is no such type",
            "GET /parcels/types lists the types there are.",
        ),
        types::Refusal::Sql(error) => error.into(),
    }
}

/// There is no rate that may be used.
pub(crate) fn no_rate(error: octo_delivery::rate_book::NoRate) -> Problem {
    match error {
        octo_delivery::rate_book::NoRate::Sql(error) => error.into(),
        octo_delivery::rate_book::NoRate::None(reason) => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no-rate",
            "There is no rate to price with",
            "The source of the rate is away, and the last good rate is too old. Try again later.",
        )
        .retry_after(30)
        .because(reason),
    }
}
