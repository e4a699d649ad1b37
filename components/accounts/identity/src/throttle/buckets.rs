//! Token buckets in the database, taken from in one atomic step each (the generic cell rate algorithm).
//!
//! A bucket that is full has no row. A row says when its bucket will be full again: each token taken moves that time by
//! as long as one token takes to come back. A token is there while the time is less than a whole bucket away, and the
//! condition stands in the statement that takes it. Both databases look at it again once they have locked the row, so
//! any number of attempts at once take no more tokens than there are, and one that gets none writes nothing.

use std::time::Duration;

use octo_core::{
    Sql, SqlError, UnixMillis,
    sql::{Schema, Step},
    time::millis,
};

/// The table of the buckets and of the places where a password has been proven.
pub const SCHEMA: Schema = Schema { name: "throttle", versions: &[FIRST] };

const FIRST: &[Step] = &[
    Step::Both(
        "CREATE TABLE IF NOT EXISTS throttle (
        key TEXT PRIMARY KEY,
        until BIGINT NOT NULL,
        since BIGINT NOT NULL
    )",
    ),
    Step::Both("CREATE INDEX IF NOT EXISTS throttle_by_end ON throttle (until)"),
];

/// How much a bucket holds and how fast it fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Tokens in a full bucket: so many attempts may be made at once.
    pub at_once: i64,
    /// Time in which one token comes back.
    pub every: Duration,
}

/// A bucket, by its key in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bucket {
    pub(super) key: String,
    pub(super) limit: Limit,
}

/// What the table says under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// When the bucket is full again, or how long a proof holds.
    pub(super) until: UnixMillis,
    /// When the row was made.
    pub(super) since: UnixMillis,
}

impl Bucket {
    /// The latest `until` at which there is a token at `now`.
    fn latest(&self, now: UnixMillis) -> UnixMillis {
        UnixMillis(now.0.saturating_add(millis(self.limit.every).saturating_mul(self.limit.at_once - 1)))
    }

    /// When there is a token, if nobody takes one meanwhile; not before `now`.
    pub(super) fn ready_at(&self, known: Option<Known>, now: UnixMillis) -> UnixMillis {
        let behind = known.map_or(0, |known| known.until.0.saturating_sub(self.latest(now).0));
        UnixMillis(now.0.saturating_add(behind.max(0)))
    }
}

/// The buckets in the database.
#[derive(Debug)]
pub(super) struct Buckets<'a, S> {
    pub(super) sql: &'a S,
}

impl<S: Sql> Buckets<'_, S> {
    /// Takes a token, if there is one.
    pub(super) async fn take(&self, bucket: &Bucket, now: UnixMillis) -> Result<bool, SqlError> {
        let statement = "INSERT INTO throttle (key, until, since) VALUES ($1, $2, $3)
            ON CONFLICT (key) DO UPDATE
                SET until = CASE WHEN throttle.until > $3 THEN throttle.until + $4 ELSE $2 END
                WHERE throttle.until <= $5
            RETURNING key";
        let Limit { every, .. } = bucket.limit;
        let parameters = [
            bucket.key.as_str().into(),
            (now + every).into(),
            now.into(),
            millis(every).into(),
            bucket.latest(now).into(),
        ];
        Ok(!self.sql.query(statement, &parameters).await?.is_empty())
    }

    /// Gives a token back that was taken at `taken_at`: as much of it as has not come back by itself, so that nobody
    /// gains by it.
    pub(super) async fn give_back(
        &self,
        bucket: &Bucket,
        taken_at: UnixMillis,
        now: UnixMillis,
    ) -> Result<(), SqlError> {
        let left = bucket.limit.every.saturating_sub(now.since(taken_at));
        if left.is_zero() {
            return Ok(());
        }
        let statement = "UPDATE throttle SET until = until - $1 WHERE key = $2";
        self.sql.query(statement, &[millis(left).into(), bucket.key.as_str().into()]).await.map(drop)
    }

    /// Removes the row of a full bucket: it says nothing.
    pub(super) async fn tidy(&self, bucket: &Bucket, now: UnixMillis) -> Result<(), SqlError> {
        let statement = "DELETE FROM throttle WHERE key = $1 AND until <= $2";
        self.sql.query(statement, &[bucket.key.as_str().into(), now.into()]).await.map(drop)
    }

    /// What the table says under each of these keys.
    pub(super) async fn known<const N: usize>(
        &self,
        keys: [&str; N],
    ) -> Result<[Option<Known>; N], SqlError> {
        let places: Vec<_> = (1..=N).map(|number| format!("${number}")).collect();
        let statement =
            format!("SELECT key, until, since FROM throttle WHERE key IN ({})", places.join(", "));
        let rows: Vec<(String, UnixMillis, UnixMillis)> =
            self.sql.fetch(&statement, &keys.map(Into::into)).await?;
        Ok(keys.map(|key| {
            let row = rows.iter().find(|(known, ..)| known == key)?;
            Some(Known { until: row.1, since: row.2 })
        }))
    }

    /// Notes that something holds until then.
    pub(super) async fn note(&self, key: &str, until: UnixMillis, now: UnixMillis) -> Result<(), SqlError> {
        let statement = "INSERT INTO throttle (key, until, since) VALUES ($1, $2, $3)
            ON CONFLICT (key) DO UPDATE SET until = $2";
        self.sql.query(statement, &[key.into(), until.into(), now.into()]).await.map(drop)
    }

    /// Removes up to `limit` rows that ended before then; whether there may be more.
    pub(super) async fn sweep(&self, before: UnixMillis, limit: i64) -> Result<bool, SqlError> {
        let statement = "DELETE FROM throttle WHERE key IN
            (SELECT key FROM throttle WHERE until < $1 ORDER BY until LIMIT $2) RETURNING key";
        let removed = self.sql.query(statement, &[before.into(), limit.into()]).await?;
        Ok(removed.len() as i64 >= limit)
    }
}
