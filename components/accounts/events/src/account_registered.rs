//! An account was made.

use serde::{Deserialize, Serialize};

/// The name of the job that carries it.
pub const NAME: &str = "account-registered/1";

/// An account was made. It may be gone again when this is heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRegistered {
    /// Its number.
    pub account_id: i64,
    /// What it is called outside.
    pub uuid: String,
    /// When, in milliseconds since the epoch.
    pub registered_at: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_of_version_1_is_this_for_ever() {
        let uuid = "01937d7e-0000-7000-8000-000000000001".to_owned();
        let event = AccountRegistered { account_id: 7, uuid, registered_at: 1_800_000_030_000 };
        let payload =
            r#"{"account_id":7,"uuid":"01937d7e-0000-7000-8000-000000000001","registered_at":1800000030000}"#;
        assert_eq!(serde_json::to_string(&event).unwrap(), payload);
        assert_eq!(serde_json::from_str::<AccountRegistered>(payload).unwrap(), event);
    }
}
