//! Who there is.

use octo_access::{Grants, Role};
use octo_core::{
    Sql, SqlError, SqlValue, UnixMillis,
    sql::{FromRow, Row},
};

use crate::{
    email::Email,
    identifier::{Identifier, Spellings},
    password::Rules,
    username::Username,
};

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

    /// Whether an account that is an active administrator may be none afterwards.
    fn may_end_administrator(&self) -> bool {
        self.role.is_some_and(|role| role != Role::Admin) || self.active == Some(false)
    }

    /// The names it gives the account.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let (email, username) = (self.email.as_ref().map(Email::as_str), self.username.as_ref());
        email.into_iter().chain(username.map(Username::as_str))
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
    /// It would leave no active administrator.
    #[error("it is the last active administrator")]
    LastAdministrator,
    /// It was given another password meanwhile.
    #[error("the password was changed meanwhile")]
    OtherPassword,
    /// The database failed.
    #[error(transparent)]
    Sql(#[from] SqlError),
}

/// The accounts in the database.
#[derive(Debug)]
pub struct Accounts<'a, S> {
    sql: &'a S,
    rules: Rules,
}

/// The role in the database of an account that is administrator by its user name only (`legacy_rules`): one while these
/// rules are on, a user otherwise.
const BY_NAME: &str = "legacy-admin";

/// What an account's role is under `rules`, as SQL.
pub(crate) fn role(rules: Rules) -> &'static str {
    match rules {
        Rules::Modern => "CASE role WHEN 'legacy-admin' THEN 'user' ELSE role END",
        Rules::Legacy => "CASE role WHEN 'legacy-admin' THEN 'admin' ELSE role END",
    }
}

/// The administrators that count, when one of them is about to go: those that are active and owe it to nobody's name. On
/// Postgres each is locked before it is counted, in the same order by everybody: of two who would end each other the
/// second waits, and then counts what the first has left.
fn administrators(lock: &str) -> String {
    format!(
        "WITH administrators AS MATERIALIZED (
            SELECT id FROM accounts WHERE role = 'admin' AND active = 1 ORDER BY id{lock})"
    )
}

/// Whether another administrator stays when the account with the number in this parameter goes.
fn leaves_one(parameter: &str) -> String {
    format!(
        "(accounts.role <> 'admin' OR accounts.active = 0
            OR EXISTS (SELECT 1 FROM administrators WHERE administrators.id <> {parameter}))"
    )
}

/// Whether an account may use the paid provider: an administrator granted it, or a subscription goes on.
pub(crate) const PAID_ACCESS: &str = "CASE WHEN paid_access + subscribed > 0 THEN 1 ELSE 0 END";

fn columns(rules: Rules) -> String {
    let role = role(rules);
    format!(
        "id, uuid, email, username, full_name, phone, {role} AS role, {PAID_ACCESS} AS paid_access, active, verified,
         created_at"
    )
}

impl<'a, S: Sql> Accounts<'a, S> {
    /// The accounts in `sql`, as they are under `rules`.
    pub fn new(sql: &'a S, rules: Rules) -> Self {
        Self { sql, rules }
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
        let columns = columns(self.rules);
        let statement = format!(
            "INSERT INTO accounts (uuid, email, username, full_name, phone, password_hash, role, paid_access,
                active, verified, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, 'user', 0, 1, 0, $7) ON CONFLICT DO NOTHING RETURNING {columns}"
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

    /// Whether the address, in whatever spelling, or the user name is taken now, by another account than `except`.
    /// (Of two who take one spelling at once only one can; the others are older than this version.)
    pub async fn is_taken(
        &self,
        email: Option<&Email>,
        username: Option<&Username>,
        except: i64,
    ) -> Result<bool, SqlError> {
        let statement = "SELECT 1 FROM accounts WHERE email IN ($1, $2, $3) AND id <> $5
            UNION SELECT 1 FROM accounts WHERE username = $4 AND id <> $5";
        let spellings = email.cloned().map(Spellings::from);
        let [_, main, ascii, decomposed] = spellings.as_ref().map_or([None; 4], |it| it.all().map(Some));
        let username = username.map(Username::as_str);
        let parameters = [main.into(), ascii.into(), decomposed.into(), username.into(), except.into()];
        Ok(!self.sql.query(statement, &parameters).await?.is_empty())
    }

    /// The account with this number.
    pub async fn by_id(&self, id: i64) -> Result<Option<Account>, SqlError> {
        let columns = columns(self.rules);
        self.sql.first(&format!("SELECT {columns} FROM accounts WHERE id = $1"), &[id.into()]).await
    }

    /// The account with this UUID.
    pub async fn by_uuid(&self, uuid: &str) -> Result<Option<Account>, SqlError> {
        let columns = columns(self.rules);
        self.sql.first(&format!("SELECT {columns} FROM accounts WHERE uuid = $1"), &[uuid.into()]).await
    }

    /// The account with this address or user name, and its password hash.
    pub async fn with_password(&self, who: &Identifier) -> Result<Option<(Account, String)>, SqlError> {
        let columns = columns(self.rules);
        match who {
            Identifier::Email(spellings) => {
                let all = spellings.all();
                let statement =
                    format!("SELECT {columns}, password_hash FROM accounts WHERE email IN ($1, $2, $3, $4)");
                let found: Vec<WithPassword> = self.sql.fetch(&statement, &all.map(Into::into)).await?;
                // Accounts from before may have two spellings of one address.
                let place =
                    |account: &Account| all.iter().position(|it| account.email.as_deref() == Some(*it));
                let first = found.into_iter().min_by_key(|WithPassword(account, _)| place(account));
                Ok(first.map(|WithPassword(account, hash)| (account, hash)))
            }
            Identifier::Username(name) => {
                let statement = format!("SELECT {columns}, password_hash FROM accounts WHERE username = $1");
                self.one_with_password(&statement, name.as_str().into()).await
            }
        }
    }

    /// The account with this number, and its password hash.
    pub async fn by_id_with_password(&self, id: i64) -> Result<Option<(Account, String)>, SqlError> {
        let columns = columns(self.rules);
        let statement = format!("SELECT {columns}, password_hash FROM accounts WHERE id = $1");
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

    /// Changes an account that still has `password_hash`, if one is given. A new address has to be verified again. A
    /// role of administrator that is given `by_name` holds only under the rules that give it so.
    pub async fn change(
        &self,
        id: i64,
        change: &Change,
        password_hash: Option<&str>,
        by_name: bool,
    ) -> Result<Account, NotChanged> {
        if change.email.is_some() && self.is_taken(change.email.as_ref(), None, id).await? {
            return Err(NotChanged::Taken);
        }
        // What cannot end an administrator need not count them.
        let (with, leaves_one) = if change.may_end_administrator() {
            (administrators(self.sql.dialect().lock()), leaves_one("$9"))
        } else {
            (String::new(), "1 = 1".to_owned())
        };
        let columns = columns(self.rules);
        let statement = format!(
            "{with} UPDATE accounts SET
                email = COALESCE($1, email), username = COALESCE($2, username),
                full_name = COALESCE($3, full_name), phone = COALESCE($4, phone), role = COALESCE($5, role),
                paid_access = COALESCE($6, paid_access), active = COALESCE($7, active),
                founder = CASE WHEN $5 IS NULL THEN founder ELSE NULL END,
                verified = COALESCE($8, CASE WHEN email = COALESCE($1, email) THEN verified ELSE 0 END)
             WHERE id = $9 AND password_hash = COALESCE($10, password_hash) AND {leaves_one} RETURNING {columns}"
        );
        let role = change.role.map(|role| if role == Role::Admin && by_name { BY_NAME } else { role.name() });
        let parameters = [
            change.email.as_ref().map(Email::as_str).into(),
            change.username.as_ref().map(Username::as_str).into(),
            change.full_name.as_deref().into(),
            change.phone.as_deref().into(),
            role.into(),
            change.paid_access.into(),
            change.active.into(),
            change.verified.into(),
            id.into(),
            password_hash.into(),
        ];
        match self.sql.first(&statement, &parameters).await {
            Ok(Some(changed)) => Ok(changed),
            Ok(None) => Err(self.why_not(id, password_hash).await?),
            Err(SqlError::Conflict(_)) => Err(NotChanged::Taken),
            Err(error) => Err(error.into()),
        }
    }

    async fn why_not(&self, id: i64, password_hash: Option<&str>) -> Result<NotChanged, SqlError> {
        Ok(match self.by_id_with_password(id).await? {
            None => NotChanged::NoSuchAccount,
            Some((_, hash)) if password_hash.is_some_and(|expected| expected != hash) => {
                NotChanged::OtherPassword
            }
            Some(_) => NotChanged::LastAdministrator,
        })
    }

    /// Whether the account is administrator by its name only, whether that counts now or not.
    pub async fn is_administrator_by_name(&self, id: i64) -> Result<bool, SqlError> {
        let statement = "SELECT 1 FROM accounts WHERE id = $1 AND role = $2";
        Ok(!self.sql.query(statement, &[id.into(), BY_NAME.into()]).await?.is_empty())
    }

    /// How many accounts were made so far: the greatest number that one has, for no number is given twice.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn made(&self) -> Result<i64, SqlError> {
        let found = self.sql.first::<(i64,)>("SELECT COALESCE(MAX(id), 0) FROM accounts", &[]).await?;
        Ok(found.map_or(0, |(number,)| number))
    }

    /// How many accounts are administrators by their names only.
    pub async fn administrators_by_name(&self) -> Result<i64, SqlError> {
        let statement = "SELECT COUNT(*) FROM accounts WHERE role = $1";
        let count: Option<(i64,)> = self.sql.first(statement, &[BY_NAME.into()]).await?;
        Ok(count.map_or(0, |(count,)| count))
    }

    /// Notes whether a subscription of the account goes on, as of `version` of its subscriptions; whether there is
    /// such an account. An older version than the one noted changes nothing, so a delayed note does no harm.
    pub async fn note_subscribed(
        &self,
        id: i64,
        subscribed: bool,
        version: i64,
    ) -> Result<Option<Account>, SqlError> {
        let columns = columns(self.rules);
        let statement = format!(
            "UPDATE accounts SET
                subscribed = CASE WHEN subscription_version < $1 THEN $2 ELSE subscribed END,
                subscription_version =
                    CASE WHEN subscription_version < $1 THEN $1 ELSE subscription_version END
             WHERE id = $3 RETURNING {columns}"
        );
        self.sql.first(&statement, &[version.into(), subscribed.into(), id.into()]).await
    }

    /// Accounts in the order of what is searched, at most `limit`. Each form goes along an index.
    pub async fn page(&self, search: &Search, limit: i64) -> Result<Vec<Account>, SqlError> {
        let columns = columns(self.rules);
        match search {
            Search::All { after } => {
                let statement = format!("SELECT {columns} FROM accounts WHERE id > $1 ORDER BY id LIMIT $2");
                self.sql.fetch(&statement, &[(*after).into(), limit.into()]).await
            }
            Search::Names { field, prefix, after } => {
                let field = field.column();
                let statement = format!(
                    "SELECT {columns} FROM accounts WHERE {field} >= $1 AND {field} < $2 AND {field} > $3
                     ORDER BY {field} LIMIT $4"
                );
                // Nothing that begins with the prefix sorts behind this.
                let end = format!("{prefix}\u{10FFFF}");
                let parameters = [prefix.as_str().into(), end.into(), after.as_str().into(), limit.into()];
                self.sql.fetch(&statement, &parameters).await
            }
        }
    }

    /// Sets a new password hash where the account is still as it was when the password was checked against it; whether
    /// it was.
    pub async fn set_password(
        &self,
        account: &Account,
        old_hash: &str,
        new_hash: &str,
    ) -> Result<bool, SqlError> {
        let statement = "UPDATE accounts SET password_hash = $1 WHERE id = $2 AND password_hash = $3
            AND COALESCE(email, '') = $4 AND COALESCE(username, '') = $5 RETURNING id";
        let (email, username) =
            (account.email.as_deref().unwrap_or(""), account.username.as_deref().unwrap_or(""));
        let parameters = [new_hash.into(), account.id.into(), old_hash.into(), email.into(), username.into()];
        Ok(!self.sql.query(statement, &parameters).await?.is_empty())
    }

    /// Deletes an account, and tells those who hold something of it: the trigger of `account_deletions` does both, as a
    /// part of this statement.
    pub async fn delete(&self, id: i64, now: UnixMillis) -> Result<(), NotChanged> {
        let lock = self.sql.dialect().lock();
        let statement = format!(
            "{} INSERT INTO account_deletions (account_id, deleted_at)
             SELECT id, CAST($2 AS BIGINT) FROM accounts
             WHERE id = $1 AND {}
                AND EXISTS (SELECT 1 FROM account_event_consumers WHERE queue = 'auth/account-events'){lock}
             RETURNING account_id",
            administrators(lock),
            leaves_one("$1"),
        );
        if self.sql.query(&statement, &[id.into(), now.into()]).await?.is_empty() {
            return Err(self.why_not(id, None).await?);
        }
        Ok(())
    }

    /// Forgets that accounts were deleted before `time`, a few of them; how many. Anyone who had to know has a job.
    pub async fn forget_deletions(&self, time: UnixMillis, limit: i64) -> Result<usize, SqlError> {
        let statement = "DELETE FROM account_deletions WHERE account_id IN (SELECT account_id
            FROM account_deletions WHERE deleted_at < $1 ORDER BY deleted_at LIMIT $2) RETURNING account_id";
        Ok(self.sql.query(statement, &[time.into(), limit.into()]).await?.len())
    }

    /// Makes an active account administrator if there is no active one yet, by name or not. One statement, so that there
    /// is only ever one first administrator; on Postgres, where two could look at the same time, `founder` is unique.
    pub async fn make_first_administrator(&self, id: i64) -> Result<Option<Account>, SqlError> {
        // A founder who is no active administrator any more stands in nobody's way.
        let statement = "UPDATE accounts SET founder = NULL
            WHERE founder = 1 AND (role <> 'admin' OR active = 0)";
        self.sql.query(statement, &[]).await?;
        let columns = columns(self.rules);
        let statement = format!(
            "UPDATE accounts SET role = 'admin', founder = 1
             WHERE id = $1 AND active = 1
                AND NOT EXISTS (SELECT 1 FROM accounts WHERE role = 'admin' AND active = 1) RETURNING {columns}"
        );
        match self.sql.first(&statement, &[id.into()]).await {
            Err(SqlError::Conflict(_)) => Ok(None),
            made => made,
        }
    }
}

impl FromRow for Account {
    fn from_row(mut row: Row) -> Option<Self> {
        Self::take(&mut row)
    }
}

impl Account {
    fn take(row: &mut Row) -> Option<Self> {
        let role: String = row.take("role")?;
        Some(Account {
            id: row.take("id")?,
            uuid: row.take("uuid")?,
            email: row.take("email")?,
            username: row.take("username")?,
            full_name: row.take("full_name")?,
            phone: row.take("phone")?,
            grants: Grants { role: Role::named(&role)?, paid_access: row.take("paid_access")? },
            active: row.take("active")?,
            verified: row.take("verified")?,
            created_at: row.take("created_at")?,
        })
    }
}

/// An account and its password hash.
struct WithPassword(Account, String);

impl FromRow for WithPassword {
    fn from_row(mut row: Row) -> Option<Self> {
        Some(WithPassword(Account::take(&mut row)?, row.take("password_hash")?))
    }
}
