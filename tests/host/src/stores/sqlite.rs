//! SQLite databases for components.
//!
//! Every connection a component opens is a connection of its own to the file, so transactions isolate
//! and writers wait for each other (five seconds at most, as on Spin). The file is in WAL mode with
//! `synchronous=NORMAL`; Spin keeps SQLite's defaults, which sync every commit.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::types::ValueRef;
use rusqlite::{params_from_iter, types};

use crate::bindings::fermyon::spin::sqlite::{Error, QueryResult, RowResult, Value};
use crate::private;

/// A connection that a component has opened. The file is opened at the first statement.
#[expect(unreachable_pub, reason = "the bindings re-export it")]
pub struct Connection {
    path: Option<PathBuf>,
    inner: Arc<Mutex<Option<rusqlite::Connection>>>,
}

/// Makes the file, if it is not there, before components open it.
pub(crate) fn make(path: &Path) -> anyhow::Result<()> {
    private::database(path)?;
    Ok(open_file(path).map(drop)?)
}

/// Opens a file the way this host keeps its databases.
fn open_file(path: &Path) -> rusqlite::Result<rusqlite::Connection> {
    let connection = rusqlite::Connection::open(path)?;
    keep_a_log(&connection)?;
    Ok(connection)
}

/// A write-ahead log of small pages, synced when it is brought into the file.
pub(crate) fn keep_a_log(connection: &rusqlite::Connection) -> rusqlite::Result<()> {
    // Whole pages go into the log. Their size is decided before the file has content.
    connection.pragma_update(None, "page_size", 1024)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")
}

impl Connection {
    /// A connection to a file, or to a database in memory that is its own.
    pub(crate) fn new(path: Option<PathBuf>) -> Self {
        Self { path, inner: Arc::default() }
    }

    /// Runs one statement on a thread that may wait for other writers.
    pub(crate) async fn execute(
        &self,
        statement: String,
        parameters: Vec<Value>,
    ) -> Result<QueryResult, Error> {
        let path = self.path.clone();
        let inner = Arc::clone(&self.inner);
        let work = tokio::task::spawn_blocking(move || {
            let mut inner = inner.lock().unwrap_or_else(PoisonError::into_inner);
            let connection = match &mut *inner {
                Some(connection) => connection,
                none => none.insert(open(path.as_deref()).map_err(said)?),
            };
            query(connection, &statement, parameters).map_err(said)
        });
        work.await.unwrap_or_else(|_| Err(Error::Io("the host is stopping".to_owned())))
    }
}

fn open(path: Option<&Path>) -> rusqlite::Result<rusqlite::Connection> {
    let mut connection = match path {
        Some(path) => open_file(path),
        None => rusqlite::Connection::open_in_memory(),
    }?;
    connection.authorizer(Some(refuse_attaching_files))?;
    Ok(connection)
}

/// A component reaches its own database only.
fn refuse_attaching_files(context: AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Attach { filename } if !matches!(filename, "" | ":memory:") => Authorization::Deny,
        _ => Authorization::Allow,
    }
}

fn query(
    connection: &rusqlite::Connection,
    statement: &str,
    parameters: Vec<Value>,
) -> rusqlite::Result<QueryResult> {
    let mut statement = connection.prepare_cached(statement)?;
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let width = columns.len();
    let mut rows = statement.query(params_from_iter(parameters.into_iter().map(into_sqlite)))?;
    let mut results = Vec::new();
    while let Some(row) = rows.next()? {
        let values = (0..width)
            .map(|column| from_sqlite(column, row.get_ref(column)?))
            .collect::<rusqlite::Result<_>>()?;
        results.push(RowResult { values });
    }
    Ok(QueryResult { columns, rows: results })
}

fn into_sqlite(value: Value) -> types::Value {
    match value {
        Value::Null => types::Value::Null,
        Value::Integer(integer) => types::Value::Integer(integer),
        Value::Real(real) => types::Value::Real(real),
        Value::Text(text) => types::Value::Text(text),
        Value::Blob(blob) => types::Value::Blob(blob),
    }
}

fn from_sqlite(column: usize, value: ValueRef<'_>) -> rusqlite::Result<Value> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(integer) => Value::Integer(integer),
        ValueRef::Real(real) => Value::Real(real),
        ValueRef::Text(text) => Value::Text(
            std::str::from_utf8(text).map_err(|e| rusqlite::Error::Utf8Error(column, e))?.to_owned(),
        ),
        ValueRef::Blob(blob) => Value::Blob(blob.to_vec()),
    })
}

fn said(error: rusqlite::Error) -> Error {
    Error::Io(error.to_string())
}
