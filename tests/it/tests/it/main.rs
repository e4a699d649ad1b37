//! Octo from outside: every test speaks HTTP to the built components, on hosts of its own.
//!
//! [`harness`] starts the application and sends requests, [`external`] has providers to call; each other module
//! has one subject. Tests know routes, variables and answers, and must not know how a component is made.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod external;
mod harness;

mod accounts;
mod administration;
mod bodies;
mod breakers;
mod bursts;
mod concurrency;
mod conformance;
mod contract_000;
mod contract_001;
mod cookies;
mod costs;
mod delivery;
mod documents;
mod faults;
mod figures;
mod first_use;
mod http_rules;
mod idempotency;
mod jobs;
mod keys;
mod loyalty_sso;
mod message_handler_users;
mod messages;
mod openapi;
mod outages;
mod outside;
mod paid_allowance;
mod privacy;
mod races;
mod redis_form;
mod refused_messages;
mod service_key;
mod sessions;
mod settings;
mod shop_users;
mod siege;
mod sign_on;
mod subscriptions;
mod throttling;
mod tokens;
mod waiting;

use harness::TestApp;
