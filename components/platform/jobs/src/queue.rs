//! The queues in the database. Every function is one statement, or says which crash may fall between its two.

use std::time::Duration;

use octo_core::{Sql, SqlError, SqlValue, UnixMillis};

use crate::job::{Delivery, Enqueued, NewJob, Standing};

/// How long a claimed job is left to the instance that claimed it; several times what any job of ours takes.
pub const LEASE: Duration = Duration::from_secs(30);

/// The jobs in the database.
#[derive(Debug)]
pub struct Jobs<'a, S> {
    pub(crate) sql: &'a S,
}

/// A job is claimed when it is due and no other of its line comes before it. A line's first job stays the first until
/// it is final (later jobs have greater numbers), so two instances never hold two jobs of one line.
const CLAIMABLE: &str = "finalized_at IS NULL AND visible_at <= $1 AND (line IS NULL OR NOT EXISTS (
    SELECT 1 FROM jobs earlier
    WHERE earlier.line = jobs.line AND earlier.id < jobs.id AND earlier.finalized_at IS NULL))";

const CLAIMED: &str = "SET visible_at = $2, attempt = attempt + 1";

const COLUMNS: &str = "jobs.id, jobs.queue, jobs.kind, jobs.args, jobs.attempt, jobs.max_attempts,
    jobs.correlation_id, jobs.unique_key, jobs.priority";

impl<'a, S: Sql> Jobs<'a, S> {
    /// The jobs in `sql`, which has the tables of [`SCHEMA`](crate::SCHEMA).
    pub fn new(sql: &'a S) -> Self {
        Self { sql }
    }

    /// Enqueues a job.
    ///
    /// # Errors
    /// Those of the database. After [`SqlError::Down`] the job may be there all the same: a `unique_key` makes it safe
    /// to ask again.
    pub async fn enqueue(&self, new: &NewJob<'_>, now: UnixMillis) -> Result<Enqueued, SqlError> {
        let statement =
            "INSERT INTO jobs (queue, kind, args, line, unique_key, correlation_id, priority, visible_at,
                max_attempts, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING RETURNING id";
        let parameters = [
            new.queue.into(),
            new.kind.into(),
            new.args.into(),
            new.line.into(),
            new.unique_key.into(),
            new.correlation_id.into(),
            new.priority.into(),
            new.scheduled_at.into(),
            new.max_attempts.into(),
            now.into(),
        ];
        if let Some((id,)) = self.sql.first(statement, &parameters).await? {
            return Ok(Enqueued::New(id));
        }
        let statement = "SELECT args, correlation_id FROM jobs WHERE unique_key = $1";
        let known = self.sql.first(statement, &[new.unique_key.into()]).await?;
        // Swept between the two statements, a day after it was done: anyone who asks again enqueues it.
        let (args, correlation_id) = known.ok_or(SqlError::Busy)?;
        Ok(Enqueued::Known { args, correlation_id })
    }

    /// Whether there is a job with this unique key.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn is_known(&self, unique_key: &str) -> Result<bool, SqlError> {
        let statement = "SELECT 1 FROM jobs WHERE unique_key = $1";
        Ok(!self.sql.query(statement, &[unique_key.into()]).await?.is_empty())
    }

    /// Claims up to `limit` jobs of a queue that are due, for [`LEASE`].
    pub(crate) async fn claim(
        &self,
        queue: &str,
        limit: i64,
        now: UnixMillis,
    ) -> Result<Vec<Delivery>, SqlError> {
        let skip_locked = self.sql.dialect().skip_locked();
        // Materialised, so that Postgres takes the rows once and no more than the limit.
        let statement = format!(
            "WITH due AS MATERIALIZED (
                SELECT id FROM jobs WHERE queue = $3 AND {CLAIMABLE}
                ORDER BY priority, visible_at, id LIMIT $4{skip_locked})
             UPDATE jobs {CLAIMED} FROM due WHERE jobs.id = due.id RETURNING {COLUMNS}"
        );
        let parameters = [now.into(), (now + LEASE).into(), queue.into(), limit.into()];
        let mut claimed: Vec<Delivery> = self.sql.fetch(&statement, &parameters).await?;
        // Rows are returned in no order.
        claimed.sort_by_key(|job| (job.priority, job.id));
        Ok(claimed)
    }

    /// Claims one job, if it is due.
    pub(crate) async fn claim_one(&self, id: i64, now: UnixMillis) -> Result<Option<Delivery>, SqlError> {
        let statement = format!("UPDATE jobs {CLAIMED} WHERE {CLAIMABLE} AND id = $3 RETURNING {COLUMNS}");
        self.sql.first(&statement, &[now.into(), (now + LEASE).into(), id.into()]).await
    }

    /// Acknowledges jobs with their replies, and forgets those that nobody can ask for.
    pub(crate) async fn complete(
        &self,
        done: &[(Delivery, String)],
        now: UnixMillis,
    ) -> Result<(), SqlError> {
        let (remembered, forgotten): (Vec<_>, Vec<_>) = done.iter().partition(|(job, _)| job.is_remembered());
        if !remembered.is_empty() {
            let rows = (0..remembered.len()).map(|row| {
                let first = 2 + 3 * row;
                format!(
                    "(CAST(${first} AS BIGINT), CAST(${} AS BIGINT), CAST(${} AS TEXT))",
                    first + 1,
                    first + 2
                )
            });
            let statement = format!(
                "WITH done (id, attempt, reply) AS (VALUES {})
                 UPDATE jobs SET state = 'completed', finalized_at = $1, reply = done.reply, error = NULL FROM done
                 WHERE jobs.id = done.id AND jobs.attempt = done.attempt AND jobs.finalized_at IS NULL",
                rows.collect::<Vec<_>>().join(", ")
            );
            let mut parameters: Vec<SqlValue> = vec![now.into()];
            for (job, reply) in remembered {
                parameters.extend([job.id.into(), job.attempt.into(), reply.as_str().into()]);
            }
            self.sql.query(&statement, &parameters).await?;
        }
        if !forgotten.is_empty() {
            let rows = (0..forgotten.len())
                .map(|row| format!("(CAST(${} AS BIGINT), CAST(${} AS BIGINT))", 1 + 2 * row, 2 + 2 * row));
            let statement = format!(
                "DELETE FROM jobs WHERE (id, attempt) IN (VALUES {}) AND finalized_at IS NULL",
                rows.collect::<Vec<_>>().join(", ")
            );
            let parameters: Vec<SqlValue> =
                forgotten.iter().flat_map(|(job, _)| [job.id.into(), job.attempt.into()]).collect();
            self.sql.query(&statement, &parameters).await?;
        }
        Ok(())
    }

    /// Lets a job that failed be tried again at `at`.
    pub(crate) async fn retry(&self, job: &Delivery, error: &str, at: UnixMillis) -> Result<(), SqlError> {
        let statement = "UPDATE jobs SET visible_at = $1, error = $2
            WHERE id = $3 AND attempt = $4 AND finalized_at IS NULL";
        let parameters = [at.into(), error.into(), job.id.into(), job.attempt.into()];
        self.sql.query(statement, &parameters).await.map(drop)
    }

    /// Makes a job a dead letter.
    pub(crate) async fn discard(&self, job: &Delivery, error: &str, now: UnixMillis) -> Result<(), SqlError> {
        let statement = "UPDATE jobs SET state = 'discarded', finalized_at = $1, error = $2
            WHERE id = $3 AND attempt = $4 AND finalized_at IS NULL";
        let parameters = [now.into(), error.into(), job.id.into(), job.attempt.into()];
        self.sql.query(statement, &parameters).await.map(drop)
    }

    /// Gives a claimed job back untried.
    pub(crate) async fn release(&self, job: &Delivery, now: UnixMillis) -> Result<(), SqlError> {
        // The attempt stays counted: the number is the fence, and must not be given twice.
        let statement = "UPDATE jobs SET visible_at = $1, max_attempts = max_attempts + 1
            WHERE id = $2 AND attempt = $3 AND finalized_at IS NULL";
        let parameters = [now.into(), job.id.into(), job.attempt.into()];
        self.sql.query(statement, &parameters).await.map(drop)
    }

    /// How the job with this correlation id stands (the last one, when it was replayed); `None` when there is none, or
    /// it was done so long ago that it is forgotten.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn reply(&self, correlation_id: &str) -> Result<Option<Standing>, SqlError> {
        let statement =
            "SELECT state, reply, error FROM jobs WHERE correlation_id = $1 ORDER BY id DESC LIMIT 1";
        let found: Option<(String, Option<String>, Option<String>)> =
            self.sql.first(statement, &[correlation_id.into()]).await?;
        Ok(found.map(|(state, reply, error)| match state.as_str() {
            "completed" => Standing::Done(reply.unwrap_or_else(|| "null".into())),
            "discarded" => Standing::Discarded(error.unwrap_or_default()),
            _ => Standing::Waiting,
        }))
    }
}

octo_core::from_row!(Delivery {
    id,
    queue,
    kind,
    args,
    attempt,
    max_attempts,
    correlation_id,
    unique_key,
    priority,
});
