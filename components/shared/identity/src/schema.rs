//! The tables of sign-on, made on first use.

use octo_core::{Sql, SqlError, ports::Row, ports::SqlValue};

/// Every statement can be run again by any instance at any time.
const STATEMENTS: [&str; 15] = [
    // An account has an address, a user name, or both.
    "CREATE TABLE IF NOT EXISTS accounts (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        uuid TEXT NOT NULL UNIQUE,
        email TEXT UNIQUE,
        username TEXT UNIQUE,
        full_name TEXT NOT NULL,
        phone TEXT NOT NULL,
        password_hash TEXT NOT NULL,
        role TEXT NOT NULL,
        paid_access BIGINT NOT NULL,
        active BIGINT NOT NULL,
        verified BIGINT NOT NULL,
        created_at BIGINT NOT NULL
    )",
    "CREATE INDEX IF NOT EXISTS accounts_by_role ON accounts (role)",
    "CREATE TABLE IF NOT EXISTS sessions (
        id TEXT PRIMARY KEY,
        account_id BIGINT NOT NULL,
        client TEXT NOT NULL,
        shape TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        expires_at BIGINT NOT NULL,
        ended_at BIGINT,
        token_digest TEXT NOT NULL,
        token_made_at BIGINT NOT NULL
    )",
    "CREATE INDEX IF NOT EXISTS sessions_by_expiry ON sessions (expires_at)",
    "CREATE INDEX IF NOT EXISTS sessions_by_account ON sessions (account_id, id)",
    "CREATE TABLE IF NOT EXISTS refresh_tokens (
        digest TEXT PRIMARY KEY,
        session_id TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        used_at BIGINT
    )",
    "CREATE INDEX IF NOT EXISTS refresh_tokens_by_session ON refresh_tokens (session_id)",
    "CREATE TABLE IF NOT EXISTS signing_keys (
        generation INTEGER PRIMARY KEY,
        secret BLOB NOT NULL,
        made_at BIGINT NOT NULL
    )",
    "CREATE TABLE IF NOT EXISTS secrets (
        name TEXT PRIMARY KEY,
        value BLOB NOT NULL
    )",
    // Attempts to log in, by whom they are counted for.
    "CREATE TABLE IF NOT EXISTS login_attempts (
        key TEXT PRIMARY KEY,
        attempts BIGINT NOT NULL,
        first_at BIGINT NOT NULL,
        last_at BIGINT NOT NULL,
        not_before BIGINT NOT NULL,
        proven BIGINT NOT NULL
    )",
    "CREATE INDEX IF NOT EXISTS login_attempts_by_age ON login_attempts (proven, last_at)",
    // Leases on the work of hashing.
    "CREATE TABLE IF NOT EXISTS hash_leases (
        slot INTEGER PRIMARY KEY,
        held_until BIGINT NOT NULL
    )",
    "CREATE INDEX IF NOT EXISTS hash_leases_by_end ON hash_leases (held_until)",
    "CREATE TABLE IF NOT EXISTS audit (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at BIGINT NOT NULL,
        actor_id BIGINT NOT NULL,
        subject_id BIGINT NOT NULL,
        act TEXT NOT NULL,
        detail TEXT NOT NULL
    )",
    "CREATE INDEX IF NOT EXISTS audit_by_subject ON audit (subject_id, id)",
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
