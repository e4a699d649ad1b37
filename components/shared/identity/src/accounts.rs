//! Who there is.

use octo_core::{Sql, SqlError, UnixMillis, ports::Row, ports::SqlValue};
use octo_token::{Grants, Role};

use crate::{email::Email, identifier::Identifier, username::Username};

/// An account, without its password hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its number. Never given to another account, even after this one is deleted.
    pub id: i64,
    /// Its other name, for clients that know accounts by a UUID.
    pub uuid: String,
    /// Its address, normalised.
    pub email: Option<String>,
    /// Its user name, normalised.
    pub username: Option<String>,
    /// How its owner is called; may be empty.
    pub full_name: String,
    /// Its owner's telephone number, as typed; may be empty.
    pub phone: String,
    /// What it may do.
    pub grants: Grants,
    /// Whether it may be used: otherwise nobody logs in to it.
    pub active: bool,
    /// Whether its address is known to be its owner's.
    pub verified: bool,
    /// When it was made, in milliseconds since the epoch.
    pub created_at: UnixMillis,
}

impl Account {
    /// Whether it may do everything.
    pub fn is_admin(&self) -> bool {
        self.grants.role == Role::Admin
    }
}

/// An account to be made. It has an address, a user name, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewAccount {
    /// Its address.
    pub email: Option<Email>,
    /// Its user name.
    pub username: Option<Username>,
    /// How its owner is called.
    pub full_name: String,
    /// Its owner's telephone number.
    pub phone: String,
}

/// What is to be changed of an account; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Another address; it is not verified.
    pub email: Option<Email>,
    /// Another user name.
    pub username: Option<Username>,
    /// Another full name.
    pub full_name: Option<String>,
    /// Another telephone number.
    pub phone: Option<String>,
    /// Another role.
    pub role: Option<Role>,
    /// Paid access, granted or taken.
    pub paid_access: Option<bool>,
    /// Whether it may be used.
    pub active: Option<bool>,
    /// Whether its address is known to be its owner's.
    pub verified: Option<bool>,
}

/// Which accounts are wanted, and after which one the page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Search {
    /// All, by their numbers.
    All {
        /// The number before the page.
        after: i64,
    },
    /// Those whose name begins with `prefix`, in the order of that name.
    Names {
        /// Which name.
        field: Field,
        /// How it begins, normalised.
        prefix: String,
        /// The name before the page.
        after: String,
    },
}

/// A name that accounts are searched by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The address.
    Email,
    /// The user name.
    Username,
}

impl Field {
    fn column(self) -> &'static str {
        match self {
            Field::Email => "email",
            Field::Username => "username",
        }
    }
}

impl Change {
    /// Whether it changes what the account may do, which its session records must then show.
    pub fn concerns_sessions(&self) -> bool {
        self.role.is_some() || self.paid_access.is_some() || self.active.is_some()
    }
}

/// Why an account is not changed.
#[derive(Debug, thiserror::Error)]
pub enum NotChanged {
    /// The address or the user name is another account's.
    #[error("the address or the user name is taken")]
    Taken,
    /// There is no such account.
    #[error("there is no such account")]
    NoSuchAccount,
    /// The database failed.
    #[error(transparent)]
    Sql(#[from] SqlError),
}

/// The accounts in the database.
#[derive(Debug)]
pub struct Accounts<'a, S> {
    sql: &'a S,
}

const COLUMNS: &str =
    "id, uuid, email, username, full_name, phone, role, paid_access, active, verified, created_at";

impl<'a, S: Sql> Accounts<'a, S> {
    /// The accounts in `sql`.
    pub fn new(sql: &'a S) -> Self {
        Self { sql }
    }

    /// Makes an account; `None` when its address or user name is taken. One statement with the unique indexes
    /// behind it: of any number of concurrent attempts one makes the account.
    pub async fn create(
        &self,
        new: &NewAccount,
        uuid: &str,
        password_hash: &str,
        now: UnixMillis,
    ) -> Result<Option<Account>, SqlError> {
        let statement = format!(
            "INSERT INTO accounts (uuid, email, username, full_name, phone, password_hash, role, paid_access,
                active, verified, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, 'user', 0, 1, 0, $7) ON CONFLICT DO NOTHING RETURNING {COLUMNS}"
        );
        let parameters = [
            uuid.into(),
            or_null(new.email.as_ref().map(Email::as_str)),
            or_null(new.username.as_ref().map(Username::as_str)),
            new.full_name.as_str().into(),
            new.phone.as_str().into(),
            password_hash.into(),
            now.into(),
        ];
        one(self.sql.query(&statement, &parameters).await?)
    }

    /// Whether the address or the user name is taken now.
    pub async fn is_taken(&self, new: &NewAccount) -> Result<bool, SqlError> {
        let statement =
            "SELECT 1 FROM accounts WHERE email = $1 UNION SELECT 1 FROM accounts WHERE username = $2";
        let parameters = [
            or_null(new.email.as_ref().map(Email::as_str)),
            or_null(new.username.as_ref().map(Username::as_str)),
        ];
        Ok(!self.sql.query(statement, &parameters).await?.is_empty())
    }

    /// The account with this number.
    pub async fn by_id(&self, id: i64) -> Result<Option<Account>, SqlError> {
        one(self.sql.query(&format!("SELECT {COLUMNS} FROM accounts WHERE id = $1"), &[id.into()]).await?)
    }

    /// The account with this address or user name, and its password hash.
    pub async fn with_password(&self, who: &Identifier) -> Result<Option<(Account, String)>, SqlError> {
        let column = match who {
            Identifier::Email(_) => Field::Email,
            Identifier::Username(_) => Field::Username,
        };
        let column = column.column();
        let statement = format!("SELECT {COLUMNS}, password_hash FROM accounts WHERE {column} = $1");
        self.one_with_password(&statement, who.as_str().into()).await
    }

    /// The account with this number, and its password hash.
    pub async fn by_id_with_password(&self, id: i64) -> Result<Option<(Account, String)>, SqlError> {
        let statement = format!("SELECT {COLUMNS}, password_hash FROM accounts WHERE id = $1");
        self.one_with_password(&statement, id.into()).await
    }

    async fn one_with_password(
        &self,
        statement: &str,
        parameter: SqlValue,
    ) -> Result<Option<(Account, String)>, SqlError> {
        let rows = self.sql.query(statement, &[parameter]).await?;
        let Some(mut row) = rows.into_iter().next() else { return Ok(None) };
        let hash = row.pop().and_then(|value| value.text().map(str::to_owned)).ok_or_else(damaged)?;
        Ok(Some((account(&row)?, hash)))
    }

    /// Changes an account. A new address has to be verified again.
    pub async fn change(&self, id: i64, change: &Change) -> Result<Account, NotChanged> {
        let statement = format!(
            "UPDATE accounts SET
                email = COALESCE($1, email), username = COALESCE($2, username),
                full_name = COALESCE($3, full_name), phone = COALESCE($4, phone), role = COALESCE($5, role),
                paid_access = COALESCE($6, paid_access), active = COALESCE($7, active),
                verified = COALESCE($8, CASE WHEN email = COALESCE($1, email) THEN verified ELSE 0 END)
             WHERE id = $9 RETURNING {COLUMNS}"
        );
        let truth = |value: Option<bool>| value.map_or(SqlValue::Null, SqlValue::from);
        let parameters = [
            or_null(change.email.as_ref().map(Email::as_str)),
            or_null(change.username.as_ref().map(Username::as_str)),
            or_null(change.full_name.as_deref()),
            or_null(change.phone.as_deref()),
            or_null(change.role.map(Role::name)),
            truth(change.paid_access),
            truth(change.active),
            truth(change.verified),
            id.into(),
        ];
        match self.sql.query(&statement, &parameters).await {
            Ok(rows) => one(rows)?.ok_or(NotChanged::NoSuchAccount),
            Err(SqlError::Conflict(_)) => Err(NotChanged::Taken),
            Err(error) => Err(error.into()),
        }
    }

    /// Accounts in the order of what is searched, at most `limit`. Each form goes along an index.
    pub async fn page(&self, search: &Search, limit: i64) -> Result<Vec<Account>, SqlError> {
        let rows = match search {
            Search::All { after } => {
                let statement = format!("SELECT {COLUMNS} FROM accounts WHERE id > $1 ORDER BY id LIMIT $2");
                self.sql.query(&statement, &[(*after).into(), limit.into()]).await?
            }
            Search::Names { field, prefix, after } => {
                let field = field.column();
                let statement = format!(
                    "SELECT {COLUMNS} FROM accounts WHERE {field} >= $1 AND {field} < $2 AND {field} > $3
                     ORDER BY {field} LIMIT $4"
                );
                // Nothing that begins with the prefix sorts behind this.
                let end = format!("{prefix}\u{10FFFF}");
                let parameters = [prefix.as_str().into(), end.into(), after.as_str().into(), limit.into()];
                self.sql.query(&statement, &parameters).await?
            }
        };
        rows.iter().map(|row| account(row)).collect()
    }

    /// Sets a new password hash where the old one still holds; whether it did.
    pub async fn set_password(&self, id: i64, old_hash: &str, new_hash: &str) -> Result<bool, SqlError> {
        let statement =
            "UPDATE accounts SET password_hash = $1 WHERE id = $2 AND password_hash = $3 RETURNING id";
        let parameters = [new_hash.into(), id.into(), old_hash.into()];
        Ok(!self.sql.query(statement, &parameters).await?.is_empty())
    }

    /// Deletes an account; whether there was one.
    pub async fn delete(&self, id: i64) -> Result<bool, SqlError> {
        let statement = "DELETE FROM accounts WHERE id = $1 RETURNING id";
        Ok(!self.sql.query(statement, &[id.into()]).await?.is_empty())
    }

    /// Makes the account with this address administrator if there is none yet. One statement, so that there
    /// is only ever one first administrator.
    pub async fn make_first_administrator(&self, email: &Email) -> Result<Option<Account>, SqlError> {
        let statement = format!(
            "UPDATE accounts SET role = 'admin'
             WHERE email = $1 AND NOT EXISTS (SELECT 1 FROM accounts WHERE role = 'admin') RETURNING {COLUMNS}"
        );
        one(self.sql.query(&statement, &[email.as_str().into()]).await?)
    }
}

fn or_null(text: Option<&str>) -> SqlValue {
    text.map_or(SqlValue::Null, SqlValue::from)
}

fn one(rows: Vec<Row>) -> Result<Option<Account>, SqlError> {
    rows.first().map(|row| account(row)).transpose()
}

fn account(row: &[SqlValue]) -> Result<Account, SqlError> {
    let [id, uuid, email, username, full_name, phone, role, paid_access, active, verified, created_at] = row
    else {
        return Err(damaged());
    };
    let text = |value: &SqlValue| value.text().map(str::to_owned).ok_or_else(damaged);
    let truth = |value: &SqlValue| Ok::<_, SqlError>(value.integer().ok_or_else(damaged)? != 0);
    Ok(Account {
        id: id.integer().ok_or_else(damaged)?,
        uuid: text(uuid)?,
        email: email.text().map(str::to_owned),
        username: username.text().map(str::to_owned),
        full_name: text(full_name)?,
        phone: text(phone)?,
        grants: Grants {
            role: role.text().and_then(Role::named).ok_or_else(damaged)?,
            paid_access: truth(paid_access)?,
        },
        active: truth(active)?,
        verified: truth(verified)?,
        created_at: UnixMillis(created_at.integer().ok_or_else(damaged)?),
    })
}

fn damaged() -> SqlError {
    SqlError::Failed("a row of `accounts` has unexpected values".into())
}
