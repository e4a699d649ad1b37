//! Why something is refused.

use octo_core::SqlError;

use crate::Away;

/// Why something is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no such user, or it is not the caller's business.
    #[error("there is no such user")]
    NoSuchUser,
    /// There is no such subscription, or it is not the caller's business.
    #[error("there is no such subscription")]
    NoSuchSubscription,
    /// There is no such notification, it is not the caller's business, or its reply is forgotten.
    #[error("there is no such notification")]
    NoSuchReply,
    /// The caller's key belongs to another request.
    #[error("the key belongs to another request")]
    KeyReused,
    /// The user has asked for as many changes as may be in a day.
    #[error("too many changes of a user's subscriptions in a day")]
    TooManyChanges {
        /// How long to wait, in seconds.
        seconds: u64,
    },
    /// The database failed.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// The accounts cannot be asked.
    #[error(transparent)]
    Away(#[from] Away),
    /// A message cannot be written, or a reply in the database cannot be read.
    #[error("a message is not what it should be: {0}")]
    Message(#[from] serde_json::Error),
}
