//! Octo from outside: every test speaks HTTP to the built components, on hosts of its own.
//!
//! Each system has a folder, [`platform`] has what concerns them all, and [`chaos`] has the tests under load. [`harness`]
//! starts the application and sends requests; [`mock_providers`] has servers that stand for providers outside it. Tests
//! know routes, variables and responses, and must not know how a component is made.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod harness;
mod mock_providers;

mod accounts;
mod chaos;
mod delivery;
mod jobs;
mod loyalty;
mod messages;
mod platform;
mod shop;
mod site;
mod subscriptions;
mod webhooks;
