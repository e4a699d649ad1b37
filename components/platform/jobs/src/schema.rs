//! The table of jobs.

use octo_core::sql::{Schema, Step};

/// Jobs, and the indexes that find them. What is done is in none of the indexes that work goes by.
pub const SCHEMA: Schema = Schema { name: "jobs", versions: &[FIRST, PUBLIC_EVENTS] };

/// The queues in which public events wait ([`PublicEvent`](crate::PublicEvent)): none while nobody outside hears them.
const PUBLIC_EVENTS: &[Step] =
    &[Step::Both("CREATE TABLE IF NOT EXISTS public_event_consumers (queue TEXT PRIMARY KEY)")];

const FIRST: &[Step] = &[
    // `visible_at`: not claimed before: when it is due, or its lease or its pause ends. `attempt`: how often it was
    // claimed, and the fence by which a delivery that comes late is told from the newest.
    // `state`: available, completed, discarded (a dead letter), replayed (a dead letter that has a successor).
    Step::Both(
        "CREATE TABLE IF NOT EXISTS jobs (
            id {id},
            queue {text} NOT NULL,
            kind TEXT NOT NULL,
            args TEXT NOT NULL,
            line {text},
            unique_key {text},
            correlation_id {text},
            priority BIGINT NOT NULL DEFAULT 0,
            visible_at BIGINT NOT NULL,
            attempt BIGINT NOT NULL DEFAULT 0,
            max_attempts BIGINT NOT NULL DEFAULT 20,
            state TEXT NOT NULL DEFAULT 'available',
            reply TEXT,
            error TEXT,
            created_at BIGINT NOT NULL,
            finalized_at BIGINT
        )",
    ),
    Step::Both(
        "CREATE INDEX IF NOT EXISTS jobs_to_claim ON jobs (queue, priority, visible_at, id)
            WHERE finalized_at IS NULL",
    ),
    Step::Both(
        "CREATE INDEX IF NOT EXISTS jobs_by_line ON jobs (line, id)
            WHERE finalized_at IS NULL AND line IS NOT NULL",
    ),
    Step::Both(
        "CREATE UNIQUE INDEX IF NOT EXISTS jobs_by_unique_key ON jobs (unique_key)
            WHERE unique_key IS NOT NULL",
    ),
    Step::Both(
        "CREATE INDEX IF NOT EXISTS jobs_by_correlation ON jobs (correlation_id, id)
            WHERE correlation_id IS NOT NULL",
    ),
    Step::Both(
        "CREATE INDEX IF NOT EXISTS jobs_done ON jobs (finalized_at)
            WHERE finalized_at IS NOT NULL AND state <> 'discarded'",
    ),
    Step::Both(
        "CREATE INDEX IF NOT EXISTS jobs_dead ON jobs (id)
            WHERE finalized_at IS NOT NULL AND state = 'discarded'",
    ),
];
