//! Performing jobs.

use octo_core::async_trait;
use std::time::Duration;

use octo_core::{Clock, Entropy, Sql, SqlError, UnixMillis};

use crate::{Delivery, Enqueued, Jobs, LEASE, NewJob, Standing, backoff};

/// Jobs of a queue that are claimed, and acknowledged, together.
const BATCH: i64 = 32;

/// A batch is given back untried once it is this old, so that no job is performed after its lease.
const STALE: Duration = Duration::from_secs(LEASE.as_secs() / 2);

/// Pauses of a caller who waits for a reply between two looks, in milliseconds; the last one for as long as it takes.
const LOOKS_MS: [u64; 6] = [5, 10, 20, 50, 100, 250];

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done, and this is the reply: JSON text.
    Done(String),
    /// It may work another time. The reason is for the log and the dead letter.
    Retry(String),
    /// It will never work.
    Discard(String),
}

/// Performs jobs.
#[async_trait]
pub trait Worker: Send + Sync {
    /// Performs `job`, which may have been performed before, or be performed by another instance now: see the crate's
    /// promises. Takes much less than [`LEASE`].
    async fn perform(&self, job: &Delivery) -> Outcome;
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Jobs that are done.
    pub performed: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Whether there may be more that is due.
    pub more: bool,
}

/// What performs jobs: the database they are in, and what it takes to perform them.
#[derive(Debug)]
pub struct Performer<'a, S, W, C, E> {
    /// Where the jobs are, with the tables of [`SCHEMA`](crate::SCHEMA).
    pub sql: &'a S,
    /// Performs them.
    pub worker: &'a W,
    /// The queues it serves.
    pub queues: Vec<&'a str>,
    /// The time.
    pub clock: &'a C,
    /// What chance is made of.
    pub entropy: &'a E,
}

impl<S: Sql, W: Worker, C: Clock, E: Entropy> Performer<'_, S, W, C, E> {
    /// Performs what is due, a batch of each queue in turn, until nothing is, or it is `until`: no job is begun after
    /// that.
    ///
    /// # Errors
    /// Those of the database. What was claimed by then comes back when its lease ends.
    pub async fn drain(&self, until: UnixMillis) -> Result<Drained, SqlError> {
        let mut drained = Drained { more: true, ..Drained::default() };
        while drained.more && self.clock.now() < until {
            drained.more = self.round(&mut drained, until).await?;
        }
        Ok(drained)
    }

    /// Enqueues a job, performs it here if it can be, and waits for its reply up to `wait`: a call by message, which
    /// goes on although the caller gives up. For a job that is known, its reply is waited for.
    ///
    /// # Errors
    /// Those of the database. After [`SqlError::Down`] the job may have been enqueued.
    pub async fn call(&self, new: &NewJob<'_>, wait: Duration) -> Result<(Enqueued, Standing), SqlError> {
        let deadline = self.clock.now() + wait;
        let enqueued = self.jobs().enqueue(new, self.clock.now()).await?;
        let correlation_id = match &enqueued {
            Enqueued::New(id) => {
                if let Some(own) = self.jobs().claim_one(*id, self.clock.now()).await?
                    && let Some(done) = self.attempt(own).await?
                {
                    let reply = done.1.clone();
                    self.jobs().complete(&[done], self.clock.now()).await?;
                    return Ok((enqueued, Standing::Done(reply)));
                }
                new.correlation_id
            }
            Enqueued::Known { correlation_id, .. } => correlation_id.as_deref(),
        };
        let Some(correlation_id) = correlation_id else { return Ok((enqueued, Standing::Waiting)) };
        let standing = self.wait_for(correlation_id, deadline).await?;
        Ok((enqueued, standing))
    }

    /// Waits for a reply until `deadline`, and performs meanwhile what it may be waiting behind.
    async fn wait_for(&self, correlation_id: &str, deadline: UnixMillis) -> Result<Standing, SqlError> {
        let mut looks = LOOKS_MS.into_iter();
        let mut pause = Duration::ZERO;
        loop {
            let standing = self.jobs().reply(correlation_id).await?.unwrap_or(Standing::Waiting);
            let now = self.clock.now();
            if standing != Standing::Waiting || now >= deadline {
                return Ok(standing);
            }
            if !self.round(&mut Drained::default(), deadline).await? {
                pause = looks.next().map_or(pause, Duration::from_millis);
                self.clock.sleep(pause.min(deadline.since(now))).await;
            }
        }
    }

    /// Performs a batch of each queue, and gives back what it has not begun by `until`; whether there was any.
    async fn round(&self, drained: &mut Drained, until: UnixMillis) -> Result<bool, SqlError> {
        let mut any = false;
        for queue in &self.queues {
            if self.clock.now() >= until {
                return Ok(true);
            }
            let claimed = self.jobs().claim(queue, BATCH, self.clock.now()).await?;
            any |= !claimed.is_empty();
            let stale = until.min(self.clock.now() + STALE);
            let mut done = Vec::new();
            for job in claimed {
                if self.clock.now() >= stale {
                    self.jobs().release(&job, self.clock.now()).await?;
                    continue;
                }
                match self.attempt(job).await? {
                    Some(performed) => done.push(performed),
                    None => drained.failed += 1,
                }
            }
            drained.performed += done.len() as u64;
            self.jobs().complete(&done, self.clock.now()).await?;
        }
        Ok(any)
    }

    /// Performs one job. With a reply it is done, and to be acknowledged; without one it failed, and that is noted.
    async fn attempt(&self, job: Delivery) -> Result<Option<(Delivery, String)>, SqlError> {
        // Claimed once more than it may be tried: its last attempt never ended.
        let outcome = if job.attempt > job.max_attempts {
            Outcome::Discard("the last attempt never ended".into())
        } else {
            self.worker.perform(&job).await
        };
        match outcome {
            Outcome::Done(reply) => return Ok(Some((job, reply))),
            Outcome::Retry(reason) if job.attempt < job.max_attempts => {
                let [random] = self.entropy.bytes::<1>();
                let at = self.clock.now() + backoff::pause(job.attempt, random);
                self.jobs().retry(&job, &reason, at).await?;
            }
            Outcome::Retry(reason) | Outcome::Discard(reason) => {
                self.jobs().discard(&job, &reason, self.clock.now()).await?;
            }
        }
        Ok(None)
    }

    fn jobs(&self) -> Jobs<'_, S> {
        Jobs::new(self.sql)
    }
}
