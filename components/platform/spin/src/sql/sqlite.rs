//! Spin's SQLite database labelled `default`.

use octo_core::async_trait;
use std::sync::OnceLock;

use octo_core::{
    Sql, SqlError, SqlValue,
    sql::{Columns, Dialect, Row},
};
use spin_sdk::sqlite::{Connection, Error, RowResult, Value};

use super::while_busy;

/// Spin's SQLite database, opened when first used.
#[derive(Default)]
pub struct SpinSqlite {
    connection: OnceLock<Connection>,
}

impl SpinSqlite {
    fn connection(&self) -> Result<&Connection, SqlError> {
        if let Some(connection) = self.connection.get() {
            return Ok(connection);
        }
        let connection = Connection::open_default().map_err(classify)?;
        Ok(self.connection.get_or_init(|| connection))
    }

    fn try_query(&self, statement: &str, parameters: &[Value]) -> Result<Vec<Row>, SqlError> {
        let result = self.connection()?.execute(statement, parameters).map_err(classify)?;
        let columns: Columns = result.columns.into();
        let row = |row: RowResult| {
            let values = row.values.into_iter().map(from_spin).collect::<Result<_, _>>()?;
            Ok(Row::new(&columns, values))
        };
        result.rows.into_iter().map(row).collect()
    }
}

/// SQLite waits for other writers by itself, but where waiting could be for ever (two connections that both want to
/// begin writing, or to open a new file) it says busy at once.
#[async_trait]
impl Sql for SpinSqlite {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    async fn query(&self, statement: &str, parameters: &[SqlValue]) -> Result<Vec<Row>, SqlError> {
        let statement = &Dialect::Sqlite.text(statement);
        let parameters: Vec<_> = parameters.iter().map(to_spin).collect();
        while_busy(|| self.try_query(statement, &parameters)).await
    }
}

fn to_spin(value: &SqlValue) -> Value {
    match value {
        SqlValue::Null => Value::Null,
        SqlValue::Integer(value) => Value::Integer(*value),
        SqlValue::Text(value) => Value::Text(value.clone()),
        SqlValue::Blob(value) => Value::Blob(value.clone()),
    }
}

fn from_spin(value: Value) -> Result<SqlValue, SqlError> {
    match value {
        Value::Null => Ok(SqlValue::Null),
        Value::Integer(value) => Ok(SqlValue::Integer(value)),
        Value::Text(value) => Ok(SqlValue::Text(value)),
        Value::Blob(value) => Ok(SqlValue::Blob(value)),
        Value::Real(_) => Err(SqlError::Failed("a column holds a float; none of ours does".into())),
    }
}

/// What SQLite says of a table or column that is not there; the last one when an `INSERT` names it.
const LACKS: [&str; 3] = ["no such table", "no such column", "has no column named"];

/// Spin passes SQLite's failures on as text; the words are SQLite's own and stable.
fn classify(error: Error) -> SqlError {
    let text = match error {
        Error::Io(text) => text,
        other => other.to_string(),
    };
    if text.contains("constraint failed") {
        SqlError::Conflict(text)
    } else if LACKS.iter().any(|words| text.contains(words)) {
        SqlError::Missing(text)
    } else if text.contains("database is locked") || text.contains("database table is locked") {
        SqlError::Busy
    } else {
        SqlError::Failed(text)
    }
}
