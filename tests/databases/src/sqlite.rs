//! SQLite.

use octo_core::{async_trait, testing::Locked};
use std::{path::Path, time::Duration};

use octo_core::{
    Sql, SqlError, SqlValue,
    sql::{Columns, Dialect, Row},
};
use rusqlite::{Connection, ErrorCode, types::Value};

/// A connection to a database.
#[derive(Debug)]
pub struct Sqlite(Locked<Connection>);

impl Sqlite {
    /// A new database in memory.
    pub fn in_memory() -> Self {
        Self(Locked::new(Connection::open_in_memory().unwrap()))
    }

    /// A connection of its own to the database in the file, as each instance has one.
    pub fn open(path: &Path) -> Self {
        let connection = Connection::open(path).unwrap();
        // No test ends the machine.
        connection.pragma_update(None, "synchronous", "OFF").unwrap();
        connection.busy_timeout(Duration::from_secs(10)).unwrap();
        Self(Locked::new(connection))
    }

    /// How the statement would be carried out, a line for each step; `SCAN` is a step that reads a whole table.
    pub fn plan(&self, statement: &str, parameters: usize) -> String {
        let statement = format!("EXPLAIN QUERY PLAN {statement}");
        let rows = self.run(&statement, &vec![SqlValue::Null; parameters]).unwrap();
        let lines = rows.iter().filter_map(|row| row.values().get(3)?.text());
        lines.map(|line| line.replace(" USING ", "-USING ")).collect::<Vec<_>>().join("\n")
    }

    /// The words by which a plan says that it reads a whole table, a set of words for each table there is. (Going along
    /// a whole index says more.)
    pub(crate) fn whole_tables(&self) -> Vec<String> {
        let tables = self.run("SELECT name FROM sqlite_master WHERE type = 'table'", &[]).unwrap();
        let names = tables.iter().filter_map(|row| row.values().first()?.text());
        names.map(|name| format!("SCAN {name} ")).collect()
    }

    fn run(&self, statement: &str, parameters: &[SqlValue]) -> Result<Vec<Row>, SqlError> {
        let statement = Dialect::Sqlite.text(statement);
        let connection = self.0.borrow();
        let mut prepared = connection.prepare_cached(&statement).map_err(classify)?;
        let columns: Columns = prepared.column_names().map(str::to_owned).collect();
        let rows = prepared.query_map(rusqlite::params_from_iter(parameters.iter().map(value)), |row| {
            let values = (0..columns.len()).map(|index| Ok(column(row.get(index)?)));
            Ok(Row::new(&columns, values.collect::<rusqlite::Result<_>>()?))
        });
        let rows = rows.map_err(classify)?.collect::<Result<_, _>>();
        rows.map_err(classify)
    }
}

#[async_trait]
impl Sql for Sqlite {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    async fn query(&self, statement: &str, parameters: &[SqlValue]) -> Result<Vec<Row>, SqlError> {
        self.run(statement, parameters)
    }
}

fn value(value: &SqlValue) -> Value {
    match value {
        SqlValue::Null => Value::Null,
        SqlValue::Integer(value) => Value::Integer(*value),
        SqlValue::Text(value) => Value::Text(value.clone()),
        SqlValue::Blob(value) => Value::Blob(value.clone()),
    }
}

fn column(value: Value) -> SqlValue {
    match value {
        Value::Null => SqlValue::Null,
        Value::Integer(value) => SqlValue::Integer(value),
        Value::Text(value) => SqlValue::Text(value),
        Value::Blob(value) => SqlValue::Blob(value),
        Value::Real(value) => panic!("a column holds the float {value}"),
    }
}

fn classify(error: rusqlite::Error) -> SqlError {
    let text = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => SqlError::Conflict(text),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => SqlError::Busy,
        _ if ["no such table", "no such column", "has no column named"]
            .iter()
            .any(|it| text.contains(it)) =>
        {
            SqlError::Missing(text)
        }
        _ => SqlError::Failed(text),
    }
}
