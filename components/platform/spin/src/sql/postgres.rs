//! A Postgres server, by its address.

use octo_core::async_trait;
use std::sync::{Mutex, MutexGuard, PoisonError};

use octo_core::{
    Sql, SqlError, SqlValue,
    sql::{Answered, Columns, Dialect, Row},
};
use spin_sdk::pg::{Connection, DbValue, ParameterValue, PgError, RowSet};

use super::while_busy;

/// A database on a Postgres server, connected when first used. One value serves a whole request: its connection is its
/// own, and goes back to Spin's pool with it.
///
/// # After an outage
/// When a connection is taken from the pool, Spin asks the server something over it, throws away those that are dead,
/// and makes a new one in the end. So connections that an outage has killed are found by the next request, before its
/// first statement, and nothing needs to be restarted.
///
/// A statement whose connection ends under it is **not** repeated: Spin says the same of one that never
/// left, and of one that was carried out and whose answer was lost. That is [`SqlError::Down`]; the next statement
/// of the same request connects anew. What failed before there was a connection, or was refused because others were
/// in the way ([`SqlError::Busy`]), did nothing, and is tried again a few times.
pub struct SpinPostgres {
    address: String,
    connection: Mutex<Option<Connection>>,
}

impl SpinPostgres {
    /// The database at `address`, with user and password: `postgres://octo:secret@localhost:5432/octo`.
    pub fn at(address: String) -> Self {
        Self { address, connection: Mutex::new(None) }
    }

    /// The connection there is, if there is one.
    fn kept(&self) -> MutexGuard<'_, Option<Connection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_query(
        &self,
        statement: &Answered<'_>,
        parameters: &[ParameterValue],
    ) -> Result<Vec<Row>, SqlError> {
        let kept = self.kept().take();
        let connection = match kept {
            Some(connection) => connection,
            None => Connection::open(&self.address).map_err(classify)?,
        };
        let answer = ask(&connection, statement, parameters);
        if !matches!(answer, Err(SqlError::Down(_))) {
            *self.kept() = Some(connection);
        }
        answer
    }
}

#[async_trait]
impl Sql for SpinPostgres {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    async fn query(&self, statement: &str, parameters: &[SqlValue]) -> Result<Vec<Row>, SqlError> {
        let parameters: Vec<_> = parameters.iter().map(to_spin).collect();
        let statement = Answered::new(statement);
        while_busy(|| self.try_query(&statement, &parameters)).await
    }

    /// The pool is all instances' of the component.
    fn rest(&self) {
        self.kept().take();
    }
}

fn ask(
    connection: &Connection,
    statement: &Answered<'_>,
    parameters: &[ParameterValue],
) -> Result<Vec<Row>, SqlError> {
    match statement {
        Answered::Command(text) => connection.execute(text, parameters).map(|_| Vec::new()).map_err(classify),
        Answered::Query(text) => {
            let RowSet { columns, rows } = connection.query(text, parameters).map_err(classify)?;
            let columns: Columns = columns.into_iter().map(|column| column.name).collect();
            let row = |row: Vec<DbValue>| {
                let values = row.into_iter().map(from_spin).collect::<Result<_, _>>()?;
                Ok(Row::new(&columns, values))
            };
            Answered::rows(rows.into_iter().map(row).collect::<Result<_, SqlError>>()?)
        }
    }
}

/// Postgres takes a value only for a placeholder of just its type: integers for BIGINT, never for INTEGER.
fn to_spin(value: &SqlValue) -> ParameterValue {
    match value {
        SqlValue::Null => ParameterValue::DbNull,
        SqlValue::Integer(value) => ParameterValue::Int64(*value),
        SqlValue::Text(value) => ParameterValue::Str(value.clone()),
        SqlValue::Blob(value) => ParameterValue::Binary(value.clone()),
    }
}

fn from_spin(value: DbValue) -> Result<SqlValue, SqlError> {
    match value {
        DbValue::DbNull => Ok(SqlValue::Null),
        DbValue::Int16(value) => Ok(SqlValue::Integer(value.into())),
        DbValue::Int32(value) => Ok(SqlValue::Integer(value.into())),
        DbValue::Int64(value) => Ok(SqlValue::Integer(value)),
        DbValue::Boolean(value) => Ok(SqlValue::Integer(value.into())),
        DbValue::Str(value) => Ok(SqlValue::Text(value)),
        DbValue::Binary(value) => Ok(SqlValue::Blob(value)),
        _ => Err(SqlError::Failed("a column has a type that none of ours has".into())),
    }
}

fn classify(error: PgError) -> SqlError {
    match error {
        PgError::QueryFailed(text) => SqlError::from_spin_postgres(text),
        PgError::ConnectionFailed(text) => SqlError::from_spin_postgres_connection(text),
        PgError::BadParameter(text) | PgError::ValueConversionFailed(text) | PgError::Other(text) => {
            SqlError::Failed(text)
        }
    }
}
