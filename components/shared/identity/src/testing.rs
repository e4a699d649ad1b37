//! A real SQLite database in memory behind the port.

use std::cell::RefCell;

use octo_core::{
    Sql, SqlError,
    ports::{Row, SqlValue},
};

pub(crate) struct MemorySql(RefCell<rusqlite::Connection>);

impl MemorySql {
    pub(crate) fn new() -> Self {
        Self(RefCell::new(rusqlite::Connection::open_in_memory().unwrap()))
    }
}

impl Sql for MemorySql {
    async fn query(&self, statement: &str, parameters: &[SqlValue]) -> Result<Vec<Row>, SqlError> {
        use rusqlite::types::Value;
        let failed = |error: rusqlite::Error| {
            let text = error.to_string();
            if text.contains("no such table") {
                SqlError::NoSchema(text)
            } else if text.contains("constraint failed") {
                SqlError::Conflict(text)
            } else {
                SqlError::Failed(text)
            }
        };
        let connection = self.0.borrow();
        let mut prepared = connection.prepare(statement).map_err(failed)?;
        let values = parameters.iter().map(|value| match value {
            SqlValue::Null => Value::Null,
            SqlValue::Integer(value) => Value::Integer(*value),
            SqlValue::Text(value) => Value::Text(value.clone()),
            SqlValue::Blob(value) => Value::Blob(value.clone()),
        });
        let columns = prepared.column_count();
        let rows = prepared.query_map(rusqlite::params_from_iter(values), |row| {
            (0..columns)
                .map(|index| {
                    Ok(match row.get::<_, Value>(index)? {
                        Value::Integer(value) => SqlValue::Integer(value),
                        Value::Text(value) => SqlValue::Text(value),
                        Value::Blob(value) => SqlValue::Blob(value),
                        Value::Null | Value::Real(_) => SqlValue::Null,
                    })
                })
                .collect()
        });
        rows.map_err(failed)?.collect::<Result<_, _>>().map_err(failed)
    }
}
