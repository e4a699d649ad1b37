//! What background jobs cost, beside the least that anything durable costs: a row inserted and updated.
//!
//! In this process, without components, on one connection whose commits are durable; both sides in turn, round after
//! round. A job is enqueued in a statement of its own, has its effect (a row) in another, and is claimed and
//! acknowledged in batches, as `octo-jobs` does it.

use octo_core::async_trait;
use std::fmt::{self, Display, Formatter};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use octo_core::sql::{Migrated, Schema, Step};
use octo_core::{Clock, Sql, UnixMillis};
use octo_databases::{Database, Shared};
use octo_jobs::{Delivery, Jobs, NewJob, Outcome, Performer, SCHEMA, Worker};
use serde::Serialize;

use crate::native::{NoChance, SystemClock, ready};
use crate::options::Options;
use crate::report::median;

/// The name of these measurements.
pub(crate) const NAME: &str = "jobs";

/// Jobs enqueued before they are performed, and lines they are in.
const BACKLOG: usize = 64;

const TABLES: &[&Schema] = &[
    &SCHEMA,
    &Schema {
        name: "benchmark",
        versions: &[&[
            Step::Both("CREATE TABLE IF NOT EXISTS floor (id {id}, args TEXT NOT NULL, done_at BIGINT)"),
            Step::Both("CREATE TABLE IF NOT EXISTS effects (job BIGINT PRIMARY KEY, args TEXT NOT NULL)"),
        ]],
    },
];

/// One database in one round; each a number a second.
#[derive(Clone, Debug, Serialize)]
struct Round {
    database: &'static str,
    floor: f64,
    jobs: f64,
    in_lines: f64,
}

/// What was measured of jobs.
#[derive(Debug, Serialize)]
pub(crate) struct JobsReport {
    rounds: Vec<Round>,
}

/// Measures both databases, as many rounds as the options say.
pub(crate) fn measure(options: &Options) -> anyhow::Result<JobsReport> {
    let databases = [("SQLite", Shared::sqlite()), ("Postgres", Shared::postgres())];
    let mut rounds = Vec::new();
    for round in 1..=options.rounds {
        for (database, shared) in &databases {
            eprintln!("round {round} of {}: jobs on {database}", options.rounds);
            let connection = shared.connect_durably();
            let sql = Migrated::new(&connection, TABLES);
            ready(sql.apply())?;
            let floor = rate(options.duration, || insert_and_update(&sql))?;
            let jobs = rate(options.duration, || enqueue_and_perform(&sql, false))?;
            let in_lines = rate(options.duration, || enqueue_and_perform(&sql, true))?;
            rounds.push(Round { database, floor, jobs, in_lines });
        }
    }
    Ok(JobsReport { rounds })
}

/// How often a second what `some` says it did is done.
pub(crate) fn rate(duration: Duration, some: impl Fn() -> anyhow::Result<usize>) -> anyhow::Result<f64> {
    let (began, mut done) = (Instant::now(), 0);
    while began.elapsed() < duration {
        done += some()?;
    }
    Ok(done as f64 / began.elapsed().as_secs_f64())
}

fn insert_and_update(sql: &Migrated<'_, Database>) -> anyhow::Result<usize> {
    let insert = "INSERT INTO floor (args) VALUES ($1) RETURNING id";
    let (id,): (i64,) = ready(sql.first(insert, &[r#"{"user_id":1}"#.into()]))?.context("no number")?;
    let update = "UPDATE floor SET done_at = $1 WHERE id = $2";
    ready(sql.query(update, &[SystemClock.now().into(), id.into()]))?;
    Ok(1)
}

fn enqueue_and_perform(sql: &Migrated<'_, Database>, in_lines: bool) -> anyhow::Result<usize> {
    for number in 0..BACKLOG {
        let line = number.to_string();
        let now = SystemClock.now();
        let new = NewJob {
            queue: "benchmark",
            kind: "benchmark",
            args: r#"{"user_id":1}"#,
            line: in_lines.then_some(line.as_str()),
            unique_key: None,
            correlation_id: None,
            priority: 0,
            scheduled_at: now,
            max_attempts: 20,
        };
        ready(Jobs::new(sql).enqueue(&new, now))?;
    }
    let (worker, queues) = (Effect(sql), vec!["benchmark"]);
    let performer = Performer { sql, worker: &worker, queues, clock: &SystemClock, entropy: &NoChance };
    let drained = ready(performer.drain(UnixMillis(i64::MAX)))?;
    if drained.performed != BACKLOG as u64 {
        return Err(anyhow!("{} of {BACKLOG} jobs were performed", drained.performed));
    }
    Ok(BACKLOG)
}

/// Writes a row for each job.
struct Effect<'a>(&'a Migrated<'a, Database>);

#[async_trait]
impl Worker for Effect<'_> {
    async fn perform(&self, job: &Delivery) -> Outcome {
        let statement = "INSERT INTO effects (job, args) VALUES ($1, $2) ON CONFLICT (job) DO NOTHING";
        match self.0.query(statement, &[job.id.into(), job.args.as_str().into()]).await {
            Ok(_) => Outcome::Done("null".to_owned()),
            Err(error) => Outcome::Discard(error.to_string()),
        }
    }
}

impl Display for JobsReport {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        writeln!(out, "\nBackground jobs on one durable connection, beside a row inserted and updated:\n")?;
        writeln!(out, "| database | insert + update /s | jobs/s | of it | jobs/s in lines | of it |")?;
        writeln!(out, "| --- | ---: | ---: | ---: | ---: | ---: |")?;
        for database in ["SQLite", "Postgres"] {
            let of = |value: &dyn Fn(&Round) -> f64| {
                median(self.rounds.iter().filter(|round| round.database == database).map(value).collect())
            };
            writeln!(
                out,
                "| {database} | {:.0} | {:.0} | {:.2} | {:.0} | {:.2} |",
                of(&|round| round.floor),
                of(&|round| round.jobs),
                of(&|round| round.jobs / round.floor),
                of(&|round| round.in_lines),
                of(&|round| round.in_lines / round.floor),
            )?;
        }
        Ok(())
    }
}
