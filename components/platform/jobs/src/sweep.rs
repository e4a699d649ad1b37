//! Forgetting what is done.

use std::time::Duration;

use octo_core::{Sql, SqlError, UnixMillis};

use crate::Jobs;

/// How long a reply can be read, and a unique key is kept, after the job is done.
pub const KEPT: Duration = Duration::from_secs(24 * 3600);

/// Jobs removed at a time: some milliseconds of a database's time.
const SWEPT: i64 = 200;

impl<S: Sql> Jobs<'_, S> {
    /// Removes a few jobs that were done longer ago than [`KEPT`]; whether there may be more. Dead letters stay until
    /// somebody deals with them.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn sweep(&self, now: UnixMillis) -> Result<bool, SqlError> {
        let statement = "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs
            WHERE finalized_at IS NOT NULL AND state <> 'discarded' AND finalized_at < $1
            ORDER BY finalized_at LIMIT $2) RETURNING id";
        let swept = self.sql.query(statement, &[(now - KEPT).into(), SWEPT.into()]).await?;
        Ok(swept.len() as i64 == SWEPT)
    }
}
