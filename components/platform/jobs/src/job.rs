//! A job, from its cause to its reply.

use octo_core::UnixMillis;

/// A job to be done.
#[derive(Clone, Copy, Debug)]
pub struct NewJob<'a> {
    /// Where it waits. Workers serve some queues, and those in turn.
    pub queue: &'a str,
    /// What is to be done.
    pub kind: &'a str,
    /// With what: JSON text.
    pub args: &'a str,
    /// Jobs of one line are performed one after another, in the order in which they were enqueued.
    pub line: Option<&'a str>,
    /// Of all jobs with this key only the first is kept.
    pub unique_key: Option<&'a str>,
    /// Under what its reply is read.
    pub correlation_id: Option<&'a str>,
    /// Lower ones first; 0 is usual.
    pub priority: i64,
    /// Not before this time.
    pub scheduled_at: UnixMillis,
    /// How often it may be tried, at least 1.
    pub max_attempts: i64,
}

/// What became of a job to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Enqueued {
    /// It waits under this number.
    New(i64),
    /// Its unique key is an earlier job's.
    Known {
        /// With what that one was enqueued.
        args: String,
        /// Under what that one's reply is read.
        correlation_id: Option<String>,
    },
}

/// A job that was claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its number, the same at every delivery until it is replayed.
    pub id: i64,
    /// Where it waited.
    pub queue: String,
    /// What is to be done.
    pub kind: String,
    /// With what: JSON text.
    pub args: String,
    /// Which attempt this is, from 1.
    pub attempt: i64,
    /// How many there may be.
    pub max_attempts: i64,
    /// Under what its reply is read; the same for ever, so that effects are written under it.
    pub correlation_id: Option<String>,
    pub(crate) unique_key: Option<String>,
    pub(crate) priority: i64,
}

impl Delivery {
    /// Whether anybody may ask for it once it is done.
    pub(crate) fn is_remembered(&self) -> bool {
        self.correlation_id.is_some() || self.unique_key.is_some()
    }
}

/// How a job stands, for the caller who waits for its reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It waits, or is being performed.
    Waiting,
    /// It is done, and this is the reply: JSON text.
    Done(String),
    /// It is a dead letter, for this reason.
    Discarded(String),
}
