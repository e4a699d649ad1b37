//! What the responses look like. Times are RFC 3339.

use http::StatusCode;
use octo_core::Problem;
use octo_jobs::dead_letters::{Backlog, DeadLetter};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A queue that has jobs.
#[derive(Serialize, ToSchema)]
#[schema(as = Queue)]
pub(crate) struct QueueBody {
    /// Its name.
    #[schema(example = "subscriptions")]
    queue: String,
    /// Jobs that wait or are being carried out.
    waiting: i64,
    /// Since when the oldest of them waits.
    #[schema(required, format = DateTime)]
    oldest_at: Option<String>,
    /// Jobs that have failed for good.
    dead: i64,
}

impl From<&Backlog> for QueueBody {
    fn from(of: &Backlog) -> Self {
        Self {
            queue: of.queue.clone(),
            waiting: of.waiting,
            oldest_at: of.oldest_at.map(|at| at.to_string()),
            dead: of.dead,
        }
    }
}

/// A job that has failed for good.
#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetter)]
pub(crate) struct DeadLetterBody {
    id: i64,
    queue: String,
    /// What is to be done.
    kind: String,
    /// With what.
    args: Value,
    attempts: i64,
    /// Why the last attempt failed.
    error: String,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    discarded_at: String,
}

impl From<&DeadLetter> for DeadLetterBody {
    fn from(of: &DeadLetter) -> Self {
        Self {
            id: of.id,
            queue: of.queue.clone(),
            kind: of.kind.clone(),
            args: serde_json::from_str(&of.args).unwrap_or_default(),
            attempts: of.attempts,
            error: of.error.clone(),
            created_at: of.created_at.to_string(),
            discarded_at: of.discarded_at.to_string(),
        }
    }
}

pub(crate) fn no_such_dead_letter() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "no-such-dead-letter",
        "There is no such dead letter",
        "It may have been replayed or removed. GET /internal/jobs/dead lists those there are.",
    )
}
