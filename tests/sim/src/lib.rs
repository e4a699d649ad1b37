//! Simulated free providers and loads against the free tier's counter, in virtual time.
//!
//! A [`Scenario`](run::Scenario) is run by [`run::run`]: messages of a [`load`] reach a [`counter`], take a
//! way through a [`network`] that delays and loses calls, and arrive at a [`provider`], which counts by its
//! own window model and remembers each arrival too many. Beside it a perfect greedy caller (the oracle),
//! who sees into the provider and whose calls arrive at once, serves the same messages.
//!
//! It knows the counter only through reserve and settle, and nothing of HTTP, Spin or real time.

pub mod counter;
pub mod load;
pub mod network;
pub mod picture;
pub mod provider;
pub mod random;
pub mod real_redis;
pub mod run;
pub mod truth;
