//! The jobs of delivery.

use octo_account_events::{AccountDeleted, account_deleted};
use octo_core::{Clock, Hundredths, Sql, SqlError, UnixMillis, async_trait};
use octo_jobs::{Delivery, Failure, Handlers, Job, Run};
use serde::{Deserialize, Serialize};

use crate::{Config, MoscowDay, Parcels, Rate, RateBook, RateSource, State, price::price};

/// Parcels whose price is tried again in one statement.
const RETRIED: i64 = 200;

/// What the jobs are carried out with.
#[derive(Debug)]
pub struct Pricing<'a, S, R, C> {
    /// Where the parcels are.
    pub sql: &'a S,
    /// Where the rate is from.
    pub source: &'a R,
    /// The time.
    pub clock: &'a C,
    /// The variables.
    pub config: &'a Config,
}

/// Finds out the price of a parcel. Its row is made by a trigger (`schema`).
#[derive(Serialize, Deserialize)]
pub struct PriceParcel {
    parcel_id: i64,
}

impl Job for PriceParcel {
    const QUEUE: &'static str = "delivery/prices";
    const NAME: &'static str = "price-parcel/1";
    const MAX_ATTEMPTS: i64 = 10;
    type Reply = ();
}

/// Has the prices tried again that could not be found out.
#[derive(Serialize, Deserialize)]
pub struct RetryFailed {}

impl Job for RetryFailed {
    const QUEUE: &'static str = "delivery/retries";
    const NAME: &'static str = "retry-failed-parcels/1";
    type Reply = u64;
}

/// Forgets whose parcels they were.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct ForgetOwner(AccountDeleted);

impl Job for ForgetOwner {
    const QUEUE: &'static str = "delivery/account-events";
    const NAME: &'static str = account_deleted::NAME;
    type Reply = ();
}

impl<S: Sql, R: RateSource, C: Clock> Pricing<'_, S, R, C> {
    /// The jobs of this system.
    pub fn jobs(&self) -> Handlers<'_, Self> {
        Handlers::new(self).on::<PriceParcel>().on::<RetryFailed>().on::<ForgetOwner>()
    }

    /// The kept rate.
    pub fn rates(&self) -> RateBook<'_, S, R, C> {
        RateBook { sql: self.sql, source: self.source, clock: self.clock, config: self.config }
    }
}

#[async_trait]
impl<'a, S: Sql, R: RateSource, C: Clock> Run<Pricing<'a, S, R, C>> for PriceParcel {
    async fn run(self, _: &Delivery, pricing: &Pricing<'a, S, R, C>) -> Result<(), Failure> {
        let parcel = Parcels::new(pricing.sql).by_id(self.parcel_id).await?;
        let parcel = parcel.ok_or_else(|| Failure::r#final("there is no such parcel"))?;
        if !matches!(parcel.state, State::Pending | State::Failed) {
            return Ok(());
        }
        let rate = pricing.rates().current().await.map_err(Failure::for_now)?;
        let cost = price(Hundredths(parcel.weight), Hundredths(parcel.value), &rate)
            .ok_or_else(|| Failure::for_now(format!("the rate {} makes no price", rate.value)))?;
        Ok(note_price(pricing.sql, parcel.id, cost, &rate, pricing.clock.now()).await?)
    }
}

/// Writes the price of a parcel that waits for one, unless it has one. One statement, with the triggers of its row.
pub(crate) async fn note_price(
    sql: &impl Sql,
    id: i64,
    cost: Hundredths,
    rate: &Rate,
    now: UnixMillis,
) -> Result<(), SqlError> {
    // What it reads of the parcel must hold until it is written, so it takes its row.
    let statement = format!(
        "INSERT INTO parcel_prices (parcel_id, day, type_id, weight, value, cost, rate, nominal, rate_day, source,
            priced_at)
         SELECT id, CAST($2 AS BIGINT), type_id, weight, value, CAST($3 AS BIGINT), CAST($4 AS TEXT),
            CAST($5 AS BIGINT), CAST($6 AS BIGINT), CAST($7 AS TEXT), CAST($8 AS BIGINT)
         FROM parcels WHERE id = $1 AND state IN ('pending', 'failed'){}
         ON CONFLICT (parcel_id) DO NOTHING",
        sql.dialect().lock()
    );
    let parameters = [
        id.into(),
        MoscowDay::containing(now).0.into(),
        cost.0.into(),
        rate.value.to_string().into(),
        rate.nominal.into(),
        rate.day.0.into(),
        rate.source.as_str().into(),
        now.into(),
    ];
    sql.query(&statement, &parameters).await.map(drop)
}

#[async_trait]
impl<'a, S: Sql, R: RateSource, C: Clock> Run<Pricing<'a, S, R, C>> for RetryFailed {
    async fn run(self, _: &Delivery, pricing: &Pricing<'a, S, R, C>) -> Result<u64, Failure> {
        let mut retried = 0;
        loop {
            let some = Parcels::new(pricing.sql).retry_failed(RETRIED, pricing.clock.now()).await?;
            retried += some as u64;
            if some < RETRIED as usize {
                return Ok(retried);
            }
        }
    }
}

#[async_trait]
impl<'a, S: Sql, R: RateSource, C: Clock> Run<Pricing<'a, S, R, C>> for ForgetOwner {
    async fn run(self, _: &Delivery, pricing: &Pricing<'a, S, R, C>) -> Result<(), Failure> {
        Ok(Parcels::new(pricing.sql).forget(self.0.account_id).await?)
    }
}
