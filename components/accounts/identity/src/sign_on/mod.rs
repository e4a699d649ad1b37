//! The commands of sign-on.
//!
//! - `accounts`: making, changing and deleting an account.
//! - `upkeep`: what is done from time to time, and what the end of an account leaves to do.
//! - `logins`: beginning, renewing and ending sessions.
//! - `passwords`: hashing and comparing within bounds.
//! - `free_messages`: what is left of a user's free messages of the day.
//! - `presented`: judging and ending tokens of any kind.
//! - `administration`: what administrators do to others' accounts.
//! - `keys`: the public keys.
//!
//! Each command does what its name says or says why not ([`Refusal`]); who may give it is the caller's business.

mod accounts;
mod administration;
mod free_messages;
mod keys;
mod logins;
mod passwords;
mod presented;
mod upkeep;

use octo_core::{
    Clock, Entropy, KeyValue, Sql,
    sql::{Migrated, Schema},
};

pub use self::administration::LONGEST_PAGE;
pub use self::logins::{LogIn, Tokens};
pub use self::presented::{Introspected, Revoked};
pub use self::upkeep::Upkeep;
use crate::{
    Config,
    accounts::Accounts,
    refresh::RefreshTokens,
    schema::{ACCOUNTS, SCHEMA},
    sessions::Sessions,
    throttle::buckets,
};

/// What sign-on keeps in the database. The jobs are there for what it has to tell others.
pub(crate) const TABLES: &[&Schema] = &[&octo_jobs::SCHEMA, &SCHEMA, &ACCOUNTS, &buckets::SCHEMA];

/// Sign-on over its ports.
pub struct SignOn<'a, S, K, C, E> {
    sql: Migrated<'a, S>,
    store: &'a K,
    clock: &'a C,
    entropy: &'a E,
    config: Config,
}

impl<'a, S: Sql, K: KeyValue, C: Clock, E: Entropy> SignOn<'a, S, K, C, E> {
    /// Sign-on with these ports.
    pub fn new(sql: &'a S, store: &'a K, clock: &'a C, entropy: &'a E, config: Config) -> Self {
        Self { sql: Migrated::new(sql, TABLES), store, clock, entropy, config }
    }

    fn accounts(&self) -> Accounts<'_, Migrated<'a, S>> {
        Accounts::new(&self.sql, self.config.password_rules)
    }

    fn sessions(&self) -> Sessions<'_, Migrated<'a, S>> {
        Sessions::new(&self.sql, self.config.password_rules)
    }

    fn refresh_tokens(&self) -> RefreshTokens<'_, Migrated<'a, S>> {
        RefreshTokens::new(&self.sql)
    }
}

#[cfg(test)]
mod tests;
