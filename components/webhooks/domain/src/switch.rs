//! Whether events are written at all.

use octo_core::{Sql, SqlError};

/// Where events for webhooks wait.
pub(crate) const QUEUE: &str = "webhooks/events";

/// Has events written from now on, or no more.
///
/// # Errors
/// Those of the database.
pub async fn set(sql: &impl Sql, on: bool) -> Result<(), SqlError> {
    // To look costs no lock, and there is rarely anything to change.
    let found =
        sql.query("SELECT queue FROM public_event_consumers WHERE queue = $1", &[QUEUE.into()]).await?;
    let statement = match (on, found.is_empty()) {
        (true, true) => "INSERT INTO public_event_consumers (queue) VALUES ($1) ON CONFLICT DO NOTHING",
        (false, false) => "DELETE FROM public_event_consumers WHERE queue = $1",
        _ => return Ok(()),
    };
    sql.query(statement, &[QUEUE.into()]).await.map(drop)
}
