//! Notifications: the messages of the original's exchange `SUBSCRIPTION`, each a job.

use octo_jobs::{Job, Written};
use serde::{Deserialize, Serialize};

use crate::{Event, Subscription};

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

/// The job of a purchase.
#[derive(Serialize, Deserialize)]
pub(crate) struct Purchase {
    user_id: i64,
}

/// The job of a cancel.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Cancel(Change);

/// The job of a restart.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Restart(Change);

/// The payload of a change of status. What it asks for, the name of the job says too.
#[derive(Serialize, Deserialize)]
struct Change {
    canceled: bool,
    restarted: bool,
    subscription_id: i64,
}

impl Job for Purchase {
    const QUEUE: &'static str = "subscriptions/purchased";
    const NAME: &'static str = "SUBSCRIPTION_PURCHASED";
    type Reply = Subscription;

    fn line(&self) -> Option<String> {
        Some(format!("subscriber/{}", self.user_id))
    }
}

impl Job for Cancel {
    const QUEUE: &'static str = "subscriptions/canceled";
    const NAME: &'static str = "SUBSCRIPTION_CANCELED";
    type Reply = Subscription;

    fn line(&self) -> Option<String> {
        Some(format!("subscription/{}", self.0.subscription_id))
    }
}

impl Job for Restart {
    const QUEUE: &'static str = "subscriptions/restarted";
    const NAME: &'static str = "SUBSCRIPTION_RESTARTED";
    type Reply = Subscription;

    fn line(&self) -> Option<String> {
        Some(format!("subscription/{}", self.0.subscription_id))
    }
}

impl From<Purchase> for Notification {
    fn from(job: Purchase) -> Self {
        Notification::Purchased { user_id: job.user_id }
    }
}

impl From<Cancel> for Notification {
    fn from(job: Cancel) -> Self {
        Notification::Canceled { subscription_id: job.0.subscription_id }
    }
}

impl From<Restart> for Notification {
    fn from(job: Restart) -> Self {
        Notification::Restarted { subscription_id: job.0.subscription_id }
    }
}

impl Notification {
    /// What is to happen.
    pub fn event(self) -> Event {
        match self {
            Notification::Purchased { .. } => Event::Purchased,
            Notification::Canceled { .. } => Event::Canceled,
            Notification::Restarted { .. } => Event::Restarted,
        }
    }

    /// The job that carries it out. Those of one subscription, and the purchases of one user, are carried out in the order
    /// in which they came.
    ///
    /// # Errors
    /// Those of the JSON library; there is no such value.
    pub fn job(self) -> Result<Written, serde_json::Error> {
        match self {
            Notification::Purchased { user_id } => Written::of(&Purchase { user_id }),
            Notification::Canceled { subscription_id } => {
                Written::of(&Cancel(Change { canceled: true, restarted: false, subscription_id }))
            }
            Notification::Restarted { subscription_id } => {
                Written::of(&Restart(Change { canceled: false, restarted: true, subscription_id }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use octo_core::UnixMillis;

    use super::*;

    #[test]
    fn payloads_are_those_of_the_original() {
        for (notification, name, payload, line) in [
            (
                Notification::Purchased { user_id: 1 },
                "SUBSCRIPTION_PURCHASED",
                r#"{"user_id":1}"#,
                "subscriber/1",
            ),
            (
                Notification::Canceled { subscription_id: 7 },
                "SUBSCRIPTION_CANCELED",
                r#"{"canceled":true,"restarted":false,"subscription_id":7}"#,
                "subscription/7",
            ),
            (
                Notification::Restarted { subscription_id: 7 },
                "SUBSCRIPTION_RESTARTED",
                r#"{"canceled":false,"restarted":true,"subscription_id":7}"#,
                "subscription/7",
            ),
        ] {
            let written = notification.job().unwrap();
            let new = written.due(UnixMillis(0));
            assert_eq!((new.kind, new.args, new.line), (name, payload, Some(line)));
            assert_eq!(notification.event().name(), name);
        }
        let read: Purchase = serde_json::from_str(r#"{"user_id":1}"#).unwrap();
        assert_eq!(Notification::from(read), Notification::Purchased { user_id: 1 });
        let read: Cancel =
            serde_json::from_str(r#"{"canceled":true,"restarted":false,"subscription_id":7}"#).unwrap();
        assert_eq!(Notification::from(read), Notification::Canceled { subscription_id: 7 });
        let read: Restart =
            serde_json::from_str(r#"{"canceled":false,"restarted":true,"subscription_id":7}"#).unwrap();
        assert_eq!(Notification::from(read), Notification::Restarted { subscription_id: 7 });
    }

    #[test]
    fn a_payload_of_another_form_is_no_notification() {
        for payload in ["{}", r#"{"user_id":"1"}"#] {
            assert!(serde_json::from_str::<Purchase>(payload).is_err(), "{payload}");
        }
        for payload in [r#"{"user_id":1}"#, ""] {
            assert!(serde_json::from_str::<Cancel>(payload).is_err(), "{payload}");
        }
    }
}
