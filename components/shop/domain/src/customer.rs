//! Who buys.

use octo_core::{Sql, SqlError};

/// Whose a cart or an order is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Customer {
    /// The account with this number.
    Account(i64),
    /// A browser without an account: the digest of its cookie.
    Guest(String),
    /// A name that a client of the original gave itself, which is no account's. Only under `legacy_rules`.
    Named(String),
}

impl Customer {
    /// As it is kept.
    pub fn owner(&self) -> String {
        match self {
            Self::Account(id) => format!("account/{id}"),
            Self::Guest(digest) => format!("guest/{digest}"),
            Self::Named(name) => format!("named/{name}"),
        }
    }

    /// The number of the account; 0 when there is none.
    pub fn number(&self) -> i64 {
        self.account().unwrap_or(0)
    }

    /// The number of the account.
    pub fn account(&self) -> Option<i64> {
        match self {
            Self::Account(id) => Some(*id),
            Self::Guest(_) | Self::Named(_) => None,
        }
    }
}

/// What a customer is called, if the shop knows.
///
/// # Errors
/// Those of the database.
pub async fn name(sql: &impl Sql, customer: &Customer) -> Result<Option<String>, SqlError> {
    let statement = "SELECT name FROM shop_customers WHERE owner = $1";
    let found = sql.first::<(String,)>(statement, &[customer.owner().into()]).await?;
    Ok(found.map(|(name,)| name))
}

/// Remembers what a customer is called.
///
/// # Errors
/// Those of the database.
pub async fn remember(sql: &impl Sql, customer: &Customer, name: &str) -> Result<(), SqlError> {
    let statement = "INSERT INTO shop_customers (owner, name) VALUES ($1, $2) ON CONFLICT (owner) DO NOTHING";
    sql.query(statement, &[customer.owner().into(), name.into()]).await.map(drop)
}

/// What the customer's orders that are not canceled come to, in kopecks.
///
/// # Errors
/// Those of the database.
pub async fn spent(sql: &impl Sql, customer: &Customer) -> Result<i64, SqlError> {
    let statement = "SELECT spent FROM shop_customers WHERE owner = $1";
    let found = sql.first::<(i64,)>(statement, &[customer.owner().into()]).await?;
    Ok(found.map_or(0, |(spent,)| spent))
}
