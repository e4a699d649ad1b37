//! The rate that parcels are priced with: the newest good one, kept for all instances, asked for by one of them at a time.
//!
//! # How many calls the source gets
//! One at a time: an instance that wants to ask takes the row's lease, in one statement, and the others wait for what comes of it.
//! After a failure nobody asks again for [`PAUSE`].
//!
//! # What is used when the source is away
//! The last good rate, for as long as it is not older than the operator allows. A rate that is sent is only kept when it is
//! usable, and never in place of one for a later day.

use std::time::Duration;

use octo_core::{
    Clock, Sql, SqlError, UnixMillis, async_trait,
    sql::{FromRow, Row},
};

use crate::{Config, MoscowDay, Quoted, Rate, rate::Unusable};

/// How long the instance that asks the source has the row to itself: longer than the call may take.
const LEASE: Duration = Duration::from_secs(10);
/// How long the source is left alone after a failure.
const PAUSE: Duration = Duration::from_secs(2);
/// How long others wait for the instance that asks, and between two looks.
const WAIT: Duration = Duration::from_secs(8);
const LOOK: Duration = Duration::from_millis(50);

/// Where rates are asked for.
#[async_trait]
pub trait RateSource: Send + Sync {
    /// The body of a good answer.
    ///
    /// # Errors
    /// Why there is none; the text is for the log and for operators.
    async fn fetch(&self) -> Result<Vec<u8>, Unusable>;
}

/// The kept rate, and how its source does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateStatus {
    /// The newest good rate, if there ever was one.
    pub rate: Option<Rate>,
    /// When the source last answered well (0: never).
    pub fetched_at: UnixMillis,
    /// How often it has failed.
    pub failures: i64,
    /// Why it failed the last time, if that was since it last answered well.
    pub error: Option<String>,
    fetching_until: UnixMillis,
    retry_at: UnixMillis,
}

impl FromRow for RateStatus {
    fn from_row(mut row: Row) -> Option<Self> {
        let value: Option<String> = row.take("value")?;
        let rate = match value {
            Some(value) => Some(Rate {
                value: Quoted::parse(&value)?,
                nominal: row.take("nominal")?,
                day: MoscowDay(row.take("day")?),
                source: row.take("source")?,
            }),
            None => None,
        };
        Some(RateStatus {
            rate,
            fetched_at: row.take("fetched_at")?,
            failures: row.take("failures")?,
            error: row.take("error")?,
            fetching_until: row.take("fetching_until")?,
            retry_at: row.take("retry_at")?,
        })
    }
}

/// The kept rate, with what it takes to renew it.
#[derive(Debug)]
pub struct RateBook<'a, S, R, C> {
    /// Where it is kept.
    pub sql: &'a S,
    /// Where it is from.
    pub source: &'a R,
    /// The time.
    pub clock: &'a C,
    /// How it is renewed.
    pub config: &'a Config,
}

impl<S: Sql, R: RateSource, C: Clock> RateBook<'_, S, R, C> {
    /// The rate to price with now.
    ///
    /// # Errors
    /// When there is none that may be used, and when the database is away.
    pub async fn current(&self) -> Result<Rate, NoRate> {
        let deadline = self.clock.now() + WAIT;
        loop {
            let now = self.clock.now();
            let status = status(self.sql).await?;
            if self.is_fresh(&status, now)
                && let Some(rate) = status.rate
            {
                return Ok(rate);
            }
            if status.fetching_until <= now && status.retry_at <= now {
                if self.take_lease(&status, now).await? {
                    self.renew(now).await?;
                }
                continue;
            }
            // Somebody else asks. Before there is any rate, or where a new day's is due, it is worth a wait.
            if status.fetching_until > now && now < deadline {
                self.sql.rest();
                self.clock.sleep(LOOK).await;
                continue;
            }
            return self.usable(status, now);
        }
    }

    /// Whether the kept rate needs no look at the source.
    fn is_fresh(&self, status: &RateStatus, now: UnixMillis) -> bool {
        let today = MoscowDay::containing(now);
        let is_recent = status.fetched_at + self.config.rate_refresh > now
            && MoscowDay::containing(status.fetched_at) == today;
        is_recent && self.usable(status.clone(), now).is_ok()
    }

    fn usable(&self, status: RateStatus, now: UnixMillis) -> Result<Rate, NoRate> {
        let reason = status.error.unwrap_or_else(|| "nobody has sent one yet".to_owned());
        let rate = status.rate.ok_or(NoRate::None(reason))?;
        match rate.check_day(MoscowDay::containing(now), self.config.rate_max_days) {
            Ok(()) => Ok(rate),
            Err(unusable) => Err(NoRate::None(unusable.0)),
        }
    }

    /// Only for an instance that knows the newest answer: another may have asked, and been answered, since `status` was read.
    pub(crate) async fn take_lease(&self, status: &RateStatus, now: UnixMillis) -> Result<bool, SqlError> {
        let statement = "UPDATE parcel_rates SET fetching_until = $1
            WHERE currency = 'USD' AND fetching_until <= $2 AND retry_at <= $2
                AND fetched_at = $3 AND failures = $4 RETURNING currency";
        let parameters = [(now + LEASE).into(), now.into(), status.fetched_at.into(), status.failures.into()];
        Ok(!self.sql.query(statement, &parameters).await?.is_empty())
    }

    /// Asks the source, and notes what came of it.
    async fn renew(&self, asked_at: UnixMillis) -> Result<(), SqlError> {
        self.sql.rest();
        let answer = self.source.fetch().await;
        let rate = answer.and_then(|body| {
            let rate = Rate::read(&body, &self.config.rate_origin)?;
            rate.check_day(MoscowDay::containing(asked_at), self.config.rate_max_days)?;
            Ok(rate)
        });
        match rate {
            Ok(rate) => keep(self.sql, &rate, self.clock.now()).await,
            Err(Unusable(reason)) => {
                let statement =
                    "UPDATE parcel_rates SET fetching_until = 0, retry_at = $1, failures = failures + 1,
                        error = $2 WHERE currency = 'USD'";
                let reason: String = reason.chars().take(500).collect();
                self.sql.query(statement, &[(self.clock.now() + PAUSE).into(), reason.into()]).await.map(drop)
            }
        }
    }
}

/// Keeps a rate: the source's, or one that an administrator sets. Not in place of one for a later day.
///
/// # Errors
/// Those of the database.
pub async fn keep(sql: &impl Sql, rate: &Rate, now: UnixMillis) -> Result<(), SqlError> {
    let newer = "day IS NULL OR day <= $3";
    let statement = format!(
        "UPDATE parcel_rates SET fetching_until = 0, retry_at = 0, error = NULL, fetched_at = $5,
            value = CASE WHEN {newer} THEN $1 ELSE value END,
            nominal = CASE WHEN {newer} THEN $2 ELSE nominal END,
            source = CASE WHEN {newer} THEN $4 ELSE source END,
            day = CASE WHEN {newer} THEN $3 ELSE day END
         WHERE currency = 'USD'"
    );
    let parameters = [
        rate.value.to_string().into(),
        rate.nominal.into(),
        rate.day.0.into(),
        rate.source.as_str().into(),
        now.into(),
    ];
    sql.query(&statement, &parameters).await.map(drop)
}

/// The kept rate, and how its source does.
///
/// # Errors
/// Those of the database.
pub async fn status(sql: &impl Sql) -> Result<RateStatus, SqlError> {
    let statement = "SELECT * FROM parcel_rates WHERE currency = 'USD'";
    sql.first(statement, &[]).await?.ok_or_else(|| SqlError::damaged("parcel_rates"))
}

/// There is no rate to price with. The text is for the log and for operators.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRate {
    /// None that may be used.
    #[error("there is no rate: {0}")]
    None(String),
    /// The database failed.
    #[error(transparent)]
    Sql(#[from] SqlError),
}
