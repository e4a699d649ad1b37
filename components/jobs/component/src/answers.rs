//! What the answers look like. Times are RFC 3339.

use http::StatusCode;
use octo_core::Problem;
use octo_jobs::dead_letters::{Backlog, DeadLetter};
use serde::Serialize;
use serde_json::value::RawValue;

#[derive(Serialize)]
pub(crate) struct QueuesBody<'a> {
    queues: Vec<QueueBody<'a>>,
}

#[derive(Serialize)]
struct QueueBody<'a> {
    queue: &'a str,
    waiting: i64,
    oldest_at: Option<String>,
    dead: i64,
}

impl<'a> QueuesBody<'a> {
    pub(crate) fn of(backlog: &'a [Backlog]) -> Self {
        let queue = |of: &'a Backlog| QueueBody {
            queue: &of.queue,
            waiting: of.waiting,
            oldest_at: of.oldest_at.map(|at| at.to_string()),
            dead: of.dead,
        };
        Self { queues: backlog.iter().map(queue).collect() }
    }
}

/// A page; `next` is the `after` of the one that follows.
#[derive(Serialize)]
pub(crate) struct DeadLettersBody<'a> {
    dead: Vec<DeadLetterBody<'a>>,
    next: Option<i64>,
}

#[derive(Serialize)]
struct DeadLetterBody<'a> {
    id: i64,
    queue: &'a str,
    kind: &'a str,
    args: Option<&'a RawValue>,
    attempts: i64,
    error: &'a str,
    created_at: String,
    discarded_at: String,
}

impl<'a> DeadLettersBody<'a> {
    pub(crate) fn of(dead: &'a [DeadLetter], limit: i64) -> Self {
        let letter = |of: &'a DeadLetter| DeadLetterBody {
            id: of.id,
            queue: &of.queue,
            kind: &of.kind,
            args: serde_json::from_str(&of.args).ok(),
            attempts: of.attempts,
            error: &of.error,
            created_at: of.created_at.to_string(),
            discarded_at: of.discarded_at.to_string(),
        };
        let next = dead.last().filter(|_| dead.len() as i64 == limit).map(|last| last.id);
        Self { dead: dead.iter().map(letter).collect(), next }
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
