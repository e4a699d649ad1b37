//! The message gateway's rules.
//!
//! - [`message`]: what a message is.
//! - [`free_tier`]: the counter that keeps the free provider from ever seeing one call too many.
//! - [`breaker`]: when a provider is left alone, and how it is found again.
//! - [`provider`]: a provider, as the operator's variables describe it, and one call to it.
//! - [`response`]: what a provider's response means; [`chat_error`]: what the usual chat APIs say in its body.
//! - [`admission`]: what routing asks of the stores.
//! - [`rate_limit_headers`]: what a response says of the provider's limit.
//! - [`routing`]: free while it has room, paid otherwise.
//! - [`stats`]: what became of the messages, counted for people.
//! - [`config`]: the operator's variables, checked.
//!
//! It reaches stores and providers only through the ports of `octo-core`, and must not know HTTP routes,
//! tokens, or which application the providers belong to.

pub mod admission;
pub mod breaker;
mod chat_error;
pub mod config;
pub mod free_tier;
pub mod message;
pub mod provider;
pub mod rate_limit_headers;
pub mod response;
pub mod routing;
pub mod stats;

pub use config::{Config, TierConfig};
pub use message::Message;
