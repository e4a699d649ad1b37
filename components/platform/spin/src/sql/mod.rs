//! The relational store: Spin's SQLite, a Postgres server, or whichever of them the variables name.

mod any;
mod postgres;
mod sqlite;

use std::time::Duration;

use octo_core::{Clock, SqlError, sql::Row};

pub use any::AnySql;
pub use postgres::SpinPostgres;
pub use sqlite::SpinSqlite;

use crate::SpinClock;

/// Pauses before a busy database is asked again, in milliseconds. Together six seconds, for many come at once now and
/// then, and at first use each has tables to make; after that the client is told.
const PAUSES_MS: [u64; 11] = [5, 15, 45, 100, 200, 400, 600, 800, 1000, 1300, 1600];

/// Asks until the database is not busy any more. Busy means that a statement did nothing.
async fn while_busy(ask: impl Fn() -> Result<Vec<Row>, SqlError>) -> Result<Vec<Row>, SqlError> {
    for pause in PAUSES_MS {
        match ask() {
            Err(SqlError::Busy) => SpinClock.sleep(Duration::from_millis(pause)).await,
            result => return result,
        }
    }
    ask()
}
