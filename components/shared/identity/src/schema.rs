//! The tables of sign-on, made on first use.

use octo_core::{Sql, SqlError, ports::Row, ports::SqlValue};

/// Every statement can be run again by any instance at any time.
const STATEMENTS: [&str; 7] = [
    "CREATE TABLE IF NOT EXISTS users (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        email TEXT NOT NULL UNIQUE,
        password_hash TEXT NOT NULL,
        role TEXT NOT NULL,
        paid_access BIGINT NOT NULL,
        created_at BIGINT NOT NULL
    )",
    "CREATE TABLE IF NOT EXISTS sessions (
        id TEXT PRIMARY KEY,
        user_id BIGINT NOT NULL,
        created_at BIGINT NOT NULL,
        expires_at BIGINT NOT NULL,
        ended_at BIGINT
    )",
    "CREATE INDEX IF NOT EXISTS sessions_by_expiry ON sessions (expires_at)",
    "CREATE TABLE IF NOT EXISTS refresh_tokens (
        digest TEXT PRIMARY KEY,
        session_id TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        used_at BIGINT
    )",
    "CREATE INDEX IF NOT EXISTS refresh_tokens_by_session ON refresh_tokens (session_id)",
    "CREATE TABLE IF NOT EXISTS signing_keys (
        slot INTEGER PRIMARY KEY,
        secret BLOB NOT NULL
    )",
    "CREATE TABLE IF NOT EXISTS secrets (
        name TEXT PRIMARY KEY,
        value BLOB NOT NULL
    )",
];

/// A database whose tables appear when they are first missed: the hot path pays nothing for them.
#[derive(Debug)]
pub struct WithSchema<'a, S>(pub &'a S);

impl<S: Sql> Sql for WithSchema<'_, S> {
    async fn query(&self, statement: &str, parameters: &[SqlValue]) -> Result<Vec<Row>, SqlError> {
        match self.0.query(statement, parameters).await {
            Err(SqlError::NoSchema(_)) => {
                for create in STATEMENTS {
                    self.0.query(create, &[]).await?;
                }
                self.0.query(statement, parameters).await
            }
            result => result,
        }
    }
}
