//! Durable background jobs: work that must happen, though the instance that accepted it may be gone.
//!
//! A job is a row. It is written in the same statement as its cause (a trigger may do so: every column but
//! `queue`, `kind`, `args`, `visible_at` and `created_at` has a default), claimed under a lease, performed, and
//! acknowledged with a reply. Words are those of Oban, River and Graphile Worker where they agree.
//!
//! # What is promised
//! - **At least once.** A job that was enqueued is performed until it is done, or has failed `max_attempts` times
//!   and is a dead letter, which an administrator sees and replays. An instance that dies gives its jobs back when their
//!   lease ends.
//! - **Effects once** is up to the worker: a job keeps its `correlation_id` over all deliveries, also when it is replayed
//!   (its `id` only until then), so an effect is written under it, in one statement, where a unique index lets it happen
//!   once.
//! - **One of a line at a time**, in the order enqueued: jobs that share a `line` follow one another. (They may overlap
//!   where a worker is slower than its lease, and on Postgres where their enqueueing overlapped.)
//! - **Of all jobs with one `unique_key` the first is kept**, for as long as its row is.
//! - **Queues are served in turn**, a batch of each; within a queue by priority, then by time.
//!
//! A job is a type that says where it waits ([`Job`]) and how it is carried out ([`Run`]); a component that carries out
//! several lists them ([`Handlers`]). This crate knows no HTTP and no domain.

pub mod backoff;
pub mod dead_letters;
mod drain;
mod job;
mod public_event;
mod queue;
mod schema;
pub mod sweep;
mod typed;

#[cfg(test)]
mod tests;

pub use drain::{Drained, Outcome, Performer, Worker};
pub use job::{Delivery, Enqueued, NewJob, Standing};
pub use public_event::PublicEvent;
pub use queue::{Jobs, LEASE};
pub use schema::SCHEMA;
pub use typed::{Failure, Handlers, Job, Run, Written};
