//! Messages: routed to the free provider while it has room, and to the paid one for those who have paid access.
//! They keep nothing in the database, so these tests run on SQLite alone.

mod breakers;
mod bursts;
mod chat_presets;
mod concurrency;
mod conformance;
mod costs;
mod faults;
mod idempotency;
mod lane;
mod message_handler;
mod outside;
mod own_providers;
mod paid_daily_quota;
mod privacy;
mod redis_form;
mod refused_messages;
mod routing;
mod stats;
mod waiting;
