//! Jobs that failed as often as they might, for an administrator to look at and to replay.

use octo_core::{Sql, SqlError, UnixMillis};

use crate::Jobs;

/// A job that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its number.
    pub id: i64,
    /// Where it waited.
    pub queue: String,
    /// What was to be done.
    pub kind: String,
    /// With what: JSON text.
    pub args: String,
    /// How often it was tried.
    pub attempts: i64,
    /// Why the last attempt failed.
    pub error: String,
    /// When it was enqueued.
    pub created_at: UnixMillis,
    /// When it was given up.
    pub discarded_at: UnixMillis,
}

impl<S: Sql> Jobs<'_, S> {
    /// Dead letters with greater numbers than `after`, at most `limit`; of one queue, or of all.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn dead_letters(
        &self,
        queue: Option<&str>,
        after: i64,
        limit: i64,
    ) -> Result<Vec<DeadLetter>, SqlError> {
        let statement = "SELECT id, queue, kind, args, attempt AS attempts, error, created_at,
                finalized_at AS discarded_at FROM jobs
            WHERE finalized_at IS NOT NULL AND state = 'discarded' AND id > $1
                AND (CAST($2 AS TEXT) IS NULL OR queue = $2)
            ORDER BY id LIMIT $3";
        self.sql.fetch(statement, &[after.into(), queue.into(), limit.into()]).await
    }

    /// Enqueues a dead letter once more, at the end of its line, with all its attempts before it; whether there is
    /// such a dead letter. However often it is asked for, and whatever crashes in between, there is one successor:
    /// it has a unique key, and only then is the dead letter struck.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn replay(&self, id: i64, now: UnixMillis) -> Result<bool, SqlError> {
        let key = format!("replay/{id}");
        let statement =
            "INSERT INTO jobs (queue, kind, args, line, unique_key, correlation_id, priority, visible_at,
                max_attempts, created_at)
            SELECT queue, kind, args, line, $1, correlation_id, priority, $2, max_attempts, $2 FROM jobs
            WHERE id = $3 AND finalized_at IS NOT NULL AND state = 'discarded'
            ON CONFLICT DO NOTHING";
        self.sql.query(statement, &[key.into(), now.into(), id.into()]).await?;
        // It keeps its own unique key, so that the client's repeats still find it.
        let statement = "UPDATE jobs SET state = 'replayed', finalized_at = $1
            WHERE id = $2 AND finalized_at IS NOT NULL AND state = 'discarded' RETURNING id";
        Ok(!self.sql.query(statement, &[now.into(), id.into()]).await?.is_empty())
    }

    /// Removes a dead letter; whether there was one.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn remove_dead_letter(&self, id: i64) -> Result<bool, SqlError> {
        let statement = "DELETE FROM jobs
            WHERE id = $1 AND finalized_at IS NOT NULL AND state = 'discarded' RETURNING id";
        Ok(!self.sql.query(statement, &[id.into()]).await?.is_empty())
    }

    /// How much waits in each queue, and how much of it was given up.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn backlog(&self) -> Result<Vec<Backlog>, SqlError> {
        let statement = "SELECT queue, COUNT(*) AS waiting, MIN(created_at) AS oldest_at, 0 AS dead FROM jobs
                WHERE finalized_at IS NULL GROUP BY queue
            UNION ALL SELECT queue, 0, NULL, COUNT(*) FROM jobs
                WHERE finalized_at IS NOT NULL AND state = 'discarded' GROUP BY queue";
        let mut found: Vec<Backlog> = Vec::new();
        for row in self.sql.fetch::<Backlog>(statement, &[]).await? {
            match found.iter_mut().find(|known| known.queue == row.queue) {
                Some(known) => known.dead += row.dead,
                None => found.push(row),
            }
        }
        found.sort_by(|one, other| one.queue.cmp(&other.queue));
        Ok(found)
    }
}

/// What waits in a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// Its name.
    pub queue: String,
    /// Jobs that wait or are being performed.
    pub waiting: i64,
    /// When the oldest of them was enqueued.
    pub oldest_at: Option<UnixMillis>,
    /// Dead letters.
    pub dead: i64,
}

octo_core::from_row!(Backlog { queue, waiting, oldest_at, dead });

octo_core::from_row!(DeadLetter { id, queue, kind, args, attempts, error, created_at, discarded_at });
