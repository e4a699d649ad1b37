//! Who there is.

use octo_core::{
    Sql, SqlError, SqlValue, UnixMillis,
    sql::{FromRow, FromSql, Row},
};
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

    /// What attempts at its password are counted under.
    pub(crate) fn counted_as(&self) -> String {
        format!("account {}", self.id)
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

/// Whether an account may use the paid provider: an administrator granted it, or a subscription goes on.
macro_rules! paid_access {
    () => {
        "CASE WHEN paid_access + subscribed > 0 THEN 1 ELSE 0 END"
    };
}
pub(crate) const PAID_ACCESS: &str = paid_access!();

const COLUMNS: &str = concat!(
    "id, uuid, email, username, full_name, phone, role, ",
    paid_access!(),
    ", active, verified, created_at"
);

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
            new.email.as_ref().map(Email::as_str).into(),
            new.username.as_ref().map(Username::as_str).into(),
            new.full_name.as_str().into(),
            new.phone.as_str().into(),
            password_hash.into(),
            now.into(),
        ];
        self.sql.first(&statement, &parameters).await
    }

    /// Whether the address or the user name is taken now.
    pub async fn is_taken(&self, new: &NewAccount) -> Result<bool, SqlError> {
        let statement =
            "SELECT 1 FROM accounts WHERE email = $1 UNION SELECT 1 FROM accounts WHERE username = $2";
        let parameters = [
            new.email.as_ref().map(Email::as_str).into(),
            new.username.as_ref().map(Username::as_str).into(),
        ];
        Ok(!self.sql.query(statement, &parameters).await?.is_empty())
    }

    /// The account with this number.
    pub async fn by_id(&self, id: i64) -> Result<Option<Account>, SqlError> {
        self.sql.first(&format!("SELECT {COLUMNS} FROM accounts WHERE id = $1"), &[id.into()]).await
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
        let found = self.sql.first(statement, &[parameter]).await?;
        Ok(found.map(|WithPassword(account, hash)| (account, hash)))
    }

    /// Changes an account. A new address has to be verified again.
    pub async fn change(&self, id: i64, change: &Change) -> Result<Account, NotChanged> {
        let statement = format!(
            "UPDATE accounts SET
                email = COALESCE($1, email), username = COALESCE($2, username),
                full_name = COALESCE($3, full_name), phone = COALESCE($4, phone), role = COALESCE($5, role),
                paid_access = COALESCE($6, paid_access), active = COALESCE($7, active),
                founder = CASE WHEN $5 IS NULL THEN founder ELSE NULL END,
                verified = COALESCE($8, CASE WHEN email = COALESCE($1, email) THEN verified ELSE 0 END)
             WHERE id = $9 RETURNING {COLUMNS}"
        );
        let parameters = [
            change.email.as_ref().map(Email::as_str).into(),
            change.username.as_ref().map(Username::as_str).into(),
            change.full_name.as_deref().into(),
            change.phone.as_deref().into(),
            change.role.map(Role::name).into(),
            change.paid_access.into(),
            change.active.into(),
            change.verified.into(),
            id.into(),
        ];
        match self.sql.first(&statement, &parameters).await {
            Ok(changed) => changed.ok_or(NotChanged::NoSuchAccount),
            Err(SqlError::Conflict(_)) => Err(NotChanged::Taken),
            Err(error) => Err(error.into()),
        }
    }

    /// Notes whether a subscription of the account goes on, as of `version` of its subscriptions; whether there is
    /// such an account. An older version than the one noted changes nothing, so a delayed note does no harm.
    pub async fn note_subscribed(
        &self,
        id: i64,
        subscribed: bool,
        version: i64,
    ) -> Result<Option<Account>, SqlError> {
        let statement = format!(
            "UPDATE accounts SET
                subscribed = CASE WHEN subscription_version < $1 THEN $2 ELSE subscribed END,
                subscription_version =
                    CASE WHEN subscription_version < $1 THEN $1 ELSE subscription_version END
             WHERE id = $3 RETURNING {COLUMNS}"
        );
        self.sql.first(&statement, &[version.into(), subscribed.into(), id.into()]).await
    }

    /// Accounts in the order of what is searched, at most `limit`. Each form goes along an index.
    pub async fn page(&self, search: &Search, limit: i64) -> Result<Vec<Account>, SqlError> {
        match search {
            Search::All { after } => {
                let statement = format!("SELECT {COLUMNS} FROM accounts WHERE id > $1 ORDER BY id LIMIT $2");
                self.sql.fetch(&statement, &[(*after).into(), limit.into()]).await
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
                self.sql.fetch(&statement, &parameters).await
            }
        }
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
    /// is only ever one first administrator; on Postgres, where two could look at the same time, `founder` is unique.
    pub async fn make_first_administrator(&self, email: &Email) -> Result<Option<Account>, SqlError> {
        let statement = format!(
            "UPDATE accounts SET role = 'admin', founder = 1
             WHERE email = $1 AND NOT EXISTS (SELECT 1 FROM accounts WHERE role = 'admin') RETURNING {COLUMNS}"
        );
        match self.sql.first(&statement, &[email.as_str().into()]).await {
            Err(SqlError::Conflict(_)) => Ok(None),
            made => made,
        }
    }
}

impl FromRow for Account {
    fn from_row(row: Row) -> Option<Self> {
        type Columns = (
            i64,
            String,
            Option<String>,
            Option<String>,
            String,
            String,
            String,
            bool,
            bool,
            bool,
            UnixMillis,
        );
        let columns: Columns = FromRow::from_row(row)?;
        let (id, uuid, email, username, full_name, phone, role, paid_access, active, verified, created_at) =
            columns;
        let grants = Grants { role: Role::named(&role)?, paid_access };
        Some(Account { id, uuid, email, username, full_name, phone, grants, active, verified, created_at })
    }
}

/// An account and its password hash, in the column after its own.
struct WithPassword(Account, String);

impl FromRow for WithPassword {
    fn from_row(mut row: Row) -> Option<Self> {
        let hash = FromSql::from_sql(row.pop()?)?;
        Some(WithPassword(Account::from_row(row)?, hash))
    }
}
