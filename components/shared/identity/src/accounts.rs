//! Who there is.

use octo_core::{Sql, SqlError, UnixMillis, ports::Row, ports::SqlValue};
use octo_token::Role;

use crate::email::Email;

/// An account, without its password hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its number.
    pub id: i64,
    /// Its address, normalised.
    pub email: String,
    /// What it may do beyond its own things.
    pub role: Role,
    /// Whether calls to the paid provider are made for it.
    pub paid_access: bool,
    /// When it was made, in milliseconds since the epoch.
    pub created_at: UnixMillis,
}

/// The accounts in the database.
#[derive(Debug)]
pub struct Accounts<'a, S> {
    sql: &'a S,
}

const COLUMNS: &str = "id, email, role, paid_access, created_at";

impl<'a, S: Sql> Accounts<'a, S> {
    /// The accounts in `sql`.
    pub fn new(sql: &'a S) -> Self {
        Self { sql }
    }

    /// Makes an account; `None` when the address is taken. One statement with the unique index behind it: of
    /// any number of concurrent attempts one makes the account.
    pub async fn create(
        &self,
        email: &Email,
        password_hash: &str,
        now: UnixMillis,
    ) -> Result<Option<Account>, SqlError> {
        let statement = format!(
            "INSERT INTO users (email, password_hash, role, paid_access, created_at)
             VALUES ($1, $2, 'user', 0, $3) ON CONFLICT (email) DO NOTHING RETURNING {COLUMNS}"
        );
        let parameters = [email.as_str().into(), password_hash.into(), now.into()];
        one(self.sql.query(&statement, &parameters).await?)
    }

    /// The account with this number.
    pub async fn by_id(&self, id: i64) -> Result<Option<Account>, SqlError> {
        one(self.sql.query(&format!("SELECT {COLUMNS} FROM users WHERE id = $1"), &[id.into()]).await?)
    }

    /// The account with this address, and its password hash.
    pub async fn with_password(&self, email: &Email) -> Result<Option<(Account, String)>, SqlError> {
        let statement = format!("SELECT {COLUMNS}, password_hash FROM users WHERE email = $1");
        let rows = self.sql.query(&statement, &[email.as_str().into()]).await?;
        let Some(mut row) = rows.into_iter().next() else { return Ok(None) };
        let hash = row.pop().and_then(|value| value.text().map(str::to_owned)).ok_or_else(damaged)?;
        Ok(Some((account(&row)?, hash)))
    }

    /// Grants or takes paid access; `None` when there is no such account.
    pub async fn set_paid_access(&self, id: i64, paid_access: bool) -> Result<Option<Account>, SqlError> {
        let statement = format!("UPDATE users SET paid_access = $1 WHERE id = $2 RETURNING {COLUMNS}");
        one(self.sql.query(&statement, &[paid_access.into(), id.into()]).await?)
    }

    /// Makes the account an administrator if there is none yet; `None` when there is one, or no such account.
    pub async fn make_first_administrator(&self, email: &Email) -> Result<Option<Account>, SqlError> {
        let statement = format!(
            "UPDATE users SET role = 'admin'
             WHERE email = $1 AND NOT EXISTS (SELECT 1 FROM users WHERE role = 'admin') RETURNING {COLUMNS}"
        );
        one(self.sql.query(&statement, &[email.as_str().into()]).await?)
    }
}

fn one(rows: Vec<Row>) -> Result<Option<Account>, SqlError> {
    rows.first().map(|row| account(row)).transpose()
}

fn account(row: &[SqlValue]) -> Result<Account, SqlError> {
    let [id, email, role, paid_access, created_at] = row else { return Err(damaged()) };
    let role = match role.text() {
        Some("user") => Some(Role::User),
        Some("admin") => Some(Role::Admin),
        _ => None,
    };
    Ok(Account {
        id: id.integer().ok_or_else(damaged)?,
        email: email.text().ok_or_else(damaged)?.to_owned(),
        role: role.ok_or_else(damaged)?,
        paid_access: paid_access.integer().ok_or_else(damaged)? != 0,
        created_at: UnixMillis(created_at.integer().ok_or_else(damaged)?),
    })
}

fn damaged() -> SqlError {
    SqlError::Failed("a row of `users` has unexpected values".into())
}
