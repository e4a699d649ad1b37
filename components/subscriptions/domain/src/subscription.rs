//! A subscription, its history, and whose it is.

use octo_core::{
    SqlValue, UnixMillis,
    sql::{FromRow, FromSql, Row},
};
use serde::{Deserialize, Serialize};

/// Whether a subscription gives anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// It does.
    Active,
    /// It was canceled, and can be restarted.
    Canceled,
}

impl Status {
    /// Its name in the database and in answers.
    pub fn name(self) -> &'static str {
        match self {
            Status::Active => "ACTIVE",
            Status::Canceled => "CANCELED",
        }
    }
}

/// What can happen to a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A user bought it.
    Purchased,
    /// It was canceled.
    Canceled,
    /// It is active again.
    Restarted,
}

impl Event {
    /// The routing key in the exchange `SUBSCRIPTION`, and the type in the history.
    pub fn name(self) -> &'static str {
        match self {
            Event::Purchased => "SUBSCRIPTION_PURCHASED",
            Event::Canceled => "SUBSCRIPTION_CANCELED",
            Event::Restarted => "SUBSCRIPTION_RESTARTED",
        }
    }

    /// The event with this name.
    pub fn named(name: &str) -> Option<Self> {
        [Event::Purchased, Event::Canceled, Event::Restarted].into_iter().find(|event| event.name() == name)
    }

    /// The status it leaves the subscription in.
    pub fn status(self) -> Status {
        match self {
            Event::Purchased | Event::Restarted => Status::Active,
            Event::Canceled => Status::Canceled,
        }
    }
}

/// The status that a history leads to; none without a history.
pub fn fold(history: impl IntoIterator<Item = Event>) -> Option<Status> {
    history.into_iter().last().map(Event::status)
}

/// A subscription. Its JSON is the reply to a notification, without the name: that is where it can be forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// Its number.
    pub id: i64,
    /// The number of the account it is for.
    pub user_id: i64,
    /// The full name of that account's owner when the last subscription was bought; may be empty.
    #[serde(skip)]
    pub user: String,
    /// Whether it is active.
    pub status: Status,
    /// When it was bought.
    pub created_at: UnixMillis,
    /// When its status last changed; `None` until it does.
    pub updated_at: Option<UnixMillis>,
}

/// One line of a subscription's history: something that changed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number; later ones are greater.
    pub id: i64,
    /// What happened.
    pub event: Event,
    /// The notification that told so.
    pub correlation_id: String,
    /// When it was applied.
    pub created_at: UnixMillis,
}

/// A user who has, or had, subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// The number of the account.
    pub user_id: i64,
    /// How many of the user's subscriptions are active.
    pub active: i64,
    /// How often any of them has changed.
    pub version: i64,
}

impl FromSql for Event {
    fn from_sql(value: SqlValue) -> Option<Self> {
        Event::named(value.text()?)
    }
}

impl FromSql for Status {
    fn from_sql(value: SqlValue) -> Option<Self> {
        [Status::Active, Status::Canceled].into_iter().find(|status| Some(status.name()) == value.text())
    }
}

impl FromRow for Subscription {
    fn from_row(mut row: Row) -> Option<Self> {
        Some(Subscription {
            id: row.take("id")?,
            user_id: row.take("user_id")?,
            user: row.take("full_name")?,
            status: row.take("status")?,
            created_at: row.take("created_at")?,
            updated_at: row.take("updated_at")?,
        })
    }
}

octo_core::from_row!(Entry { id, event, correlation_id, created_at });
octo_core::from_row!(Subscriber { user_id, active, version });
