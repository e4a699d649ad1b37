//! Webhooks: what happens in Octo, sent to a program outside as signed requests.
//!
//! ```text
//! a change ── one statement ──▶ the change, and a job for each queue in `public_event_consumers`
//!                                              └──▶ DeliverEvent ──▶ POST to the operator's address, signed
//! ```
//!
//! # What is promised
//! - **An event is delivered at least once**, or ends as a dead letter: it is a durable job, written with its cause. It
//!   keeps its id over all attempts, so that who gets it twice can tell.
//! - **Who has the secret can tell that it is ours**: requests are signed as Standard Webhooks says ([`signature`]).
//! - **Without an address and a secret nothing is written**: changes cost nothing then ([`switch`]).
//!
//! The order of events is not promised. This crate knows no system and no SDK.

pub mod config;
pub mod delivery;
pub mod signature;
pub mod switch;

pub use config::Config;
pub use delivery::Webhooks;
pub use signature::Secret;

#[cfg(test)]
mod tests;
