//! The relational store: one port over SQLite and Postgres.
//!
//! Both are spoken to in the dialect they share: `$1` placeholders, `RETURNING`, `ON CONFLICT`. Integers are
//! `BIGINT`, times milliseconds since the epoch, truth is 0 or 1, money is minor units or decimal text, never a
//! float. Postgres guesses a parameter's type from where it stands; where it cannot (`SELECT $1`), write
//! `CAST($1 AS BIGINT)`. What a [`Schema`] says is made when it is first missed ([`Migrated`]).

mod answered;
mod database;
mod row;
mod schema;
mod sqlstate;
mod value;

use std::borrow::Cow;

use auto_impl::auto_impl;

use crate::{SettingError, async_trait};

pub use answered::Answered;
pub use database::Database;
pub use row::{Columns, FromRow, FromSql, Row};
pub use schema::{Migrated, Schema, Step};
pub use value::SqlValue;

/// Which database answers, for the few statements that the two spell differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite: one writer at a time.
    Sqlite,
    /// Postgres: writers lock rows.
    Postgres,
}

impl Dialect {
    /// `statement` as this database takes it. Ours hold `$` only before a placeholder's number, where SQLite would take
    /// it for a name and number placeholders in the order in which they appear.
    pub fn text(self, statement: &str) -> Cow<'_, str> {
        match self {
            Dialect::Sqlite if statement.contains('$') => statement.replace('$', "?").into(),
            _ => statement.into(),
        }
    }

    /// What follows the `SELECT` of rows that the same statement changes, so that instances which do so at once
    /// take different ones and none waits.
    pub fn skip_locked(self) -> &'static str {
        match self {
            // The whole database is locked.
            Dialect::Sqlite => "",
            Dialect::Postgres => " FOR UPDATE SKIP LOCKED",
        }
    }

    /// What follows the `SELECT` of rows that the same statement changes, of which none may be left out.
    pub fn lock(self) -> &'static str {
        match self {
            // The whole database is locked.
            Dialect::Sqlite => "",
            Dialect::Postgres => " FOR UPDATE",
        }
    }

    /// What follows the `SELECT` of rows that must stay as they are until the statement has committed.
    pub fn lock_shared(self) -> &'static str {
        match self {
            // The whole database is locked.
            Dialect::Sqlite => "",
            Dialect::Postgres => " FOR SHARE",
        }
    }
}

/// No database, for a component that has none.
#[derive(Clone, Copy, Debug)]
pub struct NoSql;

#[async_trait]
impl Sql for NoSql {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    async fn query(&self, _: &str, _: &[SqlValue]) -> Result<Vec<Row>, SqlError> {
        Err(SqlError::Failed("this component has no database".into()))
    }
}

/// Why a statement failed. The texts are for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    /// A unique, foreign key or check constraint forbids it.
    #[error("a constraint forbids it: {0}")]
    Conflict(String),
    /// A table, column or function it names does not exist.
    #[error("the database lacks something: {0}")]
    Missing(String),
    /// Others hold what it needs, and went on doing so while it was tried again. The statement did nothing.
    #[error("the database is busy")]
    Busy,
    /// The database cannot be reached, or went away: the statement may have done its work.
    #[error("the database is away: {0}")]
    Down(String),
    /// The database refused it, or answered something that no statement of ours asks for.
    #[error("the database failed: {0}")]
    Failed(String),
    /// A text has a NUL, which not every database can hold. Nothing was asked of the database.
    #[error("a text has a NUL")]
    Unstorable,
    /// The variables do not say which database there is.
    #[error(transparent)]
    Misconfigured(#[from] SettingError),
}

impl SqlError {
    /// A row holds what no statement of ours writes.
    pub fn damaged(what: &str) -> Self {
        SqlError::Failed(format!("{what} has unexpected values"))
    }
}

/// The relational store shared by all instances.
///
/// Every statement commits by itself: an invariant that needs atomicity is one statement, with a trigger where
/// it takes two tables. (The clouds' SQLite promises no transactions of several statements.)
#[async_trait]
#[auto_impl(&, Arc)]
pub trait Sql: Send + Sync {
    /// Which database this is.
    fn dialect(&self) -> Dialect;

    /// Runs one statement and returns its rows (none for a statement without `RETURNING`).
    async fn query(&self, statement: &str, parameters: &[SqlValue]) -> Result<Vec<Row>, SqlError>;

    /// Gives the connection back to those who share it, until the next statement: for a caller who is about to wait, or to work
    /// for a while. Where nobody shares it this does nothing.
    fn rest(&self) {}

    /// Runs one statement and reads its rows: `let accounts: Vec<Account> = sql.fetch(..).await?`.
    #[auto_impl(keep_default_for(&, Arc))]
    async fn fetch<R: FromRow>(&self, statement: &str, parameters: &[SqlValue]) -> Result<Vec<R>, SqlError>
    where
        Self: Sized,
    {
        row::read(self.query(statement, parameters).await?)
    }

    /// The first row, if there is one.
    #[auto_impl(keep_default_for(&, Arc))]
    async fn first<R: FromRow>(&self, statement: &str, parameters: &[SqlValue]) -> Result<Option<R>, SqlError>
    where
        Self: Sized,
    {
        Ok(self.fetch(statement, parameters).await?.into_iter().next())
    }
}
