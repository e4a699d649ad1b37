//! Jobs as types: what is to be done is a value, and how it is done stands beside it.
//!
//! ```
//! use octo_core::async_trait;
//! use octo_jobs::{Delivery, Failure, Job, Run};
//! use serde::{Deserialize, Serialize};
//!
//! /// Sends a letter.
//! #[derive(Serialize, Deserialize)]
//! struct SendLetter {
//!     to: String,
//! }
//!
//! impl Job for SendLetter {
//!     const QUEUE: &'static str = "post/letters";
//!     const NAME: &'static str = "send-letter/1";
//!     type Reply = ();
//! }
//!
//! struct PostOffice;
//!
//! #[async_trait]
//! impl Run<PostOffice> for SendLetter {
//!     async fn run(self, _: &Delivery, _: &PostOffice) -> Result<(), Failure> {
//!         if self.to.is_empty() { Err(Failure::Final("nobody to send it to".into())) } else { Ok(()) }
//!     }
//! }
//! ```

use std::pin::Pin;

use octo_core::{UnixMillis, async_trait};
use serde::{Serialize, de::DeserializeOwned};

use crate::{Delivery, NewJob, Outcome, Performer, Worker};

/// A kind of job: its members are what it is done with.
///
/// A job may wait while Octo is updated, so its form is a promise: a member that is added has a default
/// (`#[serde(default)]`), and a job that changes otherwise gets another [`NAME`](Self::NAME).
pub trait Job: Serialize + DeserializeOwned + Send + 'static {
    /// Where it waits: `system/queue`.
    const QUEUE: &'static str;
    /// What is to be done. It is kept with each job and never changes its meaning; by custom it ends with a version.
    const NAME: &'static str;
    /// How often it may be tried before it is a dead letter. With 20 attempts, the pauses between them are several hours
    /// together.
    const MAX_ATTEMPTS: i64 = 20;
    /// What the caller who waits for it is told.
    type Reply: Serialize + DeserializeOwned;

    /// Jobs of one line are carried out one after another, in the order in which they were enqueued.
    fn line(&self) -> Option<String> {
        None
    }
}

/// How a job is carried out, by a worker that has a `Context`.
#[async_trait]
pub trait Run<Context: Sync>: Job {
    /// Carries it out. It may have been carried out before, or be so now by another instance: see the crate's promises.
    /// Takes much less than [`LEASE`](crate::LEASE).
    async fn run(self, delivery: &Delivery, context: &Context) -> Result<Self::Reply, Failure>;
}

/// Why a job was not done. The text is for the log and the dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It may work another time.
    ForNow(String),
    /// It will never work.
    Final(String),
}

impl Failure {
    /// It may work another time, because of this.
    pub fn for_now(cause: impl ToString) -> Self {
        Failure::ForNow(cause.to_string())
    }

    /// It will never work, because of this.
    pub fn r#final(cause: impl ToString) -> Self {
        Failure::Final(cause.to_string())
    }
}

impl From<octo_core::SqlError> for Failure {
    fn from(error: octo_core::SqlError) -> Self {
        Failure::for_now(error)
    }
}

/// A job as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    queue: &'static str,
    name: &'static str,
    max_attempts: i64,
    /// With what: JSON text.
    pub args: String,
    line: Option<String>,
}

impl Written {
    /// `job`, to be enqueued.
    ///
    /// # Errors
    /// Those of the JSON library, which has none for what our jobs consist of.
    pub fn of<J: Job>(job: &J) -> Result<Self, serde_json::Error> {
        Ok(Self {
            queue: J::QUEUE,
            name: J::NAME,
            max_attempts: J::MAX_ATTEMPTS,
            args: serde_json::to_string(job)?,
            line: job.line(),
        })
    }

    /// Due at `time`, and with nothing by which anybody asks for it.
    pub fn due(&self, time: UnixMillis) -> NewJob<'_> {
        NewJob {
            queue: self.queue,
            kind: self.name,
            args: &self.args,
            line: self.line.as_deref(),
            unique_key: None,
            correlation_id: None,
            priority: 0,
            scheduled_at: time,
            max_attempts: self.max_attempts,
        }
    }
}

type Running<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

struct Known<Context> {
    queue: &'static str,
    name: &'static str,
    run: for<'a> fn(&'a Delivery, &'a Context) -> Running<'a>,
}

/// The jobs that a worker carries out.
pub struct Handlers<'c, Context> {
    context: &'c Context,
    known: Vec<Known<Context>>,
}

impl<Context> std::fmt::Debug for Handlers<'_, Context> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.known.iter().map(|known| known.name)).finish()
    }
}

impl<'c, Context: Sync> Handlers<'c, Context> {
    /// None yet.
    pub fn new(context: &'c Context) -> Self {
        Self { context, known: Vec::new() }
    }

    /// And these jobs.
    #[must_use]
    pub fn on<J: Run<Context>>(mut self) -> Self {
        self.known.push(Known {
            queue: J::QUEUE,
            name: J::NAME,
            run: |delivery, context| Box::pin(run::<J, Context>(delivery, context)),
        });
        self
    }

    /// What performs them: in this database, by this clock, with this chance.
    pub fn performer<'a, S, C, E>(
        &'a self,
        sql: &'a S,
        clock: &'a C,
        entropy: &'a E,
    ) -> Performer<'a, S, Self, C, E> {
        Performer { sql, worker: self, queues: self.queues(), clock, entropy }
    }

    /// Where they wait.
    pub fn queues(&self) -> Vec<&'static str> {
        let mut queues: Vec<_> = self.known.iter().map(|known| known.queue).collect();
        queues.dedup();
        queues
    }
}

async fn run<J: Run<Context>, Context: Sync>(delivery: &Delivery, context: &Context) -> Outcome {
    let job: J = match serde_json::from_str(&delivery.args) {
        Ok(job) => job,
        Err(error) => return Outcome::Discard(format!("`{}` has other members: {error}", J::NAME)),
    };
    match job.run(delivery, context).await {
        Ok(reply) => match serde_json::to_string(&reply) {
            Ok(reply) => Outcome::Done(reply),
            Err(error) => Outcome::Discard(error.to_string()),
        },
        Err(Failure::ForNow(reason)) => Outcome::Retry(reason),
        Err(Failure::Final(reason)) => Outcome::Discard(reason),
    }
}

#[async_trait]
impl<Context: Sync> Worker for Handlers<'_, Context> {
    async fn perform(&self, job: &Delivery) -> Outcome {
        match self.known.iter().find(|known| known.name == job.kind && known.queue == job.queue) {
            Some(known) => (known.run)(job, self.context).await,
            None => Outcome::Discard(format!("nobody here knows a job `{}`", job.kind)),
        }
    }
}

#[cfg(test)]
mod tests {
    use octo_core::testing::ready;
    use serde::Deserialize;

    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Halve {
        number: i64,
    }

    impl Job for Halve {
        const QUEUE: &'static str = "sums/halves";
        const NAME: &'static str = "halve/1";
        type Reply = i64;

        fn line(&self) -> Option<String> {
            Some(format!("number/{}", self.number))
        }
    }

    #[async_trait]
    impl Run<i64> for Halve {
        async fn run(self, delivery: &Delivery, most: &i64) -> Result<i64, Failure> {
            match self.number {
                odd if odd % 2 != 0 => Err(Failure::r#final("it is odd")),
                large if large > *most => Err(Failure::for_now(format!("attempt {}", delivery.attempt))),
                number => Ok(number / 2),
            }
        }
    }

    fn delivered(kind: &str, args: &str) -> Outcome {
        let delivery = Delivery {
            id: 1,
            queue: Halve::QUEUE.into(),
            kind: kind.into(),
            args: args.into(),
            attempt: 3,
            max_attempts: 20,
            correlation_id: None,
            unique_key: None,
            priority: 0,
        };
        ready(Handlers::new(&100).on::<Halve>().perform(&delivery))
    }

    #[test]
    fn a_job_is_written_and_run() {
        let written = Written::of(&Halve { number: 8 }).unwrap();
        let new = written.due(UnixMillis(5));
        assert_eq!((new.queue, new.kind, new.line), ("sums/halves", "halve/1", Some("number/8")));
        assert_eq!(delivered(new.kind, new.args), Outcome::Done("4".into()));
        assert_eq!(Handlers::new(&1).on::<Halve>().on::<Halve>().queues(), ["sums/halves"]);
    }

    #[test]
    fn what_fails_for_now_is_told_from_what_never_works() {
        assert_eq!(delivered("halve/1", r#"{"number":102}"#), Outcome::Retry("attempt 3".into()));
        for (kind, args) in
            [("halve/1", r#"{"number":3}"#), ("halve/1", "{}"), ("halve/2", r#"{"number":8}"#)]
        {
            assert!(matches!(delivered(kind, args), Outcome::Discard(_)), "{kind} {args}");
        }
    }
}
