//! Subscriptions: what users buy, cancel and restart, and what gives them paid access.
//!
//! A request becomes a **notification**, a message in the queues of the original's exchange `SUBSCRIPTION`. The worker that
//! performs it applies it to the register, tells the accounts whether the user has an active subscription, and then
//! replies with the subscription.
//!
//! ```text
//! Subscriptions ──enqueue──▶ jobs ──▶ Consumer ──▶ Register   one statement: notification, status, count
//!       ▲                                   └────▶ Accounts   is there an active one? as of which version?
//!       └──────────── reply, by correlation id ◀────┘
//! ```
//!
//! # What is promised
//! - **The status of a subscription is what its history says**, at any time and on either database: the statement that
//!   adds to the history is the one that changes the status ([`schema`]).
//! - **A notification is applied once**, however often it is delivered, by however many instances, in whatever order
//!   with others: it is known by its correlation id, which it keeps when a dead letter is replayed.
//! - **What the accounts were told last is the truth**: every change of a user's subscriptions has a version, the
//!   accounts take no older one than they have, and a notification has no reply before they took its own.
//!
//! - **A deleted account has no active subscription, and no name is kept of it**, in whatever order its end, its
//!   notifications and its purchases come ([`schema`], [`Register::end`](register::Register::end)).
//!
//! This crate knows no route, no token and no SDK.

pub mod accounts;
pub mod config;
pub mod consumer;
pub mod notification;
pub mod refusal;
pub mod register;
pub mod schema;
pub mod subscription;
mod subscriptions;

pub use accounts::{Accounts, Away};
pub use config::Config;
pub use consumer::Consumer;
pub use notification::Notification;
pub use refusal::Refusal;
pub use register::{Page, Register};
pub use subscription::{Entry, Event, Status, Subscriber, Subscription, fold};
pub use subscriptions::{Authority, CHANGES_PER_DAY, Published, Reply, Request, Subscriptions};

#[cfg(test)]
mod tests;
