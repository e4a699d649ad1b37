//! Both databases behind the SQL port, natively: what a domain's tests run on.
//!
//! [`Sqlite`] is SQLite as it is built into the host; [`Postgres`] a server that this process started for its tests
//! alone. [`on_both`] runs a scenario on each. Statements block: a future over these never waits.

// Tests say what they expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod both;
mod postgres;
mod sqlite;

pub use both::{Database, on_both};
pub use postgres::Postgres;
pub use sqlite::Sqlite;
