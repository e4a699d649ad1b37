//! Both databases behind the SQL port, natively: what a domain's tests run on.
//!
//! [`Sqlite`] is SQLite as it is built into the host; [`Postgres`] a server that this process started for its tests
//! alone. [`on_both`] runs a scenario on each. [`Crashing`] is an instance that is cut off, [`killed`] has one in a process
//! of its own, [`Recorded`] remembers what was asked. Statements block: a future over these never waits.

// Tests say what they expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod both;
mod crashing;
pub mod killed;
mod postgres;
mod recorded;
mod sqlite;

pub use both::{Database, Shared, on_both};
pub use crashing::Crashing;
pub use postgres::Postgres;
pub use recorded::Recorded;
pub use sqlite::Sqlite;
