//! Notifications: the messages of the exchange `SUBSCRIPTION` (contract 001, section 7).

use serde::{Deserialize, Serialize};

use crate::Event;

/// The queues of the exchange.
pub const QUEUES: [&str; 3] = ["PURCHASED", "CANCELED", "RESTARTED"];

/// Where the events about accounts wait.
pub const EVENTS: &str = "subscriptions/account-events";

/// The queues that are served here: those of the exchange, and the events.
pub const SERVED: [&str; 4] = ["PURCHASED", "CANCELED", "RESTARTED", EVENTS];

/// What somebody wants to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notification {
    /// A user buys a subscription.
    Purchased {
        /// The number of the user's account.
        user_id: i64,
    },
    /// A subscription is canceled.
    Canceled {
        /// Its number.
        subscription_id: i64,
    },
    /// A subscription is restarted.
    Restarted {
        /// Its number.
        subscription_id: i64,
    },
}

/// The payload of a purchase.
#[derive(Serialize, Deserialize)]
struct Purchase {
    user_id: i64,
}

/// The payload of a change of status. What it asks for, the routing key says too, and that is gone by.
#[derive(Serialize, Deserialize)]
struct Change {
    canceled: bool,
    restarted: bool,
    subscription_id: i64,
}

/// A message that is no notification. The text is for the log.
#[derive(Debug, thiserror::Error)]
#[error("this is no notification: {0}")]
pub struct Unreadable(String);

impl Notification {
    /// What is to happen.
    pub fn event(self) -> Event {
        match self {
            Notification::Purchased { .. } => Event::Purchased,
            Notification::Canceled { .. } => Event::Canceled,
            Notification::Restarted { .. } => Event::Restarted,
        }
    }

    /// Its payload: JSON text.
    ///
    /// # Errors
    /// Those of the JSON library; there is no such value.
    pub fn payload(self) -> Result<String, serde_json::Error> {
        match self {
            Notification::Purchased { user_id } => serde_json::to_string(&Purchase { user_id }),
            Notification::Canceled { subscription_id } => {
                serde_json::to_string(&Change { canceled: true, restarted: false, subscription_id })
            }
            Notification::Restarted { subscription_id } => {
                serde_json::to_string(&Change { canceled: false, restarted: true, subscription_id })
            }
        }
    }

    /// Reads a message.
    ///
    /// # Errors
    /// When the routing key is none of ours, or the payload is not its.
    pub fn read(routing_key: &str, payload: &str) -> Result<Self, Unreadable> {
        let event = Event::named(routing_key).ok_or_else(|| Unreadable(format!("`{routing_key}`")))?;
        let unreadable = |error: serde_json::Error| Unreadable(error.to_string());
        Ok(match event {
            Event::Purchased => {
                let Purchase { user_id } = serde_json::from_str(payload).map_err(unreadable)?;
                Notification::Purchased { user_id }
            }
            Event::Canceled | Event::Restarted => {
                let Change { subscription_id, .. } = serde_json::from_str(payload).map_err(unreadable)?;
                match event {
                    Event::Canceled => Notification::Canceled { subscription_id },
                    _ => Notification::Restarted { subscription_id },
                }
            }
        })
    }

    /// Notifications of one line are performed in the order in which they came: those about one subscription, and
    /// the purchases of one user.
    pub fn line(self) -> String {
        match self {
            Notification::Purchased { user_id } => format!("subscriber/{user_id}"),
            Notification::Canceled { subscription_id } | Notification::Restarted { subscription_id } => {
                format!("subscription/{subscription_id}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_those_of_the_contract() {
        for (notification, routing_key, payload) in [
            (Notification::Purchased { user_id: 1 }, "SUBSCRIPTION_PURCHASED", r#"{"user_id":1}"#),
            (
                Notification::Canceled { subscription_id: 7 },
                "SUBSCRIPTION_CANCELED",
                r#"{"canceled":true,"restarted":false,"subscription_id":7}"#,
            ),
            (
                Notification::Restarted { subscription_id: 7 },
                "SUBSCRIPTION_RESTARTED",
                r#"{"canceled":false,"restarted":true,"subscription_id":7}"#,
            ),
        ] {
            assert_eq!(notification.event().name(), routing_key);
            assert_eq!(routing_key, format!("SUBSCRIPTION_{}", notification.event().queue()));
            assert!(QUEUES.contains(&notification.event().queue()));
            assert_eq!(notification.payload().unwrap(), payload);
            assert_eq!(Notification::read(routing_key, payload).unwrap(), notification);
        }
    }

    #[test]
    fn all_queues_are_served_and_the_events_come_where_they_are_sent() {
        assert_eq!(SERVED[..3], QUEUES);
        assert!(octo_account_events::account_deleted::CONSUMERS.contains(&"subscriptions"));
        assert_eq!(octo_account_events::account_deleted::queue_of("subscriptions"), EVENTS);
    }

    #[test]
    fn what_is_no_notification_is_told() {
        for (routing_key, payload) in [
            ("SUBSCRIPTION_EXPIRED", r#"{"user_id":1}"#),
            ("SUBSCRIPTION_PURCHASED", "{}"),
            ("SUBSCRIPTION_PURCHASED", r#"{"user_id":"1"}"#),
            ("SUBSCRIPTION_CANCELED", r#"{"user_id":1}"#),
            ("SUBSCRIPTION_CANCELED", ""),
        ] {
            assert!(Notification::read(routing_key, payload).is_err(), "{routing_key} {payload}");
        }
    }
}
