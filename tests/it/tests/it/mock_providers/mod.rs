//! Mock providers: HTTP servers in the test's own process that stand for providers outside the application.
//!
//! They keep their books in memory under one lock, so they are exact whatever the load, and they depend on no
//! store: nothing that a test breaks takes them along. [`log`] looks into the books by rules of its own.
//! They stand in by the variables `free_provider_origin` and `paid_provider_origin`
//! ([`Setup::calling`](crate::harness::Setup::calling)).

mod chat;
mod fields;
mod free;
mod latency;
mod log;
mod paid;
mod server;
mod tests;

pub(crate) use chat::{CHAT_KEY, CHAT_MODEL, ChatApi, MockChat};
pub(crate) use fields::Fields;
pub(crate) use free::MockFree;
pub(crate) use latency::Latency;
pub(crate) use log::{Arrival, Limit, repeated};
pub(crate) use paid::MockPaid;

pub(crate) use server::{Reply, Server};

use server::Called;

/// What a provider does with a call, once it has it in its books.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Answers it.
    #[default]
    Answers,
    /// Answers this status and no result.
    Fails(u16),
    /// Answers this status to messages that begin with "bad", and the others.
    RefusesBadOnes(u16),
    /// Closes the connection without an answer.
    Breaks,
    /// Says nothing until the caller leaves.
    Hangs,
}

impl Mood {
    /// What becomes of an answer to a message; none: the connection closes.
    async fn turn(self, message: &str, answer: Reply) -> Option<Reply> {
        match self {
            Self::RefusesBadOnes(status) if message.starts_with("bad") => Some(server::empty(status)),
            Self::Answers | Self::RefusesBadOnes(_) => Some(answer),
            Self::Fails(status) => Some(server::empty(status)),
            Self::Breaks => None,
            Self::Hangs => std::future::pending().await,
        }
    }
}
