//! The accounts, as far as subscriptions concern them.

use octo_core::async_trait;

/// The accounts cannot be asked for now. The text is for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the accounts are away: {0}")]
pub struct Away(pub String);

/// Where the accounts are.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// The full name of an account's owner; `None` when there is no such account.
    async fn full_name(&self, user_id: i64) -> Result<Option<String>, Away>;

    /// Tells whether the user has an active subscription, as of `version` of the user's subscriptions. Does nothing
    /// when a later version was told before, or when the account is gone. When it returns, paid access is what the
    /// latest version says, for every token of the account.
    async fn note_subscribed(&self, user_id: i64, active: bool, version: i64) -> Result<(), Away>;
}
