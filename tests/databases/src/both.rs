//! The same scenario on both databases.

use octo_core::{
    Sql, SqlError, SqlValue,
    sql::{Dialect, Row},
};

use crate::Sqlite;

/// One of the two.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)]
pub enum Database {
    /// SQLite.
    Sqlite(Sqlite),
}

impl Sql for Database {
    fn dialect(&self) -> Dialect {
        match self {
            Database::Sqlite(sql) => sql.dialect(),
        }
    }

    async fn query(&self, statement: &str, parameters: &[SqlValue]) -> Result<Vec<Row>, SqlError> {
        match self {
            Database::Sqlite(sql) => sql.query(statement, parameters).await,
        }
    }
}

/// Runs `scenario` on a new database of each kind.
pub fn on_both(scenario: impl Fn(&Database)) {
    scenario(&Database::Sqlite(Sqlite::in_memory()));
}
