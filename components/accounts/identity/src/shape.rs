//! What a client finds in its access token, and how long the token holds.
//!
//! Our own clients refresh, and look at nothing inside. Clients of the original systems look inside, and some of
//! them cannot refresh: their tokens hold as long as those systems' did. All tokens end with their session.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::accounts::Account;

/// The clients whose tokens are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Ours.
    Own,
    /// The message handler's.
    MessageHandler,
    /// The shop's.
    Shop,
    /// The loyalty system's.
    Loyalty,
}

impl Shape {
    const ALL: [Self; 4] = [Self::Own, Self::MessageHandler, Self::Shop, Self::Loyalty];

    /// Its name in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::MessageHandler => "message-handler",
            Self::Shop => "shop",
            Self::Loyalty => "loyalty",
        }
    }

    /// The shape of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|shape| shape.name() == name)
    }

    /// How long its tokens hold, where ours hold for `own`.
    pub fn lifetime(self, own: Duration) -> Duration {
        match self {
            Self::MessageHandler => Duration::from_secs(3600),
            Self::Shop => Duration::from_secs(1800),
            Self::Own | Self::Loyalty => own,
        }
    }

    /// What it finds of the account in its tokens beside our own claims. (The message handler's clients also find
    /// [`free_messages`](crate::SignOn::free_messages).)
    pub fn further_claims(self, account: &Account) -> Map<String, Value> {
        let claims = match self {
            Self::Own => json!({}),
            Self::MessageHandler => json!({ "email": account.email }),
            Self::Shop => json!({ "is_admin": account.is_admin() }),
            Self::Loyalty => json!({ "token_type": "access", "uid": account.uuid, "email": account.email }),
        };
        match claims {
            Value::Object(claims) => claims,
            _ => Map::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::LONGEST_TOKEN;

    #[test]
    fn a_shape_is_found_by_its_name_and_no_token_outlives_its_record() {
        for shape in Shape::ALL {
            assert_eq!(Shape::named(shape.name()), Some(shape));
            assert!(shape.lifetime(LONGEST_TOKEN) <= LONGEST_TOKEN);
        }
        assert_eq!(Shape::named("else"), None);
    }
}
