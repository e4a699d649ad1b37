//! An account was deleted.

use serde::{Deserialize, Serialize};

/// The name of the job that carries it.
pub const NAME: &str = "account-deleted/1";

/// An account was deleted, and nobody can use it any more. Its number is never given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountDeleted {
    /// Its number.
    pub account_id: i64,
    /// When, in milliseconds since the epoch.
    pub deleted_at: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_of_version_1_is_this_for_ever() {
        let event = AccountDeleted { account_id: 7, deleted_at: 1_800_000_030_000 };
        let payload = r#"{"account_id":7,"deleted_at":1800000030000}"#;
        assert_eq!(serde_json::to_string(&event).unwrap(), payload);
        assert_eq!(serde_json::from_str::<AccountDeleted>(payload).unwrap(), event);
        // A consumer may meet members that it does not know.
        let more = r#"{"account_id":7,"deleted_at":1800000030000,"more":1}"#;
        assert_eq!(serde_json::from_str::<AccountDeleted>(more).unwrap(), event);
        for payload in ["{}", ""] {
            assert!(serde_json::from_str::<AccountDeleted>(payload).is_err(), "{payload}");
        }
    }
}
